//! What an allocation would cost by the curves: weighted misses of all caches that have data, with the bands' noise.

use crate::{CacheState, Effect, Objective, TaskManagerState};

/// What one cache's misses weigh.
pub(crate) struct Weights<'a> {
    pub objective: Objective,
    /// Caches with data, in an order that does not depend on the snapshot's, so that sums are the same to the last bit.
    pub caches: Vec<Weighted<'a>>,
}

pub(crate) struct Weighted<'a> {
    pub cache: &'a CacheState,
    /// Cost per second of missing every lookup.
    pub weight: f64,
}

impl<'a> Weights<'a> {
    /// Weights of the caches that `usable` accepts: lookups per second, times the miss time if every cache has one.
    pub fn of(tm: &'a TaskManagerState, usable: impl Fn(&CacheState) -> bool) -> Self {
        let mut caches: Vec<&CacheState> = tm.caches.iter().filter(|c| usable(c)).collect();
        caches.sort_by(|a, b| (&a.operator, a.id).cmp(&(&b.operator, b.id)));
        let timed = caches.iter().all(|c| c.miss_seconds.is_some());
        let weigh = |cache: &'a CacheState| {
            let rate = cache.window?.lookups_per_second()?;
            let seconds = cache.miss_seconds.filter(|_| timed).unwrap_or(1.0);
            Some(Weighted {
                cache,
                weight: rate * seconds,
            })
        };
        Self {
            objective: if timed {
                Objective::MissSeconds
            } else {
                Objective::Misses
            },
            caches: caches.into_iter().filter_map(weigh).collect(),
        }
    }

    /// Cost of an allocation given by cache id.
    pub fn cost(&self, size_of: impl Fn(&CacheState) -> u64) -> f64 {
        self.caches.iter().map(|w| w.cost(size_of(w.cache))).sum()
    }

    /// Cost before and after a change of sizes.
    ///
    /// Noise: both ends of a change lie on one curve and share its samples, so their difference is off by no more than the wider
    /// half-band; different caches are sampled independently, so theirs add up as squares.
    pub fn effect(&self, size_of: impl Fn(&CacheState) -> u64) -> Effect {
        let variance: f64 = self
            .caches
            .iter()
            .filter(|w| size_of(w.cache) != w.cache.capacity_bytes)
            .map(|w| {
                let half = |bytes| {
                    let ratio = w.cache.predicted_at(bytes);
                    ratio.map_or(0.0, |r| (r.high - r.low) / 2.0)
                };
                let widest = half(w.cache.capacity_bytes).max(half(size_of(w.cache)));
                (w.weight * widest).powi(2)
            })
            .sum();
        Effect {
            objective: self.objective,
            before: self.cost(|c| c.capacity_bytes),
            after: self.cost(size_of),
            noise: variance.sqrt(),
        }
    }
}

impl Weighted<'_> {
    /// Cost per second at a capacity.
    pub fn cost(&self, capacity_bytes: u64) -> f64 {
        let ratio = self.cache.predicted_at(capacity_bytes);
        ratio.map_or(0.0, |r| r.value * self.weight)
    }
}
