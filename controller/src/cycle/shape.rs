//! The part of a cycle that deals with shapes of jobs: memory goes through the agents at once, parallelism through Flink in the
//! background, since a restart takes longer than a cycle.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::JoinHandle;
use weir_scaling::{
    CacheReason, JobPlan, OperatorKey, OperatorMemory, Plan, ShapeChange, Snapshot,
    TaskManagerPlan, TaskManagerState, Verdict, observe_job, restore,
};

use super::Cycle;
use super::write_buffers::managers;
use crate::act::ActResult;
use crate::history::Line;
use crate::patch::patch;
use crate::rescale::{Patience, RescaleOutcome, rescale};
use crate::status::ShapeStatus;

/// A restart under way.
pub(super) struct Rescaling {
    decision: u64,
    job_id: String,
    change: ShapeChange,
    task: JoinHandle<RescaleOutcome>,
}

impl Cycle {
    /// Turns changes of memory alone into plans for the TaskManagers that hold the caches; what a TaskManager cannot give whole
    /// it gives in proportion. Write buffers come first: what they give up or take is the caches' budget.
    pub(super) fn spread_memory(&self, snapshot: &Snapshot, plan: &mut Plan) {
        let jobs = plan
            .jobs
            .iter()
            .filter(|j| j.verdict.changes() && !j.rescales());
        let mut wanted: BTreeMap<(&str, &str), &OperatorMemory> = BTreeMap::new();
        for job in jobs {
            for memory in job.changes().flat_map(|v| &v.memory) {
                let operator = (job.job_id.as_str(), memory.operator_name.as_str());
                wanted.insert(operator, memory);
            }
        }
        if wanted.is_empty() {
            return;
        }
        let wish = |operator: &OperatorKey| {
            let key = (operator.job_id.as_str(), operator.operator_name.as_str());
            wanted.get(&key).copied()
        };
        let mut sized = Vec::new();
        let managed = snapshot.task_managers.iter();
        for tm in managed.filter(|tm| tm.unmanaged.is_none()) {
            let sizes: BTreeMap<OperatorKey, u64> = tm
                .caches
                .iter()
                .filter_map(|c| Some((c.operator.clone(), wish(&c.operator)?.to_cache_bytes)))
                .collect();
            let buffers = |operator: &OperatorKey| wish(operator)?.to_write_buffer_bytes;
            let moved = {
                let fleet = self.shared.fleet.lock();
                let report = fleet.report_of(&tm.tm_id);
                report.map(|report| managers(report, buffers))
            };
            let moved = moved.filter(|m| !m.plans.is_empty());
            let sized_tm = match moved {
                None => restore(tm, &sizes),
                Some(managers) => managers.beside_caches(tm, &sizes),
            };
            sized.extend(sized_tm.map(resizing));
        }
        for tm in sized {
            plan.task_managers.retain(|p| p.tm_id != tm.tm_id);
            plan.task_managers.push(tm);
        }
    }

    /// Carries the shapes out, or says why not; takes in what came of a restart that was under way.
    /// `decision` is the number under which the plan was written down, if it was.
    pub(super) async fn act_on_jobs(
        &mut self,
        snapshot: &Snapshot,
        plan: &Plan,
        decision: Option<u64>,
    ) {
        if self.settle_rescaling(snapshot.at_ms).await {
            // This plan is for the job as it was before; the next cycle asks Flink anew.
            self.jobs_read = None;
            return;
        }
        for job in &plan.jobs {
            if !job.verdict.changes() {
                let metrics = &self.shared.metrics;
                metrics.count_decision(&plan.policy, "hold", job.verdict.name());
            } else if job.rescales() {
                self.begin_rescaling(snapshot, plan, job, decision);
            } else {
                self.note_resized(snapshot, plan, job);
            }
        }
    }

