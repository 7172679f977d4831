//! The events of a seed are the same in every release: answers, exports and measurements of different days can be held against each other.

use nexmark_generator::{
    Column, GeneratorConfig, Kind, RateSchedule, RowGenerator, RowPlan, Stretch,
};

/// FNV-1a over all bytes of the rows of positions, headers included.
fn digest(config: GeneratorConfig, columns: Vec<Column>, only: Option<Kind>, from: u64) -> u64 {
    let generator = RowGenerator::new(config, RowPlan::new(columns), only).expect("valid");
    let mut buffer = vec![0xAA; 64 * 1024];
    let mut stretch = Stretch {
        from,
        to: from + 20_000,
        splits: &[true, true, false],
    };
    let mut digest = 0xCBF2_9CE4_8422_2325_u64;
    while stretch.from < stretch.to {
        let batch = generator.fill(stretch, &mut buffer);
        for &byte in &buffer[..batch.bytes] {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        stretch.from = batch.position;
    }
    digest
}

fn whole() -> Vec<Column> {
    let mut columns = vec![Column::EventType];
    columns.extend(Kind::ALL.map(Column::Whole));
    columns
}

fn each(kind: Kind, columns: usize) -> Vec<Column> {
    (0..columns)
        .map(|column| Column::Of(kind, column))
        .collect()
}

#[test]
fn rows_are_what_they_were() {
    let standard = GeneratorConfig::default;
    let other = || GeneratorConfig {
        seed: -7,
        schedule: RateSchedule::square(100, 7_777, 1_000).expect("a schedule"),
        person_proportion: 3,
        auction_proportion: 5,
        bid_proportion: 17,
        person_bytes: 400,
        auction_bytes: 150,
        bid_bytes: 333,
        hot_auction_ratio: 5,
        in_flight_auctions: 1_000,
        active_people: 50,
        out_of_order_group: 70,
        delayed_share: 0.25,
        ..GeneratorConfig::default()
    };
    let big = GeneratorConfig {
        bid_bytes: 116,
        ..standard()
    };
    let digests = [
        digest(standard(), whole(), None, 0),
        digest(standard(), whole(), None, 123_456_789_012),
        digest(other(), whole(), None, 5_000_000),
        digest(big, whole(), None, 5_000_000),
        digest(standard(), each(Kind::Bid, 7), None, 1_000),
        digest(other(), each(Kind::Bid, 7), Some(Kind::Bid), 1_000),
        digest(other(), each(Kind::Auction, 10), Some(Kind::Auction), 1_000),
        digest(other(), each(Kind::Person, 8), Some(Kind::Person), 1_000),
    ];
    let pinned = [
        0x6937_bfca_786f_d6c5,
        0x9a0a_1c5d_fb21_78fb,
        0x25d4_8405_e601_40d5,
        0xf9e1_6712_1913_3e87,
        0xb9e0_50e6_bb0b_5481,
        0x33b5_ac4b_febf_d3c5,
        0x3150_697e_dd83_6441,
        0x8eb3_e76b_a92f_bac5,
    ];
    assert_eq!(digests, pinned, "{digests:#x?}");
}
