//! Policy `justin`: where DS2 wants another parallelism, a stateful vertex under memory pressure gets more memory instead.
//!
//! Source: Justin (DAIS '25, DOI 10.1007/978-3-031-95728-4_6) and its published artifact (`ScalingExecutor.policy`). Memory has
//! levels: -1 is none (a stateless operator), 0 the share it started with, each further one doubles. A vertex is under pressure
//! when too few lookups hit the cache, or reads of state are slow. One step of memory is judged at the next decision: it helped, then
//! perhaps another; it did not, then back, and DS2's parallelism.
//!
//! [`JustinVariant::Paper`] is what paper and README describe. [`JustinVariant::AsPublished`] keeps what the artifact does instead:
//! - the latency trigger never fires, since the evaluated metrics do not contain the latency;
//! - an operator with no misses at all, or whose state never leaves the memtable, counts as stateless and gets no memory;
//! - a change of memory without a change of parallelism is left out of the request;
//! - a vertex whose parallelism is as at the last decision falls back to level 0;
//! - the first step of memory sets the parallelism to 1;
//! - only levels -1, 0 and 1 can be reached.
//!
//! In both, nothing happens unless DS2 wants a change somewhere, and memory never shrinks but to take a step back.

mod levels;

pub use levels::MemoryLevels;

use crate::ds2::{leave_memory, unreadable, verdict_on};
use crate::state_access::{OperatorState, StateIndex, miss_ratio};
use crate::{
    History, JobHistory, JobPlan, JobRates, JobState, JobVerdict, Missing, Observed, Plan, Policy,
    RateDefinition, Sizing, Snapshot, VertexChange, VertexPlan, VertexReason, VertexState,
};

/// Which Justin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JustinVariant {
    /// What paper and README describe.
    #[default]
    Paper,
    /// What the published artifact does.
    AsPublished,
}

/// Policy `justin`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JustinPolicy {
    /// Which.
    pub variant: JustinVariant,
    /// Levels of memory.
    pub levels: MemoryLevels,
    /// Hit ratio below which a vertex is under pressure (`cache-hit-rate.min.threshold`).
    pub min_hit_ratio: f64,
    /// Hit ratio above which more memory is not tried (`cache-hit-rate.max.threshold`).
    pub max_hit_ratio: f64,
    /// Rise of the hit ratio that shows that a step helped (`cache-hit-rate.improved.threshold`).
    pub improved_hit_ratio: f64,
    /// Share by which throughput has to rise for yet another step (`min-improved-throughput`).
    pub improved_throughput: f64,
    /// Seconds of a state read (p90) above which a vertex is under pressure (`state-latency.threshold`).
    pub max_get_seconds: f64,
    /// How DS2's parallelism is found: the operator autoscaler's, with its target utilisation of 70 %.
    pub sizing: Sizing,
}

/// What a step means for one vertex.
struct Step {
    parallelism: u32,
    level: i32,
    reason: VertexReason,
}

impl Policy for JustinPolicy {
    fn name(&self) -> &'static str {
        match self.variant {
            JustinVariant::Paper => "justin",
            JustinVariant::AsPublished => "justin-as-published",
        }
    }

    fn decide(&self, snapshot: &Snapshot, history: &History) -> Plan {
        let index = StateIndex::of(snapshot);
        let jobs = snapshot.jobs.iter().flatten().map(|job| {
            let past = history.jobs.get(&job.job_id);
            self.decide_job(snapshot, &index, job, past)
        });
        leave_memory(self.name(), snapshot).with_jobs(jobs.collect())
    }
}

// === impl JustinPolicy ===

