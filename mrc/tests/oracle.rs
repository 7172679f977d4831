//! The estimator against the exact stack: equal while everything is sampled, and sound whatever it is told.

mod traces;

use std::time::Duration;

use proptest::prelude::*;
use weir_mrc::exact::ExactStack;
use weir_mrc::simulator::BlockCache;
use weir_mrc::{
    Access, CacheShape, Estimator, EstimatorConfig, FirstTouch, Outcome, ReuseDistanceHistogram,
    hash_key, hash_key_seeded,
};

/// A look-up: which block, whether its charge is known, whether it inserts, whether it counts.
type Step = (u64, bool, bool, bool);

fn steps(blocks: u64) -> impl Strategy<Value = Vec<Step>> {
    let step = (
        0..blocks,
        any::<bool>(),
        prop::bool::weighted(0.8),
        prop::bool::weighted(0.9),
    );
    prop::collection::vec(step, 300..900)
}

fn charge_bytes(block: u64) -> u64 {
    5_000 + (block * 7_919) % 90_000
}

/// The smallest capacities of all bins: sixteen an octave.
fn edges() -> impl Iterator<Item = u64> {
    (9..40).flat_map(|octave| (16..32).map(move |sub| (sub + 1_u64) << (octave - 4)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// At a sampling rate of 1 nothing is estimated: every figure is the oracle's, to the last access.
    #[test]
    fn equals_the_oracle_while_everything_is_sampled(steps in steps(60), capacity in 50_000_u64..3_000_000) {
        let mut cache = BlockCache::new(capacity, CacheShape::IDEAL);
        let mut exact = ExactStack::new();
        let mut estimator = Estimator::new(EstimatorConfig { samples: 60, ..EstimatorConfig::default() });
        let mut known = [false; 60];
        let (mut lookups, mut misses) = (0, 0);
        for (block, charge_known, inserts, counted) in steps {
            let hash = hash_key(&block.to_le_bytes());
            let outcome = cache.access(&Access { hash, charge_bytes: charge_bytes(block), outcome: Outcome::Unknown, inserts, counted, high_priority: false });
            let seen = std::mem::replace(&mut known[block as usize], true);
            let charge_bytes = if charge_known || !seen || !inserts { charge_bytes(block) } else { 0 };
            let access = Access { hash, charge_bytes, outcome, inserts, counted, high_priority: false };
            // A block whose first use did not insert is still unknown.
            known[block as usize] = seen || inserts || outcome == Outcome::Hit;
            exact.access(&access);
            prop_assert!(hash < estimator.threshold());
            estimator.observe(&access, capacity, Duration::ZERO);
            lookups += u64::from(counted);
            misses += u64::from(counted && outcome == Outcome::Miss);
            estimator.set_counts(lookups, misses, Duration::ZERO);
        }
        let histogram = estimator.histogram();
        prop_assert_eq!(histogram.count, exact.lookups());
        for (bound, cumulative) in ReuseDistanceHistogram::bounds().into_iter().zip(histogram.cumulative) {
            prop_assert_eq!(cumulative, exact.hits_at(bound), "bound {}", bound);
        }
        prop_assert_eq!(estimator.samples(), exact.lookups() as f64);
        if let Some(curve) = estimator.curve(Duration::ZERO) {
            for point in curve.points() {
                prop_assert_eq!(point.miss_ratio, exact.miss_ratio_at(point.bytes));
                prop_assert_eq!((point.low, point.high), (point.miss_ratio, point.miss_ratio));
            }
            for edge in edges() {
                let difference = curve.miss_ratio_at(edge).value - exact.miss_ratio_at(edge);
                prop_assert!(difference.abs() <= 0.000_501, "{} off at {}", difference, edge);
            }
            // The cache itself agrees with both.
            let measured = estimator.measured_miss_ratio().unwrap();
            prop_assert_eq!(measured, misses as f64 / lookups as f64);
            prop_assert_eq!(measured, exact.miss_ratio_at(capacity));
        } else {
            prop_assert!(lookups < 256);
        }
    }

    /// Whatever outcomes, capacities and counts it is told, and however small its sample is: counts only grow, bounds are
    /// cumulative, curves fall and lie within their bands.
    #[test]
    fn stays_sound_on_nonsense(
        steps in prop::collection::vec((0_u64..400, 0_u64..200_000, any::<[bool; 3]>(), 0_u64..8_000_000, 0_u64..40), 300..1_000),
        samples in 1_usize..64,
        half_life in prop::option::of(1_u64..20_000),
        horizon_bytes in prop::option::of(0_u64..20_000_000),
        by_size in any::<bool>(),
        first_touch in prop::sample::select(vec![FirstTouch::Miss, FirstTouch::Censored]),
    ) {
        let half_life = half_life.map(Duration::from_millis);
        let mut estimator = Estimator::new(EstimatorConfig { samples, half_life, horizon_bytes, first_touch, by_size, sees_all: false });
        let memory = estimator.memory_bytes();
        let mut before = estimator.histogram();
        let mut now = Duration::ZERO;
        for (i, (block, charge_bytes, [hit, inserts, counted], capacity, told)) in steps.into_iter().enumerate() {
            now += Duration::from_millis(told);
            let outcome = if hit { Outcome::Hit } else { Outcome::Miss };
            let hash = hash_key(&block.to_le_bytes());
            estimator.observe(&Access { hash, charge_bytes, outcome, inserts, counted, high_priority: false }, capacity, now);
            estimator.set_counts(i as u64 * told / 8, i as u64 * told / 20, now);
            let histogram = estimator.histogram();
            let grows = |(b, a): (&u64, &u64)| b <= a;
            prop_assert!(before.cumulative.iter().zip(&histogram.cumulative).all(grows));
            prop_assert!(before.count <= histogram.count && before.sum_bytes <= histogram.sum_bytes);
            prop_assert!(histogram.cumulative.is_sorted());
            prop_assert!(histogram.cumulative[32] <= histogram.count);
            before = histogram;
            if i % 16 == 0 && let Some(curve) = estimator.curve(now) {
                let checked = weir_mrc::MissRatioCurve::new(curve.points().to_vec());
                prop_assert_eq!(checked, Ok(curve));
            }
        }
        prop_assert_eq!(estimator.memory_bytes(), memory);
    }
}

#[test]
fn a_miss_that_does_not_insert_leaves_no_trace() {
    let mut estimator = Estimator::new(EstimatorConfig::default());
    let mut look_up = |block: u64, outcome, inserts| {
        let access = Access {
            hash: hash_key(&block.to_le_bytes()),
            charge_bytes: 300_000,
            outcome,
            inserts,
            counted: true,
            high_priority: false,
        };
        estimator.observe(&access, 1 << 30, Duration::ZERO);
    };
    use Outcome::{Hit, Miss};
    look_up(1, Miss, true);
    look_up(2, Miss, false);
    look_up(1, Hit, true); // at 300 kB: block 2 is not in the stack
    look_up(2, Miss, true);
    look_up(1, Miss, false); // at 600 kB, and stays below block 2
    look_up(2, Hit, true); // at 300 kB
    look_up(1, Hit, false); // at 600 kB, and comes to the top
    look_up(2, Hit, true); // at 600 kB
    estimator.set_lookups(8, Duration::ZERO);
    let histogram = estimator.histogram();
    assert_eq!(histogram.cumulative[1], 2, "within 384 KiB");
    assert_eq!(histogram.cumulative[3], 5, "within 768 KiB");
    assert_eq!(histogram.cumulative[32], 5, "three first uses");
    assert_eq!(histogram.sum_bytes, 2.0 * 300e3 + 3.0 * 600e3);
}

/// A cache that was warm before anybody watched: first uses that hit are within its capacity, and nowhere else.
#[test]
fn a_first_use_that_hit_lies_within_the_capacity() {
    let mut estimator = Estimator::new(EstimatorConfig::default());
    for block in 0..1_000_u64 {
        let access = Access {
            hash: hash_key(&block.to_le_bytes()),
            charge_bytes: 4_096,
            outcome: if block % 4 == 0 {
                Outcome::Miss
            } else {
                Outcome::Hit
            },
            inserts: true,
            counted: true,
            high_priority: false,
        };
        estimator.observe(&access, 64 << 20, Duration::ZERO);
    }
    estimator.set_counts(1_000, 250, Duration::ZERO);
    let curve = estimator.curve(Duration::ZERO).unwrap();
    assert_eq!(curve.miss_ratio_at(64 << 20).value, 0.25);
    assert_eq!(curve.miss_ratio_at(1 << 30).value, 0.25);
    assert_eq!(curve.miss_ratio_at(1 << 20).value, 1.0);
}

#[test]
fn says_nothing_before_256_samples() {
    let mut estimator = Estimator::new(EstimatorConfig::online(Duration::from_secs(600)));
    for i in 0..256_u64 {
        assert!(estimator.curve(Duration::ZERO).is_none(), "after {i}");
        let lookup = traces::block(1, i % 100);
        let access = Access {
            hash: lookup.hash,
            charge_bytes: lookup.charge_bytes,
            outcome: Outcome::Miss,
            inserts: true,
            counted: true,
            high_priority: false,
        };
        estimator.observe(&access, 1 << 20, Duration::ZERO);
    }
    assert!(estimator.curve(Duration::ZERO).is_some());
}

/// A block that was erased is a new one afterwards, and nobody else's distance contains it: the same as if it had another name
/// from then on and the old one had never been above anything.
#[test]
fn deletions_are_exact() {
    let mut estimator = Estimator::new(EstimatorConfig::offline(1_000));
    let mut list: Vec<u64> = Vec::new();
    let mut hits_by_distance = std::collections::BTreeMap::new();
    let mut random = traces::Random(4);
    let mut lookups = 0;
    for _ in 0..20_000 {
        let block = random.below(300);
        let lookup = traces::block(3, block);
        let known = list.iter().position(|b| *b == block);
        if random.below(10) == 0 {
            estimator.erase(lookup.hash);
            list.retain(|b| *b != block);
            continue;
        }
        let charge = |b: u64| traces::block(3, b).charge_bytes;
        if let Some(i) = known {
            let distance: u64 = list[..=i].iter().map(|b| charge(*b)).sum();
            *hits_by_distance.entry(distance).or_insert(0) += 1;
            list.remove(i);
        }
        list.insert(0, block);
        lookups += 1;
        let access = Access {
            hash: lookup.hash,
            charge_bytes: lookup.charge_bytes,
            outcome: Outcome::Unknown,
            inserts: true,
            counted: true,
            high_priority: false,
        };
        estimator.look_up(&access, 0, Duration::ZERO);
    }
    let curve = estimator.curve(Duration::ZERO).unwrap();
    for point in curve.points() {
        let hits: u64 = hits_by_distance
            .range(..=point.bytes)
            .map(|(_, n)| *n)
            .sum();
        let exact = (lookups - hits) as f64 / lookups as f64;
        assert!(
            (point.miss_ratio - exact).abs() < 1e-12,
            "{point:?}: {exact}"
        );
    }
    assert!(curve.points().len() > 20);
}

/// While everything is sampled, what chooses the sample does not matter: any seed gives the same curve, in whatever order seeds come.
#[test]
fn seeds_do_not_matter_while_everything_is_sampled() {
    let curve = |seed: u64| {
        let mut estimator = Estimator::new(EstimatorConfig::offline(4_096));
        let mut random = traces::Random(11);
        for _ in 0..50_000 {
            let block = random.below(4_000);
            let access = Access {
                hash: hash_key_seeded(&block.to_le_bytes(), seed),
                charge_bytes: charge_bytes(block),
                outcome: Outcome::Unknown,
                inserts: true,
                counted: true,
                high_priority: false,
            };
            estimator.look_up(&access, 0, Duration::ZERO);
        }
        estimator.curve(Duration::ZERO).unwrap()
    };
    let first = curve(0);
    for seed in [7, 1, u64::MAX] {
        assert_eq!(curve(seed), first, "seed {seed}");
    }
}

/// A capacity that is only marked says nothing: without outcomes the axis stays where the sample puts it.
#[test]
fn a_capacity_without_outcomes_changes_nothing() {
    let curve = |capacity: u64| {
        let mut estimator = Estimator::new(EstimatorConfig::offline(256));
        let mut random = traces::Random(12);
        for _ in 0..100_000 {
            let block = random.below(4_000);
            let access = Access {
                hash: hash_key(&block.to_le_bytes()),
                charge_bytes: charge_bytes(block),
                outcome: Outcome::Unknown,
                inserts: true,
                counted: true,
                high_priority: false,
            };
            estimator.look_up(&access, capacity, Duration::ZERO);
        }
        assert_eq!(estimator.measured_miss_ratio(), None);
        estimator.curve(Duration::ZERO).unwrap()
    };
    assert_eq!(curve(0), curve(32 << 20));
}
