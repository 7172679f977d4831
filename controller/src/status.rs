//! What `GET /v1/status` answers, for `weir top` and for programs.

use serde::{Deserialize, Serialize};
use weir_protocol::Report;
use weir_scaling::{
    CachePlan, CacheState, JobState, Name, OperatorKey, PredictedRatio, Snapshot, TaskManagerPlan,
};

use crate::act::ActResult;
use crate::rescale::RescaleOutcome;

/// The controller at the end of its last cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the controller.
    pub version: String,
    /// Name of the policy.
    pub policy: String,
    /// What may be changed.
    pub act: Vec<String>,
    /// Time from poll to poll.
    pub interval_ms: u64,
    /// When the controller started, in milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// When this was put together.
    pub taken_at_ms: u64,
    /// Base URL of Flink's REST API, where configured.
    pub flink: Option<String>,
    /// Why Flink could not be asked.
    pub flink_error: Option<String>,
    /// Jobs by Flink's REST API; absent when it could not be asked.
    pub jobs: Option<Vec<JobState>>,
    /// The agents.
    pub agents: Vec<AgentStatus>,
    /// Counts since the controller started.
    pub counters: Counters,
    /// What was last decided about each job's parallelism and memory.
    #[serde(default)]
    pub shapes: Vec<ShapeStatus>,
}

/// A decision about one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShapeStatus {
    /// Flink's job id.
    pub job_id: String,
    /// Short name of the verdict.
    pub verdict: String,
    /// It in a sentence.
    pub sentence: String,
    /// A sentence for each vertex.
    pub vertices: Vec<String>,
    /// What was rejected, a sentence each.
    pub rejected: Vec<String>,
    /// What became of the last restart that was asked for.
    pub last_rescale: Option<RescaleOutcome>,
}

/// Counts since the controller started, one per TaskManager and cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Cycles finished.
    pub cycles: u64,
    /// Plans carried out and verified.
    pub applied: u64,
    /// Of these, sizes given back after a restart.
    pub restored: u64,
    /// Remembered sizes that were in force already after a restart of the controller.
    pub found_in_force: u64,
    /// Plans that were only advised.
    pub advised: u64,
    /// Plans that agents refused.
    pub refused: u64,
    /// Plans overtaken by another writer.
    pub stale: u64,
    /// Plans that did not take effect.
    pub failed: u64,
    /// Decisions to keep all sizes.
    pub held: u64,
    /// Lines of the history that could not be written.
    pub history_errors: u64,
}

/// One agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Base URL.
    pub url: String,
    /// Its TaskManager, once it reported.
    pub tm_id: Option<String>,
    /// Whether the last poll was answered.
    pub reachable: bool,
    /// What went wrong if not.
    pub error: Option<String>,
    /// Age of the newest report.
    pub data_age_ms: Option<u64>,
    /// The newest report as it came.
    pub report: Option<Report>,
    /// Its caches with rates and curve values.
    pub caches: Vec<CacheStatus>,
    /// The last decision about this TaskManager.
    pub decision: Option<DecisionStatus>,
    /// The last plan that was sent to it, or advised.
    pub last_act: Option<ActStatus>,
}

/// One cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CacheStatus {
    /// Number of the cache.
    pub id: u64,
    /// Whose.
    pub operator: OperatorKey,
    /// The whole chain's name.
    pub task_name: Name,
    /// Capacity in force.
    pub capacity_bytes: u64,
    /// Bytes held.
    pub usage_bytes: u64,
    /// Bytes that cannot be evicted.
    pub pinned_bytes: u64,
    /// Age of the cache.
    pub age_ms: u64,
    /// Length of the window behind the measured miss ratio; absent before it exists.
    pub window_ms: Option<u64>,
    /// Lookups of task threads; over the longer window of the load while this one does not exist.
    pub lookups_per_second: Option<f64>,
    /// The same over the longer window that decisions are based on.
    pub load_per_second: Option<f64>,
    /// Exact share of them that missed.
    pub measured_miss_ratio: Option<f64>,
    /// The curve's miss ratio at the capacity in force.
    pub curve_miss_ratio: Option<PredictedRatio>,
    /// At half of it.
    pub curve_at_half: Option<PredictedRatio>,
    /// At double.
    pub curve_at_double: Option<PredictedRatio>,
    /// Mean seconds of a miss.
    pub miss_seconds: Option<f64>,
    /// The last decision about it, as a sentence.
    pub decision: Option<String>,
    /// The last change of its size that was carried out or advised.
    pub last_change: Option<ChangeStatus>,
}

