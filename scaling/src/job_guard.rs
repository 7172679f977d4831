//! The guard over shapes of jobs: the same last word over every policy.
//!
//! First it looks whether the last change has to be taken back. Then single vertices are held to their limits, and the plan as a
//! whole to slots and memory; only what is left has to be worth a restart, at a time when one is allowed.

use std::collections::BTreeMap;

use crate::fit::{fit_memory, fit_slots, slots_needed};
use crate::state_access::StateIndex;
use crate::{
    History, JobHistory, JobLimits, JobPlan, JobState, JobVerdict, Limits, OperatorMemory,
    ShapeChange, Snapshot, VertexChange, VertexPlan, VertexReason, VertexState,
};

/// Reviews plans for jobs.
pub(crate) struct JobGuard<'a> {
    pub limits: &'a Limits,
    pub job_limits: &'a JobLimits,
    pub snapshot: &'a Snapshot,
    pub history: &'a History,
}

// === impl JobGuard ===

impl JobGuard<'_> {
    /// The plans, with every change cut or withheld that breaks a rule or is not worth it.
    pub fn review(&self, plans: Vec<JobPlan>) -> Vec<JobPlan> {
        let index = StateIndex::of(self.snapshot);
        let review_one = |plan: JobPlan| match self.snapshot.job(&plan.job_id) {
            Some(job) => self.review_one(plan, job, &index),
            None => plan.withheld(JobVerdict::Vetoed {
                rule: "the snapshot does not know this job".to_owned(),
            }),
        };
        plans.into_iter().map(review_one).collect()
    }

    fn review_one(&self, plan: JobPlan, job: &JobState, index: &StateIndex<'_>) -> JobPlan {
        if job.state != "RUNNING" {
            let what = format!("Flink says that the job is {}", job.state);
            return plan.withheld(JobVerdict::Frozen { what });
        }
        if let Some(rule) = incomplete(&plan, job) {
            return plan.withheld(JobVerdict::Vetoed { rule });
        }
        let past = self.history.jobs.get(&job.job_id);
        let taken_back = past.and_then(|past| self.roll_back(job, past));
        let mut plan = match taken_back {
            Some(plan) => plan,
            None if plan.changes().next().is_none() => {
                return match plan.verdict {
                    JobVerdict::Rescale | JobVerdict::Resize => plan.withheld(JobVerdict::Steady),
                    _ => plan,
                };
            }
            None if !plan.verdict.changes() => {
                let rule = "shapes change under a verdict that keeps them".to_owned();
                return plan.withheld(JobVerdict::Vetoed { rule });
            }
            None => plan,
        };
        let rolls_back = matches!(plan.verdict, JobVerdict::RollBack { .. });
        if !rolls_back {
            self.limit_vertices(&mut plan, job, index);
        }
        let cut = self.cut_to_budgets(&mut plan, job, index);
        if let Err(verdict) = cut {
            return plan.withheld(verdict);
        }
        if !rolls_back {
            plan.verdict = plan.verdict_by_changes();
        }
        let held = if rolls_back {
            self.held_by_the_hour()
        } else {
            self.held(&plan, job, past)
        };
        match held {
            Some(verdict) => plan.withheld(verdict),
            None => plan,
        }
    }

    /// Holds every vertex to exclusions, steps and bounds, and to data that are fresh.
    fn limit_vertices(&self, plan: &mut JobPlan, job: &JobState, index: &StateIndex<'_>) {
        for (vertex, state) in plan.vertices.iter_mut().zip(&job.vertices) {
            if self.job_limits.excludes(&state.id, &state.name) {
                *vertex = VertexPlan::keep(state, VertexReason::Excluded);
                continue;
            }
            let operators = index.operators(job, state);
            let mut caches = operators.iter().flat_map(|o| &o.caches);
            let age_ms = caches.find_map(|at| {
                let age_ms = at.tm.data_age_ms;
                (age_ms > self.limits.max_data_age_ms).then_some(age_ms)
            });
            if let (true, Some(age_ms)) = (vertex.changes_memory(), age_ms) {
                let reason = VertexReason::Frozen {
                    what: "the state of its caches".to_owned(),
                    missing: crate::Missing::Stale { age_ms },
                };
                *vertex = VertexPlan::keep(state, reason);
                continue;
            }
            let wanted = vertex.to_parallelism;
            if vertex.changes_parallelism() {
                let (to, rule) =
                    self.job_limits
                        .step(state.parallelism, wanted, state.max_parallelism);
                if let Some(rule) = rule {
                    vertex.limit(to, rule);
                }
            }
        }
    }

    /// Cuts the plan to the slots and the memory there are.
    fn cut_to_budgets(
        &self,
        plan: &mut JobPlan,
        job: &JobState,
        index: &StateIndex<'_>,
    ) -> Result<(), JobVerdict> {
        if let Some(available) = self.slots_for(job) {
            let wanted = slots_needed(job, |at| plan.vertices[at].to_parallelism);
            let rescales = plan.rescales();
            fit_slots(plan, job, available);
            if rescales && !plan.rescales() {
                return Err(JobVerdict::NoSlots {
                    needed: wanted,
                    available,
                });
            }
        }
        let cost = self.snapshot.write_buffer_cost();
        let tms = self.snapshot.task_managers.iter();
        let for_caches: u64 = tms.map(|tm| tm.budget.cache_bytes).sum();
        let paths = self
            .snapshot
            .caches()
            .filter_map(|(_, c)| c.write_path.as_ref());
        let buffers: u64 = paths.map(|p| p.buffer_bytes).sum();
        let by_tms = for_caches.saturating_add((buffers as f64 * cost) as u64);
        let budget = self.snapshot.terms.memory_budget_bytes;
        let budget = budget.map_or(by_tms, |budget| budget.min(by_tms.max(1)));
        fit_memory(plan, job, index, budget, cost).map_err(|rule| JobVerdict::Vetoed { rule })
    }

    /// Slots this job may have: what it holds and what is free, within the budget; absent where nobody knows.
    fn slots_for(&self, job: &JobState) -> Option<u32> {
        let held = slots_needed(job, |at| job.vertices[at].parallelism);
        let there = self.snapshot.slots.map(|s| held.saturating_add(s.free));
        let others = self.snapshot.jobs.iter().flatten();
        let others = others.filter(|other| other.job_id != job.job_id);
        let by_others: u32 = others
            .map(|other| slots_needed(other, |at| other.vertices[at].parallelism))
            .sum();
        let budget = self.snapshot.terms.slot_budget;
        let budget = budget.map(|b| b.saturating_sub(by_others));
        match (there, budget) {
            (Some(there), Some(budget)) => Some(there.min(budget)),
            (there, budget) => there.or(budget),
        }
    }

    fn held_by_the_hour(&self) -> Option<JobVerdict> {
        let blackout = self.job_limits.blackout(self.snapshot.at_ms)?;
        Some(JobVerdict::Blackout {
            window: blackout.to_string(),
        })
    }

    /// Why the plan has to wait, or is not worth it.
    fn held(
        &self,
        plan: &JobPlan,
        job: &JobState,
        past: Option<&JobHistory>,
    ) -> Option<JobVerdict> {
        if plan.verdict == JobVerdict::Steady {
            return Some(JobVerdict::Steady);
        }
        let at_ms = self.snapshot.at_ms;
        let running = job.vertices.iter().filter_map(|v| v.running_for_ms).min();
        let changed = past.and_then(JobHistory::last);
        let changed = changed.map(|c| at_ms.saturating_sub(c.at_ms));
        let since_ms = [running, changed].into_iter().flatten().min();
        let cooldown_ms = self.job_limits.cooldown_ms;
        if let Some(since_ms) = since_ms.filter(|since| *since < cooldown_ms) {
            return Some(JobVerdict::CoolingDown {
                since_ms,
                cooldown_ms,
            });
        }
        if let Some(verdict) = self.held_by_the_hour() {
            return Some(verdict);
        }
        if let Some(rule) = past.and_then(|past| self.taken_back_before(plan, past)) {
            return Some(JobVerdict::Vetoed { rule });
        }
        let threshold = self.job_limits.min_change;
        let changes = plan.changes().map(relative_change);
        let change = changes.fold(0.0, f64::max);
        (change < threshold).then_some(JobVerdict::TooSmall { change, threshold })
    }

    /// The shape before the last change, if that change did not do what was predicted.
    fn roll_back(&self, job: &JobState, past: &JobHistory) -> Option<JobPlan> {
        let last = past.last()?;
        if matches!(last.verdict, JobVerdict::RollBack { .. }) {
            return None;
        }
        let in_force = |v: &VertexState| {
            let change = last.vertices.get(&v.id);
            change.is_some_and(|c| c.to_parallelism == v.parallelism)
        };
        if !job.vertices.iter().all(in_force) {
            return None;
        }
        let realised = last.vertices.values().filter_map(VertexChange::realised);
        let realised = realised.min_by(f64::total_cmp)?;
        if realised >= self.job_limits.roll_back_below {
            return None;
        }
        let back = |v: &VertexState| match last.vertices.get(&v.id) {
            Some(change) if change.changes_shape() => {
                let mut plan = VertexPlan::keep(v, VertexReason::RolledBack);
                plan.to_parallelism = change.from_parallelism;
                plan.memory = change.memory.iter().filter_map(former).collect();
                plan
            }
            _ => VertexPlan::keep(v, VertexReason::Stays),
        };
        let vertices = job.vertices.iter().map(back).collect();
        Some(JobPlan::new(
            job,
            JobVerdict::RollBack { realised },
            vertices,
        ))
    }

    /// The rule that keeps a shape from being tried again soon after it was taken back.
    fn taken_back_before(&self, plan: &JobPlan, past: &JobHistory) -> Option<String> {
        let taken_back = past
            .changes
            .windows(2)
            .rev()
            .find(|pair| matches!(pair[1].verdict, JobVerdict::RollBack { .. }))?;
        let since_ms = self.snapshot.at_ms.saturating_sub(taken_back[1].at_ms);
        if since_ms >= self.job_limits.roll_back_hold_ms || !same_shape(&taken_back[0], plan) {
            return None;
        }
        Some(format!(
            "this shape was taken back {} ago",
            crate::Seconds(since_ms)
        ))
    }
}

