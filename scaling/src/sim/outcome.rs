//! The result of a run, as `weir simulate --json` prints it.

use serde::Serialize;

/// What a policy achieved and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Name of the policy, or `oracle`.
    pub policy: String,
    /// Seconds of policy intervals, outside of the grace after each step, in which an operator could do less than it had to.
    pub below_target_s: u64,
    /// The same, grace included.
    pub below_target_with_grace_s: u64,
    /// Phases in whose second half any second was below the target.
    pub missed_phases: u64,
    /// Grace after each step of a target, seconds.
    pub grace_s: u64,
    /// Instances times seconds.
    pub slot_seconds: f64,
    /// GiB of caches and write buffers times seconds.
    pub gib_seconds: f64,
    /// Both, priced.
    pub cost: f64,
    /// Times the job was restarted.
    pub restarts: u64,
    /// The most restarts between two steps of a target.
    pub restarts_in_a_phase_max: u64,
    /// Changes of bytes without a restart, each operator on its own.
    pub resizes: u64,
    /// Changes in the second half of a phase.
    pub late_actions: u64,
    /// Plans that could not be carried out, since they exceed a budget.
    pub refused: u64,
    /// Longest time for which the target's records had queued up, seconds.
    pub backlog_max_s: f64,
    /// That time at the end.
    pub backlog_end_s: f64,
    /// The shape at the start and every change of it.
    pub decisions: Vec<DecisionRow>,
}

/// The shape of one operator from a moment on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DecisionRow {
    /// Second of the run.
    pub at_s: u64,
    /// Whose.
    pub operator: String,
    /// Instances.
    pub parallelism: u32,
    /// Cache of one instance, MiB.
    pub cache_mib: f64,
    /// Write buffers of one instance, MiB.
    pub write_buffer_mib: f64,
    /// Why, in one sentence.
    pub why: String,
}
