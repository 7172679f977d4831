//! One cycle of the loop: poll, snapshot, judge, decide, act, record, publish.

mod carry_out;
mod publish;
mod shape;
mod write_buffers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use weir_scaling::{
    Guard, JobState, Measured, OperatorKey, Plan, Policy, SlotState, Snapshot, TaskManagerPlan,
};

use crate::act::{ActResult, Outcome};
use crate::agent_client::AgentClient;
use crate::clock::now_ms;
use crate::counters::CounterLog;
use crate::effect::{PendingEffect, RealisedEffect};
use crate::flink::FlinkClient;
use crate::history::{HistoryFile, Line};
use crate::kubernetes::KubernetesClient;
use crate::memory::{Memory, Resume};
use crate::metrics::PredictionKind;
use crate::observe::snapshot;
use crate::rescale::RescaleOutcome;
use crate::server::Shared;
use crate::settings::Settings;
use crate::status::{ActStatus, ChangeStatus, Counters};

/// The state that lives from cycle to cycle.
pub struct Cycle {
    settings: Settings,
    shared: Arc<Shared>,
    client: AgentClient,
    flink: Option<FlinkClient>,
    kubernetes: Option<KubernetesClient>,
    policy: Box<dyn Policy + Send + Sync>,
    guard: Guard,
    history: Option<HistoryFile>,
    memory: Memory,
    jobs: Option<Vec<JobState>>,
    job_counters: CounterLog,
    slots: Option<SlotState>,
    slots_by_tm: BTreeMap<String, u32>,
    restart_seconds: BTreeMap<String, f64>,
    rescaling: Option<shape::Rescaling>,
    /// When the last attempt of each job ended, and how.
    last_rescales: BTreeMap<String, (u64, RescaleOutcome)>,
    jobs_read: Option<Instant>,
    flink_error: Option<String>,
    pending: BTreeMap<String, PendingEffect>,
    last_changes: BTreeMap<OperatorKey, ChangeStatus>,
    last_acts: BTreeMap<String, ActStatus>,
    recorded: Vec<String>,
    counters: Counters,
}

// === impl Cycle ===

impl Cycle {
    /// Flink renews its own figures no faster.
    const FLINK_INTERVAL: Duration = Duration::from_secs(5);

    /// A first cycle, after a restart with what the history remembers.
    pub fn new(
        settings: Settings,
        shared: Arc<Shared>,
        history: Option<HistoryFile>,
        memory: Memory,
    ) -> anyhow::Result<Self> {
        let flink = settings.flink.clone();
        let flink = flink.map(|url| FlinkClient::new(url, settings.timeout));
        let deployment = settings.deployment.as_ref();
        let kubernetes = deployment
            .filter(|_| settings.may_patch())
            .map(|deployment| {
                KubernetesClient::new(deployment, settings.timeout, |name| {
                    std::env::var(name).ok()
                })
            });
        Ok(Self {
            client: AgentClient::new(settings.timeout, settings.agent_token.clone())?,
            flink: flink.transpose()?,
            kubernetes: kubernetes.transpose()?,
            policy: settings.policy.build(settings.limits),
            guard: Guard::new(settings.limits).with_job_limits(settings.job_limits.clone()),
            settings,
            shared,
            history,
            memory,
            jobs: None,
            job_counters: CounterLog::default(),
            slots: None,
            slots_by_tm: BTreeMap::new(),
            restart_seconds: BTreeMap::new(),
            rescaling: None,
            last_rescales: BTreeMap::new(),
            jobs_read: None,
            flink_error: None,
            pending: BTreeMap::new(),
            last_changes: BTreeMap::new(),
            last_acts: BTreeMap::new(),
            recorded: Vec::new(),
            counters: Counters::default(),
        })
    }

    /// Runs one cycle. Faults of agents, Flink and disk are reported, never fatal.
    pub async fn run(&mut self) {
        let began = Instant::now();
        self.poll_agents().await;
        self.poll_flink().await;
        let mut snapshot = {
            let fleet = self.shared.fleet.lock();
            let jobs = self.jobs.as_deref();
            snapshot(
                &fleet,
                jobs,
                self.settings.windows,
                Instant::now(),
                now_ms(),
            )
        };
        snapshot.terms = self.settings.terms;
        snapshot.slots = self.slots_within_reach();
        for tm in &mut snapshot.task_managers {
            tm.slots = self.slots_by_tm.get(&tm.tm_id).copied();
        }
        let alive = snapshot.task_managers.iter().flat_map(|tm| &tm.caches);
        self.memory
            .touch(alive.map(|c| &c.operator), snapshot.at_ms);
        self.memory.observe(&snapshot);
        self.judge(&snapshot);
        let plan = self.decide(&snapshot);
        let decision = self.act(&snapshot, &plan).await;
        self.act_on_jobs(&snapshot, &plan, decision).await;
        self.counters.cycles += 1;
        self.publish(&snapshot, &plan);
        self.shared.metrics.observe_cycle(began.elapsed());
        *self.shared.last_cycle.lock() = Instant::now();
    }

    /// Appends a line to the history, if there is one; false means that it is not on disk.
    pub fn record(&mut self, line: &Line) -> bool {
        self.shared.journal.lock().take_in(line);
        let Some(history) = &mut self.history else {
            return true;
        };
        if let Err(error) = history.append(line, &self.memory) {
            tracing::error!("{error:#}; until this works again nothing is changed");
            self.shared.metrics.count_history_error();
            self.counters.history_errors += 1;
            return false;
        }
        true
    }