    /// What is shown of the jobs' shapes.
    pub(super) fn shapes(&self, plan: &Plan) -> Vec<ShapeStatus> {
        let last_rescale = |job_id: &str| {
            let last = self.last_rescales.get(job_id);
            last.map(|(_, outcome)| outcome.clone())
        };
        let shape = |job: &JobPlan| ShapeStatus {
            job_id: job.job_id.clone(),
            verdict: job.verdict.name().to_owned(),
            sentence: job.to_string(),
            vertices: job.vertices.iter().map(ToString::to_string).collect(),
            rejected: job.rejected.iter().map(ToString::to_string).collect(),
            last_rescale: last_rescale(&job.job_id),
        };
        plan.jobs.iter().map(shape).collect()
    }

    fn begin_rescaling(
        &mut self,
        snapshot: &Snapshot,
        plan: &Plan,
        job: &JobPlan,
        decision: Option<u64>,
    ) {
        let metrics = &self.shared.metrics;
        if !self.settings.may_rescale() {
            metrics.count_decision(&plan.policy, job.verdict.name(), ActResult::Advised.name());
            return;
        }
        // What Flink has just declined it declines again, and every attempt takes a checkpoint.
        let declined = self.last_rescales.get(&job.job_id);
        let declined = declined.filter(|(_, last)| !last.result.in_force());
        let cooldown_ms = self.settings.job_limits.cooldown_ms;
        if declined.is_some_and(|(at, _)| snapshot.at_ms.saturating_sub(*at) < cooldown_ms) {
            return;
        }
        let Some(flink) = self.flink.clone().filter(|_| self.rescaling.is_none()) else {
            return;
        };
        // A wish that had to wait was written down when it came up; what is carried out is written down as it is now.
        let decision = match decision {
            Some(decision) => decision,
            None => match self.write_down(snapshot, plan, false) {
                Some(decision) => decision,
                None => return, // What is not written down cannot be explained.
            },
        };
        self.memory
            .begin_restart(&job.job_id, self.kubernetes.is_some());
        let change = change_of(snapshot, plan, &with_present_sizes(snapshot, job));
        let planned = job.clone();
        let kubernetes = self.kubernetes.clone();
        let task = async move {
            let patience = Patience::default();
            match kubernetes {
                None => rescale(&flink, &planned, patience).await,
                Some(kubernetes) => patch(&kubernetes, &flink, &planned, patience).await,
            }
        };
        self.rescaling = Some(Rescaling {
            decision,
            job_id: job.job_id.clone(),
            change,
            task: tokio::spawn(task),
        });
    }

    /// Whether a restart has ended.
    async fn settle_rescaling(&mut self, at_ms: u64) -> bool {
        if !self
            .rescaling
            .as_ref()
            .is_some_and(|r| r.task.is_finished())
        {
            return false;
        }
        let Some(Rescaling {
            decision,
            job_id,
            change,
            task,
        }) = self.rescaling.take()
        else {
            return false;
        };
        self.memory.end_restart(&job_id);
        let outcome = match task.await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!("a restart did not end as it should: {error}");
                return true;
            }
        };
        let (result, message) = (outcome.result.name(), &outcome.message);
        match outcome.result {
            ActResult::Applied => {
                tracing::info!("decision {decision}: job {job_id}: {result}: {message}")
            }
            _ => tracing::warn!("decision {decision}: job {job_id}: {result}: {message}"),
        }
        let metrics = &self.shared.metrics;
        metrics.count_decision(&change.policy, change.verdict.name(), result);
        self.counters.count(outcome.result, false);
        let now = outcome.job_id.clone();
        if now != job_id {
            tracing::info!("decision {decision}: job {job_id} is job {now} now");
        }
        if let Some(seconds) = outcome.restart_seconds {
            self.restart_seconds.insert(now.clone(), seconds);
        }
        self.last_rescales.insert(now, (at_ms, outcome.clone()));
        self.note_shape(at_ms, decision, change, outcome);
        true
    }

    /// Notes a change of memory alone once the TaskManagers have it in force.
    fn note_resized(&mut self, snapshot: &Snapshot, plan: &Plan, job: &JobPlan) {
        let holds =
            |tm: &&TaskManagerState| tm.caches.iter().any(|c| c.operator.job_id == job.job_id);
        let acts = snapshot
            .task_managers
            .iter()
            .filter(holds)
            .filter_map(|tm| {
                let act = self.last_acts.get(&tm.tm_id)?;
                (act.at_ms >= snapshot.at_ms && act.result.in_force()).then_some(act.decision)
            });
        let Some(decision) = acts.max() else {
            return;
        };
        let message = "memory alone, in force".to_owned();
        let outcome = RescaleOutcome::of(job, ActResult::Applied, message, None);
        self.note_shape(
            snapshot.at_ms,
            decision,
            change_of(snapshot, plan, job),
            outcome,
        );
    }

    fn note_shape(
        &mut self,
        at_ms: u64,
        decision: u64,
        mut change: ShapeChange,
        outcome: RescaleOutcome,
    ) {
        change.at_ms = at_ms;
        let line = Line::Shape {
            at_ms,
            decision,
            change,
            outcome,
        };
        self.memory.replay(&line);
        self.record(&line);
    }
}

