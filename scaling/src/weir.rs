//! Policy `weir`: memory first, parallelism where memory is not enough, each shape no dearer than it has to be.
//!
//! Two halves. Where somebody has laid down what a job may use ([`Terms::slot_budget`](crate::Terms) or
//! [`Terms::memory_budget_bytes`](crate::Terms)), the joint half decides on parallelism and bytes of its vertices. Everywhere else
//! the memory half redistributes the bytes that each TaskManager has. A TaskManager is the business of one half at a time: two that
//! move the same bytes would undo each other's work.

mod redistribution;

use std::collections::BTreeSet;

use crate::joint::Joint;
use crate::{
    CachePlan, CacheReason, History, JobPlan, Limits, Plan, Policy, Snapshot, TaskManagerPlan,
    TaskManagerState, Verdict,
};
use redistribution::Redistribution;

/// Policy `weir`.
#[derive(Debug, Clone, Copy, Default)]
pub struct WeirPolicy {
    joint: Joint,
    redistribution: Redistribution,
}

impl Policy for WeirPolicy {
    fn name(&self) -> &'static str {
        "weir"
    }

    fn decide(&self, snapshot: &Snapshot, history: &History) -> Plan {
        let terms = &snapshot.terms;
        let laid_down = terms.slot_budget.is_some() || terms.memory_budget_bytes.is_some();
        let jobs = match laid_down {
            true => self.joint.decide(snapshot, history),
            false => Vec::new(),
        };
        let shaped = shaped_tasks(&jobs);
        let of_tm = |tm: &TaskManagerState| {
            let is_shaped = |c: &crate::CacheState| {
                shaped.contains(&(c.operator.job_id.as_str(), c.task_name.as_str()))
            };
            if !shaped.is_empty() && tm.caches.iter().any(is_shaped) {
                return keep(tm);
            }
            self.redistribution.decide(snapshot, tm)
        };
        let task_managers = snapshot.task_managers.iter().map(of_tm).collect();
        Plan::new(self.name(), task_managers).with_jobs(jobs)
    }
}

// === impl WeirPolicy ===

impl WeirPolicy {
    /// A policy that searches within these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            joint: Joint::new(limits),
            redistribution: Redistribution::new(limits),
        }
    }
}

/// Job and chain of every vertex whose shape the joint half decides on.
fn shaped_tasks(jobs: &[JobPlan]) -> BTreeSet<(&str, &str)> {
    let vertices = jobs
        .iter()
        .flat_map(|job| job.vertices.iter().map(move |v| (job, v)));
    let decided = vertices.filter(|(_, v)| v.predicted.is_some());
    decided
        .map(|(job, v)| (job.job_id.as_str(), v.name.as_str()))
        .collect()
}

fn keep(tm: &TaskManagerState) -> TaskManagerPlan {
    let caches = tm.caches.iter();
    let caches = caches.map(|c| CachePlan::keep(c, CacheReason::OtherLoop));
    TaskManagerPlan::new(tm, Verdict::OtherLoop, caches.collect())
}
