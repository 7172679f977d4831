//! What a cluster tells about a running job, over Flink's REST API.

use anyhow::{Context, Result};
use serde_json::Value;
use weir_testbed::FlinkRest;

/// How many of the events become rows of which table: one stream has all, a table of one kind has its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proportions {
    /// Persons, auctions and bids of every round.
    kinds: [u64; 3],
}

/// Events that the sources of a job have read by now, the slowest source's; `None` while Flink does not tell. Flink gathers metrics every
/// few seconds, so the number is a little behind.
pub(crate) fn events_read(
    flink: &FlinkRest,
    job: &str,
    proportions: Proportions,
) -> Result<Option<u64>> {
    let mut slowest = None;
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
            // Its first numbers are still to come.
            return Ok(None);
        }
        let values = flink.json(&format!("{path}?agg=sum&get={}", names.join(",")))?;
        for value in values.as_array().into_iter().flatten() {
            let rows = value["sum"].as_f64().unwrap_or(0.0);
            let events = (rows / proportions.share(&vertex.name)).round() as u64;
            slowest = Some(slowest.map_or(events, |slowest: u64| slowest.min(events)));
        }
    }
    Ok(slowest)
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

/// Rows that the sink `nexmark-count` of a job that has ended was given: exact, however short the job was. `None` for another sink.
pub(crate) fn rows_written(flink: &FlinkRest, job: &str) -> Result<Option<u64>> {
    let accumulators = flink.json(&format!("/jobs/{job}/accumulators"))?;
    Ok(accumulators["user-task-accumulators"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|accumulator| accumulator["name"] == "nexmark rows")
        .and_then(|accumulator| accumulator["value"].as_str()?.parse().ok()))
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

// === impl Proportions ===

impl Proportions {
    /// As the generator's options have them, else Nexmark's own.
    pub(crate) fn of(settings: &[(String, String)]) -> Self {
        let set = |option: &str, standard| {
            let last = settings.iter().rfind(|(name, _)| name == option);
            last.and_then(|(_, value)| value.parse().ok())
                .unwrap_or(standard)
        };
        Self {
            kinds: [
                set("person.proportion", 1),
                set("auction.proportion", 3),
                set("bid.proportion", 46),
            ],
        }
    }

    /// Events after which all begins again.
    pub(crate) fn round(self) -> u64 {
        self.kinds.iter().sum::<u64>().max(1)
    }

    /// Rows for each event, of the table that a vertex reads by its name.
    fn share(self, vertex: &str) -> f64 {
        let kind = ["person[", "auction[", "bid["]
            .iter()
            .position(|table| vertex.contains(&format!("Source: {table}")));
        let rows = kind.map_or(self.round(), |kind| self.kinds[kind].max(1));
        rows as f64 / self.round() as f64
    }
}

/// A name in the JSON of a job, for messages.
pub(crate) fn state(flink: &FlinkRest, job: &str) -> Result<String> {
    match flink.json(&format!("/jobs/{job}"))?["state"] {
        Value::String(ref state) => Ok(state.clone()),
        ref other => anyhow::bail!("job {job} has the state {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::Proportions;

    #[test]
    fn a_table_of_one_kind_has_its_share_of_the_events() {
        let standard = Proportions::of(&[]);
        assert_eq!(standard.round(), 50);
        assert!((standard.share("Source: events[3] -> Calc[4]") - 1.0).abs() < 1e-9);
        assert!((standard.share("Source: bid[1] -> Calc[2]") - 0.92).abs() < 1e-9);
        let set = ("bid.proportion".to_owned(), "16".to_owned());
        assert!((Proportions::of(&[set]).share("Source: auction[1]") - 0.15).abs() < 1e-9);
    }
}