/// The same plan, with the size of every operator named whose vertex is to have other instances: one that the policy leaves alone
/// keeps what its subtasks have, however many they are.
fn with_present_sizes(snapshot: &Snapshot, plan: &JobPlan) -> JobPlan {
    let mut plan = plan.clone();
    let restarted: BTreeSet<&str> = plan
        .vertices
        .iter()
        .filter(|v| v.changes_parallelism())
        .map(|v| v.name.as_str())
        .collect();
    // By task and operator: capacities of all its caches together, and how many there are.
    let mut capacities: BTreeMap<&str, BTreeMap<&str, (u64, u64)>> = BTreeMap::new();
    let caches = snapshot.caches().map(|(_, cache)| cache);
    for cache in caches.filter(|c| c.operator.job_id == plan.job_id) {
        let task = cache.task_name.as_str();
        if restarted.contains(task) {
            let operators = capacities.entry(task).or_default();
            let operator = operators.entry(cache.operator.operator_name.as_str());
            let (bytes, count) = operator.or_default();
            *bytes += cache.capacity_bytes;
            *count += 1;
        }
    }
    for vertex in plan.vertices.iter_mut().filter(|v| v.changes_parallelism()) {
        let operators = capacities.get(vertex.name.as_str()).into_iter().flatten();
        for (operator, (bytes, count)) in operators {
            if vertex.memory.iter().any(|m| m.operator_name == *operator) {
                continue;
            }
            let mean = bytes / count;
            vertex.memory.push(OperatorMemory {
                operator_name: (*operator).to_owned(),
                from_cache_bytes: Some(mean),
                to_cache_bytes: mean,
                to_write_buffer_bytes: None,
            });
        }
    }
    plan
}

fn change_of(snapshot: &Snapshot, plan: &Plan, job: &JobPlan) -> ShapeChange {
    let state = snapshot.job(&job.job_id);
    let observed = state
        .map(|state| observe_job(snapshot, state))
        .unwrap_or_default();
    ShapeChange::of(snapshot.at_ms, &plan.policy, job, |id| {
        observed.get(id).cloned().unwrap_or_default()
    })
}

/// A plan made by [`restore`] for sizes that are new.
fn resizing(mut plan: TaskManagerPlan) -> TaskManagerPlan {
    plan.verdict = Verdict::Resize;
    for cache in &mut plan.caches {
        cache.reason = match cache.to_bytes.cmp(&cache.from_bytes) {
            std::cmp::Ordering::Greater => CacheReason::Gains,
            std::cmp::Ordering::Less => CacheReason::Yields,
            std::cmp::Ordering::Equal => CacheReason::Stays,
        };
    }
    plan
}
