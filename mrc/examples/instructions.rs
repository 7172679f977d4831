//! The hot paths on their own, for an instruction counter: wall time on a shared machine is noise.
//!
//! ```sh
//! cargo build --release -p weir-mrc --example instructions
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/examples/instructions rejected 2000000
//! ```
//!
//! Count twice with different numbers of look-ups; the difference over the difference is the cost of one.
//! Paths: `none` (only making keys), `rejected` (hash and compare), `counted` (`look_up` of blocks that are not sampled), `sampled`.

use std::hint::black_box;
use std::time::Duration;

use weir_mrc::{Access, Estimator, EstimatorConfig, Outcome, hash_key};

fn access(hash: u64) -> Access {
    Access {
        hash,
        charge_bytes: 4_160,
        outcome: Outcome::Hit,
        inserts: true,
        counted: true,
        high_priority: false,
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (Some(path), Some(lookups)) = (
        arguments.get(1),
        arguments.get(2).and_then(|n| n.parse::<u64>().ok()),
    ) else {
        eprintln!("usage: instructions none|rejected|counted|sampled LOOKUPS");
        std::process::exit(64);
    };
    let mut estimator = Estimator::new(EstimatorConfig::offline(8_192));
    let mut state = 1_u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 800_000
    };
    // Half a million look-ups fill the sample; they are in every count alike.
    for _ in 0..500_000 {
        estimator.look_up(&access(hash_key(&next().to_le_bytes())), 0, Duration::ZERO);
    }
    let sampled: Vec<u64> = (0..800_000_u64)
        .map(|block| hash_key(&block.to_le_bytes()))
        .filter(|hash| {
            estimator
                .thresholds()
                .samples(hash.saturating_mul(2), 4_160)
        })
        .collect();
    let mut taken = 0_u64;
    let path_number = ["none", "rejected", "counted"]
        .iter()
        .position(|p| p == path);
    for i in 0..lookups {
        let key = next().to_le_bytes();
        match path_number {
            Some(0) => taken += black_box(key)[0] as u64,
            Some(1) => taken += u64::from(hash_key(black_box(&key)) < black_box(1)),
            Some(2) => {
                let hash = hash_key(black_box(&key)) | 1 << 63;
                estimator.look_up(&access(hash), 0, Duration::ZERO);
            }
            _ => {
                let hash = sampled[(i * 7_919) as usize % sampled.len()];
                estimator.look_up(&access(hash), 0, Duration::ZERO);
            }
        }
    }
    println!(
        "{path}: {lookups} look-ups, {taken}, {:.0} samples",
        estimator.samples()
    );
}
