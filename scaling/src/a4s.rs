//! Policy `a4s`: the least parallelism whose memory demand, read off the miss ratio curve, fits into a slot.
//!
//! Source: Wang, "A4S: Co-designing Scaling and Placement in Stream Processing Systems with Memory-parallelism Curves" (University
//! of Toronto), and its code. At parallelism p an instance may spend `p / target` seconds on a record; from that follows the
//! miss ratio it can afford, and from the curve the bytes it needs. Where the bytes do not fit into a slot, the operator whose
//! bytes fall most gets one instance more, again and again.
//!
//! [`A4sVariant::Corrected`] measures hit and miss times, allows for the CPU and for the number of lookups a record makes, rescales
//! each subtask's curve with the parallelism, passes over a parallelism that cannot do it, and needs no wish of DS2 to start from.
//! [`A4sVariant::AsPublished`] keeps the artifact's model: constant times, one lookup a record and no CPU, the sizes of all
//! subtasks added up and then asked for in every slot, an exception where the target leaves no time for a miss, and no decision
//! unless DS2 wants a change.

mod demand;

pub use demand::AccessModel;

use demand::{Demand, demand_at};

use crate::ds2::{leave_memory, unreadable, verdict_on};
use crate::state_access::{OperatorState, StateIndex};
use crate::{
    History, JobPlan, JobRates, JobState, JobVerdict, Missing, OperatorMemory, Plan, Policy,
    PredictedRate, Sizing, Snapshot, VertexPlan, VertexReason,
};

/// Which A4S.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum A4sVariant {
    /// With everything measured that can be.
    #[default]
    Corrected,
    /// What the published artifact does.
    AsPublished,
}

/// Policy `a4s`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct A4sPolicy {
    /// Which.
    pub variant: A4sVariant,
    /// Rounds of one instance more (`a4s.max-attempts`).
    pub max_attempts: u32,
    /// Cache bytes that one subtask may ask for; absent: the budget of the smallest TaskManager over its slots.
    pub cap_bytes: Option<u64>,
    /// How DS2's parallelism is found: the operator autoscaler's.
    pub sizing: Sizing,
}

/// A vertex in the search.
struct Candidate<'a> {
    plan: VertexPlan,
    model: AccessModel,
    operators: Vec<OperatorState<'a>>,
    target: f64,
    demand: Demand,
}

impl Policy for A4sPolicy {
    fn name(&self) -> &'static str {
        match self.variant {
            A4sVariant::Corrected => "a4s",
            A4sVariant::AsPublished => "a4s-as-published",
        }
    }

    fn decide(&self, snapshot: &Snapshot, _history: &History) -> Plan {
        let index = StateIndex::of(snapshot);
        let jobs = snapshot.jobs.iter().flatten();
        let jobs = jobs.map(|job| self.decide_job(snapshot, &index, job));
        leave_memory(self.name(), snapshot).with_jobs(jobs.collect())
    }
}

// === impl A4sPolicy ===

impl A4sPolicy {
    /// The cap of the artifact: 600 MB less a base of 0.
    const PUBLISHED_CAP_BYTES: u64 = 600 << 20;

    /// A4S with everything measured that can be.
    #[must_use]
    pub fn corrected() -> Self {
        Self {
            variant: A4sVariant::Corrected,
            max_attempts: 20,
            cap_bytes: None,
            sizing: Sizing::autoscaler(),
        }
    }

    /// A4S as its artifact behaves.
    #[must_use]
    pub fn as_published() -> Self {
        Self {
            variant: A4sVariant::AsPublished,
            cap_bytes: Some(Self::PUBLISHED_CAP_BYTES),
            ..Self::corrected()
        }
    }

