//! Reads jobs, vertices, attempts and restarts from Flink's REST API.

use std::time::Duration;

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use weir_scaling::{JobState, Measured, VertexState};

use crate::agent_client::innermost;

/// A client of one Flink cluster.
#[derive(Debug, Clone)]
pub struct FlinkClient {
    http: reqwest::Client,
    base: String,
}

#[derive(Deserialize)]
struct Overview {
    jobs: Vec<JobEntry>,
}

#[derive(Deserialize)]
struct JobEntry {
    jid: String,
    name: String,
    state: String,
}

#[derive(Deserialize)]
struct JobDetails {
    vertices: Vec<VertexEntry>,
}

#[derive(Deserialize)]
struct VertexEntry {
    id: String,
    name: String,
    parallelism: u32,
    status: String,
}

#[derive(Deserialize)]
struct VertexDetails {
    subtasks: Vec<SubtaskEntry>,
}

#[derive(Deserialize)]
struct SubtaskEntry {
    subtask: u32,
    attempt: u32,
}

#[derive(Deserialize)]
struct Metric {
    id: String,
    value: String,
}

// === impl FlinkClient ===

impl FlinkClient {
    /// States after which nothing happens any more.
    const TERMINAL: [&'static str; 3] = ["FINISHED", "CANCELED", "FAILED"];

    /// A client for the REST API at `base`.
    pub fn new(base: String, timeout: Duration) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(timeout).no_proxy();
        Ok(Self {
            http: http.build()?,
            base,
        })
    }

    /// All jobs; those that have ended without their vertices.
    pub async fn jobs(&self) -> anyhow::Result<Vec<JobState>> {
        let overview: Overview = self.get("/jobs/overview").await?;
        let mut jobs = Vec::with_capacity(overview.jobs.len());
        for entry in overview.jobs {
            let live = !Self::TERMINAL.contains(&entry.state.as_str());
            jobs.push(JobState {
                restarts: if live {
                    self.restarts(&entry.jid).await
                } else {
                    None
                },
                vertices: if live {
                    self.vertices(&entry.jid).await?
                } else {
                    Vec::new()
                },
                job_id: entry.jid,
                name: entry.name,
                state: entry.state,
                edges: Vec::new(),
                restart_seconds: Measured::default(),
            });
        }
        Ok(jobs)
    }

    async fn vertices(&self, job: &str) -> anyhow::Result<Vec<VertexState>> {
        let details: JobDetails = self.get(&format!("/jobs/{job}")).await?;
        let mut vertices = Vec::with_capacity(details.vertices.len());
        for v in details.vertices {
            vertices.push(VertexState {
                attempts: self.attempts(job, &v.id).await,
                id: v.id,
                name: v.name,
                parallelism: v.parallelism,
                state: v.status,
                ..VertexState::default()
            });
        }
        Ok(vertices)
    }

    /// Attempt numbers by subtask index; absent while the vertex is being redeployed and cannot be read.
    async fn attempts(&self, job: &str, vertex: &str) -> Option<Vec<u32>> {
        let path = format!("/jobs/{job}/vertices/{vertex}");
        let mut details: VertexDetails = self.get(&path).await.ok()?;
        details.subtasks.sort_by_key(|s| s.subtask);
        Some(details.subtasks.iter().map(|s| s.attempt).collect())
    }

    async fn restarts(&self, job: &str) -> Option<u64> {
        let path = format!("/jobs/{job}/metrics?get=numRestarts");
        let metrics: Vec<Metric> = self.get(&path).await.ok()?;
        let metric = metrics.iter().find(|m| m.id == "numRestarts")?;
        metric.value.parse().ok()
    }

    /// The host in the base URL.
    #[must_use]
    pub fn host(&self) -> String {
        let (_, rest) = self.base.split_once("://").unwrap_or(("", &self.base));
        let authority = rest.split_once('/').map_or(rest, |(a, _)| a);
        let host = authority
            .rsplit_once(':')
            .filter(|(_, port)| port.parse::<u16>().is_ok());
        host.map_or(authority, |(host, _)| host).to_owned()
    }

    /// Asks for `path` and reads the answer as JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = format!("{}{path}", self.base);
        let answer = self.http.get(&url).send().await;
        let answer = answer.map_err(|e| {
            let cause = innermost(&e);
            anyhow!(
                "cannot reach Flink at {}: {cause}; is the JobManager running and its rest.port reachable from here?",
                self.base
            )
        })?;
        let status = answer.status();
        if !status.is_success() {
            return Err(anyhow!("Flink answered {status} to {url}"));
        }
        let unexpected = || format!("{url} did not answer what Flink's REST API answers there");
        answer.json().await.with_context(unexpected)
    }
}
