//! The joint optimum: parallelism and bytes of every vertex of a job, as cheap as the targets allow.
//!
//! ```text
//! per vertex:  model --> frontier: for each parallelism the fewest bytes that meet the target with confidence
//! per job:     stay? try bytes first? restart? --> one choice per vertex, within the budgets
//! ```
//!
//! A restart is the last resort. The present parallelism stays as long as it may still be enough; bytes, which can be changed back
//! at no cost, go first; a cheaper shape has to save more than the restart costs. Before a restart that relies on a part of the
//! curve never measured, the bytes it would have are tried at the present parallelism.

mod budget;
mod choice;
mod frontier;
mod market;
mod normal;
mod report;

use std::collections::BTreeMap;

use crate::model::{Predictor, SubtaskShape, TaskCaches, VertexCaches};
use crate::rates::JobRates;
use crate::{
    History, JobPlan, JobState, JobVerdict, Limits, Measured, Missing, Snapshot, SourceState,
    VertexPlan, VertexReason, VertexState,
};
use budget::{Fixed, Memory};
use choice::choose;
use frontier::{Frontier, Need};

/// The joint half of policy `weir`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Joint {
    limits: Limits,
}

/// A vertex that can be decided on.
pub(crate) struct Subject<'a> {
    /// Position in [`JobState::vertices`].
    at: usize,
    vertex: &'a VertexState,
    caches: &'a TaskCaches<'a>,
    shape: SubtaskShape,
    /// The whole of what it has to process, records per second.
    target_per_s: f64,
    frontier: Frontier<'a>,
}

// === impl Joint ===

impl Joint {
    /// Snapshots without a record at any source after which a job counts as silent.
    const SILENT_SNAPSHOTS: u32 = 5;
    /// What a vertex of a silent job has to process, in records per second.
    const LEAST_PER_S: f64 = 1e-6;

    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// A plan for every job.
    pub fn decide(&self, snapshot: &Snapshot, history: &History) -> Vec<JobPlan> {
        let caches = VertexCaches::of(snapshot);
        let memory = Memory::of(snapshot, &caches);
        let jobs = snapshot.jobs.iter().flatten();
        jobs.map(|job| self.decide_one(snapshot, history, job, &caches, &memory))
            .collect()
    }

