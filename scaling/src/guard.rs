//! The guard: the same last word over every policy.
//!
//! It trusts nothing a plan says of itself: budget, minimum and step are checked against the snapshot, the effect is computed anew.

use crate::effect::Weights;
use crate::job_guard::JobGuard;
use crate::{
    CacheReason, CacheState, History, JobLimits, Limits, Plan, Snapshot, TaskManagerPlan,
    TaskManagerState, Verdict,
};

/// Reviews plans.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    limits: Limits,
    job_limits: JobLimits,
}

// === impl Guard ===

impl Guard {
    /// A guard with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            job_limits: JobLimits::default(),
        }
    }

    /// This guard with these limits for parallelism.
    #[must_use]
    pub fn with_job_limits(self, job_limits: JobLimits) -> Self {
        Self { job_limits, ..self }
    }

    /// The plan, with every change withheld that breaks a rule or is not worth it.
    #[must_use]
    pub fn review(&self, plan: Plan, snapshot: &Snapshot, history: &History) -> Plan {
        let review_one = |plan: TaskManagerPlan| {
            let tm = snapshot
                .task_managers
                .iter()
                .find(|tm| tm.tm_id == plan.tm_id);
            match tm {
                Some(tm) => self.review_one(plan, snapshot, tm, history),
                None => plan.withheld(Verdict::Vetoed {
                    rule: "the snapshot does not know this TaskManager".to_owned(),
                }),
            }
        };
        let reviewed = plan.task_managers.into_iter().map(review_one).collect();
        let jobs = JobGuard {
            limits: &self.limits,
            job_limits: &self.job_limits,
            snapshot,
            history,
        };
        Plan::new(&plan.policy, reviewed).with_jobs(jobs.review(plan.jobs))
    }

    fn review_one(
        &self,
        mut plan: TaskManagerPlan,
        snapshot: &Snapshot,
        tm: &TaskManagerState,
        history: &History,
    ) -> TaskManagerPlan {
        if tm.caches.is_empty() {
            return plan.withheld(Verdict::NoCaches);
        }
        if let Some(reason) = tm.unmanaged.clone() {
            return plan.withheld(Verdict::Unmanaged { reason });
        }
        if !plan.moves() {
            return match plan.verdict {
                Verdict::Resize | Verdict::Restore => plan.withheld(Verdict::Balanced),
                _ => plan,
            };
        }
        if let Some(rule) = self.broken_rule(&plan, snapshot, tm) {
            return plan.withheld(Verdict::Vetoed { rule });
        }
        if plan.verdict == Verdict::Restore {
            return plan;
        }
        let sizes = plan.clone();
        let effect = Weights::of(tm, |c| self.limits.freeze(snapshot, tm, c).is_none())
            .effect(|c| planned(&sizes, c));
        plan.effect = Some(effect);
        if let Some(since_ms) = history
            .since_change_ms(&tm.tm_id, snapshot.at_ms)
            .filter(|since| *since < self.limits.cooldown_ms)
        {
            return plan.withheld(Verdict::CoolingDown {
                since_ms,
                cooldown_ms: self.limits.cooldown_ms,
            });
        }
        let gain = effect.relative_gain();
        if gain < self.limits.min_relative_gain || effect.gain() <= 0.0 {
            return plan.withheld(Verdict::GainTooSmall {
                gain,
                threshold: self.limits.min_relative_gain,
            });
        }
        if effect.gain() <= effect.noise {
            return plan.withheld(Verdict::WithinNoise {
                gain,
                noise: effect.noise / effect.before,
            });
        }
        plan
    }

    /// The first hard rule that the plan breaks.
    fn broken_rule(
        &self,
        plan: &TaskManagerPlan,
        snapshot: &Snapshot,
        tm: &TaskManagerState,
    ) -> Option<String> {
        let restores = plan.verdict == Verdict::Restore;
        if !plan.verdict.changes_sizes() {
            return Some("sizes change under a verdict that keeps them".to_owned());
        }
        let planned_bytes: u64 = tm.caches.iter().map(|c| planned(plan, c)).sum();
        if planned_bytes > tm.budget.cache_bytes {
            return Some(format!(
                "the capacities would reach {planned_bytes} bytes together, the budget is {}",
                tm.budget.cache_bytes
            ));
        }
        plan.changes().find_map(|change| {
            let who = &change.operator;
            let to = change.to_bytes;
            let Some(cache) = tm.cache(change.id) else {
                return Some(format!("{who} has no cache {}", change.id));
            };
            if to < tm.budget.min_cache_bytes {
                let min = tm.budget.min_cache_bytes;
                return Some(format!("{who} would get {to} bytes, the minimum is {min}"));
            }
            if restores {
                return None;
            }
            let smallest = self.limits.smallest_bytes(tm, cache);
            if to < smallest {
                return Some(format!(
                    "{who} would shrink to {to} bytes, one step allows {smallest}"
                ));
            }
            let freeze = self.limits.freeze(snapshot, tm, cache)?;
            Some(format!("{who} would change although {freeze}"))
        })
    }
}

/// What a cache has after the plan.
fn planned(plan: &TaskManagerPlan, cache: &CacheState) -> u64 {
    let entry = plan.caches.iter().find(|p| p.id == cache.id);
    entry.map_or(cache.capacity_bytes, |p| match p.reason {
        CacheReason::Withheld { .. } => cache.capacity_bytes,
        _ => p.to_bytes,
    })
}
