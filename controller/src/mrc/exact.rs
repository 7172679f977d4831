//! The exact curve of a trace: a stack for one ideal LRU list, a simulated cache for every size otherwise.
//!
//! Both remember every access, or every block; that is what `--exact` is told to cost.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use weir_mrc::exact::{ExactStack, ReuseDistance};
use weir_mrc::simulator::BlockCache;
use weir_mrc::{Access, CacheShape, Outcome};

use super::options::{Cold, MrcArgs};

/// Takes in a trace and tells exact miss ratios.
pub struct Exact {
    shape: CacheShape,
    cold: Cold,
    half_life: Option<Duration>,
    stack: ExactStack,
    /// Distances of the counted accesses, and their ages' weights.
    distances: Vec<(ReuseDistance, Weight)>,
    /// All accesses, where a cache is to be simulated.
    accesses: Vec<(Access, Weight, bool)>,
}

/// Logarithm (base 2) of what an access counts.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Weight(f32);

// === impl Exact ===

impl Exact {
    /// For what the arguments ask.
    #[must_use]
    pub fn new(arguments: &MrcArgs) -> Self {
        Self {
            shape: arguments.shape(),
            cold: arguments.cold,
            half_life: arguments.half_life.map(|h| h.as_duration()),
            stack: ExactStack::new(),
            distances: Vec::new(),
            accesses: Vec::new(),
        }
    }

    /// Takes in an access.
    pub fn take(&mut self, access: &Access, now: Duration) {
        let weight = Weight(match self.half_life {
            Some(half_life) => (now.as_secs_f64() / half_life.as_secs_f64()) as f32,
            None => 0.0,
        });
        let distance = self.stack.access(access);
        let first = distance == ReuseDistance::Infinite;
        let counted = access.counted && !(first && self.cold == Cold::Censored);
        if self.shape == CacheShape::IDEAL {
            if counted {
                self.distances.push((distance, weight));
            }
        } else {
            self.accesses.push((*access, weight, counted));
        }
    }

    /// Bytes of all blocks.
    #[must_use]
    pub fn working_set_bytes(&self) -> u64 {
        self.stack.bytes()
    }

    /// Exact miss ratios at these sizes; 1 where nothing counts.
    #[must_use]
    pub fn miss_ratios(&mut self, sizes: &[u64]) -> Vec<f64> {
        if self.shape == CacheShape::IDEAL {
            self.of_the_stack(sizes)
        } else {
            self.simulated(sizes)
        }
    }

    fn of_the_stack(&mut self, sizes: &[u64]) -> Vec<f64> {
        let latest = self.distances.last().map_or(Weight(0.0), |(_, w)| *w);
        self.distances
            .sort_unstable_by_key(|(distance, _)| *distance);
        let mut sum = 0.0;
        let cumulative: Vec<f64> = self
            .distances
            .iter()
            .map(|(_, weight)| {
                sum += weight.relative_to(latest);
                sum
            })
            .collect();
        let ratio = |size: &u64| {
            let hits = self
                .distances
                .partition_point(|(distance, _)| *distance <= ReuseDistance::Bytes(*size));
            let hit = hits.checked_sub(1).map_or(0.0, |last| cumulative[last]);
            if sum > 0.0 { (sum - hit) / sum } else { 1.0 }
        };
        sizes.iter().map(ratio).collect()
    }

    /// One simulated cache a size, shared out among threads.
    fn simulated(&self, sizes: &[u64]) -> Vec<f64> {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut ratios = vec![1.0; sizes.len()];
        let share = sizes.len().div_ceil(threads).max(1);
        thread::scope(|scope| {
            for (sizes, ratios) in sizes.chunks(share).zip(ratios.chunks_mut(share)) {
                scope.spawn(move || {
                    for (size, ratio) in sizes.iter().zip(ratios) {
                        *ratio = self.simulate(*size);
                    }
                });
            }
        });
        ratios
    }

    fn simulate(&self, size: u64) -> f64 {
        let latest = self.accesses.last().map_or(Weight(0.0), |(_, w, _)| *w);
        let mut cache = BlockCache::new(size, self.shape);
        let (mut all, mut missed) = (0.0, 0.0);
        for (access, weight, counted) in &self.accesses {
            let outcome = cache.access(access);
            if *counted {
                let weight = weight.relative_to(latest);
                all += weight;
                if outcome == Outcome::Miss {
                    missed += weight;
                }
            }
        }
        if all > 0.0 { missed / all } else { 1.0 }
    }
}

// === impl Weight ===

impl Weight {
    fn relative_to(self, latest: Self) -> f64 {
        f64::from(self.0 - latest.0).exp2()
    }
}
