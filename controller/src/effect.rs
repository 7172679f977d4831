//! What a change really did: the measured miss ratio against the one the curve had predicted.

use serde::{Deserialize, Serialize};
use weir_scaling::{OperatorKey, PredictedRatio, Snapshot, TaskManagerPlan};

/// Prediction and measurement of one change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RealisedEffect {
    /// Number of the decision.
    pub decision: u64,
    /// Which TaskManager.
    pub tm_id: String,
    /// By operator subtask whose size changed.
    pub operators: Vec<OperatorEffect>,
}

/// Prediction and measurement of one cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorEffect {
    /// Whose.
    pub operator: OperatorKey,
    /// Size before.
    pub from_bytes: u64,
    /// Size since.
    pub to_bytes: u64,
    /// What the curve had said for the new size.
    pub predicted: Option<PredictedRatio>,
    /// What came; absent if the cache went away, changed again or was idle.
    pub measured: Option<f64>,
    /// Lookups behind the measurement.
    pub lookups: u64,
}

/// A change whose effect is still to be measured.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingEffect {
    applied_at_ms: u64,
    decision: u64,
    plan: TaskManagerPlan,
}

// === impl OperatorEffect ===

impl OperatorEffect {
    /// Measured minus predicted, in shares of lookups.
    #[must_use]
    pub fn error(&self) -> Option<f64> {
        Some(self.measured? - self.predicted?.value)
    }
}

// === impl PendingEffect ===

impl PendingEffect {
    /// Fewer lookups than this say nothing about a ratio.
    pub const MIN_LOOKUPS: u64 = 100;
    /// A grown cache that is not full yet has misses that no size would avoid; this share counts as full.
    const FULL: f64 = 0.95;
    /// Cool-downs to wait for a grown cache to fill.
    const PATIENCE: u64 = 4;

    /// A change just applied.
    #[must_use]
    pub fn new(applied_at_ms: u64, decision: u64, plan: TaskManagerPlan) -> Self {
        Self {
            applied_at_ms,
            decision,
            plan,
        }
    }

    /// The effect, once a cool-down has passed and every grown cache is full or has had its time; absent before.
    #[must_use]
    pub fn measure(&self, snapshot: &Snapshot, cooldown_ms: u64) -> Option<RealisedEffect> {
        let waited = snapshot.at_ms.saturating_sub(self.applied_at_ms);
        let patient = waited < cooldown_ms.saturating_mul(Self::PATIENCE);
        if waited < cooldown_ms || (patient && !self.settled(snapshot)) {
            return None;
        }
        Some(self.measure_now(snapshot))
    }

    /// The effect as far as it can be told now.
    #[must_use]
    pub fn measure_now(&self, snapshot: &Snapshot) -> RealisedEffect {
        let operators = self.plan.changes().map(|change| {
            let cache = self.cache(snapshot, change.id);
            let window = cache
                .filter(|c| c.capacity_bytes == change.to_bytes)
                .and_then(|c| c.window)
                .filter(|w| w.lookups >= Self::MIN_LOOKUPS);
            OperatorEffect {
                operator: change.operator.clone(),
                from_bytes: change.from_bytes,
                to_bytes: change.to_bytes,
                predicted: change.after,
                measured: window.and_then(|w| w.miss_ratio()),
                lookups: window.map_or(0, |w| w.lookups),
            }
        });
        RealisedEffect {
            decision: self.decision,
            tm_id: self.plan.tm_id.clone(),
            operators: operators.collect(),
        }
    }

    fn settled(&self, snapshot: &Snapshot) -> bool {
        self.plan.changes().all(|change| {
            let cache = self.cache(snapshot, change.id);
            cache.is_none_or(|c| {
                let full = c.usage_bytes as f64 >= c.capacity_bytes as f64 * Self::FULL;
                change.to_bytes < change.from_bytes || full
            })
        })
    }

    fn cache<'a>(&self, snapshot: &'a Snapshot, id: u64) -> Option<&'a weir_scaling::CacheState> {
        let tms = &snapshot.task_managers;
        let tm = tms.iter().find(|tm| tm.tm_id == self.plan.tm_id)?;
        tm.cache(id)
    }
}
