//! Whose cache it is.

use std::collections::BTreeSet;
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
    /// The job's name; empty if the agent could not learn it.
    #[serde(default)]
    pub job_name: String,
    /// The whole chain's name, without subtask index and attempt: `Join[7] -> Calc[8]`.
    pub task_name: String,
    /// The operator that owns the state, `Join[7]`: the head of the chain, where nothing tells it better.
    pub operator_name: String,
    /// Zero-based index of the subtask.
    pub subtask_index: u32,
    /// Parallelism of the operator when the subtask started.
    pub parallelism: u32,
    /// Flink's attempt number; it grows with every restart of the subtask.
    pub attempt: u32,
}

// === impl OperatorSubtask ===

impl OperatorSubtask {
    /// One name for all that share a cache, the same again when they come back after a restart: their names joined, the job
    /// where they have but one, the lowest subtask index and attempt.
    #[must_use]
    pub fn sharing(operators: &[&Self]) -> Self {
        let joined = |of: fn(&Self) -> &str| {
            let names: BTreeSet<&str> = operators.iter().map(|operator| of(operator)).collect();
            names.into_iter().collect::<Vec<_>>().join(" + ")
        };
        let lowest = |of: fn(&Self) -> u32| operators.iter().map(|o| of(o)).min().unwrap_or(0);
        let highest = |of: fn(&Self) -> u32| operators.iter().map(|o| of(o)).max().unwrap_or(0);
        let common = |of: fn(&Self) -> &str| {
            let first = operators.first().map_or("", |operator| of(operator));
            let is_common = operators.iter().all(|operator| of(operator) == first);
            if is_common {
                first.to_owned()
            } else {
                String::new()
            }
        };
        Self {
            job_id: common(|o| &o.job_id),
            job_name: common(|o| &o.job_name),
            task_name: joined(|o| &o.task_name),
            operator_name: joined(|o| &o.operator_name),
            subtask_index: lowest(|o| o.subtask_index),
            parallelism: highest(|o| o.parallelism),
            attempt: lowest(|o| o.attempt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subtask(operator_name: &str, job_id: &str, subtask_index: u32) -> OperatorSubtask {
        OperatorSubtask {
            job_id: job_id.to_owned(),
            job_name: String::new(),
            task_name: format!("{operator_name} -> Sink"),
            operator_name: operator_name.to_owned(),
            subtask_index,
            parallelism: 4,
            attempt: 0,
        }
    }

    #[test]
    fn those_who_share_have_one_name_whatever_their_order() {
        let (a, b) = (subtask("Join[7]", "1a", 3), subtask("Agg[2]", "1a", 2));
        let shared = OperatorSubtask::sharing(&[&a, &b]);
        assert_eq!(shared, OperatorSubtask::sharing(&[&b, &a]));
        assert_eq!(shared.operator_name, "Agg[2] + Join[7]");
        assert_eq!((shared.job_id.as_str(), shared.subtask_index), ("1a", 2));
        let elsewhere = subtask("Agg[2]", "2b", 2);
        assert_eq!(OperatorSubtask::sharing(&[&a, &elsewhere]).job_id, "");
        assert_eq!(OperatorSubtask::sharing(&[&a]), a);
    }
}
