//! The memory half: moves cache bytes to where one more byte saves the most.
//!
//! Within one TaskManager the caches of all operator subtasks share one budget. Every cache's cost is lookups per second times the
//! miss ratio of its curve, times the measured time of a miss where every cache has one. Bytes go out by marginal gain along the
//! convex hulls, within one step of the present sizes. Free budget takes part.

use crate::effect::Weights;
use crate::greedy::{Share, allocate};
use crate::{
    Alternative, AlternativeKind, CachePlan, CacheReason, CacheState, Effect, Limits, Snapshot,
    TaskManagerPlan, TaskManagerState, Verdict,
};

/// The memory half of policy `weir`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Redistribution {
    limits: Limits,
}

// === impl Redistribution ===

impl Redistribution {
    /// Bytes move in 256ths of the budget, at least 64 KiB: finer steps are below what curves can tell apart.
    const QUANTA_PER_BUDGET: u64 = 256;
    const MIN_QUANTUM_BYTES: u64 = 64 << 10;

    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// A plan for one TaskManager.
    pub fn decide(&self, snapshot: &Snapshot, tm: &TaskManagerState) -> TaskManagerPlan {
        let freeze_of = |c: &CacheState| self.limits.freeze(snapshot, tm, c);
        let weights = Weights::of(tm, |c| freeze_of(c).is_none());
        let sizes = self.sizes(tm, &weights);
        let size_of = |c: &CacheState| {
            let found = sizes.iter().find(|(id, _)| *id == c.id);
            found.map_or(c.capacity_bytes, |(_, bytes)| *bytes)
        };
        let effect = weights.effect(size_of);
        let better = effect.after < effect.before;
        let plan_of = |c: &CacheState| match freeze_of(c) {
            Some(freeze) => CachePlan::keep(c, CacheReason::Frozen(freeze)),
            None if better => CachePlan::resize(c, size_of(c), reason_of(c, size_of(c))),
            None => CachePlan::keep(c, CacheReason::Stays),
        };
        let verdict = match (better, weights.caches.is_empty()) {
            (true, _) => Verdict::Resize,
            (false, true) => Verdict::AllFrozen,
            (false, false) => Verdict::Balanced,
        };
        let mut plan = TaskManagerPlan::new(tm, verdict, tm.caches.iter().map(plan_of).collect());
        if better {
            plan.effect = Some(effect);
            plan.rejected = self.rejected(tm, &weights, &effect);
        }
        plan
    }

    /// Sizes by cache id of the caches that may change; empty if there is nothing to hand out.
    fn sizes(&self, tm: &TaskManagerState, weights: &Weights<'_>) -> Vec<(u64, u64)> {
        let share = |weighted| Share {
            weighted,
            smallest_bytes: self.limits.smallest_bytes(tm, weighted.cache),
        };
        let shares: Vec<Share<'_>> = weights.caches.iter().map(share).collect();
        let Some(total) = unfrozen_bytes(tm, weights) else {
            return Vec::new();
        };
        let quantum =
            (tm.budget.cache_bytes / Self::QUANTA_PER_BUDGET).max(Self::MIN_QUANTUM_BYTES);
        let ids = weights.caches.iter().map(|w| w.cache.id);
        let sizes = allocate(&shares, total, quantum).unwrap_or_default();
        ids.zip(sizes).collect()
    }

    /// The allocations the chosen one is compared with.
    fn rejected(
        &self,
        tm: &TaskManagerState,
        weights: &Weights<'_>,
        chosen: &Effect,
    ) -> Vec<Alternative> {
        let alternative = |kind, predicted| Alternative {
            kind,
            predicted,
            chosen: chosen.after,
        };
        let mut rejected = vec![alternative(AlternativeKind::KeepSizes, chosen.before)];
        let total = unfrozen_bytes(tm, weights).unwrap_or(0);
        let equal = total / (weights.caches.len() as u64).max(1);
        let cost = weights.cost(|_| equal);
        if cost > chosen.after && equal >= tm.budget.min_cache_bytes {
            rejected.push(alternative(AlternativeKind::EqualShares, cost));
        }
        rejected
    }
}

/// What the caches with data may have together: the budget less what frozen caches hold; absent if those exceed it already.
fn unfrozen_bytes(tm: &TaskManagerState, weights: &Weights<'_>) -> Option<u64> {
    let moving = |c: &&CacheState| weights.caches.iter().any(|w| w.cache.id == c.id);
    let frozen = tm.caches.iter().filter(|c| !moving(c));
    let frozen_bytes: u64 = frozen.map(|c| c.capacity_bytes).sum();
    tm.budget.cache_bytes.checked_sub(frozen_bytes)
}

fn reason_of(cache: &CacheState, to_bytes: u64) -> CacheReason {
    match to_bytes.cmp(&cache.capacity_bytes) {
        std::cmp::Ordering::Greater => CacheReason::Gains,
        std::cmp::Ordering::Less => CacheReason::Yields,
        std::cmp::Ordering::Equal => CacheReason::Stays,
    }
}
