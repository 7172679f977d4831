//! Whose cache it is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of a block cache, unique for the life of one agent (one TaskManager process).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CacheId(pub u64);

impl fmt::Display for CacheId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One subtask of one keyed operator, as Flink names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OperatorSubtask {
    /// Flink's job id, 32 hexadecimal digits; empty if the agent could not learn it.
    pub job_id: String,
    /// The whole chain's name, without subtask index and attempt: `Join[7] -> Calc[8]`.
    pub task_name: String,
    /// The operator that owns the state: the head of the chain, `Join[7]`.
    pub operator_name: String,
    /// Zero-based index of the subtask.
    pub subtask_index: u32,
    /// Parallelism of the operator when the subtask started.
    pub parallelism: u32,
    /// Flink's attempt number; it grows with every restart of the subtask.
    pub attempt: u32,
}