    fn decide_job(&self, snapshot: &Snapshot, index: &StateIndex<'_>, job: &JobState) -> JobPlan {
        let rates = match JobRates::of(job, &snapshot.terms) {
            Ok(rates) => rates,
            Err(error) => return unreadable(job, error.to_string()),
        };
        let both = || job.vertices.iter().zip(&rates.vertices);
        let mut plans: Vec<VertexPlan> = both()
            .map(|(vertex, rates)| self.sizing.plan(vertex, rates, &snapshot.terms, job))
            .collect();
        let triggered = verdict_on(&plans);
        if self.variant == A4sVariant::AsPublished && !triggered.changes() {
            return JobPlan::new(job, triggered.clone(), plans).withheld(triggered);
        }
        let mut candidates = Vec::new();
        for (at, (vertex, rates)) in both().enumerate() {
            let operators = index.operators(job, vertex);
            let VertexReason::Rate { target, .. } = plans[at].reason else {
                continue;
            };
            if operators.is_empty() || target <= 0.0 {
                continue;
            }
            let model = match self.variant {
                _ if !curves_known(&operators) => {
                    Err(("its miss ratio curve", Missing::NotReported))
                }
                A4sVariant::Corrected => AccessModel::measured(rates, &operators),
                A4sVariant::AsPublished => Ok(AccessModel::published(vertex.parallelism)),
            };
            match model {
                Ok(model) => {
                    let target = target * (1.0 + self.sizing.scaling_factor);
                    let instances = plans[at].to_parallelism;
                    let demand =
                        demand_at(&model, &operators, vertex.parallelism, instances, target);
                    candidates.push((
                        at,
                        Candidate {
                            plan: plans[at].clone(),
                            model,
                            operators,
                            target,
                            demand,
                        },
                    ));
                }
                Err((what, missing)) => {
                    let what = what.to_owned();
                    plans[at] = VertexPlan::keep(vertex, VertexReason::Frozen { what, missing });
                }
            }
        }
        if self.variant == A4sVariant::AsPublished
            && let Some((_, thrown)) = candidates.iter().find(|(_, c)| c.demand.no_time_for_misses)
        {
            let what = format!(
                "{}: the target leaves no time for a miss, and the artifact throws",
                thrown.plan.name
            );
            let frozen = JobVerdict::Frozen { what };
            return JobPlan::new(job, frozen.clone(), plans).withheld(frozen);
        }
        self.search(&mut candidates, cap_bytes(self.cap_bytes, snapshot));
        for (at, candidate) in candidates {
            plans[at] = candidate.finish();
        }
        let mut plan = JobPlan::new(job, JobVerdict::Steady, plans);
        plan.verdict = plan.verdict_by_changes();
        plan
    }

    /// One instance more for the vertex whose bytes fall most by it, while any vertex asks for more than a slot has, or cannot
    /// meet its target.
    fn search(&self, candidates: &mut [(usize, Candidate<'_>)], cap_bytes: u64) {
        for _ in 0..self.max_attempts {
            let wanting = candidates.iter().enumerate().filter(|(_, (_, c))| {
                c.demand.unreachable || c.demand.bytes_per_subtask > cap_bytes
            });
            let better = wanting.map(|(i, (_, c))| (i, c.demand_at(c.plan.to_parallelism + 1)));
            // A demand that cannot be met at all comes before any fall of bytes; among equals the first by name.
            let best = better.max_by(|(i, a), (j, b)| {
                let fall = |i: usize, to: &Demand| {
                    let from = &candidates[i].1.demand;
                    let bytes = from.bytes_per_subtask.saturating_sub(to.bytes_per_subtask);
                    (from.unreachable, bytes)
                };
                let name = |i: usize| &candidates[i].1.plan.vertex_id;
                let falls = fall(*i, a).cmp(&fall(*j, b));
                falls.then_with(|| name(*j).cmp(name(*i)))
            });
            let Some((at, demand)) = best else {
                break;
            };
            let candidate = &mut candidates[at].1;
            candidate.plan.to_parallelism += 1;
            candidate.demand = demand;
        }
        for (_, candidate) in candidates {
            candidate.demand.bytes_per_subtask = candidate.demand.bytes_per_subtask.min(cap_bytes);
        }
    }
}

// === impl Candidate ===

impl Candidate<'_> {
    fn demand_at(&self, instances: u32) -> Demand {
        let here = self.plan.from_parallelism;
        demand_at(&self.model, &self.operators, here, instances, self.target)
    }

    fn finish(mut self) -> VertexPlan {
        let operators = self.operators.len() as u64;
        let each = self.demand.bytes_per_subtask / operators.max(1);
        let memory = self.operators.iter().map(|operator| OperatorMemory {
            operator_name: operator.name.to_owned(),
            from_cache_bytes: Some(operator.capacity_bytes()),
            to_cache_bytes: each.max(operator.min_cache_bytes()),
            to_write_buffer_bytes: None,
        });
        self.plan.memory = memory.collect();
        let instances = f64::from(self.plan.to_parallelism);
        let rate = self.demand.seconds_per_record.map(|s| instances / s);
        self.plan.predicted = rate.map(|value| PredictedRate {
            value,
            low: value,
            high: value,
        });
        self.plan.reason = if self.demand.unreachable {
            VertexReason::Unreachable {
                target: self.target,
                best: rate,
            }
        } else {
            VertexReason::MissBound {
                allowed: self.demand.allowed_miss_ratio,
                predicted: self.demand.predicted_miss_ratio,
            }
        };
        self.plan
    }
}

/// Whether every operator that is asked at all has a curve.
fn curves_known(operators: &[OperatorState<'_>]) -> bool {
    operators.iter().all(|operator| {
        let idle = operator.lookups_per_second().known() == Some(0.0);
        idle || operator.miss_ratio_at(operator.capacity_bytes()).is_some()
    })
}

/// What one subtask may have: as configured, else the budget of the smallest TaskManager over its slots, else over its caches.
fn cap_bytes(configured: Option<u64>, snapshot: &Snapshot) -> u64 {
    let shares = snapshot.task_managers.iter().map(|tm| {
        let shares = tm.slots.map_or(1, u64::from);
        tm.budget.cache_bytes / shares.max(1)
    });
    configured.or(shares.min()).unwrap_or(u64::MAX)
}
