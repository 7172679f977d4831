//! Reads jobs, their topology and counters, slots and restarts from Flink's REST API.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use weir_scaling::{Edge, JobState, Measured, SlotState, VertexState};

use crate::agent_client::innermost;
use crate::counters::{SourceCounters, SubtaskCounters, VertexCounters};

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

/// What was read of the cluster.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Its jobs, without rates.
    pub jobs: Vec<JobState>,
    /// Counters by job and vertex id.
    pub counters: Vec<(String, String, VertexCounters)>,
    /// Its slots.
    pub slots: Option<SlotState>,
    /// Slots of each TaskManager.
    pub slots_by_tm: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
struct JobDetails {
    vertices: Vec<VertexEntry>,
    #[serde(default)]
    timestamps: BTreeMap<String, i64>,
    #[serde(default)]
    now: i64,
    plan: Plan,
}

#[derive(Deserialize)]
struct Plan {
    #[serde(default)]
    nodes: Vec<PlanNode>,
}

#[derive(Deserialize)]
struct PlanNode {
    id: String,
    #[serde(default)]
    inputs: Vec<PlanInput>,
}

#[derive(Deserialize)]
struct PlanInput {
    id: String,
}

#[derive(Deserialize)]
struct ClusterOverview {
    #[serde(rename = "slots-total")]
    total: u32,
    #[serde(rename = "slots-available")]
    free: u32,
}

#[derive(Deserialize)]
struct ConfigurationEntry {
    key: String,
    value: String,
}

#[derive(Deserialize)]
struct TaskManagers {
    taskmanagers: Vec<TaskManagerEntry>,
}

#[derive(Deserialize)]
struct TaskManagerEntry {
    id: String,
    #[serde(rename = "slotsNumber")]
    slots: u32,
}

#[derive(Deserialize)]
struct VertexEntry {
    id: String,
    name: String,
    parallelism: u32,
    /// -1 while Flink has not decided on it.
    #[serde(rename = "maxParallelism")]
    max_parallelism: Option<i64>,
    #[serde(rename = "slotSharingGroupId")]
    slot_sharing_group: Option<String>,
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
    /// NaN comes as text, so nothing is taken for granted.
    #[serde(default)]
    metrics: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Metric {
    id: String,
    value: String,
}

#[derive(Deserialize)]
struct AggregatedMetric {
    id: String,
    #[serde(default)]
    sum: Option<f64>,
    #[serde(default)]
    max: Option<f64>,
}

/// Why a request that was to change something did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Flink declined: nothing was changed.
    #[error("Flink answered {status} to {url}: {answer}")]
    Refused {
        /// Where it was sent.
        url: String,
        /// Flink's verdict.
        status: reqwest::StatusCode,
        /// The beginning of its words.
        answer: String,
    },
    /// It may have arrived or not.
    #[error("no answer from Flink at {url}: {cause}")]
    NoAnswer {
        /// Where it was sent.
        url: String,
        /// What went wrong.
        cause: String,
    },
}

// === impl FlinkClient ===

impl FlinkClient {
    /// States after which nothing happens any more.
    const TERMINAL: [&'static str; 3] = ["FINISHED", "CANCELED", "FAILED"];

    /// A JobManager under load may take its time to a change; to ask twice would change twice.
    const CHANGE_TIMEOUT: Duration = Duration::from_secs(30);

    /// A client for the REST API at `base`.
    pub fn new(base: String, timeout: Duration) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(timeout).no_proxy();
        Ok(Self {
            http: http.build()?,
            base,
        })
    }

