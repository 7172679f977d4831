//! Changes the parallelism of a running job through Flink's adaptive scheduler, and makes sure that it took effect.
//!
//! The scheduler restarts the job from its last completed checkpoint, so a fresh one comes first. The request has to name every
//! vertex. What was asked for counts only once all vertices run with it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use weir_scaling::JobPlan;

use crate::act::ActResult;
use crate::flink::{FlinkClient, SendError};

/// What became of a plan for one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RescaleOutcome {
    /// Which job, by the id that it has now.
    pub job_id: String,
    /// The id that it had before, if that was another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_job_id: Option<String>,
    /// Short form.
    pub result: ActResult,
    /// For people.
    pub message: String,
    /// From the request to the moment at which every vertex ran, in seconds.
    pub restart_seconds: Option<f64>,
}

#[derive(Deserialize)]
struct Requirement {
    parallelism: Bounds,
}

#[derive(Deserialize)]
struct Bounds {
    #[serde(rename = "lowerBound")]
    lower: u32,
}

/// What `GET /jobs/:id` says of a job's shape.
#[derive(Deserialize)]
struct JobShape {
    state: String,
    vertices: Vec<VertexShape>,
}

#[derive(Deserialize)]
struct VertexShape {
    id: String,
    parallelism: u32,
    status: String,
    #[serde(rename = "slotSharingGroupId", default)]
    slot_sharing_group: Option<String>,
}

/// How long the steps may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A checkpoint.
    pub checkpoint: Duration,
    /// The restart, with what the scheduler waits before it begins.
    pub restart: Duration,
}

impl Default for Patience {
    /// Flink's own limit for a checkpoint; the scheduler may wait for another one before it restarts.
    fn default() -> Self {
        Self {
            checkpoint: Duration::from_secs(600),
            restart: Duration::from_secs(600),
        }
    }
}

/// Brings a job into the planned shape.
pub async fn rescale(flink: &FlinkClient, plan: &JobPlan, patience: Patience) -> RescaleOutcome {
    let outcome = |result, message, restart_seconds| {
        RescaleOutcome::of(plan, result, message, restart_seconds)
    };
    let refused = |error: &dyn std::fmt::Display| {
        let message = format!("{error}; nothing was changed");
        outcome(ActResult::Refused, message, None)
    };
    // Up to here nothing is changed, so every fault is a refusal.
    let request = match prepare(flink, plan, patience).await {
        Ok(request) => request,
        Err(error) => return refused(&format!("{error:#}")),
    };
    let began = Instant::now();
    let path = format!("/jobs/{}/resource-requirements", plan.job_id);
    let mut last = match flink.send(reqwest::Method::PUT, &path, &request).await {
        Ok(_) => String::from("nothing was read since"),
        Err(error @ SendError::Refused { .. }) => return refused(&error),
        // Flink may have taken the request all the same: what counts is what it does.
        Err(error @ SendError::NoAnswer { .. }) => error.to_string(),
    };
    while began.elapsed() < patience.restart {
        tokio::time::sleep(POLL).await;
        match differing(flink, &plan.job_id, plan).await {
            Ok(None) => {
                let seconds = began.elapsed().as_secs_f64();
                let message = format!("every vertex runs as planned after {seconds:.1} s");
                return outcome(ActResult::Applied, message, Some(seconds));
            }
            Ok(Some(difference)) => last = difference,
            Err(error) => last = format!("{error:#}"),
        }
    }
    let waited = patience.restart.as_secs();
    outcome(
        ActResult::Failed,
        format!("not in force after {waited} s: {last}"),
        None,
    )
}

/// From look to look.
pub(crate) const POLL: Duration = Duration::from_millis(500);

/// Checks that it can be done, takes a checkpoint, and puts the request together.
async fn prepare(flink: &FlinkClient, plan: &JobPlan, patience: Patience) -> anyhow::Result<Value> {
    let path = format!("/jobs/{}/resource-requirements", plan.job_id);
    let requirements: BTreeMap<String, Requirement> = flink.get(&path).await.context(
        "the job's resource requirements cannot be read; they exist with `jobmanager.scheduler: adaptive` only",
    )?;
    let planned: Vec<&String> = plan.vertices.iter().map(|v| &v.vertex_id).collect();
    if let Some(missing) = requirements.keys().find(|id| !planned.contains(id)) {
        bail!("the plan does not name vertex {missing}, and Flink wants all of them");
    }
    let vertices = plan.vertices.iter().map(|v| {
        let present = requirements.get(&v.vertex_id);
        let present =
            present.with_context(|| format!("Flink does not know vertex {}", v.vertex_id))?;
        let lower = present.parallelism.lower.min(v.to_parallelism).max(1);
        let bounds = json!({"parallelism": {"lowerBound": lower, "upperBound": v.to_parallelism}});
        Ok((v.vertex_id.clone(), bounds))
    });
    let request: serde_json::Map<String, Value> = vertices.collect::<anyhow::Result<_>>()?;
    let job: JobShape = flink.get(&format!("/jobs/{}", plan.job_id)).await?;
    // A job that restarts for another reason would not take a checkpoint, and its slots are not what they seem.
    ensure!(
        job.state == "RUNNING",
        "the job is {}, not RUNNING",
        job.state
    );
    let slots = flink.slots().await?;
    // Slots of this job come free with the restart; what it needs beyond them must be there now.
    let more = job.slots(plan).saturating_sub(job.slots_held());
    if more > slots.free {
        bail!(
            "{more} more slots are needed and {} are free; add a TaskManager",
            slots.free
        );
    }
    checkpoint(flink, &plan.job_id, patience.checkpoint).await?;
    Ok(Value::Object(request))
}

