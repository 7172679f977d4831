//! Everything a decision may look at, serialisable so that it can be replayed.
//!
//! What could not be measured is `None`, never zero: a policy must not take "unknown" for "idle".

use std::fmt;

use serde::{Deserialize, Serialize};
use weir_mrc::MissRatioCurve;

use crate::{JobState, Measured, Name, SlotState, Terms};

/// The job and its TaskManagers at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was taken, in milliseconds since the Unix epoch by the observer's clock.
    pub at_ms: u64,
    /// The jobs as Flink's REST API describes them; absent when it could not be asked.
    pub jobs: Option<Vec<JobState>>,
    /// One entry per TaskManager whose agent has ever reported.
    pub task_managers: Vec<TaskManagerState>,
    /// The cluster's slots; absent when Flink could not be asked.
    #[serde(default)]
    pub slots: Option<SlotState>,
    /// Prices and budgets.
    #[serde(default)]
    pub terms: Terms,
}

/// One TaskManager, by its agent's reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskManagerState {
    /// Name of the TaskManager.
    pub tm_id: String,
    /// Process id: changes when the TaskManager restarts.
    pub pid: u32,
    /// Generation of the allocation in force when it reported.
    pub generation: u64,
    /// Milliseconds between the newest report and [`Snapshot::at_ms`].
    pub data_age_ms: u64,
    /// Why its caches cannot be resized, if so: not hooked, or only observed.
    pub unmanaged: Option<String>,
    /// Its slots, where Flink could be asked.
    #[serde(default)]
    pub slots: Option<u32>,
    /// What it may spend.
    pub budget: BudgetState,
    /// Its caches.
    pub caches: Vec<CacheState>,
}

/// What the caches of a TaskManager may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetState {
    /// What the capacities may reach together.
    pub cache_bytes: u64,
    /// What they are together.
    pub allocated_bytes: u64,
    /// Smallest capacity a cache may be given.
    pub min_cache_bytes: u64,
    /// What write buffers take of the whole budget beside the caches, in percent of their size: memtables may hold more than their
    /// manager is told. 0: they cannot be resized.
    #[serde(default = "BudgetState::as_large_as_they_are")]
    pub write_buffer_cost_percent: u32,
}

/// Name of an operator subtask that outlives restarts of tasks, TaskManagers and controllers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OperatorKey {
    /// Flink's job id.
    pub job_id: Name,
    /// The operator that owns the state.
    pub operator_name: Name,
    /// Zero-based index.
    pub subtask_index: u32,
}

/// The block cache of one operator subtask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CacheState {
    /// Number of the cache, unique within the life of one agent.
    pub id: u64,
    /// Whose it is.
    pub operator: OperatorKey,
    /// The whole chain's name.
    pub task_name: Name,
    /// Parallelism of the operator.
    pub parallelism: u32,
    /// Flink's attempt number of the subtask.
    pub attempt: u32,
    /// Capacity in force.
    pub capacity_bytes: u64,
    /// Bytes held.
    pub usage_bytes: u64,
    /// Bytes that cannot be evicted: the curve speaks of what is left beside them.
    pub pinned_bytes: u64,
    /// Milliseconds since the cache was attached.
    pub age_ms: u64,
    /// How much it is asked; absent before two reports of one life exist. A longer window than the next one: lookups come in bursts.
    pub load: Option<Load>,
    /// What was measured over the last window; absent before two reports of one life at one capacity exist.
    pub window: Option<Window>,
    /// Miss ratio curve of the lookups of task threads; absent until enough was sampled.
    pub curve: Option<MissRatioCurve>,
    /// Mean seconds a miss takes; absent while none was measured.
    pub miss_seconds: Option<f64>,
    /// Mean seconds a hit takes; absent while none was measured.
    #[serde(default)]
    pub hit_seconds: Option<f64>,
    /// What writing costs; absent where the agent does not know the operator's write buffers.
    #[serde(default)]
    pub write_path: Option<WritePath>,
}

/// The write path of one operator subtask over the window of its load.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WritePath {
    /// Bytes of memtables at which RocksDB starts to flush.
    pub buffer_bytes: u64,
    /// Bytes in memtables now.
    pub used_bytes: u64,
    /// Bytes written by flushes, per second.
    #[serde(default)]
    pub flushed_bytes_per_second: Measured,
    /// Bytes written by compactions, per second.
    #[serde(default)]
    pub compacted_bytes_per_second: Measured,
    /// Share of the time in which writes were stalled.
    #[serde(default)]
    pub stalled: Measured,
}

/// Exact count of task threads' lookups between two reports, at whatever capacities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Length, by the agent's clock.
    pub millis: u64,
    /// Lookups in it.
    pub lookups: u64,
}

/// Exact counts of task threads' lookups between two reports, at one capacity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Length, by the agent's clock.
    pub millis: u64,
    /// Lookups in it.
    pub lookups: u64,
    /// Of these, misses.
    pub misses: u64,
}

// === impl BudgetState ===

impl BudgetState {
    fn as_large_as_they_are() -> u32 {
        100
    }
}

// === impl TaskManagerState ===

impl TaskManagerState {
    /// The cache with this number.
    #[must_use]
    pub fn cache(&self, id: u64) -> Option<&CacheState> {
        self.caches.iter().find(|c| c.id == id)
    }
}

// === impl CacheState ===

impl CacheState {
    /// Miss ratio the curve gives for a capacity, pinned bytes taken off.
    #[must_use]
    pub fn predicted_at(&self, capacity_bytes: u64) -> Option<crate::PredictedRatio> {
        let room = capacity_bytes.saturating_sub(self.pinned_bytes);
        self.curve.as_ref().map(|c| {
            let m = c.miss_ratio_at(room);
            crate::PredictedRatio {
                value: m.value,
                low: m.low,
                high: m.high,
            }
        })
    }
}

// === impl Load ===

impl Load {
    /// Lookups per second; absent for a window of no length.
    #[must_use]
    pub fn lookups_per_second(&self) -> Option<f64> {
        (self.millis > 0).then(|| self.lookups as f64 * 1000.0 / self.millis as f64)
    }
}

// === impl Window ===

impl Window {
    /// Lookups per second; absent for a window of no length.
    #[must_use]
    pub fn lookups_per_second(&self) -> Option<f64> {
        (self.millis > 0).then(|| self.lookups as f64 * 1000.0 / self.millis as f64)
    }

    /// Share of lookups that missed; absent when there was no lookup.
    #[must_use]
    pub fn miss_ratio(&self) -> Option<f64> {
        (self.lookups > 0).then(|| self.misses as f64 / self.lookups as f64)
    }
}

// === impl OperatorKey ===

impl fmt::Display for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.operator_name, self.subtask_index)
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// The job with this id, where Flink could be asked and knows it.
    #[must_use]
    pub fn job(&self, job_id: &str) -> Option<&JobState> {
        self.jobs.as_ref()?.iter().find(|j| j.job_id == job_id)
    }

    /// Bytes of the budget that a byte of write buffers takes; alike on all TaskManagers of one cluster.
    pub(crate) fn write_buffer_cost(&self) -> f64 {
        let budgets = self.task_managers.iter().map(|tm| tm.budget);
        let percent = budgets.map(|b| b.write_buffer_cost_percent).max();
        f64::from(percent.unwrap_or(0)) / 100.0
    }

    /// All caches with the TaskManager they are in.
    pub fn caches(&self) -> impl Iterator<Item = (&TaskManagerState, &CacheState)> {
        let tms = self.task_managers.iter();
        tms.flat_map(|tm| tm.caches.iter().map(move |c| (tm, c)))
    }
}
