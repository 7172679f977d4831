//! What resources there are, what they cost and what may be spent.

use serde::{Deserialize, Serialize};

/// Slots as the cluster counts them; absent when Flink could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SlotState {
    /// Slots of all TaskManagers.
    pub total: u32,
    /// Of these, not in use.
    pub free: u32,
}

/// What the operator of the cluster has laid down: prices, budgets, and how quickly a backlog must go.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Terms {
    /// Price of one slot for one second.
    pub slot_second: f64,
    /// Price of one GiB of cache or write buffer for one second.
    pub gib_second: f64,
    /// Slots that may be used together; absent: all there are.
    pub slot_budget: Option<u32>,
    /// Bytes of cache and write buffer that may be used together, over all subtasks; absent: the TaskManagers' budgets alone count.
    pub memory_budget_bytes: Option<u64>,
    /// Seconds a restart takes where none was measured.
    pub restart_seconds: f64,
    /// Seconds within which a backlog should be gone.
    pub catch_up_seconds: f64,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            slot_second: 1.0,
            gib_second: 0.25,
            slot_budget: None,
            memory_budget_bytes: None,
            restart_seconds: 30.0,
            catch_up_seconds: 600.0,
        }
    }
}