/// Triggers a checkpoint and waits for its completion.
pub(crate) async fn checkpoint(
    flink: &FlinkClient,
    job_id: &str,
    patience: Duration,
) -> anyhow::Result<()> {
    let path = format!("/jobs/{job_id}/checkpoints");
    let body = json!({"checkpointType": "CONFIGURED"});
    let answer = flink.send(reqwest::Method::POST, &path, &body).await;
    let answer = answer.context("a checkpoint before the restart cannot be taken")?;
    let request = answer["request-id"].as_str();
    let request = request.context("Flink's answer names no request-id of the checkpoint")?;
    let began = Instant::now();
    let mut last = String::new();
    while began.elapsed() < patience {
        tokio::time::sleep(POLL).await;
        let status: anyhow::Result<Value> = flink.get(&format!("{path}/{request}")).await;
        let status = match status {
            Ok(status) => status,
            Err(error) => {
                last = format!(": {error:#}");
                continue;
            }
        };
        if status["status"]["id"] == "COMPLETED" {
            let failure = &status["operation"]["failureCause"];
            if failure.is_null() {
                return Ok(());
            }
            let cause = failure["class"].as_str().unwrap_or("an unknown cause");
            bail!("the checkpoint before the restart failed: {cause}");
        }
    }
    bail!(
        "the checkpoint before the restart took longer than {} s{last}",
        patience.as_secs()
    )
}

/// What is not yet as planned; nothing if all is. The job may have another id than when it was planned.
pub(crate) async fn differing(
    flink: &FlinkClient,
    job_id: &str,
    plan: &JobPlan,
) -> anyhow::Result<Option<String>> {
    let job: JobShape = flink.get(&format!("/jobs/{job_id}")).await?;
    if job.state != "RUNNING" {
        return Ok(Some(format!("the job is {}", job.state)));
    }
    for planned in &plan.vertices {
        let there = job.vertices.iter().find(|v| v.id == planned.vertex_id);
        let there = there.with_context(|| format!("vertex {} is gone", planned.vertex_id))?;
        if there.parallelism != planned.to_parallelism || there.status != "RUNNING" {
            return Ok(Some(format!(
                "{} has {} instances and is {}, {} are wanted",
                planned.name, there.parallelism, there.status, planned.to_parallelism
            )));
        }
    }
    Ok(None)
}

// === impl RescaleOutcome ===

impl RescaleOutcome {
    /// Of a job that has its id still.
    pub(crate) fn of(
        plan: &JobPlan,
        result: ActResult,
        message: String,
        restart_seconds: Option<f64>,
    ) -> Self {
        Self {
            job_id: plan.job_id.clone(),
            former_job_id: None,
            result,
            message,
            restart_seconds,
        }
    }
}

// === impl JobShape ===

impl JobShape {
    /// Slots it holds now.
    fn slots_held(&self) -> u32 {
        self.widest_of_groups(|v| v.parallelism)
    }

    /// Slots it needs as planned.
    fn slots(&self, plan: &JobPlan) -> u32 {
        self.widest_of_groups(|v| {
            let planned = plan.vertex(&v.id);
            planned.map_or(v.parallelism, |p| p.to_parallelism)
        })
    }

    /// Vertices of one group share slots, so each group needs as many as its widest vertex.
    fn widest_of_groups(&self, parallelism: impl Fn(&VertexShape) -> u32) -> u32 {
        let mut widest: BTreeMap<&str, u32> = BTreeMap::new();
        for vertex in &self.vertices {
            let group = vertex.slot_sharing_group.as_deref().unwrap_or_default();
            let widest = widest.entry(group).or_default();
            *widest = parallelism(vertex).max(*widest);
        }
        widest.values().sum()
    }
}
