//! The trait all policies share, and the one that never moves anything.

use crate::{
    CachePlan, CacheReason, History, JobPlan, JobVerdict, Plan, Snapshot, TaskManagerPlan, Verdict,
    VertexReason,
};

/// Turns a snapshot into a plan. Same snapshot and history, same plan.
pub trait Policy {
    /// Name in configuration, metrics and history.
    fn name(&self) -> &'static str;

    /// What this policy would do, and why; the [`crate::Guard`] has the last word.
    fn decide(&self, snapshot: &Snapshot, history: &History) -> Plan;
}

/// `static`: keeps every size and shape. What the others are compared with.
#[derive(Debug, Clone, Copy, Default)]
pub struct StaticPolicy;

impl Policy for StaticPolicy {
    fn name(&self) -> &'static str {
        "static"
    }

    fn decide(&self, snapshot: &Snapshot, _history: &History) -> Plan {
        let jobs = snapshot.jobs.iter().flatten();
        let jobs = jobs.map(|j| JobPlan::keep(j, JobVerdict::Static, |_| VertexReason::Static));
        let jobs = jobs.collect();
        let keep = |tm: &crate::TaskManagerState| {
            let caches = tm.caches.iter();
            let caches = caches.map(|c| CachePlan::keep(c, CacheReason::Static));
            TaskManagerPlan::new(tm, Verdict::Static, caches.collect())
        };
        Plan::new(
            self.name(),
            snapshot.task_managers.iter().map(keep).collect(),
        )
        .with_jobs(jobs)
    }
}