    fn decide_one<'a>(
        &self,
        snapshot: &'a Snapshot,
        history: &'a History,
        job: &'a JobState,
        caches: &'a VertexCaches<'a>,
        memory: &Memory,
    ) -> JobPlan {
        if job.state != "RUNNING" {
            let what = format!("the job is {}", job.state);
            return JobPlan::keep(job, JobVerdict::Frozen { what }, |_| VertexReason::Stays);
        }
        let rates = match JobRates::of(job, &snapshot.terms) {
            Ok(rates) => rates,
            Err(error) => {
                let what = error.to_string();
                return JobPlan::keep(job, JobVerdict::Frozen { what }, |_| VertexReason::Stays);
            }
        };
        let groups = group_sizes(job);
        let silent = is_silent(job);
        let mut subjects = Vec::with_capacity(job.vertices.len());
        let mut plans: Vec<VertexPlan> = Vec::with_capacity(job.vertices.len());
        for (at, vertex) in job.vertices.iter().enumerate() {
            let target = &rates.vertices[at].target;
            let seen = self.subject(
                snapshot,
                history,
                job,
                at,
                caches.vertex(job, vertex),
                target,
                &groups,
                memory,
                silent,
            );
            let reason = match seen {
                Ok(subject) => {
                    subjects.push(subject);
                    VertexReason::Stays
                }
                Err(reason) => reason,
            };
            let mut plan = VertexPlan::keep(vertex, reason);
            plan.target_records_per_second = target.clone();
            plans.push(plan);
        }
        if subjects.is_empty() {
            let what = "nothing is known of any vertex yet".to_owned();
            let mut plan = JobPlan::new(job, JobVerdict::Frozen { what }, plans);
            plan.effect = None;
            return plan;
        }
        let model = history.models.jobs.get(&job.job_id);
        let restarts_at_target = model.map_or(0, |m| m.restarts_at_target);
        let fixed = Fixed::of(snapshot, job, &subjects, caches, memory);
        let choices = choose(&mut subjects, snapshot, job, restarts_at_target, &fixed);
        report::plan(job, plans, &subjects, &choices)
    }

    /// What is needed to decide on a vertex, or why it stays as it is.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call; each is a different view of the same moment"
    )]
    fn subject<'a>(
        &self,
        snapshot: &'a Snapshot,
        history: &'a History,
        job: &'a JobState,
        at: usize,
        caches: &'a TaskCaches<'a>,
        target: &Measured,
        groups: &BTreeMap<&str, u32>,
        memory: &Memory,
        silent: bool,
    ) -> Result<Subject<'a>, VertexReason> {
        let vertex = &job.vertices[at];
        if vertex.source.is_some() {
            return Err(VertexReason::Source);
        }
        let frozen = |what: &str, missing| VertexReason::Frozen {
            what: what.to_owned(),
            missing,
        };
        let target_per_s = target
            .get()
            .map_err(|m| frozen("the rate it has to process", m))?;
        let model = history.models.vertex(&job.job_id, &vertex.id);
        // A vertex that nothing reaches may be reached again at any time; one whose sources have fallen silent is known to have nothing to do.
        let silent = silent && model.is_some_and(|m| m.silent_for() >= Self::SILENT_SNAPSHOTS);
        let target_per_s = match target_per_s > 0.0 {
            true => target_per_s,
            false if silent => Self::LEAST_PER_S,
            false => return Err(VertexReason::Idle),
        };
        let age_ms = caches.data_age_ms;
        if age_ms > self.limits.max_data_age_ms {
            let missing = Missing::Stale { age_ms };
            return Err(frozen("the state of its caches", missing));
        }
        let not_reported = || frozen("how long it takes for a record", Missing::NotReported);
        let shape = caches
            .shape(vertex)
            .ok_or_else(|| frozen("the size of its caches over a window", Missing::OneReport))?;
        let model = model.ok_or_else(not_reported)?;
        let predictor = Predictor::new(model, snapshot.at_ms).ok_or_else(not_reported)?;
        let group = vertex.slot_sharing_group.as_deref().unwrap_or_default();
        let sharing = groups.get(group).copied().unwrap_or(1);
        let need = Need::of(
            snapshot,
            vertex,
            caches,
            &shape,
            target_per_s,
            f64::from(sharing),
            memory,
        );
        Ok(Subject {
            at,
            vertex,
            caches,
            shape,
            target_per_s,
            frontier: Frontier::new(model, predictor, need),
        })
    }
}

// === impl Subject ===

impl Subject<'_> {
    /// From here on it has to process only this share of its target.
    fn ask(&mut self, share: f64) {
        self.frontier.need.target_per_s = self.target_per_s * share;
    }
}

/// Whether nothing arrives at any source and nothing waits there.
fn is_silent(job: &JobState) -> bool {
    let mut sources = job.vertices.iter().filter_map(|v| v.source.as_ref());
    let silent = |s: &SourceState| {
        let waiting = s.pending_records.known();
        s.target_records_per_second.known() == Some(0.0) && waiting.is_none_or(|w| w < 1.0)
    };
    job.vertices.iter().any(|v| v.source.is_some()) && sources.all(silent)
}

/// Vertices, sources aside, by slot sharing group: they share the price of their slots.
fn group_sizes(job: &JobState) -> BTreeMap<&str, u32> {
    let mut sizes = BTreeMap::new();
    for vertex in job.vertices.iter().filter(|v| v.source.is_none()) {
        let group = vertex.slot_sharing_group.as_deref().unwrap_or_default();
        *sizes.entry(group).or_insert(0) += 1;
    }
    sizes
}
