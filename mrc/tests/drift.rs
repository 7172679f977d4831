//! What ageing does: a working set that moves, one that shrinks, and blocks that nobody asks for again.

mod replay;
mod traces;

use std::time::Duration;

use replay::Replay;
use traces::{Lookup, MIB, Random, block, uniform, zipf};
use weir_mrc::exact::{ExactStack, ReuseDistance};
use weir_mrc::{Access, EstimatorConfig, Outcome};

const CAPACITY: u64 = 32 * MIB;
/// 100,000 look-ups at the pace of the replay.
const HALF_LIFE: Duration = Duration::from_secs(5);

fn replay(samples: usize) -> Replay {
    Replay::new(
        CAPACITY,
        EstimatorConfig {
            samples,
            half_life: Some(HALF_LIFE),
            ..EstimatorConfig::default()
        },
    )
}

/// Look-ups of other blocks than those of the same seed.
fn elsewhere(trace: Vec<Lookup>) -> Vec<Lookup> {
    let moved = |lookup: Lookup| Lookup {
        hash: Random(lookup.hash).next(),
        ..lookup
    };
    trace.into_iter().map(moved).collect()
}

#[test]
fn a_curve_follows_a_working_set_that_moved_and_changed_its_shape() {
    let mut replay = replay(2_048);
    replay.run(&zipf(1, 20_000, 1.0, 400_000));
    replay.exact.as_mut().unwrap().start_window();
    // Eight half-lives on other blocks: of the old shape less than half a percent is left.
    replay.run(&elsewhere(uniform(1, 12_000, 800_000)));
    let curve = replay.curve();
    let exact = replay.exact.as_ref().unwrap();
    for mib in [4, 8, 16, 24, 40, 60] {
        let (is, was) = (
            curve.miss_ratio_at(mib * MIB).value,
            exact.miss_ratio_at(mib * MIB),
        );
        println!("{mib} MiB: curve {is:.4}, exact {was:.4}");
        assert!((is - was).abs() <= 0.02, "{mib} MiB: {is} for {was}");
    }
}

/// After a rise, the estimator is as good as a new one that never saw the large set.
#[test]
fn the_threshold_rises_again_when_the_working_set_shrinks() {
    let mut replay = replay(1_024);
    replay.run(&uniform(3, 60_000, 400_000));
    let low = replay.estimator.threshold();
    assert!(low < u64::MAX / 20);
    // Four half-lives until the large set has left the sample, four on probation, four to forget what few samples had booked.
    let small = elsewhere(zipf(4, 4_000, 0.7, 1_400_000));
    let (forgetting, last) = small.split_at(1_200_000);
    replay.run(forgetting);
    let raised = replay.estimator.threshold();
    println!("threshold {low:e}, then {raised:e}");
    assert!(raised / 8 > low, "from {low} to {raised} only");

    replay.exact.as_mut().unwrap().start_window();
    replay.run(last);
    // All blocks are new to the fresh one at once: in such a rush up to a quarter of the sample is given up for room.
    let as_many = (raised as f64 / u64::MAX as f64 * 4_000.0 * 4.0 / 3.0) as usize;
    let mut fresh = self::replay(as_many).without_exact();
    fresh.run(&small[600_000..]);
    let (curve, fresh) = (replay.curve(), fresh.curve());
    let exact = replay.exact.as_ref().unwrap();
    for mib in [2, 4, 8, 12] {
        let is = curve.miss_ratio_at(mib * MIB);
        let (new, was) = (
            fresh.miss_ratio_at(mib * MIB).value,
            exact.miss_ratio_at(mib * MIB),
        );
        println!("{mib} MiB: {is:.4?}, a fresh one {new:.4}, exact {was:.4}");
        assert!((is.value - new).abs() <= 0.01, "{mib} MiB");
        assert!((is.low..=is.high).contains(&was), "{mib} MiB");
    }
}

