//! The second half of a cycle: a plan is written down, carried out where that is allowed, and its outcome written down.

use tokio::task::JoinSet;
use weir_scaling::{JobPlan, Plan, Snapshot, TaskManagerPlan};

use super::Cycle;
use crate::act::{ActResult, Outcome, apply};
use crate::clock::now_ms;
use crate::effect::PendingEffect;
use crate::history::Line;
use crate::status::{ActStatus, ChangeStatus};

impl Cycle {
    /// Writes the plan down, carries it out where that is allowed, and writes down what came of it. Its number, if it was new or acted
    /// and is on disk.
    pub(super) async fn act(&mut self, snapshot: &Snapshot, plan: &Plan) -> Option<u64> {
        let changing = |p: &&TaskManagerPlan| p.verdict.changes_sizes();
        let (changing, holding): (Vec<_>, Vec<_>) = plan.task_managers.iter().partition(changing);
        for held in holding {
            self.counters.held += 1;
            let metrics = &self.shared.metrics;
            metrics.count_decision(&plan.policy, "hold", held.verdict.name());
        }
        let acting = self.settings.may_resize() && !changing.is_empty();
        let digests = plan.task_managers.iter().map(digest);
        let digest = digests.chain(plan.jobs.iter().map(job_digest)).collect();
        let mut decision = None;
        if acting || self.recorded != digest {
            self.recorded = digest;
            decision = self.write_down(snapshot, plan, acting);
            if decision.is_none() && acting {
                return None; // What is not written down cannot be resumed.
            }
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
            return decision;
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
        decision
    }

    /// Says a plan in the log and puts it into the history; its number, if it is on disk.
    pub(super) fn write_down(
        &mut self,
        snapshot: &Snapshot,
        plan: &Plan,
        acting: bool,
    ) -> Option<u64> {
        let number = self.memory.number_decision();
        for tm in &plan.task_managers {
            tracing::info!("decision {number}: {tm}");
            for change in tm.changes() {
                tracing::info!("decision {number}: {change}");
            }
            for change in &tm.write_buffers {
                tracing::info!("decision {number}: {change}");
            }
        }
        for job in &plan.jobs {
            tracing::info!("decision {number}: {job}");
            for change in job.changes() {
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
        self.record(&line).then_some(number)
    }

    /// Learns from an outcome, writes it down and shows it.
    pub(super) fn settle(
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
}

/// What makes a decision about a job new: its verdict, and the shapes of what changes.
fn job_digest(plan: &JobPlan) -> String {
    let shapes = plan.changes().map(|v| {
        let bytes = v.cache_bytes_per_subtask();
        format!(" {} {} {bytes}", v.vertex_id, v.to_parallelism)
    });
    let shapes: String = shapes.collect();
    format!("{} {}{shapes}", plan.job_id, plan.verdict.name())
}

/// What makes a decision new: its verdict, and which caches grow or shrink.
fn digest(plan: &TaskManagerPlan) -> String {
    let moves = plan.changes().map(|c| {
        let sign = if c.to_bytes > c.from_bytes { '+' } else { '-' };
        format!(" {sign}{}", c.id)
    });
    let buffers = plan.write_buffers.iter();
    let buffers = buffers.map(|w| format!(" {} of {}", w.to_bytes, w.cache_id));
    let moves: String = moves.chain(buffers).collect();
    format!("{} {}{moves}", plan.tm_id, plan.verdict.name())
}