/// A decision about one TaskManager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionStatus {
    /// When.
    pub at_ms: u64,
    /// Short name of the verdict.
    pub verdict: String,
    /// It in a sentence.
    pub sentence: String,
    /// What was rejected, a sentence each.
    pub rejected: Vec<String>,
}

/// What became of the last plan that changes sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActStatus {
    /// When.
    pub at_ms: u64,
    /// Number of the decision.
    pub decision: u64,
    /// Short name of the verdict: `resize` or `restore`.
    pub action: String,
    /// What became of it.
    pub result: ActResult,
    /// For people.
    pub message: String,
}

/// A change of one cache's size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeStatus {
    /// When.
    pub at_ms: u64,
    /// Before.
    pub from_bytes: u64,
    /// After.
    pub to_bytes: u64,
    /// `resize` or `restore`.
    pub action: String,
    /// What became of it.
    pub result: ActResult,
}

/// What may be changed, for people.
#[must_use]
pub fn permission(act: &[String]) -> String {
    match act {
        [] => "advises only".to_owned(),
        names => format!("may {}", names.join(", ")),
    }
}

// === impl CacheStatus ===

impl CacheStatus {
    /// Status of a cache, with what was decided about it.
    #[must_use]
    pub fn of(
        cache: &CacheState,
        plan: Option<&CachePlan>,
        last_change: Option<&ChangeStatus>,
    ) -> Self {
        let live = cache.window.and_then(|w| w.lookups_per_second());
        let load = cache.load.and_then(|l| l.lookups_per_second());
        Self {
            id: cache.id,
            operator: cache.operator.clone(),
            task_name: cache.task_name.clone(),
            capacity_bytes: cache.capacity_bytes,
            usage_bytes: cache.usage_bytes,
            pinned_bytes: cache.pinned_bytes,
            age_ms: cache.age_ms,
            window_ms: cache.window.map(|w| w.millis),
            lookups_per_second: live.or(load),
            load_per_second: load,
            measured_miss_ratio: cache.window.and_then(|w| w.miss_ratio()),
            curve_miss_ratio: cache.predicted_at(cache.capacity_bytes),
            curve_at_half: cache.predicted_at(cache.capacity_bytes / 2),
            curve_at_double: cache.predicted_at(cache.capacity_bytes.saturating_mul(2)),
            miss_seconds: cache.miss_seconds,
            decision: plan.map(ToString::to_string),
            last_change: last_change.cloned(),
        }
    }
}

// === impl DecisionStatus ===

impl DecisionStatus {
    /// Status of a decision.
    #[must_use]
    pub fn of(plan: &TaskManagerPlan, snapshot: &Snapshot) -> Self {
        Self {
            at_ms: snapshot.at_ms,
            verdict: plan.verdict.name().to_owned(),
            sentence: plan.to_string(),
            rejected: plan.rejected.iter().map(ToString::to_string).collect(),
        }
    }
}

// === impl Counters ===

impl Counters {
    /// Counts what became of a plan.
    pub fn count(&mut self, result: ActResult, restores: bool) {
        match result {
            ActResult::Applied => {
                self.applied += 1;
                self.restored += u64::from(restores);
            }
            ActResult::FoundInForce => self.found_in_force += 1,
            ActResult::Advised => self.advised += 1,
            ActResult::Refused => self.refused += 1,
            ActResult::Stale => self.stale += 1,
            ActResult::Failed => self.failed += 1,
        }
    }
}
