//! The end of a cycle: what is known and was decided goes into status and gauges.

use std::time::Instant;

use weir_scaling::{OperatorKey, Plan, Snapshot};

use super::Cycle;
use crate::fleet::Agent;
use crate::status::{AgentStatus, CacheStatus, DecisionStatus};

impl Cycle {
    /// Puts status and gauges together.
    pub(super) fn publish(&mut self, snapshot: &Snapshot, plan: &Plan) {
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
        status.shapes = self.shapes(plan);
    }

    fn agents(&self, snapshot: &Snapshot, plan: &Plan) -> Vec<AgentStatus> {
        let fleet = self.shared.fleet.lock();
        let now = Instant::now();
        let agent_status = |agent: &Agent| {
            let report = agent.log.newest();
            let tm_id = report.map(|r| r.agent.tm_id.clone());
            let of_tm = |id: &str| tm_id.as_deref() == Some(id);
            // Of two agents that name one TaskManager, the one heard last shows its caches.
            let speaks =
                tm_id.as_deref().and_then(|id| fleet.url_of(id)) == Some(agent.url.clone());
            let state = snapshot.task_managers.iter().find(|tm| of_tm(&tm.tm_id));
            let state = state.filter(|_| speaks);
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
