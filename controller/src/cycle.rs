//! One cycle of the loop: poll, snapshot, judge, decide, act, record, publish.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use weir_scaling::{Guard, JobState, OperatorKey, Plan, Policy, Snapshot, TaskManagerPlan};

use crate::act::{ActResult, Outcome, apply};
use crate::agent_client::AgentClient;
use crate::clock::now_ms;
use crate::effect::{PendingEffect, RealisedEffect};
use crate::flink::FlinkClient;
use crate::history::{HistoryFile, Line};
use crate::memory::{Memory, Resume};
use crate::metrics::PredictionKind;
use crate::observe::snapshot;
use crate::server::Shared;
use crate::settings::Settings;
use crate::status::{ActStatus, AgentStatus, CacheStatus, ChangeStatus, Counters, DecisionStatus};

/// The state that lives from cycle to cycle.
pub struct Cycle {
    settings: Settings,
    shared: Arc<Shared>,
    client: AgentClient,
    flink: Option<FlinkClient>,
    policy: Box<dyn Policy + Send + Sync>,
    guard: Guard,
    history: Option<HistoryFile>,
    memory: Memory,
    jobs: Option<Vec<JobState>>,
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
        Ok(Self {
            client: AgentClient::new(settings.timeout, settings.agent_token.clone())?,
            flink: flink.transpose()?,
            policy: settings.policy.build(settings.limits),
            guard: Guard::new(settings.limits),
            settings,
            shared,
            history,
            memory,
            jobs: None,
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
        let snapshot = {
            let fleet = self.shared.fleet.lock();
            let jobs = self.jobs.as_deref();
            snapshot(&fleet, jobs, self.settings.window, Instant::now(), now_ms())
        };
        let alive = snapshot.task_managers.iter().flat_map(|tm| &tm.caches);
        self.memory
            .touch(alive.map(|c| &c.operator), snapshot.at_ms);
        self.judge(&snapshot);
        let plan = self.decide(&snapshot);
        self.act(&snapshot, &plan).await;
        self.counters.cycles += 1;
        self.publish(&snapshot, &plan);
        self.shared.metrics.observe_cycle(began.elapsed());
        *self.shared.last_cycle.lock() = Instant::now();
    }

    /// Appends a line to the history, if there is one; false means that it is not on disk.
    pub fn record(&mut self, line: &Line) -> bool {
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
        match flink.jobs().await {
            Ok(jobs) => {
                if self.flink_error.take().is_some() {
                    tracing::info!("Flink answers again");
                }
                self.jobs = Some(jobs);
            }
            Err(error) => {
                let error = format!("{error:#}");
                if self.flink_error.as_ref() != Some(&error) {
                    tracing::warn!("{error}; going on by what the agents report");
                }
                self.flink_error = Some(error);
                self.jobs = None;
            }
        }
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
        let plan = self.policy.decide(snapshot, self.memory.history());
        let mut plan = self.guard.review(plan, snapshot, self.memory.history());
        if !self.settings.may_resize() {
            return plan;
        }
        for tm in &snapshot.task_managers {
            let fresh = tm.data_age_ms <= self.settings.limits.max_data_age_ms;
            if !fresh || tm.unmanaged.is_some() {
                continue;
            }
            match self.memory.resume(tm, snapshot.at_ms) {
                Resume::Nothing => {}
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
                Resume::Restore(restoration) => {
                    let restoration = Plan::new("restore", vec![restoration]);
                    let history = self.memory.history();
                    let mut restoration = self.guard.review(restoration, snapshot, history);
                    plan.task_managers.retain(|p| p.tm_id != tm.tm_id);
                    plan.task_managers.append(&mut restoration.task_managers);
                }
            }
        }
        Plan::new(&plan.policy.clone(), plan.task_managers)
    }

    /// Writes the plan down, carries it out where that is allowed, and writes down what came of it.
    async fn act(&mut self, snapshot: &Snapshot, plan: &Plan) {
        let changing = |p: &&TaskManagerPlan| p.verdict.changes_sizes();
        let (changing, holding): (Vec<_>, Vec<_>) = plan.task_managers.iter().partition(changing);
        for held in holding {
            self.counters.held += 1;
            let metrics = &self.shared.metrics;
            metrics.count_decision(&plan.policy, "hold", held.verdict.name());
        }
        let acting = self.settings.may_resize() && !changing.is_empty();
        let digest = plan.task_managers.iter().map(digest).collect();
        let mut decision = None;
        if acting || self.recorded != digest {
            self.recorded = digest;
            let number = self.memory.number_decision();
            for tm in &plan.task_managers {
                tracing::info!("decision {number}: {tm}");
                for change in tm.changes() {
                    tracing::info!("decision {number}: {change}");
                }
            }
            let line = Line::Decision {
                at_ms: snapshot.at_ms,
                decision: number,
                acting,
                snapshot: snapshot.clone(),
                plan: plan.clone(),
            };
            if !self.record(&line) && acting {
                return; // What is not written down cannot be resumed.
            }
            decision = Some(number);
        }
        if !acting {
            for tm in changing {
                let message = "only advised: `act` does not contain `resize`";
                let outcome = Outcome::of(&tm.tm_id, ActResult::Advised, message);
                self.note(
                    decision,
                    tm.verdict.name(),
                    Some(tm),
                    &outcome,
                    snapshot.at_ms,
                );
            }
            return;
        }
        let mut acts = JoinSet::new();
        for tm in changing {
            let url = self.shared.fleet.lock().url_of(&tm.tm_id);
            let (client, tm) = (self.client.clone(), tm.clone());
            acts.spawn(async move {
                let Some(url) = url else {
                    let outcome = Outcome::of(&tm.tm_id, ActResult::Failed, "its agent is gone");
                    return (tm, outcome, None);
                };
                let (outcome, report) = apply(&client, &url, &tm).await;
                (tm, outcome, report.map(|r| (url, r)))
            });
        }
        while let Some(acted) = acts.join_next().await {
            let Ok((tm, outcome, report)) = acted else {
                tracing::error!("an act did not end as it should");
                continue;
            };
            if let Some((url, report)) = report {
                self.shared.fleet.lock().record(&url, Ok(report));
            }
            let state = snapshot.task_managers.iter().find(|s| s.tm_id == tm.tm_id);
            let settled = outcome.result.in_force() || outcome.result == ActResult::Refused;
            if let (true, Some(state)) = (settled, state) {
                self.memory.mark_seen(state);
            }
            let number = decision.unwrap_or_default();
            self.settle(number, tm.verdict.name(), Some(&tm), outcome, now_ms());
        }
    }

    /// Learns from an outcome, writes it down and shows it.
    fn settle(
        &mut self,
        decision: u64,
        action: &str,
        plan: Option<&TaskManagerPlan>,
        outcome: Outcome,
        at_ms: u64,
    ) {
        let (tm_id, message) = (&outcome.tm_id, &outcome.message);
        let result = outcome.result.name();
        match outcome.result {
            ActResult::Refused | ActResult::Failed => {
                tracing::warn!("decision {decision}: TaskManager {tm_id}: {result}: {message}");
            }
            _ => tracing::info!("decision {decision}: TaskManager {tm_id}: {result}: {message}"),
        }
        self.memory.learn(&outcome, at_ms);
        self.note(Some(decision), action, plan, &outcome, at_ms);
        if let (ActResult::Applied, Some(plan)) = (outcome.result, plan) {
            let pending = PendingEffect::new(at_ms, decision, plan.clone());
            self.pending.insert(plan.tm_id.clone(), pending);
        }
        self.record(&Line::Outcome {
            at_ms,
            decision,
            outcome,
        });
    }

    /// Counts an outcome and keeps it for the status.
    fn note(
        &mut self,
        decision: Option<u64>,
        action: &str,
        plan: Option<&TaskManagerPlan>,
        outcome: &Outcome,
        at_ms: u64,
    ) {
        let result = outcome.result;
        let policy = self.policy.name();
        let metrics = &self.shared.metrics;
        metrics.count_decision(policy, action, result.name());
        self.counters.count(result, action == "restore");
        for change in plan.into_iter().flat_map(TaskManagerPlan::changes) {
            let status = ChangeStatus {
                at_ms,
                from_bytes: change.from_bytes,
                to_bytes: change.to_bytes,
                action: action.to_owned(),
                result,
            };
            self.last_changes.insert(change.operator.clone(), status);
        }
        let last = self.last_acts.get(&outcome.tm_id);
        let status = ActStatus {
            at_ms,
            decision: decision.or(last.map(|a| a.decision)).unwrap_or_default(),
            action: action.to_owned(),
            result,
            message: outcome.message.clone(),
        };
        self.last_acts.insert(outcome.tm_id.clone(), status);
    }

    /// Puts status and gauges together.
    fn publish(&mut self, snapshot: &Snapshot, plan: &Plan) {
        let alive = |o: &OperatorKey| {
            let mut caches = snapshot.task_managers.iter().flat_map(|tm| &tm.caches);
            caches.any(|c| c.operator == *o)
        };
        self.last_changes.retain(|operator, _| alive(operator));
        let known = |tm_id: &String| snapshot.task_managers.iter().any(|tm| tm.tm_id == *tm_id);
        self.last_acts.retain(|tm_id, _| known(tm_id));
        self.pending.retain(|tm_id, _| known(tm_id));

        let agents = self.agents(snapshot, plan);
        let up = agents.iter().filter(|a| a.reachable).count();
        let metrics = &self.shared.metrics;
        metrics.set_agents(up, agents.len() - up);
        let targets = plan.task_managers.iter().filter_map(|p| {
            let tm = snapshot.task_managers.iter().find(|tm| tm.tm_id == p.tm_id);
            tm.map(|tm| p.caches.iter().map(move |c| (tm, c)))
        });
        metrics.set_targets(snapshot, targets.flatten());

        let mut status = self.shared.status.lock();
        status.taken_at_ms = snapshot.at_ms;
        status.flink_error.clone_from(&self.flink_error);
        status.jobs.clone_from(&snapshot.jobs);
        status.agents = agents;
        status.counters = self.counters;
    }

    fn agents(&self, snapshot: &Snapshot, plan: &Plan) -> Vec<AgentStatus> {
        let fleet = self.shared.fleet.lock();
        let now = Instant::now();
        let agent_status = |agent: &crate::fleet::Agent| {
            let report = agent.log.newest();
            let tm_id = report.map(|r| r.agent.tm_id.clone());
            let of_tm = |id: &str| tm_id.as_deref() == Some(id);
            let state = snapshot.task_managers.iter().find(|tm| of_tm(&tm.tm_id));
            let plan = plan.task_managers.iter().find(|p| of_tm(&p.tm_id));
            let caches = state.into_iter().flat_map(|tm| &tm.caches).map(|cache| {
                let planned = plan.and_then(|p| p.caches.iter().find(|c| c.id == cache.id));
                CacheStatus::of(cache, planned, self.last_changes.get(&cache.operator))
            });
            AgentStatus {
                url: agent.url.clone(),
                reachable: agent.error.is_none() && report.is_some(),
                error: agent.error.clone(),
                data_age_ms: agent.log.age(now).map(crate::clock::millis_of),
                report: report.cloned(),
                caches: caches.collect(),
                decision: plan.map(|p| DecisionStatus::of(p, snapshot)),
                last_act: tm_id
                    .as_ref()
                    .and_then(|id| self.last_acts.get(id))
                    .cloned(),
                tm_id,
            }
        };
        fleet.agents().map(agent_status).collect()
    }
}

/// What makes a decision new: its verdict, and which caches grow or shrink.
fn digest(plan: &TaskManagerPlan) -> String {
    let moves = plan.changes().map(|c| {
        let sign = if c.to_bytes > c.from_bytes { '+' } else { '-' };
        format!(" {sign}{}", c.id)
    });
    let moves: String = moves.collect();
    format!("{} {}{moves}", plan.tm_id, plan.verdict.name())
}
