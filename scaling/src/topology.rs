//! A job as Flink's REST API describes it: vertices, edges, and what every subtask did over the last window.

use serde::{Deserialize, Serialize};

use crate::Measured;

/// A job, by Flink's REST API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobState {
    /// 32 hexadecimal digits.
    pub job_id: String,
    /// The name it was submitted under.
    pub name: String,
    /// `RUNNING`, `RESTARTING`, ...
    pub state: String,
    /// Restarts of the whole job so far (`numRestarts`).
    pub restarts: Option<u64>,
    /// Its vertices.
    pub vertices: Vec<VertexState>,
    /// Who feeds whom; no cycles in a streaming job.
    #[serde(default)]
    pub edges: Vec<Edge>,
    /// How long its last restart took, from the last record before to the first one after, in seconds.
    #[serde(default)]
    pub restart_seconds: Measured,
}

/// One vertex feeds another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// [`VertexState::id`] of the producer.
    pub from: String,
    /// [`VertexState::id`] of the consumer.
    pub to: String,
    /// Records that crossed it, per second, where it can be told from other edges of the same ends.
    #[serde(default)]
    pub records_per_second: Measured,
}

/// A vertex (chain of operators) of a job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VertexState {
    /// Flink's vertex id.
    pub id: String,
    /// The chain's name; the caches of its operators carry it as [`crate::CacheState::task_name`].
    pub name: String,
    /// Instances.
    pub parallelism: u32,
    /// `RUNNING`, `INITIALIZING`, ...
    pub state: String,
    /// Attempt number of every subtask, by subtask index; absent when it could not be read.
    pub attempts: Option<Vec<u32>>,
    /// Number of key groups: more instances than this would have no keys.
    #[serde(default)]
    pub max_parallelism: Option<u32>,
    /// Parallelisms that can be had, ascending, where not all can; a wish for another is carried out with the next larger one.
    #[serde(default)]
    pub allowed_parallelisms: Option<Vec<u32>>,
    /// Subtasks of vertices of one group share slots; vertices without a known group share one.
    #[serde(default)]
    pub slot_sharing_group: Option<String>,
    /// Milliseconds since all its subtasks run.
    #[serde(default)]
    pub running_for_ms: Option<u64>,
    /// Length of the window behind the rates.
    #[serde(default)]
    pub window_ms: u64,
    /// What every subtask did in it, by subtask index. A subtask that did not report is not there.
    #[serde(default)]
    pub subtasks: Vec<SubtaskState>,
    /// What waits outside; present on vertices that read from outside the job.
    #[serde(default)]
    pub source: Option<SourceState>,
}

/// What one subtask did over the window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SubtaskState {
    /// Zero-based index.
    pub index: u32,
    /// Records read; for a source, those it read from outside.
    pub records_in_per_second: Measured,
    /// Records written, all edges together.
    pub records_out_per_second: Measured,
    /// Share of the time in which it worked: 0 to 1.
    pub busy: Measured,
    /// Share of the time in which it waited for input.
    #[serde(default)]
    pub idle: Measured,
    /// Share of the time in which it waited for room downstream.
    #[serde(default)]
    pub backpressured: Measured,
    /// Seconds that a read of state takes at the 90th percentile, where Flink's latency tracking is on.
    #[serde(default)]
    pub state_get_seconds_p90: Measured,
}

/// The outside world of a source.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SourceState {
    /// Records per second that arrive outside, all subtasks together: told by the operator, or consumption plus growth of the backlog.
    pub target_records_per_second: Measured,
    /// Records that wait outside (`pendingRecords`), all subtasks together.
    #[serde(default)]
    pub pending_records: Measured,
}
