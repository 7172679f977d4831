//! Changes the parallelism of a running job through Flink's adaptive scheduler, and makes sure that it took effect.
//!
//! The scheduler restarts the job from its last completed checkpoint, so a fresh one comes first. The request has to name every
//! vertex. What was asked for counts only once all vertices run with it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use weir_scaling::JobPlan;

use crate::act::ActResult;
use crate::flink::FlinkClient;

/// What became of a plan for one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RescaleOutcome {
    /// Which job.
    pub job_id: String,
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
    let outcome = |result, message, restart_seconds| RescaleOutcome {
        job_id: plan.job_id.clone(),
        result,
        message,
        restart_seconds,
    };
    // Up to here nothing is changed, so every fault is a refusal.
    let request = match prepare(flink, plan, patience).await {
        Ok(request) => request,
        Err(error) => {
            return outcome(
                ActResult::Refused,
                format!("{error:#}; nothing was changed"),
                None,
            );
        }
    };
    let began = Instant::now();
    let path = format!("/jobs/{}/resource-requirements", plan.job_id);
    if let Err(error) = flink.send(reqwest::Method::PUT, &path, &request).await {
        return outcome(ActResult::Failed, format!("{error:#}"), None);
    }
    let mut last = String::from("nothing was read since");
    while began.elapsed() < patience.restart {
        tokio::time::sleep(POLL).await;
        match differing(flink, plan).await {
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
const POLL: Duration = Duration::from_millis(500);

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
    let slots = flink.slots().await?;
    // Slots of this job come free with the restart; what it needs beyond them must be there now.
    let widest = |of: fn(&weir_scaling::VertexPlan) -> u32| plan.vertices.iter().map(of).max();
    let more = widest(|v| v.to_parallelism)
        .unwrap_or(0)
        .saturating_sub(widest(|v| v.from_parallelism).unwrap_or(0));
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
async fn checkpoint(flink: &FlinkClient, job_id: &str, patience: Duration) -> anyhow::Result<()> {
    let path = format!("/jobs/{job_id}/checkpoints");
    let body = json!({"checkpointType": "CONFIGURED"});
    let answer = flink.send(reqwest::Method::POST, &path, &body).await;
    let answer = answer.context("a checkpoint before the restart cannot be taken")?;
    let request = answer["request-id"].as_str();
    let request = request.context("Flink's answer names no request-id of the checkpoint")?;
    let began = Instant::now();
    while began.elapsed() < patience {
        tokio::time::sleep(POLL).await;
        let status: Value = flink.get(&format!("{path}/{request}")).await?;
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
        "the checkpoint before the restart took longer than {} s",
        patience.as_secs()
    )
}

/// What is not yet as planned; nothing if all is.
async fn differing(flink: &FlinkClient, plan: &JobPlan) -> anyhow::Result<Option<String>> {
    let job: Value = flink.get(&format!("/jobs/{}", plan.job_id)).await?;
    if job["state"] != "RUNNING" {
        return Ok(Some(format!("the job is {}", job["state"])));
    }
    let vertices = job["vertices"]
        .as_array()
        .context("no vertices in Flink's answer")?;
    for planned in &plan.vertices {
        let there = vertices
            .iter()
            .find(|v| v["id"] == planned.vertex_id.as_str());
        let there = there.with_context(|| format!("vertex {} is gone", planned.vertex_id))?;
        if there["parallelism"] != planned.to_parallelism || there["status"] != "RUNNING" {
            return Ok(Some(format!(
                "{} has {} instances and is {}, {} are wanted",
                planned.name, there["parallelism"], there["status"], planned.to_parallelism
            )));
        }
    }
    Ok(None)
}