    /// Everything there is to know; jobs that have ended without their vertices.
    pub async fn read(&self) -> anyhow::Result<Reading> {
        let overview: Overview = self.get("/jobs/overview").await?;
        let mut reading = Reading::default();
        for entry in overview.jobs {
            let live = !Self::TERMINAL.contains(&entry.state.as_str());
            let mut job = JobState {
                restarts: None,
                vertices: Vec::new(),
                job_id: entry.jid,
                name: entry.name,
                state: entry.state,
                edges: Vec::new(),
                restart_seconds: Measured::default(),
            };
            if live {
                job.restarts = self.restarts(&job.job_id).await;
                self.read_vertices(&mut job, &mut reading.counters).await?;
            }
            reading.jobs.push(job);
        }
        reading.slots = self.slots().await.ok();
        if let Ok(answer) = self.get::<TaskManagers>("/taskmanagers").await {
            let tms = answer.taskmanagers.into_iter();
            reading.slots_by_tm = tms.map(|tm| (tm.id, tm.slots)).collect();
        }
        Ok(reading)
    }

    async fn read_vertices(
        &self,
        job: &mut JobState,
        counters: &mut Vec<(String, String, VertexCounters)>,
    ) -> anyhow::Result<()> {
        let details: JobDetails = self.get(&format!("/jobs/{}", job.job_id)).await?;
        let running_since = details.timestamps.get("RUNNING").copied();
        let running_since = running_since.filter(|at| *at > 0 && job.state == "RUNNING");
        let running_for = running_since.and_then(|at| u64::try_from(details.now - at).ok());
        job.edges = details.plan.nodes.iter().flat_map(fed).collect();
        for v in details.vertices {
            let subtasks = self.subtasks(&job.job_id, &v.id).await;
            let attempts = subtasks.as_ref();
            let attempts = attempts.map(|all| all.iter().map(|s| s.attempt).collect());
            let is_source = job.edges.iter().all(|e| e.to != v.id);
            if let (Some(mut subtasks), Some(since)) = (subtasks, running_since) {
                let source = self.named_metrics(&job.job_id, &v.id, &mut subtasks).await;
                let read = VertexCounters {
                    at: Instant::now(),
                    running_since_ms: u64::try_from(since).unwrap_or(0),
                    subtasks,
                    source: source.filter(|_| is_source),
                };
                counters.push((job.job_id.clone(), v.id.clone(), read));
            }
            job.vertices.push(VertexState {
                attempts,
                id: v.id,
                name: v.name,
                parallelism: v.parallelism,
                state: v.status,
                max_parallelism: v.max_parallelism.and_then(|p| u32::try_from(p).ok()),
                slot_sharing_group: v.slot_sharing_group,
                running_for_ms: running_for,
                ..VertexState::default()
            });
        }
        Ok(())
    }

    /// Counters by subtask index; absent while the vertex is being redeployed and cannot be read.
    async fn subtasks(&self, job: &str, vertex: &str) -> Option<Vec<SubtaskCounters>> {
        let path = format!("/jobs/{job}/vertices/{vertex}");
        let mut details: VertexDetails = self.get(&path).await.ok()?;
        details.subtasks.sort_by_key(|s| s.subtask);
        let counters = |entry: &SubtaskEntry| {
            let counted = |name: &str| {
                // `read-records-complete` and the like say whether the number is one.
                let complete = entry.metrics.get(&format!("{name}-complete"));
                let complete = complete.and_then(Value::as_bool).unwrap_or(true);
                let value = entry.metrics.get(name).filter(|_| complete);
                value.and_then(Value::as_f64).filter(|v| v.is_finite())
            };
            SubtaskCounters {
                attempt: entry.attempt,
                records_in: counted("read-records"),
                records_out: counted("write-records"),
                busy_ms: counted("accumulated-busy-time"),
                idle_ms: counted("accumulated-idle-time"),
                backpressured_ms: counted("accumulated-backpressured-time"),
                state_get_seconds_p90: None,
            }
        };
        Some(details.subtasks.iter().map(counters).collect())
    }

