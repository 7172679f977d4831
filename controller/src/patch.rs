//! Changes the parallelism of a job through its FlinkDeployment, so that the Flink operator carries it out, and makes sure that it took
//! effect.
//!
//! What is changed is one key, `pipeline.jobvertex-parallelism-overrides`, in which the operator's own autoscaler says its wishes too. With
//! the adaptive scheduler the operator changes the running job; else it stops the job with a savepoint or at its last checkpoint and
//! starts it anew, perhaps under another id. Either way TaskManagers come and go as they are needed, and the shape stays if the
//! cluster is made anew: that is what `rescale` cannot give.

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use axum::http::StatusCode;
use serde_json::{Value, json};
use weir_scaling::JobPlan;

use crate::act::ActResult;
use crate::flink::FlinkClient;
use crate::kubernetes::{FlinkDeployment, KubernetesClient, MergeError};
use crate::rescale::{POLL, Patience, RescaleOutcome, checkpoint, differing};

/// Flink's key.
const OVERRIDES: &str = "pipeline.jobvertex-parallelism-overrides";
/// With which the operator's own autoscaler is at work.
const AUTOSCALER: &str = "job.autoscaler.enabled";
/// In which the operator is not at it.
const SETTLED: [&str; 2] = ["STABLE", "DEPLOYED"];
/// From which it does not come back by itself.
const LOST: [&str; 3] = ["FAILED", "ROLLING_BACK", "ROLLED_BACK"];

/// Brings a job into the planned shape. The outcome names the job by the id that it has then.
pub async fn patch(
    kubernetes: &KubernetesClient,
    flink: &FlinkClient,
    plan: &JobPlan,
    patience: Patience,
) -> RescaleOutcome {
    let outcome = |result, message, restart_seconds| {
        RescaleOutcome::of(plan, result, message, restart_seconds)
    };
    let nothing = |result, error: &dyn std::fmt::Display| {
        outcome(result, format!("{error}; nothing was changed"), None)
    };
    // Up to here nothing is changed, so every fault is a refusal.
    let deployment = match prepare(kubernetes, flink, plan, patience).await {
        Ok(deployment) => deployment,
        Err(error) => return nothing(ActResult::Refused, &format!("{error:#}")),
    };
    let wanted = overrides(plan);
    let began = Instant::now();
    let change = change(&json!(wanted), &deployment.metadata.version);
    let mut last = match kubernetes.merge(&change).await {
        Ok(_) => String::from("nothing was read since"),
        Err(error @ MergeError::Refused { status, .. }) => {
            let result = match status {
                StatusCode::CONFLICT => ActResult::Stale,
                _ => ActResult::Refused,
            };
            return nothing(result, &error);
        }
        // Kubernetes may have taken it all the same: what counts is what becomes of the job.
        Err(error @ MergeError::NoAnswer(_)) => error.to_string(),
    };
    while began.elapsed() < patience.restart {
        tokio::time::sleep(POLL).await;
        match look(kubernetes, flink, plan, &wanted).await {
            Ok(Look::AsPlanned { job_id }) => {
                let seconds = began.elapsed().as_secs_f64();
                let message = format!("every vertex runs as planned after {seconds:.1} s");
                let done = outcome(ActResult::Applied, message, Some(seconds));
                return RescaleOutcome {
                    former_job_id: Some(done.job_id).filter(|former| *former != job_id),
                    job_id,
                    ..done
                };
            }
            Ok(Look::NotYet(what)) => last = what,
            Ok(Look::Never(what)) => {
                last = what;
                break;
            }
            Err(error) => last = format!("{error:#}"),
        }
    }
    let waited = began.elapsed().as_secs();
    let taken_back = take_back(kubernetes, &deployment, &wanted).await;
    let message = format!("not in force after {waited} s: {last}; {taken_back}");
    outcome(ActResult::Failed, message, None)
}

/// What became of the job so far.
enum Look {
    AsPlanned { job_id: String },
    NotYet(String),
    Never(String),
}

