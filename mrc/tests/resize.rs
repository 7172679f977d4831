//! What the curve promises of another size, and what the cache does when it gets that size: an LSM tree with index blocks, whose
//! compactions read whole files past the cache and rename them.

mod replay;
mod traces;

use std::time::Duration;

use replay::Replay;
use traces::{Lsm, MIB, lsm};
use weir_mrc::EstimatorConfig;

const CAPACITY: u64 = 48 * MIB;

const SHAPE: Lsm = Lsm {
    files: 24,
    blocks_per_file: 2_500,
    exponent: 0.8,
    compact_every: 12_000,
    index_bytes: 60_000,
};

fn check(seed: u64) {
    let config = EstimatorConfig {
        half_life: Some(Duration::from_secs(600)),
        ..EstimatorConfig::default()
    };
    let trace = lsm(seed, SHAPE, 1_000_000);
    let (watched, after) = trace.split_at(600_000);
    let (filling, measured_on) = after.split_at(150_000);

    let mut replay = Replay::new(CAPACITY, config).without_exact();
    replay.run(watched);
    assert!(replay.estimator.threshold() < u64::MAX / 4, "not sampled");
    let curve = replay.curve();

    let here = curve.miss_ratio_at(CAPACITY).value;
    let counted = replay.misses as f64 / replay.lookups as f64;
    println!("seed {seed}, at the capacity: curve {here:.4}, counters {counted:.4}");
    assert!(
        (here - counted).abs() <= 0.02,
        "seed {seed}: {here} for {counted}"
    );

    for capacity in [CAPACITY / 2, CAPACITY, CAPACITY * 2] {
        let promised = curve.miss_ratio_at(capacity).value;
        let mut cache = replay.cache.clone();
        cache.set_capacity(capacity);
        let mut resized = Replay::new(capacity, config).without_exact();
        resized.cache = cache;
        resized.run(filling);
        let kept = resized.measure(measured_on);
        println!(
            "seed {seed}, {} MiB: promised {promised:.4}, measured {kept:.4}",
            capacity / MIB
        );
        assert!(
            (promised - kept).abs() <= 0.03,
            "seed {seed}, {} MiB: promised {promised}, measured {kept}",
            capacity / MIB
        );
    }
}

#[test]
fn a_resized_cache_does_what_the_curve_had_promised() {
    for seed in [1, 2, 3] {
        check(seed);
    }
}

/// The same estimator lives through a resize: right afterwards and later on its curve stays true at the capacity in force.
#[test]
fn a_resize_does_not_disturb_the_curve() {
    let config = EstimatorConfig {
        half_life: Some(Duration::from_secs(600)),
        ..EstimatorConfig::default()
    };
    let trace = lsm(9, SHAPE, 1_200_000);
    let mut replay = Replay::new(CAPACITY, config).without_exact();
    replay.run(&trace[..400_000]);
    let before = replay.curve();
    for (capacity, part) in [
        (CAPACITY * 2, 400_000..800_000),
        (CAPACITY / 2, 800_000..1_200_000),
    ] {
        replay.cache.set_capacity(capacity);
        replay.run(&trace[part]);
        let after = replay.curve();
        for size in [CAPACITY / 2, CAPACITY, CAPACITY * 2] {
            let (old, new) = (
                before.miss_ratio_at(size).value,
                after.miss_ratio_at(size).value,
            );
            println!(
                "{} MiB: curve at {} MiB was {old:.4}, is {new:.4}",
                capacity / MIB,
                size / MIB
            );
            assert!((old - new).abs() <= 0.03, "{old} became {new}");
        }
    }
}
