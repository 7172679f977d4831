//! Every look-up told: the curve of a trace, sampled by size, its first look-ups counted.

mod traces;

use std::collections::HashSet;
use std::time::Duration;

use traces::{Lookup, Random, uniform, zipf};
use weir_mrc::exact::ExactStack;
use weir_mrc::{Access, Estimator, EstimatorConfig, MissRatioCurve, Outcome};

const BLOCKS: usize = 60_000;
const LOOKUPS: usize = 300_000;
const SAMPLES: usize = 2_048;

fn access(lookup: &Lookup) -> Access {
    Access {
        hash: lookup.hash,
        charge_bytes: lookup.charge_bytes,
        outcome: Outcome::Unknown,
        inserts: true,
        counted: true,
        high_priority: false,
    }
}

fn curve(trace: &[Lookup], samples: usize) -> Option<MissRatioCurve> {
    let mut estimator = Estimator::new(EstimatorConfig::offline(samples));
    for lookup in trace {
        estimator.look_up(&access(lookup), 0, Duration::ZERO);
    }
    estimator.curve(Duration::ZERO)
}

/// Mean error over a hundred sizes, in points, and the mean width of the band.
fn error_and_width(trace: &[Lookup]) -> (f64, f64) {
    let mut exact = ExactStack::new();
    for lookup in trace {
        exact.access(&access(lookup));
    }
    let curve = curve(trace, SAMPLES).expect("a curve");
    let (mut error, mut width) = (0.0, 0.0);
    for step in 1..=100 {
        let bytes = exact.bytes() / 100 * step;
        let at = curve.miss_ratio_at(bytes);
        error += (at.value - exact.miss_ratio_at(bytes)).abs();
        width += at.high - at.low;
    }
    (error, width)
}

#[test]
fn blocks_that_change_their_size_are_no_new_blocks() {
    let mut random = Random(9);
    let mut trace = zipf(3, BLOCKS, 0.8, LOOKUPS);
    for lookup in &mut trace {
        lookup.charge_bytes = 2_000 + random.below(60_000);
    }
    let (error, _) = error_and_width(&trace);
    println!("mean error {error:.2} points");
    assert!(error < 2.0, "{error}");
}

#[test]
fn a_loop_has_one_cliff_and_a_band_only_there() {
    let mut seen = HashSet::new();
    let mut trace = uniform(4, BLOCKS as u64, BLOCKS);
    trace.retain(|lookup| seen.insert(lookup.hash));
    let around: Vec<Lookup> = trace.iter().cycle().take(LOOKUPS).copied().collect();
    let (error, width) = error_and_width(&around);
    println!("mean error {error:.2} points, mean width {width:.2}");
    assert!(error < 4.0, "{error}");
    assert!(width < 8.0, "{width}");
}

#[test]
fn the_curve_ends_at_the_share_of_first_look_ups() {
    // They are counted with an error of half a per cent, where the sample's is two.
    let mut held = 0;
    for seed in 1..=5 {
        let trace = zipf(seed, BLOCKS, 0.6, LOOKUPS / 2);
        let distinct: HashSet<u64> = trace.iter().map(|lookup| lookup.hash).collect();
        let share = distinct.len() as f64 / trace.len() as f64;
        let curve = curve(&trace, SAMPLES).expect("a curve");
        let end = curve.miss_ratio_at(1 << 40);
        println!("{:.4} to {:.4} for {share:.4}", end.low, end.high);
        assert!(
            (end.value / share - 1.0).abs() < 0.018,
            "{end:?} for {share}"
        );
        held += usize::from((end.low..=end.high).contains(&share));
    }
    assert!(held >= 3, "the band holds {held} of 5");
}

#[test]
fn there_is_no_curve_of_a_handful_of_samples() {
    let trace = zipf(1, BLOCKS, 0.8, 10_000);
    assert_eq!(curve(&trace, 1), None);
    assert_eq!(curve(&trace, 8), None);
    assert!(curve(&trace, 512).is_some());
    assert!(curve(&trace[..20], 512).is_some(), "all of them were seen");
}