    async fn poll_agents(&mut self) {
        self.shared.fleet.lock().drop_lost();
        let urls: Vec<String> = {
            let fleet = self.shared.fleet.lock();
            fleet.agents().map(|a| a.url.clone()).collect()
        };
        let mut polls = JoinSet::new();
        for url in urls {
            let client = self.client.clone();
            polls.spawn(async move {
                let report = client.report(&url).await;
                (url, report)
            });
        }
        while let Some(polled) = polls.join_next().await {
            match polled {
                Ok((url, report)) => self.shared.fleet.lock().record(&url, report),
                Err(error) => tracing::error!("a poll did not end as it should: {error}"),
            }
        }
    }

    async fn poll_flink(&mut self) {
        let Some(flink) = &self.flink else {
            return;
        };
        let recent = |at: Instant| at.elapsed() < Self::FLINK_INTERVAL;
        if self.flink_error.is_none() && self.jobs_read.is_some_and(recent) {
            return;
        }
        self.jobs_read = Some(Instant::now());
        match flink.read().await {
            Ok(mut reading) => {
                if self.flink_error.take().is_some() {
                    tracing::info!("Flink answers again");
                }
                for (job, vertex, counters) in reading.counters {
                    let window = self.settings.windows.load;
                    self.job_counters.push(&job, &vertex, counters, window);
                }
                self.job_counters.retain(&reading.jobs);
                for job in &mut reading.jobs {
                    self.job_counters.fill(job);
                    let seconds = self.restart_seconds.get(&job.job_id).copied();
                    job.restart_seconds = Measured::reported(seconds);
                }
                self.slots = reading.slots;
                self.slots_by_tm = reading.slots_by_tm;
                self.jobs = Some(reading.jobs);
            }
            Err(error) => {
                let error = format!("{error:#}");
                if self.flink_error.as_ref() != Some(&error) {
                    tracing::warn!("{error}; going on by what the agents report");
                }
                self.flink_error = Some(error);
                self.jobs = None;
                self.slots = None;
            }
        }
    }

    /// Those of the cluster, and with `patch` those that it may come to: TaskManagers come when they are wanted.
    fn slots_within_reach(&self) -> Option<SlotState> {
        let there = self.slots?;
        let budget = self.settings.terms.slot_budget;
        let total = budget.filter(|_| self.settings.may_patch());
        let total = total.unwrap_or(there.total).max(there.total);
        Some(SlotState {
            total,
            free: there.free + (total - there.total),
        })
    }

    /// Compares predictions with what was measured.
    fn judge(&mut self, snapshot: &Snapshot) {
        for cache in snapshot.task_managers.iter().flat_map(|tm| &tm.caches) {
            let window = cache.window;
            let window = window.filter(|w| w.lookups >= PendingEffect::MIN_LOOKUPS);
            let measured = window.and_then(|w| w.miss_ratio());
            let predicted = cache.predicted_at(cache.capacity_bytes);
            if let (Some(measured), Some(predicted)) = (measured, predicted) {
                let error = measured - predicted.value;
                let metrics = &self.shared.metrics;
                metrics.observe_error(PredictionKind::InPlace, error);
            }
        }
        let cooldown_ms = self.settings.limits.cooldown_ms;
        let judged = self.pending.values();
        let judged: Vec<_> = judged
            .filter_map(|pending| pending.measure(snapshot, cooldown_ms))
            .collect();
        for effect in judged {
            self.pending.remove(&effect.tm_id);
            self.note_effect(effect, snapshot.at_ms);
        }
    }

    fn note_effect(&mut self, effect: RealisedEffect, at_ms: u64) {
        for operator in &effect.operators {
            let (Some(error), Some(measured)) = (operator.error(), operator.measured) else {
                continue;
            };
            tracing::info!(
                "effect of decision {}: {} measures a miss ratio of {:.1} %, {:+.1} points from the prediction",
                effect.decision,
                operator.operator,
                measured * 100.0,
                error * 100.0
            );
            let metrics = &self.shared.metrics;
            metrics.observe_error(PredictionKind::AfterResize, error);
        }
        self.record(&Line::Effect { at_ms, effect });
    }

    /// The policy's plan after the guard, with restorations before anything else.
    fn decide(&mut self, snapshot: &Snapshot) -> Plan {
        let restorations = self.resume(snapshot);
        let history = self.memory.history();
        let review = |plan| self.guard.review(plan, snapshot, history);
        let mut plan = review(self.policy.decide(snapshot, history));
        self.spread_memory(snapshot, &mut plan);
        let mut restorations = review(Plan::new("restore", restorations)).task_managers;
        plan.task_managers
            .retain(|p| restorations.iter().all(|r| r.tm_id != p.tm_id));
        plan.task_managers.append(&mut restorations);
        Plan::new(&plan.policy, plan.task_managers).with_jobs(plan.jobs)
    }

    /// Looks after caches in their first cycle: what has to be restored, before any policy may look at them.
    fn resume(&mut self, snapshot: &Snapshot) -> Vec<TaskManagerPlan> {
        let mut restorations = Vec::new();
        if !self.settings.may_resize() {
            return restorations;
        }
        for tm in &snapshot.task_managers {
            let fresh = tm.data_age_ms <= self.settings.limits.max_data_age_ms;
            if !fresh || tm.unmanaged.is_some() {
                continue;
            }
            match self.memory.resume(tm, snapshot.at_ms) {
                Resume::Nothing => {}
                Resume::Restore(plan) => restorations.push(plan),
                Resume::InForce(sizes) => {
                    let count = sizes.len();
                    let message =
                        format!("the sizes of {count} operator subtasks are as remembered");
                    let mut outcome = Outcome::of(&tm.tm_id, ActResult::FoundInForce, message);
                    outcome.sizes = sizes;
                    outcome.generation = Some(tm.generation);
                    let decision = self.memory.number_decision();
                    self.settle(decision, "restore", None, outcome, snapshot.at_ms);
                }
            }
        }
        restorations
    }
}