impl JustinPolicy {
    /// Justin as paper and README describe it, with the README's thresholds.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            variant: JustinVariant::Paper,
            levels: MemoryLevels::default(),
            min_hit_ratio: 0.8,
            max_hit_ratio: 0.95,
            improved_hit_ratio: 0.05,
            improved_throughput: 0.05,
            max_get_seconds: 1e-3,
            sizing: Sizing::autoscaler(),
        }
    }

    /// Justin as its artifact behaves, with the defaults of its code.
    #[must_use]
    pub fn as_published() -> Self {
        let levels = MemoryLevels {
            highest: 1,
            ..MemoryLevels::default()
        };
        Self {
            variant: JustinVariant::AsPublished,
            levels,
            min_hit_ratio: 0.7,
            max_get_seconds: 100e-6,
            ..Self::paper()
        }
    }

    fn decide_job(
        &self,
        snapshot: &Snapshot,
        index: &StateIndex<'_>,
        job: &JobState,
        past: Option<&JobHistory>,
    ) -> JobPlan {
        let rates = match JobRates::of(job, &snapshot.terms) {
            Ok(rates) => rates,
            Err(error) => return unreadable(job, error.to_string()),
        };
        let both = || job.vertices.iter().zip(&rates.vertices);
        let horizontal: Vec<VertexPlan> = both()
            .map(|(vertex, rates)| self.sizing.plan(vertex, rates, &snapshot.terms, job))
            .collect();
        let triggered = verdict_on(&horizontal);
        if !triggered.changes() {
            return JobPlan::new(job, triggered.clone(), horizontal).withheld(triggered);
        }
        let plans = both().zip(horizontal).map(|((vertex, rates), ds2)| {
            let observed = index.observed(job, vertex, rates);
            let operators = index.operators(job, vertex);
            let past = past.map(|p| p.of_vertex(&vertex.id, self.name()));
            let past = past.unwrap_or_default();
            self.decide_vertex(vertex, ds2, &observed, &operators, &past)
        });
        let mut plan = JobPlan::new(job, JobVerdict::Steady, plans.collect());
        if self.variant == JustinVariant::AsPublished {
            for vertex in plan
                .vertices
                .iter_mut()
                .filter(|v| !v.changes_parallelism())
            {
                vertex.memory.clear();
            }
        }
        plan.verdict = plan.verdict_by_changes();
        plan
    }

    fn decide_vertex(
        &self,
        vertex: &VertexState,
        mut plan: VertexPlan,
        observed: &Observed,
        operators: &[OperatorState<'_>],
        past: &[&VertexChange],
    ) -> VertexPlan {
        if !matches!(plan.reason, VertexReason::Rate { .. }) {
            return plan;
        }
        let last = past.last().copied();
        let step = match self.variant {
            JustinVariant::Paper if operators.is_empty() => Ok(Step {
                parallelism: plan.to_parallelism,
                level: MemoryLevels::NONE,
                reason: plan.reason.clone(),
            }),
            JustinVariant::Paper => self.step(&plan, observed, last),
            JustinVariant::AsPublished => {
                let observed = as_published(observed, operators);
                self.step_as_published(&plan, &observed, last)
            }
        };
        match step {
            Ok(step) => {
                if step.parallelism != plan.to_parallelism {
                    plan.predicted = None;
                }
                plan.to_parallelism = step.parallelism;
                plan.level = Some(step.level);
                plan.reason = step.reason;
                plan.memory = self.levels.memory(operators, step.level, past);
            }
            Err(missing) => {
                plan = VertexPlan::keep(
                    vertex,
                    VertexReason::Frozen {
                        what: "its hit ratio".to_owned(),
                        missing,
                    },
                );
            }
        }
        plan
    }

    /// A step as paper and README describe it.
    fn step(
        &self,
        ds2: &VertexPlan,
        observed: &Observed,
        last: Option<&VertexChange>,
    ) -> Result<Step, Missing> {
        let level = last.and_then(|l| l.level).unwrap_or(0).max(0);
        let here = ds2.from_parallelism;
        let horizontal = |level, reason: Option<VertexReason>| {
            Ok(Step {
                parallelism: ds2.to_parallelism,
                level,
                reason: reason.unwrap_or_else(|| ds2.reason.clone()),
            })
        };
        let vertical = |reason| {
            Ok(Step {
                parallelism: here,
                level: level + 1,
                reason,
            })
        };
        if ds2.to_parallelism == here {
            return horizontal(level, None);
        }
        let hit_ratio = match observed.hit_ratio.get() {
            Ok(hit_ratio) => hit_ratio,
            // No lookup reaches the cache: the state lives in the memtable, and more cache is no use.
            Err(Missing::Idle) => return horizontal(level, None),
            Err(missing) => return Err(missing),
        };
        if let Some(last) = last.filter(|l| l.is_vertical()) {
            return match self.judged(last, observed, hit_ratio) {
                (reason, Judgement::Further) if level < self.levels.highest => vertical(reason),
                (_, Judgement::Further | Judgement::Enough) => horizontal(level, None),
                (reason, Judgement::Back) => horizontal(level - 1, Some(reason)),
            };
        }
        match self.pressure(observed, hit_ratio) {
            Some(reason) if level < self.levels.highest => vertical(reason),
            _ => horizontal(level, None),
        }
    }

    /// A step as `ScalingExecutor.policy` takes it.
    fn step_as_published(
        &self,
        ds2: &VertexPlan,
        observed: &Observed,
        last: Option<&VertexChange>,
    ) -> Result<Step, Missing> {
        let hit_ratio = observed.hit_ratio.get()?;
        let wanted = ds2.to_parallelism;
        let step = |parallelism, level, reason: VertexReason| {
            Ok(Step {
                parallelism,
                level,
                reason,
            })
        };
        let rate = || ds2.reason.clone();
        if hit_ratio == 0.0 {
            return step(wanted, MemoryLevels::NONE, VertexReason::Stateless);
        }
        let Some(last) = last else {
            return match self.pressure(observed, hit_ratio) {
                Some(reason) if wanted != 1 => step(1, 1, reason),
                _ => step(wanted, 0, rate()),
            };
        };
        let level = last.level.unwrap_or(0);
        if last.to_parallelism == wanted {
            return step(wanted, 0, rate());
        }
        if last.is_vertical() {
            return match self.judged(last, observed, hit_ratio) {
                (reason, Judgement::Further) if level < self.levels.highest => {
                    step(last.to_parallelism, level + 1, reason)
                }
                (_, Judgement::Further | Judgement::Enough) => step(wanted, level, rate()),
                (reason, Judgement::Back) => step(wanted, level - 1, reason),
            };
        }
        match self.pressure(observed, hit_ratio) {
            Some(reason) if level < self.levels.highest => {
                step(last.to_parallelism, level + 1, reason)
            }
            _ => step(wanted, level, rate()),
        }
    }

    /// Why a vertex is under memory pressure, if it is.
    fn pressure(&self, observed: &Observed, hit_ratio: f64) -> Option<VertexReason> {
        if hit_ratio < self.min_hit_ratio {
            return Some(VertexReason::MemoryUp {
                hit_ratio,
                threshold: self.min_hit_ratio,
            });
        }
        let seconds = observed.state_get_seconds.known()?;
        (seconds > self.max_get_seconds).then_some(VertexReason::SlowState {
            seconds,
            threshold: self.max_get_seconds,
        })
    }

    /// What the last step of memory did.
    fn judged(&self, last: &VertexChange, now: &Observed, after: f64) -> (VertexReason, Judgement) {
        let before = last.before.hit_ratio.known().unwrap_or(0.0);
        let times = (
            last.before.state_get_seconds.known(),
            now.state_get_seconds.known(),
        );
        let faster = matches!(times, (Some(before), Some(now)) if now < before);
        if after - before <= self.improved_hit_ratio && !faster {
            return (
                VertexReason::MemoryDidNotHelp { before, after },
                Judgement::Back,
            );
        }
        let rates = (last.before.true_rate.known(), now.true_rate.known());
        let gained = matches!(rates, (Some(before), Some(now)) if now > before * (1.0 + self.improved_throughput));
        let judgement = if gained && after < self.max_hit_ratio {
            Judgement::Further
        } else {
            Judgement::Enough
        };
        (VertexReason::MemoryHelped { before, after }, judgement)
    }
}

/// What follows from a step of memory.
enum Judgement {
    Further,
    Enough,
    Back,
}

// === impl Sizing ===

impl Sizing {
    /// The operator autoscaler's parallelism: 70 % target utilisation, backlog and restart to be caught up, the busiest instance
    /// counts.
    #[must_use]
    pub fn autoscaler() -> Self {
        Self {
            scaling_factor: 1.0 / 0.7 - 1.0,
            catch_up: true,
            rates: RateDefinition::TotalOverBusiest,
        }
    }
}

/// What the artifact sees: a hit ratio of 0 where hits or misses are 0, and no latency.
fn as_published(observed: &Observed, operators: &[OperatorState<'_>]) -> Observed {
    let hit_ratio = miss_ratio(operators)
        .known()
        .map_or(0.0, |missed| if missed == 0.0 { 0.0 } else { 1.0 - missed });
    Observed {
        true_rate: observed.true_rate.clone(),
        hit_ratio: crate::Measured::of(hit_ratio),
        state_get_seconds: crate::Measured::default(),
    }
}
