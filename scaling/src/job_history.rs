//! What was done to the shape of a job, what was measured then, and what came of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{JobPlan, JobVerdict, Measured, OperatorMemory, PredictedRate, VertexReason};

/// The changes of one job's shape, oldest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct JobHistory {
    /// At most [`JobHistory::KEPT`] of them.
    pub changes: Vec<ShapeChange>,
}

/// A change of a job's shape that was carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShapeChange {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Who decided it.
    pub policy: String,
    /// What was done: rescale, resize or roll back.
    pub verdict: JobVerdict,
    /// Every vertex of the job, changed or not, by id.
    pub vertices: BTreeMap<String, VertexChange>,
}

/// What a change of shape meant for one vertex.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VertexChange {
    /// Instances before.
    pub from_parallelism: u32,
    /// Instances since.
    pub to_parallelism: u32,
    /// Memory of its operators since; empty if it was not changed.
    pub memory: Vec<OperatorMemory>,
    /// Justin's memory level since, where the policy has levels.
    pub level: Option<i32>,
    /// Why.
    pub reason: VertexReason,
    /// Records per second it had to process.
    pub target_records_per_second: Measured,
    /// Records per second it was predicted to be able to process.
    pub predicted: Option<PredictedRate>,
    /// What was measured before the change.
    pub before: Observed,
    /// What was measured after it; missing until it could be.
    pub after: Observed,
}

/// What a policy judges a step by.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Observed {
    /// Records per second it can process: the sum of its instances' true processing rates.
    pub true_rate: Measured,
    /// Share of state lookups that hit the cache.
    pub hit_ratio: Measured,
    /// Seconds of a state read at the 90th percentile, the mean over subtasks.
    pub state_get_seconds: Measured,
}

// === impl JobHistory ===

impl JobHistory {
    /// Changes worth remembering: enough for a policy to learn its error from, few enough to be written with every line.
    pub const KEPT: usize = 32;

    /// Adds a change, and forgets the oldest beyond [`JobHistory::KEPT`].
    pub fn push(&mut self, change: ShapeChange) {
        self.changes.push(change);
        let surplus = self.changes.len().saturating_sub(Self::KEPT);
        self.changes.drain(..surplus);
    }

    /// What one policy's changes meant for one vertex, oldest first.
    pub(crate) fn of_vertex(&self, vertex_id: &str, policy: &str) -> Vec<&VertexChange> {
        let changes = self.changes.iter().filter(|c| c.policy == policy);
        changes.filter_map(|c| c.vertices.get(vertex_id)).collect()
    }

    /// The last change.
    #[must_use]
    pub fn last(&self) -> Option<&ShapeChange> {
        self.changes.last()
    }
}

// === impl VertexChange ===

impl VertexChange {
    /// Whether anything about the vertex changed.
    #[must_use]
    pub fn changes_shape(&self) -> bool {
        self.from_parallelism != self.to_parallelism
            || self.memory.iter().any(OperatorMemory::changes)
    }

    /// Realised over predicted rate, once both are known, of a vertex that lost by the change or was made smaller. A vertex that
    /// gained, if only less than predicted, is better off than before. Where the guard cut the plan and no prediction is left, a
    /// vertex that was not made smaller has to do what it did before.
    pub(crate) fn realised(&self) -> Option<f64> {
        let after = self.after.true_rate.known()?;
        let before = self.before.true_rate.known();
        let smaller = self.to_parallelism < self.from_parallelism;
        let expected = match self.predicted {
            Some(predicted) => predicted.value,
            None => before.filter(|_| !smaller)?,
        };
        let lost = before.is_some_and(|before| after < before);
        let judged = self.changes_shape() && (smaller || lost);
        judged.then(|| after / expected.max(f64::MIN_POSITIVE))
    }

    /// Whether it was a step up in memory, for a reason of Justin's.
    pub(crate) fn is_vertical(&self) -> bool {
        matches!(
            self.reason,
            VertexReason::MemoryUp { .. }
                | VertexReason::SlowState { .. }
                | VertexReason::MemoryHelped { .. }
        )
    }
}

// === impl ShapeChange ===

impl ShapeChange {
    /// Whether any parallelism changed: the job was restarted.
    #[must_use]
    pub fn rescales(&self) -> bool {
        let mut vertices = self.vertices.values();
        vertices.any(|v| v.from_parallelism != v.to_parallelism)
    }

    /// The change that carrying this plan out means; `observed` says what is measured of a vertex by its id.
    #[must_use]
    pub fn of(
        at_ms: u64,
        policy: &str,
        plan: &JobPlan,
        observed: impl Fn(&str) -> Observed,
    ) -> Self {
        let vertices = plan.vertices.iter().map(|v| {
            let change = VertexChange {
                from_parallelism: v.from_parallelism,
                to_parallelism: v.to_parallelism,
                memory: v.memory.clone(),
                level: v.level,
                reason: v.reason.clone(),
                target_records_per_second: v.target_records_per_second.clone(),
                predicted: v.predicted,
                before: observed(&v.vertex_id),
                after: Observed::default(),
            };
            (v.vertex_id.clone(), change)
        });
        Self {
            at_ms,
            policy: policy.to_owned(),
            verdict: plan.verdict.clone(),
            vertices: vertices.collect(),
        }
    }
}
