//! Findings about one agent.

use weir_protocol::{HookState, MemoryMode, Report};
use weir_scaling::{Bytes, Percent};

use super::{ClusterFacts, Finding};
use crate::agent_client::AgentError;

/// More lost samples than this make curves coarser than their bands say.
const MAX_DROPPED: f64 = 0.01;

/// What an agent's report shows.
pub fn of_agent(
    url: &str,
    report: &Result<Report, AgentError>,
    cluster: Option<&ClusterFacts>,
) -> Vec<Finding> {
    let report = match report {
        Ok(report) => report,
        // The message says what was wrong and what would be right.
        Err(error) => {
            return vec![Finding::fault(
                url,
                error.to_string(),
                "without its agent a TaskManager keeps the sizes it has",
            )];
        }
    };
    let mut findings = vec![hook(url, report)];
    if report.agent.mode == MemoryMode::Observe {
        findings.push(Finding::limit(
            url,
            "weir.memory.mode is observe: sizes are watched, not moved",
            "set it to per-operator or shared if the controller shall resize",
        ));
    }
    findings.extend(caches(url, report, cluster));
    findings.extend(health(url, report));
    findings
}

fn hook(url: &str, report: &Report) -> Finding {
    let agent = &report.agent;
    match &agent.hook {
        HookState::Hooked => Finding::fine(
            url,
            format!(
                "TaskManager {}: RocksDB {} hooked, agent {}",
                agent.tm_id, agent.rocksdb_version, agent.version
            ),
        ),
        HookState::Waiting => Finding::limit(
            url,
            format!("TaskManager {}: no RocksDB seen yet", agent.tm_id),
            "run a job with RocksDB state on it",
        ),
        HookState::Refused { reason } => Finding::fault(
            url,
            format!("TaskManager {}: not hooked: {reason}", agent.tm_id),
            "docs/agent.md lists the builds of RocksDB that are known; the job runs as without Weir",
        ),
    }
}

fn caches(url: &str, report: &Report, cluster: Option<&ClusterFacts>) -> Option<Finding> {
    let caches = report.caches.len();
    let budget = &report.budget;
    let found = format!(
        "{caches} caches, {} of a budget of {}",
        Bytes(budget.allocated_bytes),
        Bytes(budget.cache_bytes)
    );
    if caches == 0 {
        let runs = cluster.is_some_and(|c| c.running_jobs > 0);
        return runs.then(|| {
            Finding::limit(
                url,
                "jobs run, but none of their RocksDB state is on this TaskManager",
                "normal for stateless tasks; else see the WARN of io.weir in its log",
            )
        });
    }
    if report.agent.mode != MemoryMode::Observe && budget.allocated_bytes > budget.cache_bytes {
        return Some(Finding::fault(
            url,
            format!("{found}: more than allowed"),
            "somebody else changes capacities; this is a defect of Weir if nobody does",
        ));
    }
    let of_own = |c: &&weir_protocol::CacheReport| c.curve.is_some();
    let curves = report.caches.iter().filter(of_own).count();
    Some(Finding::fine(
        url,
        format!("{found}, {curves} with a curve"),
    ))
}

fn health(url: &str, report: &Report) -> Vec<Finding> {
    let health = &report.health;
    let mut findings = Vec::new();
    let offered = health.samples_taken + health.samples_dropped;
    let dropped = health.samples_dropped as f64 / offered.max(1) as f64;
    if dropped > MAX_DROPPED {
        findings.push(Finding::limit(
            url,
            format!("{} of its samples were dropped", Percent(dropped)),
            "its collector gets too little CPU; give the TaskManager more, or take fewer samples (weir.mrc.samples)",
        ));
    }
    if health.panics_caught > 0 {
        findings.push(Finding::fault(
            url,
            format!("{} panics were caught in it", health.panics_caught),
            "a defect of Weir; the TaskManager's log has the messages, the job is not touched",
        ));
    }
    if health.unattributed_lookups > 0 {
        findings.push(Finding::limit(
            url,
            format!(
                "{} look-ups in shared caches could be given to no operator",
                health.unattributed_lookups
            ),
            "curves of single operators lack them; the cache's own curve does not",
        ));
    }
    findings
}
