//! Any split of the stream gives the same events, and a row's columns do not depend on which others are asked for.

use std::collections::BTreeMap;

use nexmark_generator::{
    Column, GeneratorConfig, Kind, RateSchedule, RowGenerator, RowPlan, Stretch,
};
use proptest::prelude::*;

fn config() -> impl Strategy<Value = GeneratorConfig> {
    (
        any::<i64>(),
        1..4_u64,
        1..5_u64,
        0..50_u64,
        1..40_u64,
        0..3_u8,
    )
        .prop_map(
            |(seed, person, auction, bid, group, late)| GeneratorConfig {
                seed,
                person_proportion: person,
                auction_proportion: auction,
                bid_proportion: bid,
                out_of_order_group: group,
                delayed_share: f64::from(late) / 2.0,
                schedule: RateSchedule::square(100, 7_777, 1_000).expect("a schedule"),
                ..GeneratorConfig::default()
            },
        )
}

fn whole() -> Vec<Column> {
    let mut columns = vec![Column::EventType];
    columns.extend(Kind::ALL.map(Column::Whole));
    columns
}

/// Position and bytes of every row of a stretch, made in batches of a buffer's size.
fn rows(
    generator: &RowGenerator,
    mut stretch: Stretch<'_>,
    buffer_bytes: usize,
) -> BTreeMap<u64, Vec<u8>> {
    let mut buffer = vec![0xAA; buffer_bytes.max(generator.least_buffer_bytes())];
    let mut rows = BTreeMap::new();
    while stretch.from < stretch.to {
        let batch = generator.fill(stretch, &mut buffer);
        let mut rest = &buffer[..batch.bytes];
        for _ in 0..batch.rows {
            let word =
                |at: usize| u64::from_le_bytes(rest[at..at + 8].try_into().expect("eight bytes"));
            let length = word(8) as usize;
            assert_eq!(length % 8, 0);
            rows.insert(word(0), rest[16..16 + length].to_vec());
            rest = &rest[16 + length..];
        }
        assert!(rest.is_empty());
        stretch.from = batch.position;
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same_events(
        config in config(),
        from in 0..100_000_u64,
        cut in 0..300_u64,
        splits in prop::collection::vec(any::<bool>(), 1..20),
        buffer in 0..20_000_usize,
    ) {
        let generator = RowGenerator::new(config, RowPlan::new(whole()), None).expect("valid");
        let to = from + 300;
        let all = rows(&generator, Stretch { from, to, splits: &[true] }, 1 << 20);
        prop_assert_eq!(all.len(), 300);
        let others: Vec<bool> = splits.iter().map(|mine| !mine).collect();
        let mut pieces = BTreeMap::new();
        for (from, to) in [(from, from + cut), (from + cut, to)] {
            for splits in [&splits, &others] {
                pieces.extend(rows(&generator, Stretch { from, to, splits }, buffer));
            }
        }
        prop_assert_eq!(all, pieces);
    }

    #[test]
    fn a_column_is_the_same_in_any_company(config in config(), from in 0..100_000_u64) {
        let prices = vec![Column::Of(Kind::Bid, 2)];
        let more = vec![Column::Of(Kind::Bid, 4), Column::Of(Kind::Bid, 2), Column::EventType];
        let stretch = Stretch { from, to: from + 200, splits: &[true] };
        let alone = RowGenerator::new(config.clone(), RowPlan::new(prices), Some(Kind::Bid)).expect("valid");
        let alone = rows(&alone, stretch, 4_096);
        let company = RowGenerator::new(config, RowPlan::new(more), None).expect("valid");
        let company = rows(&company, stretch, 4_096);
        // Header word, then the columns: url, price, kind.
        let bids: BTreeMap<_, _> = company.iter().filter(|(_, row)| row[24] == Kind::Bid as u8).collect();
        prop_assert_eq!(alone.len(), bids.len());
        for (position, row) in &alone {
            prop_assert_eq!(&row[8..16], &bids[position][16..24]);
        }
    }
}
