//! How far the curve is off on synthetic traces, at sampling rates well below 1. Seeds are fixed, so these are plain facts.
//!
//! Bounds are two to three times what was measured when they were written: they catch a broken estimator, not a worse one.

mod replay;
mod traces;

use replay::Replay;
use traces::{Lookup, Lsm, MIB, loop_mix, lsm, uniform, zipf};
use weir_mrc::EstimatorConfig;

const LOOKUPS: usize = 400_000;
const CAPACITY: u64 = 64 * MIB;
/// Of 60,000 blocks: a sampling rate of 3 %.
const SAMPLES: usize = 2_048;

const LSM: Lsm = Lsm {
    files: 60,
    blocks_per_file: 1_000,
    exponent: 0.9,
    compact_every: 10_000,
    index_bytes: 0,
};

fn replay(trace: &[Lookup], samples: usize) -> Replay {
    let config = EstimatorConfig {
        samples,
        ..EstimatorConfig::default()
    };
    let mut replay = Replay::new(CAPACITY, config);
    replay.run(trace);
    replay
}

/// Largest mean error over all sizes, in points, and the mean coverage of the bands, over three seeds; the error at the present
/// capacity is bounded at once.
fn check(name: &str, mae_points: f64, trace: impl Fn(u64) -> Vec<Lookup>) {
    let mut coverage = 0.0;
    for seed in [101, 202, 303] {
        let mut replay = replay(&trace(seed), SAMPLES);
        let (mae, worst) = replay.errors(false);
        let measured = replay.misses as f64 / replay.lookups as f64;
        let here = replay.curve().miss_ratio_at(CAPACITY).value - measured;
        let covered = replay.coverage();
        println!(
            "{name}, seed {seed}: mean error {:.2} points, worst {:.2}, at the capacity {:+.2}, band holds {:.0} %",
            mae * 100.0,
            worst * 100.0,
            here * 100.0,
            covered * 100.0,
        );
        assert!(
            replay.estimator.threshold() < u64::MAX / 10,
            "{name}: not sampled"
        );
        assert!(mae * 100.0 <= mae_points, "{name}, seed {seed}: {mae}");
        assert!(
            here.abs() <= 0.01,
            "{name}, seed {seed}: {here} at the capacity"
        );
        coverage += covered / 3.0;
    }
    assert!(coverage >= 0.85, "{name}: bands hold {coverage}");
}

#[test]
fn skewed_look_ups() {
    check("zipf 0.99", 0.6, |seed| zipf(seed, 60_000, 0.99, LOOKUPS));
}

#[test]
fn slightly_skewed_look_ups() {
    check("zipf 0.6", 1.2, |seed| zipf(seed, 60_000, 0.6, LOOKUPS));
}

#[test]
fn uniform_look_ups() {
    check("uniform", 1.8, |seed| uniform(seed, 60_000, LOOKUPS));
}

#[test]
fn a_loop_among_skewed_look_ups() {
    check("loop", 1.8, |seed| loop_mix(seed, 30_000, LOOKUPS));
}

#[test]
fn an_lsm_tree_under_compaction() {
    check("lsm", 1.0, |seed| lsm(seed, LSM, LOOKUPS));
}

#[test]
fn bands_shrink_with_samples() {
    let trace = zipf(7, 60_000, 0.8, LOOKUPS);
    let width = |samples| {
        let curve = replay(&trace, samples).curve();
        [8, 16, 32, 128]
            .map(|mib| curve.miss_ratio_at(mib * MIB))
            .iter()
            .map(|m| m.high - m.low)
            .sum::<f64>()
    };
    let (coarse, medium, fine, all) = (width(512), width(2_048), width(8_192), width(60_000));
    println!("widths of the band: {coarse:.3}, {medium:.3}, {fine:.3}, {all:.3}");
    assert!(coarse > medium * 1.3 && medium > fine * 1.3);
    assert!(all < 1e-9, "nothing is in doubt where everything was seen");
}

#[test]
fn eight_thousand_samples_take_less_than_a_mebibyte() {
    let replay = replay(&uniform(1, 60_000, 100_000), EstimatorConfig::SAMPLES);
    let bytes = replay.estimator.memory_bytes();
    println!("{bytes} bytes");
    assert!(bytes <= MIB as usize, "{bytes} bytes");
}
