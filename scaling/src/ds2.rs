//! Policy `ds2`: every vertex gets the instances that its target needs, all of them in one step.
//!
//! Source: Kalavri et al., OSDI '18, section 3.2; the rule of when a new configuration is worth a restart is its online manager's
//! (`consider_change`): one instance more anywhere, or two fewer. Memory is left alone.
//!
//! Kept from the original: no skew, linear scaling, sources never rescaled. Mended: an idle operator, a busy time of NaN, a lost
//! report and a missing metric freeze what depends on them, where the original proposes 0 instances, or waits for ever; every edge
//! has a selectivity of its own.

mod dataflow;
mod record;

pub use dataflow::{Cycle, Dataflow, DataflowEdge, DataflowOperator, Requirement};
pub(crate) use dataflow::{instances, topological_order};
pub use record::{DataflowRecord, InstanceRates, RecordError};

use crate::{
    CachePlan, CacheReason, History, JobPlan, JobRates, JobState, JobVerdict, Measured, Missing,
    Plan, Policy, PredictedRate, RateDefinition, Snapshot, TaskManagerPlan, Terms, Verdict,
    VertexPlan, VertexRates, VertexReason, VertexState,
};

/// Policy `ds2`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ds2Policy {
    /// How targets become instances.
    pub sizing: Sizing,
}

/// How targets become instances.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sizing {
    /// Share of instances on top of what the target needs; 0 in the paper.
    pub scaling_factor: f64,
    /// Whether the target includes what makes backlogs go, and the backlog of the coming restart; the paper's does not.
    pub catch_up: bool,
    /// How instances add up; the sum in the paper.
    pub rates: RateDefinition,
}

impl Policy for Ds2Policy {
    fn name(&self) -> &'static str {
        "ds2"
    }

    fn decide(&self, snapshot: &Snapshot, _history: &History) -> Plan {
        let jobs = snapshot.jobs.iter().flatten();
        let jobs = jobs.map(|job| self.decide_job(job, &snapshot.terms));
        leave_memory(self.name(), snapshot).with_jobs(jobs.collect())
    }
}

// === impl Ds2Policy ===

impl Ds2Policy {
    fn decide_job(&self, job: &JobState, terms: &Terms) -> JobPlan {
        let rates = match JobRates::of(job, terms) {
            Ok(rates) => rates,
            Err(error) => return unreadable(job, error.to_string()),
        };
        let vertices = job.vertices.iter().zip(&rates.vertices);
        let plans: Vec<VertexPlan> = vertices
            .map(|(vertex, rates)| self.sizing.plan(vertex, rates, terms, job))
            .collect();
        let verdict = verdict_on(&plans);
        let plan = JobPlan::new(job, verdict.clone(), plans);
        if verdict.changes() {
            plan
        } else {
            plan.withheld(verdict)
        }
    }
}

// === impl Sizing ===

impl Sizing {
    /// The instances a vertex needs, or why that cannot be told.
    pub(crate) fn plan(
        &self,
        vertex: &VertexState,
        rates: &VertexRates,
        terms: &Terms,
        job: &JobState,
    ) -> VertexPlan {
        let mut plan = VertexPlan::keep(vertex, VertexReason::Source);
        plan.target_records_per_second = self.demand(rates, terms, job);
        if vertex.source.is_some() {
            return plan;
        }
        let frozen = |what: &str, missing| VertexReason::Frozen {
            what: what.to_owned(),
            missing,
        };
        let target = match plan.target_records_per_second.get() {
            Ok(target) => target,
            Err(missing) => {
                plan.reason = frozen("the rate it has to process", missing);
                return plan;
            }
        };
        let per_instance = match rates.true_rate(self.rates).get() {
            Ok(rate) if rate > 0.0 => rate / f64::from(vertex.parallelism.max(1)),
            Ok(_) | Err(Missing::Idle) => {
                plan.reason = VertexReason::Idle;
                return plan;
            }
            Err(missing) => {
                plan.reason = frozen("its true processing rate", missing);
                return plan;
            }
        };
        // Nothing to read still needs an instance.
        plan.to_parallelism = instances(target / per_instance, self.scaling_factor).max(1);
        plan.reason = VertexReason::Rate {
            target,
            per_instance,
        };
        let value = per_instance * f64::from(plan.to_parallelism);
        plan.predicted = Some(PredictedRate {
            value,
            low: value,
            high: value,
        });
        plan
    }

    /// What a vertex has to process: its target, and with `catch_up` what the operator autoscaler's target capacity adds
    /// (the backlog, and what a restart lets pile up, over the time to catch up).
    fn demand(&self, rates: &VertexRates, terms: &Terms, job: &JobState) -> Measured {
        if !self.catch_up {
            return rates.target.clone();
        }
        let restart = job.restart_seconds.known().unwrap_or(terms.restart_seconds);
        match (rates.target.get(), rates.catch_up.get()) {
            (Ok(target), Ok(catch_up)) => {
                Measured::of(target + catch_up + target * restart / terms.catch_up_seconds)
            }
            // A source that does not tell its backlog has none that could be worked off.
            (Ok(target), Err(_)) => Measured::of(target),
            (Err(missing), _) => Measured::Missing(missing),
        }
    }
}

/// What is made of the vertices' wishes: DS2's manager restarts a job for one instance more anywhere, or two fewer.
pub(crate) fn verdict_on(plans: &[VertexPlan]) -> JobVerdict {
    let worth = |p: &VertexPlan| {
        p.to_parallelism > p.from_parallelism || p.to_parallelism + 2 <= p.from_parallelism
    };
    if plans.iter().any(worth) {
        return JobVerdict::Rescale;
    }
    let known = |p: &&VertexPlan| matches!(p.reason, VertexReason::Rate { .. });
    let decidable = |p: &&VertexPlan| p.reason != VertexReason::Source;
    let frozen = plans
        .iter()
        .find(|p| matches!(p.reason, VertexReason::Frozen { .. }));
    match frozen {
        Some(plan) if !plans.iter().filter(decidable).any(|p| known(&p)) => JobVerdict::Frozen {
            what: format!("{}: {}", plan.name, plan.reason),
        },
        _ => JobVerdict::Steady,
    }
}

/// A plan for a job whose topology makes no sense.
pub(crate) fn unreadable(job: &JobState, what: String) -> JobPlan {
    let frozen = || VertexReason::Frozen {
        what: "the job's topology".to_owned(),
        missing: Missing::NotReported,
    };
    JobPlan::keep(job, JobVerdict::Frozen { what }, |_| frozen())
}

/// The part of a plan for TaskManagers by a policy that moves no bytes within them.
pub(crate) fn leave_memory(policy: &str, snapshot: &Snapshot) -> Plan {
    let keep = |tm: &crate::TaskManagerState| {
        let caches = tm.caches.iter();
        let caches = caches.map(|c| CachePlan::keep(c, CacheReason::OtherLoop));
        TaskManagerPlan::new(tm, Verdict::OtherLoop, caches.collect())
    };
    let tms = snapshot.task_managers.iter().map(keep);
    Plan::new(policy, tms.collect())
}
