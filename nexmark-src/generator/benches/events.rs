//! Events per second of the generator alone, on one core, as rows of Flink's binary format: only the columns that are asked for are made, so
//! numbers, a bid's text and whole events are different rates. Events of other kinds than the columns' are counted and become rows too.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nexmark_generator::{Column, GeneratorConfig, Kind, RowGenerator, RowPlan, Stretch};

const EVENTS: u64 = 100_000;

fn events(criterion: &mut Criterion) {
    let whole = || {
        let mut columns = vec![Column::EventType];
        columns.extend(Kind::ALL.map(Column::Whole));
        columns
    };
    let bid = |columns: &[usize]| columns.iter().map(|&c| Column::Of(Kind::Bid, c)).collect();
    let mut group = criterion.benchmark_group("events");
    group.throughput(Throughput::Elements(EVENTS));
    let all: [(&str, Vec<Column>); 4] = [
        ("bids' auction, bidder, price, dateTime", bid(&[0, 1, 2, 5])),
        (
            "bids' columns, channel, url and extra included",
            bid(&[0, 1, 2, 3, 4, 5, 6]),
        ),
        ("whole events, all columns of each kind", whole()),
        ("whole events out of order, groups of 1000", whole()),
    ];
    for (name, columns) in all {
        let config = GeneratorConfig {
            out_of_order_group: if name.contains("out of order") {
                1000
            } else {
                1
            },
            ..GeneratorConfig::default()
        };
        let generator =
            RowGenerator::new(config, RowPlan::new(columns), None).expect("the standard");
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
