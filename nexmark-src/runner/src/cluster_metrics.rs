//! What a cluster tells about a running job, over Flink's REST API.

use anyhow::{Context, Result};
use serde_json::Value;
use weir_testbed::FlinkRest;

/// Events that the sources of a job have read by now; `None` while Flink does not tell. Flink gathers metrics every few seconds, so the
/// number is a little behind.
pub(crate) fn events_read(flink: &FlinkRest, job: &str) -> Result<Option<u64>> {
    let mut sum = None;
    for vertex in flink.job(job)?.vertices {
        if !vertex.name.contains("Source") {
            continue;
        }
        let path = format!("/jobs/{job}/vertices/{}/subtasks/metrics", vertex.id);
        let names = flink.json(&path)?;
        // The reader counts what it emits as records in; the operators chained behind it have names of their own.
        let names: Vec<&str> = names
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|metric| metric["id"].as_str())
            .filter(|id| id.starts_with("Source__") && id.ends_with(".numRecordsIn"))
            .collect();
        if names.is_empty() {
            continue;
        }
        let values = flink.json(&format!("{path}?agg=sum&get={}", names.join(",")))?;
        for value in values.as_array().into_iter().flatten() {
            *sum.get_or_insert(0) += value["sum"].as_f64().unwrap_or(0.0) as u64;
        }
    }
    Ok(sum)
}

/// Processor time that all TaskManagers have used since they started, in nanoseconds.
pub(crate) fn cpu_nanos(flink: &FlinkRest) -> Result<u64> {
    const METRIC: &str = "Status.JVM.CPU.Time";
    let managers = flink.json("/taskmanagers")?;
    let mut nanos = 0;
    for manager in managers["taskmanagers"].as_array().into_iter().flatten() {
        let id = manager["id"]
            .as_str()
            .context("a TaskManager without an id")?;
        let metrics = flink.json(&format!("/taskmanagers/{id}/metrics?get={METRIC}"))?;
        nanos += metrics[0]["value"]
            .as_str()
            .and_then(|value| value.parse::<u64>().ok())
            .unwrap_or(0);
    }
    Ok(nanos)
}

/// Sizes of the last completed checkpoint in bytes: of the state it stands for, and of what had to be written for it.
pub(crate) fn checkpoint_bytes(flink: &FlinkRest, job: &str) -> Result<Option<(u64, u64)>> {
    let checkpoints = flink.json(&format!("/jobs/{job}/checkpoints"))?;
    let last = &checkpoints["latest"]["completed"];
    Ok(last["state_size"]
        .as_u64()
        .zip(last["checkpointed_size"].as_u64()))
}

/// Of a job that has ended: from when its first task ran until its last had ended, in milliseconds, and bytes that its tasks have read
/// from each other.
pub(crate) fn duration_and_bytes(flink: &FlinkRest, job: &str) -> Result<(u64, u64)> {
    let details = flink.json(&format!("/jobs/{job}"))?;
    let vertices = details["vertices"]
        .as_array()
        .context("no vertices in the answer")?;
    let times = |name: &'static str| {
        vertices
            .iter()
            .filter_map(move |vertex| vertex[name].as_u64())
    };
    let start = times("start-time").min().unwrap_or(0);
    let end = times("end-time").max().unwrap_or(start);
    let bytes = vertices
        .iter()
        .filter_map(|vertex| vertex["metrics"]["read-bytes"].as_u64())
        .sum();
    Ok((end.saturating_sub(start), bytes))
}

/// A name in the JSON of a job, for messages.
pub(crate) fn state(flink: &FlinkRest, job: &str) -> Result<String> {
    match flink.json(&format!("/jobs/{job}"))?["state"] {
        Value::String(ref state) => Ok(state.clone()),
        ref other => anyhow::bail!("job {job} has the state {other}"),
    }
}
