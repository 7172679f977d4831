//! A plan: what every cache shall have and what every job shall look like, with the reason, the predicted effect and what was rejected.

use serde::{Deserialize, Serialize};

use crate::{
    CacheReason, CacheState, JobPlan, Objective, OperatorKey, PredictedRatio, TaskManagerState,
    Verdict,
};

/// A decision about every TaskManager and every job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the policy.
    pub policy: String,
    /// Bytes that move within TaskManagers while jobs run, by `tm_id`.
    pub task_managers: Vec<TaskManagerPlan>,
    /// Shapes of jobs, by `job_id`.
    #[serde(default)]
    pub jobs: Vec<JobPlan>,
}

/// A decision about one TaskManager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskManagerPlan {
    /// Which.
    pub tm_id: String,
    /// Generation the decision is based on; an allocation that follows from it carries the next one.
    pub generation: u64,
    /// What the capacities may reach together.
    pub budget_bytes: u64,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Predicted effect of the allocation that was chosen, or that was withheld; absent where none was found.
    pub effect: Option<Effect>,
    /// By cache id; every cache of the TaskManager is named.
    pub caches: Vec<CachePlan>,
    /// Write buffer managers whose size changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub write_buffers: Vec<WriteBufferPlan>,
    /// What else was considered.
    pub rejected: Vec<Alternative>,
}

/// A decision about one cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachePlan {
    /// Number of the cache.
    pub id: u64,
    /// Whose it is.
    pub operator: OperatorKey,
    /// Capacity in force.
    pub from_bytes: u64,
    /// Capacity to be; equal to `from_bytes` if it stays.
    pub to_bytes: u64,
    /// Lookups of task threads.
    pub lookups_per_second: Option<f64>,
    /// Miss ratio the curve gives for `from_bytes`.
    pub before: Option<PredictedRatio>,
    /// Miss ratio the curve gives for `to_bytes`.
    pub after: Option<PredictedRatio>,
    /// Misses per second saved (negative: added) if the lookups stay as they are.
    pub misses_saved_per_second: Option<f64>,
    /// Why.
    pub reason: CacheReason,
}

/// A decision about one write buffer manager, which several operators of a slot may share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteBufferPlan {
    /// A cache whose operator writes through it: the name under which the agent is asked.
    pub cache_id: u64,
    /// Whose cache that is.
    pub operator: OperatorKey,
    /// Capacity in force.
    pub from_bytes: u64,
    /// Capacity to be.
    pub to_bytes: u64,
}

/// Predicted effect of an allocation, all caches with data together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// What is counted.
    pub objective: Objective,
    /// With the sizes in force.
    pub before: f64,
    /// With the sizes chosen.
    pub after: f64,
    /// How far the difference may be off, from the curves' bands.
    pub noise: f64,
}

/// An allocation that was not chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// Which.
    pub kind: AlternativeKind,
    /// What it would cost, in units of [`Effect::objective`].
    pub predicted: f64,
    /// What the chosen one costs.
    pub chosen: f64,
}

/// Allocations every decision is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlternativeKind {
    /// Leave everything as it is.
    KeepSizes,
    /// The same capacity for every cache with data.
    EqualShares,
}

// === impl Plan ===

impl Plan {
    /// A plan with its TaskManagers in order.
    #[must_use]
    pub fn new(policy: &str, mut task_managers: Vec<TaskManagerPlan>) -> Self {
        task_managers.sort_by(|a, b| a.tm_id.cmp(&b.tm_id));
        Self {
            policy: policy.to_owned(),
            task_managers,
            jobs: Vec::new(),
        }
    }

    /// This plan with shapes for jobs, in order.
    #[must_use]
    pub fn with_jobs(mut self, mut jobs: Vec<JobPlan>) -> Self {
        jobs.sort_by(|a, b| a.job_id.cmp(&b.job_id));
        self.jobs = jobs;
        self
    }

    /// The decision about this job.
    #[must_use]
    pub fn job(&self, job_id: &str) -> Option<&JobPlan> {
        self.jobs.iter().find(|j| j.job_id == job_id)
    }
}

// === impl TaskManagerPlan ===

impl TaskManagerPlan {
    /// A plan for this TaskManager.
    #[must_use]
    pub fn new(tm: &TaskManagerState, verdict: Verdict, mut caches: Vec<CachePlan>) -> Self {
        caches.sort_by_key(|c| c.id);
        Self {
            tm_id: tm.tm_id.clone(),
            generation: tm.generation,
            budget_bytes: tm.budget.cache_bytes,
            verdict,
            effect: None,
            caches,
            write_buffers: Vec::new(),
            rejected: Vec::new(),
        }
    }

    /// This plan with nothing moved: what was wanted stays visible as [`CacheReason::Withheld`].
    #[must_use]
    pub fn withheld(mut self, verdict: Verdict) -> Self {
        self.verdict = verdict;
        self.rejected.clear();
        self.write_buffers.clear();
        for cache in self.caches.iter_mut().filter(|c| c.changes_size()) {
            let wanted_bytes = cache.to_bytes;
            cache.to_bytes = cache.from_bytes;
            cache.after = cache.before;
            cache.misses_saved_per_second = cache.before.map(|_| 0.0);
            cache.reason = CacheReason::Withheld { wanted_bytes };
        }
        self
    }

    /// The caches whose size changes.
    pub fn changes(&self) -> impl Iterator<Item = &CachePlan> {
        self.caches.iter().filter(|c| c.changes_size())
    }

    /// Whether any size changes.
    #[must_use]
    pub fn moves(&self) -> bool {
        !self.write_buffers.is_empty() || self.caches.iter().any(CachePlan::changes_size)
    }

    /// Sum of the planned capacities.
    #[must_use]
    pub fn planned_bytes(&self) -> u64 {
        self.caches.iter().map(|c| c.to_bytes).sum()
    }
}

// === impl CachePlan ===

impl CachePlan {
    /// A plan that gives a cache this size.
    #[must_use]
    pub fn resize(cache: &CacheState, to_bytes: u64, reason: CacheReason) -> Self {
        let before = cache.predicted_at(cache.capacity_bytes);
        let after = match to_bytes == cache.capacity_bytes {
            true => before,
            false => cache.predicted_at(to_bytes),
        };
        let lookups_per_second = cache.load.and_then(|l| l.lookups_per_second());
        let saved = |rate, from: PredictedRatio, to: PredictedRatio| rate * (from.value - to.value);
        Self {
            id: cache.id,
            operator: cache.operator.clone(),
            from_bytes: cache.capacity_bytes,
            to_bytes,
            lookups_per_second,
            before,
            after,
            misses_saved_per_second: match (lookups_per_second, before, after) {
                (Some(rate), Some(from), Some(to)) => Some(saved(rate, from, to)),
                _ => None,
            },
            reason,
        }
    }

    /// A plan that leaves a cache alone.
    #[must_use]
    pub fn keep(cache: &CacheState, reason: CacheReason) -> Self {
        Self::resize(cache, cache.capacity_bytes, reason)
    }

    /// Whether the size changes.
    #[must_use]
    pub fn changes_size(&self) -> bool {
        self.from_bytes != self.to_bytes
    }
}

// === impl Effect ===

impl Effect {
    /// What the allocation saves.
    #[must_use]
    pub fn gain(&self) -> f64 {
        self.before - self.after
    }

    /// Gain over what is lost now; zero where nothing is lost.
    #[must_use]
    pub fn relative_gain(&self) -> f64 {
        if self.before > 0.0 {
            self.gain() / self.before
        } else {
            0.0
        }
    }
}
