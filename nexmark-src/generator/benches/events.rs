//! Events per second of the generator alone, on one core: whole rows, and the columns that queries over bids use.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nexmark_generator::{Column, GeneratorConfig, Kind, RowGenerator, RowPlan, Stretch};

const EVENTS: u64 = 100_000;

fn events(criterion: &mut Criterion) {
    let whole = vec![
        Column::EventType,
        Column::Whole(Kind::Person),
        Column::Whole(Kind::Auction),
        Column::Whole(Kind::Bid),
    ];
    let bids = vec![
        Column::EventType,
        Column::Of(Kind::Bid, 0),
        Column::Of(Kind::Bid, 1),
        Column::Of(Kind::Bid, 2),
        Column::Of(Kind::Bid, 5),
    ];
    let mut group = criterion.benchmark_group("events");
    group.throughput(Throughput::Elements(EVENTS));
    for (name, columns) in [
        ("all columns", whole),
        ("auction, bidder, price, dateTime", bids),
    ] {
        let generator = RowGenerator::new(GeneratorConfig::default(), RowPlan::new(columns), None)
            .expect("the standard");
        let mut buffer = vec![0; 256 * 1024];
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut stretch = Stretch {
                    from: 5_000_000,
                    to: 5_000_000 + EVENTS,
                    splits: &[true],
                };
                while stretch.from < stretch.to {
                    stretch.from = generator.fill(stretch, &mut buffer).position;
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, events);
criterion_main!(benches);