#[test]
fn a_curve_ends_when_nobody_looks_anything_up() {
    let mut replay = replay(1_024);
    replay.run(&zipf(5, 4_000, 0.8, 50_000));
    assert!(replay.estimator.curve(replay.now).is_some());
    let later = replay.now + HALF_LIFE * 30;
    assert!(replay.estimator.curve(later).is_none());
    assert!(replay.estimator.samples() < 1.0);
    assert_eq!(
        replay.estimator.threshold(),
        u64::MAX,
        "free to sample everything again"
    );
    assert_eq!(
        replay.estimator.histogram().count,
        50_000,
        "the histogram does not age"
    );
}

/// A horizon keeps blocks that no cache could hold out of the sample: the rate stays high under a stream of new blocks.
#[test]
fn a_horizon_spends_the_sample_on_what_matters() {
    let run = |horizon_bytes| {
        let mut replay = Replay::new(
            CAPACITY,
            EstimatorConfig {
                samples: 2_048,
                half_life: None,
                horizon_bytes,
                ..EstimatorConfig::default()
            },
        );
        let mut random = Random(8);
        let trace: Vec<Lookup> = (0..400_000)
            .map(|i| {
                if i % 2 == 0 {
                    block(1, 1_000_000 + i)
                } else {
                    block(1, random.below(10_000))
                }
            })
            .collect();
        replay.run(&trace);
        let curve = replay.curve();
        let exact = replay.exact.as_ref().unwrap();
        for mib in [8, 32, 64, 120] {
            let (is, was) = (
                curve.miss_ratio_at(mib * MIB).value,
                exact.miss_ratio_at(mib * MIB),
            );
            println!("horizon {horizon_bytes:?}, {mib} MiB: curve {is:.4}, exact {was:.4}");
            assert!((is - was).abs() <= 0.02, "{mib} MiB: {is} for {was}");
        }
        replay.estimator.threshold()
    };
    let (without, with) = (run(None), run(Some(128 * MIB)));
    assert!(with / 4 > without, "{with} against {without}");
}

/// Miss ratios at some sizes of an exact stack whose look-ups age as the estimator's do.
fn aged_exact(trace: &[Lookup], sizes: &[u64]) -> Vec<f64> {
    let mut exact = ExactStack::new();
    let (mut misses, mut weight) = (vec![0.0; sizes.len()], 0.0);
    let half_life = HALF_LIFE.as_secs_f64() / replay::PAUSE.as_secs_f64();
    for (i, lookup) in trace.iter().enumerate() {
        let distance = exact.access(&Access {
            hash: lookup.hash,
            charge_bytes: lookup.charge_bytes,
            outcome: Outcome::Unknown,
            inserts: true,
            counted: true,
            high_priority: false,
        });
        let age = (trace.len() - i) as f64 / half_life;
        let own = (-age).exp2();
        weight += own;
        for (size, misses) in sizes.iter().zip(&mut misses) {
            if distance > ReuseDistance::Bytes(*size) {
                *misses += own;
            }
        }
    }
    misses.iter().map(|m| m / weight).collect()
}

/// One half-life after the working set has changed, the curve is that of the exact aged stack within two points.
#[test]
fn one_half_life_after_a_change_the_curve_has_followed() {
    let before = uniform(6, 20_000, 600_000);
    let changes: [(&str, Vec<Lookup>); 4] = [
        ("doubled", uniform(6, 40_000, 100_000)),
        ("halved", uniform(6, 10_000, 100_000)),
        ("moved", elsewhere(uniform(6, 20_000, 100_000))),
        ("skewed", elsewhere(zipf(6, 30_000, 0.9, 100_000))),
    ];
    let sizes: Vec<u64> = (1..=20).map(|i| i * 8 * MIB).collect();
    for (name, after) in changes {
        let trace = [before.clone(), after].concat();
        let config = EstimatorConfig {
            half_life: Some(HALF_LIFE),
            ..EstimatorConfig::default()
        };
        let mut replay = Replay::new(CAPACITY, config).without_exact();
        replay.run(&trace);
        let curve = replay.curve();
        let exact = aged_exact(&trace, &sizes);
        let error = |(size, exact): (&u64, &f64)| (curve.miss_ratio_at(*size).value - exact).abs();
        let worst = sizes.iter().zip(&exact).map(error).fold(0.0, f64::max);
        println!("{name}: worst {:.2} points", worst * 100.0);
        assert!(worst <= 0.02, "{name}: {worst}");
    }
}