/// What is wrong with the list of vertices, if anything: Flink wants all of them in a request.
fn incomplete(plan: &JobPlan, job: &JobState) -> Option<String> {
    let planned: Vec<&str> = plan.vertices.iter().map(|v| v.vertex_id.as_str()).collect();
    let there: Vec<&str> = job.vertices.iter().map(|v| v.id.as_str()).collect();
    if planned == there {
        return None;
    }
    Some(format!(
        "the plan names {} vertices, not the {} of the job in its order",
        planned.len(),
        there.len()
    ))
}

fn relative_change(vertex: &VertexPlan) -> f64 {
    let instances = f64::from(vertex.to_parallelism.abs_diff(vertex.from_parallelism))
        / f64::from(vertex.from_parallelism.max(1));
    let bytes = vertex.memory.iter().map(|m| match m.from_cache_bytes {
        Some(from) if m.to_write_buffer_bytes.is_none() => {
            m.to_cache_bytes.abs_diff(from) as f64 / from.max(1) as f64
        }
        _ => 1.0,
    });
    bytes.fold(instances, f64::max)
}

/// Memory of an operator as it was before.
fn former(memory: &OperatorMemory) -> Option<OperatorMemory> {
    Some(OperatorMemory {
        from_cache_bytes: Some(memory.to_cache_bytes),
        to_cache_bytes: memory.from_cache_bytes?,
        to_write_buffer_bytes: None,
        operator_name: memory.operator_name.clone(),
    })
}

fn same_shape(change: &ShapeChange, plan: &JobPlan) -> bool {
    let planned: BTreeMap<&str, &VertexPlan> = plan
        .vertices
        .iter()
        .map(|v| (v.vertex_id.as_str(), v))
        .collect();
    let bytes = |memory: &[OperatorMemory]| -> BTreeMap<String, u64> {
        let changed = memory.iter().filter(|m| m.changes());
        changed
            .map(|m| (m.operator_name.clone(), m.to_cache_bytes))
            .collect()
    };
    let mut changed = change.vertices.iter().filter(|(_, c)| c.changes_shape());
    changed.all(|(id, c)| {
        let planned = planned.get(id.as_str());
        planned.is_some_and(|v| {
            v.to_parallelism == c.to_parallelism && bytes(&v.memory) == bytes(&c.memory)
        })
    })
}