    /// What only metrics by name tell: records and backlog of a source, times of state reads where they are tracked.
    async fn named_metrics(
        &self,
        job: &str,
        vertex: &str,
        subtasks: &mut [SubtaskCounters],
    ) -> Option<SourceCounters> {
        let path = format!("/jobs/{job}/vertices/{vertex}/subtasks/metrics");
        let names: Vec<AggregatedMetric> = self.get(&path).await.ok()?;
        let of_source = |id: &str, metric: &str| id.starts_with("Source__") && id.ends_with(metric);
        let reads = |id: &str| id.ends_with("StateGetLatency_p90");
        let pending = |id: &str| of_source(id, ".pendingRecords");
        let records = |id: &str| of_source(id, ".numRecordsIn");
        let wanted = names.iter().map(|n| n.id.as_str());
        let wanted: Vec<&str> = wanted
            .filter(|id| reads(id) || pending(id) || records(id))
            .collect();
        let mut source = SourceCounters::default();
        if !wanted.is_empty() {
            let query = [("get", wanted.join(",")), ("agg", "sum,max".to_owned())];
            let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.base), query);
            let values: Vec<AggregatedMetric> = self.get_url(url.ok()?.as_str()).await.ok()?;
            let sum = |wanted: &dyn Fn(&str) -> bool| {
                let found = values.iter().filter(|v| wanted(&v.id)).map(|v| v.sum);
                found.fold(None, |total, sum| Some(total.unwrap_or(0.0) + sum?))
            };
            source = SourceCounters {
                records: sum(&records),
                pending: sum(&pending),
            };
            // In nanoseconds, and the slowest of the vertex's states and subtasks.
            let slowest = values.iter().filter(|v| reads(&v.id)).filter_map(|v| v.max);
            let slowest = slowest.max_by(f64::total_cmp).map(|nanos| nanos / 1e9);
            for subtask in subtasks {
                subtask.state_get_seconds_p90 = slowest;
            }
        }
        Some(source)
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

    /// Its configuration as the JobManager has it.
    pub async fn configuration(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let entries: Vec<ConfigurationEntry> = self.get("/jobmanager/config").await?;
        Ok(entries.into_iter().map(|e| (e.key, e.value)).collect())
    }

    /// The cluster's slots.
    pub async fn slots(&self) -> anyhow::Result<SlotState> {
        let ClusterOverview { total, free } = self.get("/overview").await?;
        Ok(SlotState { total, free })
    }

    /// Sends a request that changes something; the answer, or null where it is empty.
    pub async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: &Value,
    ) -> Result<Value, SendError> {
        let url = format!("{}{path}", self.base);
        let no_answer = |error: reqwest::Error| SendError::NoAnswer {
            url: url.clone(),
            cause: innermost(&error),
        };
        let request = self.http.request(method, &url).json(body);
        let request = request.timeout(Self::CHANGE_TIMEOUT);
        let answer = request.send().await.map_err(no_answer)?;
        let status = answer.status();
        let text = answer.text().await.map_err(no_answer)?;
        if !status.is_success() {
            let answer = first_line(&text).to_owned();
            return Err(SendError::Refused {
                url,
                status,
                answer,
            });
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Reads what is at a path.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.get_url(&format!("{}{path}", self.base)).await
    }

    async fn get_url<T: DeserializeOwned>(&self, url: &str) -> anyhow::Result<T> {
        let answer = self.http.get(url).send().await;
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

/// What feeds a vertex. A producer that feeds it twice, as in a join of a stream with itself, is one edge: its records are counted
/// together.
fn fed(node: &PlanNode) -> Vec<Edge> {
    let producers: BTreeSet<&str> = node.inputs.iter().map(|input| input.id.as_str()).collect();
    let edge = |producer: &str| Edge {
        from: producer.to_owned(),
        to: node.id.clone(),
        records_per_second: Measured::default(),
    };
    producers.into_iter().map(edge).collect()
}

/// Flink answers errors with whole stack traces; their beginning says what it is.
fn first_line(text: &str) -> &str {
    const LONGEST: usize = 300;
    let line = text.split("\\n").next().unwrap_or_default();
    let end = line
        .char_indices()
        .nth(LONGEST)
        .map_or(line.len(), |(at, _)| at);
    &line[..end]
}
