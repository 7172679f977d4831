//! What the guard allows, and which caches have data that carry a decision.

use serde::{Deserialize, Serialize};

use crate::{CacheState, Freeze, Snapshot, TaskManagerState};

/// Limits every policy lives within.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Reports older than this freeze their caches.
    pub max_data_age_ms: u64,
    /// Caches younger than this are frozen: they are still filling.
    pub min_cache_age_ms: u64,
    /// Lookups counted over less than this freeze their cache: they come in bursts.
    pub min_load_ms: u64,
    /// After a change, nothing moves in that TaskManager for so long.
    pub cooldown_ms: u64,
    /// Share of the present misses that a change must save.
    pub min_relative_gain: f64,
    /// Share of its capacity that a cache may lose in one step.
    pub max_shrink: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_data_age_ms: Self::DEFAULT_MAX_DATA_AGE_MS,
            min_cache_age_ms: Self::DEFAULT_MIN_CACHE_AGE_MS,
            min_load_ms: Self::DEFAULT_MIN_LOAD_MS,
            cooldown_ms: Self::DEFAULT_COOLDOWN_MS,
            min_relative_gain: Self::DEFAULT_MIN_RELATIVE_GAIN,
            max_shrink: Self::DEFAULT_MAX_SHRINK,
        }
    }
}

// === impl Limits ===

impl Limits {
    /// Three polls at the default interval of 5 s.
    pub const DEFAULT_MAX_DATA_AGE_MS: u64 = 15_000;
    /// Enough for a first curve at a few thousand lookups a second.
    pub const DEFAULT_MIN_CACHE_AGE_MS: u64 = 30_000;
    /// Two polls at the default interval of 5 s, with room for jitter.
    pub const DEFAULT_MIN_LOAD_MS: u64 = 9_000;
    /// Long enough to refill a cache, short enough to follow a workload.
    pub const DEFAULT_COOLDOWN_MS: u64 = 15_000;
    /// Below 5 % a change is churn.
    pub const DEFAULT_MIN_RELATIVE_GAIN: f64 = 0.05;
    /// A wrong curve costs at most half a cache before it is measured again.
    pub const DEFAULT_MAX_SHRINK: f64 = 0.5;

    /// Smallest capacity a cache may have after one step.
    #[must_use]
    pub fn smallest_bytes(&self, tm: &TaskManagerState, cache: &CacheState) -> u64 {
        let kept = (cache.capacity_bytes as f64 * (1.0 - self.max_shrink)).ceil() as u64;
        kept.min(cache.capacity_bytes)
            .max(tm.budget.min_cache_bytes)
    }

    /// Why a cache must keep its size, if its data do not carry a decision.
    #[must_use]
    pub fn freeze(
        &self,
        snapshot: &Snapshot,
        tm: &TaskManagerState,
        cache: &CacheState,
    ) -> Option<Freeze> {
        if tm.data_age_ms > self.max_data_age_ms {
            return Some(Freeze::Stale {
                age_ms: tm.data_age_ms,
                limit_ms: self.max_data_age_ms,
            });
        }
        if let Some(job) = snapshot.job(&cache.operator.job_id)
            && job.state != "RUNNING"
        {
            return Some(Freeze::JobNotRunning {
                state: job.state.clone(),
            });
        }
        if cache.age_ms < self.min_cache_age_ms {
            return Some(Freeze::TooYoung {
                age_ms: cache.age_ms,
                limit_ms: self.min_cache_age_ms,
            });
        }
        let Some(load) = cache.load.filter(|l| l.millis > 0) else {
            return Some(Freeze::NoLoad);
        };
        if load.millis < self.min_load_ms {
            return Some(Freeze::ShortLoad {
                millis: load.millis,
                limit_ms: self.min_load_ms,
            });
        }
        if cache.curve.as_ref().is_none_or(|c| c.points().is_empty()) {
            return Some(Freeze::NoCurve);
        }
        let nonsense = |what: String| Some(Freeze::Nonsense { what });
        if let Some(w) = cache.window.filter(|w| w.misses > w.lookups) {
            return nonsense(format!("{} misses in {} lookups", w.misses, w.lookups));
        }
        if let Some(s) = cache.miss_seconds.filter(|s| !s.is_finite() || *s < 0.0) {
            return nonsense(format!("a miss takes {s} s"));
        }
        None
    }
}
