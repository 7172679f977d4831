//! What a controller had promised for the caches it changed, beside what is measured since.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use weir_protocol::CacheId;

use crate::Agent;

/// Caches that grew are full, and the last lookups before that are out of the window.
const SETTLE: Duration = Duration::from_secs(20);
const WINDOW: Duration = Duration::from_secs(30);

/// The lines of a controller's history.
pub fn history(file: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(file)?;
    let lines = text.lines().map(serde_json::from_str);
    lines
        .collect::<Result<_, _>>()
        .with_context(|| format!("{} holds a line that is no JSON", file.display()))
}

/// The last decision of a history that was carried out by agents.
pub fn last_acting(history: &[Value]) -> Result<&Value> {
    let mut lines = history.iter();
    let found = lines.rfind(|line| line["kind"] == "decision" && line["acting"] == true);
    found.context("no decision has been carried out")
}

/// Measures every cache that a decision of one TaskManager changed, prints it beside what was predicted, and returns the largest
/// difference of miss ratios.
pub fn worst_error(agent: &Agent, decision: &Value) -> Result<f64> {
    std::thread::sleep(SETTLE);
    let window = agent.observe(WINDOW)?;
    let caches = decision["plan"]["task_managers"][0]["caches"].as_array();
    let caches = caches.context("the decision names no caches")?;
    let changed: Vec<_> = caches
        .iter()
        .filter(|c| c["from_bytes"] != c["to_bytes"])
        .collect();
    ensure!(!changed.is_empty(), "nothing is changed by {decision}");
    let mut worst = 0.0_f64;
    for cache in changed {
        let number = |value: &Value| value.as_f64().context("not a number in a plan");
        let id = CacheId(cache["id"].as_u64().context("a cache without a number")?);
        let predicted = number(&cache["after"]["value"])?;
        let window = window.cache(id).context("a cache is gone")?;
        let measured = window.miss_ratio().context("a cache was not asked")?;
        let now = window
            .after
            .predicted_miss_ratio(window.after.capacity_bytes);
        println!(
            "{}: {:.0} to {:.0} KiB, miss ratio before {:.2} %, predicted {:.2} %, measured {:.2} % at {:.0} lookups/s; the curve now says {:.2} %",
            window.name(),
            number(&cache["from_bytes"])? / 1024.0,
            number(&cache["to_bytes"])? / 1024.0,
            100.0 * number(&cache["before"]["value"])?,
            100.0 * predicted,
            100.0 * measured,
            window.lookups_per_second(),
            100.0 * now.context("a cache without a curve")?,
        );
        worst = worst.max((predicted - measured).abs());
    }
    Ok(worst)
}
