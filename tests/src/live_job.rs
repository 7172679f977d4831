//! A cluster with Weir, an endless job on it, and the agent that watches: where most end-to-end tests begin.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::{Agent, Cluster, ClusterOptions, NexmarkJob};

/// Time for the first keyed operator to open its RocksDB.
const FIRST_OPERATOR: Duration = Duration::from_secs(120);
/// Time for the first memtables to be flushed, so that there is something to look up.
const FIRST_CURVES: Duration = Duration::from_secs(180);

/// A job whose memory is watched.
#[derive(Debug)]
pub struct LiveJob {
    /// The agent in the TaskManager.
    pub agent: Agent,
    /// Flink's id of the job.
    pub id: String,
    /// Caches the job has: one for each subtask of each stateful operator.
    pub caches: usize,
    /// What it runs on.
    pub cluster: Cluster,
}

impl LiveJob {
    /// Starts a cluster and a job on it, and waits until each cache has a curve.
    pub fn start(options: &ClusterOptions, job: &NexmarkJob) -> Result<Self> {
        let cluster = Cluster::start(options)?;
        let id = job.submit(cluster.rest())?;
        let agent = cluster.agent(FIRST_OPERATOR)?;
        // Each of our queries has one stateful operator.
        let caches = job.queries.len() * job.parallelism as usize;
        agent
            .wait_for_curves(caches, FIRST_CURVES)
            .with_context(|| {
                format!(
                    "TaskManager log ends:\n{}",
                    cluster.task_manager().log_tail()
                )
            })?;
        Ok(Self {
            agent,
            id,
            caches,
            cluster,
        })
    }
}