/// The deployment, if it can be changed; with a fresh checkpoint of its job, which an operator that restarts the job begins from.
async fn prepare(
    kubernetes: &KubernetesClient,
    flink: &FlinkClient,
    plan: &JobPlan,
    patience: Patience,
) -> anyhow::Result<FlinkDeployment> {
    let name = kubernetes.name();
    let deployment = kubernetes.read().await?;
    let (spec, status) = (&deployment.spec, &deployment.status);
    let job = spec.job.as_ref().with_context(|| {
        format!("FlinkDeployment {name} is a session cluster; only an application's job is in its deployment")
    })?;
    let running = status.job_status.job_id.as_deref().unwrap_or("none");
    ensure!(
        running == plan.job_id,
        "FlinkDeployment {name} runs job {running}, and the plan is of job {}",
        plan.job_id
    );
    if let Some(suspended) = job.state.as_deref().filter(|state| *state != "running") {
        bail!("the job of FlinkDeployment {name} is to be {suspended}");
    }
    let state = status.job_status.state.as_deref().unwrap_or("not known");
    ensure!(state == "RUNNING", "the job is {state}, not RUNNING");
    if let Some(at_work) = status.lifecycle_state.as_deref()
        && !SETTLED.contains(&at_work)
    {
        bail!(
            "the operator has FlinkDeployment {name} as {at_work}; only a settled one is changed"
        );
    }
    if let Some(error) = &status.error {
        bail!("the operator has trouble with FlinkDeployment {name}: {error}");
    }
    ensure!(
        job.upgrade_mode.as_deref() != Some("stateless"),
        "upgradeMode of FlinkDeployment {name} is stateless, so its job might begin without its state; set savepoint or last-state"
    );
    let autoscaler = text(&deployment, AUTOSCALER);
    ensure!(
        autoscaler.as_deref() != Some("true"),
        "the operator's own autoscaler is at work in FlinkDeployment {name} and would overrule this; set {AUTOSCALER} to false"
    );
    // That Flink is the deployment's.
    let differs = differing(flink, &plan.job_id, plan).await;
    differs
        .with_context(|| format!("the Flink named by `flink` does not have the job of {name}"))?;
    checkpoint(flink, &plan.job_id, patience.checkpoint).await?;
    Ok(deployment)
}

async fn look(
    kubernetes: &KubernetesClient,
    flink: &FlinkClient,
    plan: &JobPlan,
    wanted: &str,
) -> anyhow::Result<Look> {
    let deployment = kubernetes.read().await?;
    let there = text(&deployment, OVERRIDES);
    if there.as_deref() != Some(wanted) {
        let there = there.unwrap_or_else(|| "nothing".to_owned());
        return Ok(Look::NotYet(format!("{OVERRIDES} is {there}")));
    }
    let status = deployment.status;
    if let Some(error) = status.error {
        return Ok(Look::NotYet(format!("the operator says: {error}")));
    }
    let lifecycle = status.lifecycle_state.unwrap_or_default();
    if LOST.contains(&lifecycle.as_str()) {
        return Ok(Look::Never(format!("the deployment is {lifecycle}")));
    }
    let Some(job_id) = status.job_status.job_id else {
        return Ok(Look::NotYet("the deployment has no job".to_owned()));
    };
    Ok(match differing(flink, &job_id, plan).await? {
        None => Look::AsPlanned { job_id },
        Some(difference) => Look::NotYet(difference),
    })
}

/// Puts back what was there before, if what is there now is ours; what came of it.
async fn take_back(
    kubernetes: &KubernetesClient,
    before: &FlinkDeployment,
    wanted: &str,
) -> String {
    let now = match kubernetes.read().await {
        Ok(now) => now,
        Err(error) => return format!("it could not be taken back: {error:#}"),
    };
    if text(&now, OVERRIDES).as_deref() != Some(wanted) {
        return "there is nothing to take back".to_owned();
    }
    // Null takes a key away.
    let former = before.spec.flink_configuration.get(OVERRIDES);
    let former = former.unwrap_or(&Value::Null);
    match kubernetes
        .merge(&change(former, &now.metadata.version))
        .await
    {
        Ok(_) => "it was taken back".to_owned(),
        Err(error) => format!("it could not be taken back: {error}"),
    }
}

/// Of one key, and only of the object as it was seen.
fn change(value: &Value, version: &str) -> Value {
    json!({
        "metadata": {"resourceVersion": version},
        "spec": {"flinkConfiguration": {OVERRIDES: value}},
    })
}

/// Every vertex, so that none falls back to what it was.
fn overrides(plan: &JobPlan) -> String {
    let vertices = plan.vertices.iter();
    let vertices = vertices.map(|v| format!("{}:{}", v.vertex_id, v.to_parallelism));
    vertices.collect::<Vec<_>>().join(",")
}

/// A key's value, which may be written as text or, `true` and numbers, as it is.
fn text(deployment: &FlinkDeployment, key: &str) -> Option<String> {
    match deployment.spec.flink_configuration.get(key)? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
