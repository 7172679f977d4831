//! A trace goes through a simulated cache, the exact stack and the estimator at once, as it does in a TaskManager.
#![allow(dead_code, reason = "every test file uses some of it")]

use std::time::Duration;

use weir_mrc::exact::ExactStack;
use weir_mrc::simulator::BlockCache;
use weir_mrc::{Access, CacheShape, Estimator, EstimatorConfig, MissRatioCurve, Outcome};

use super::traces::Lookup;

/// Time between two look-ups: 20,000 a second.
pub const PAUSE: Duration = Duration::from_micros(50);

/// Everything that watches one cache.
pub struct Replay {
    pub cache: BlockCache,
    /// `None` where only the estimator is of interest.
    pub exact: Option<ExactStack>,
    pub estimator: Estimator,
    pub now: Duration,
    pub lookups: u64,
    pub misses: u64,
}

impl Replay {
    pub fn new(capacity_bytes: u64, config: EstimatorConfig) -> Self {
        Self {
            cache: BlockCache::new(capacity_bytes, CacheShape::IDEAL),
            exact: Some(ExactStack::new()),
            estimator: Estimator::new(config),
            now: Duration::ZERO,
            lookups: 0,
            misses: 0,
        }
    }

    pub fn without_exact(mut self) -> Self {
        self.exact = None;
        self
    }

    pub fn run(&mut self, trace: &[Lookup]) {
        for lookup in trace {
            let inserts = !lookup.compaction;
            let mut access = Access {
                hash: lookup.hash,
                charge_bytes: lookup.charge_bytes,
                outcome: Outcome::Unknown,
                inserts,
                counted: !lookup.compaction,
                high_priority: false,
            };
            access.outcome = self.cache.access(&access);
            if access.counted {
                self.now += PAUSE;
                self.lookups += 1;
                self.misses += u64::from(access.outcome == Outcome::Miss);
            }
            if let Some(exact) = &mut self.exact {
                exact.access(&access);
            }
            if access.hash < self.estimator.threshold() {
                let capacity = self.cache.capacity_bytes();
                self.estimator.observe(&access, capacity, self.now);
            }
            if self.lookups.is_multiple_of(1_000) {
                self.tell();
            }
        }
        self.tell();
    }

    fn tell(&mut self) {
        self.estimator
            .set_counts(self.lookups, self.misses, self.now);
    }

    pub fn curve(&mut self) -> MissRatioCurve {
        self.estimator.curve(self.now).expect("enough look-ups")
    }

    /// Measured miss ratio of the look-ups of `trace` alone.
    pub fn measure(&mut self, trace: &[Lookup]) -> f64 {
        let (lookups, misses) = (self.lookups, self.misses);
        self.run(trace);
        (self.misses - misses) as f64 / (self.lookups - lookups) as f64
    }

    /// Mean and largest difference from the exact curve, over 100 sizes evenly spread up to the working set or, if `log`, over 100
    /// sizes from a 128th of it, each a constant factor apart.
    pub fn errors(&mut self, log: bool) -> (f64, f64) {
        let curve = self.curve();
        let exact = self.exact.as_ref().expect("replay with exact stack");
        let working_set = exact.bytes() as f64;
        let differences: Vec<f64> = (1..=100)
            .map(|i| {
                let share = f64::from(i) / 100.0;
                let bytes = if log {
                    working_set / 128.0 * 128_f64.powf(share)
                } else {
                    working_set * share
                };
                (curve.miss_ratio_at(bytes as u64).value - exact.miss_ratio_at(bytes as u64)).abs()
            })
            .collect();
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        (mean, differences.iter().copied().fold(0.0, f64::max))
    }

    /// Share of 100 evenly spread sizes at which the band holds the exact ratio.
    pub fn coverage(&mut self) -> f64 {
        let curve = self.curve();
        let exact = self.exact.as_ref().expect("replay with exact stack");
        let working_set = exact.bytes();
        let held = (1..=100).filter(|i| {
            let bytes = working_set / 100 * i;
            let band = curve.miss_ratio_at(bytes);
            // The curve itself is thinned to half a thousandth.
            let truth = exact.miss_ratio_at(bytes);
            (band.low - 0.000_5..=band.high + 0.000_5).contains(&truth)
        });
        held.count() as f64 / 100.0
    }
}
