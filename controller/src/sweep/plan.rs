//! What to sweep: a TOML file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use serde::Deserialize;

use crate::settings::{base_url, token};
use crate::{duration, size};

/// The file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    agent: Vec<String>,
    flink: Option<String>,
    agent_token_file: Option<PathBuf>,
    #[serde(default)]
    operators: Vec<String>,
    sizes: Vec<String>,
    others: Option<String>,
    results: PathBuf,
    settle: Option<String>,
    settle_at_most: Option<String>,
    steady: Option<f64>,
    window: Option<String>,
    timeout: Option<String>,
}

/// What to sweep, complete and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepPlan {
    /// The agents of the TaskManagers.
    pub agents: Vec<String>,
    /// Flink's REST API, for records per second.
    pub flink: Option<String>,
    /// Bearer token for changes.
    pub agent_token: Option<String>,
    /// Parts of the names of the operators to sweep; empty: all.
    pub operators: Vec<String>,
    /// Sizes that each chosen cache gets, in this order.
    pub sizes: Vec<u64>,
    /// Size of every other cache meanwhile; absent: as they are.
    pub others: Option<u64>,
    /// Where results are appended.
    pub results: PathBuf,
    /// Time between two looks at whether a size has settled.
    pub settle: Duration,
    /// Longest wait for it.
    pub settle_at_most: Duration,
    /// A miss ratio is steady when it changes by no more than this from one look to the next.
    pub steady: f64,
    /// Time over which is measured.
    pub window: Duration,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

// === impl SweepPlan ===

impl SweepPlan {
    /// A flush and a compaction or two lie within it.
    const SETTLE: Duration = Duration::from_secs(30);
    /// A large cache fills slowly.
    const SETTLE_AT_MOST: Duration = Duration::from_secs(600);
    /// Flink renews its counters every ten seconds; six renewals are enough for a rate.
    const WINDOW: Duration = Duration::from_secs(60);
    /// An agent answers within milliseconds.
    const TIMEOUT: Duration = Duration::from_secs(5);
    /// A point.
    const STEADY: f64 = 0.01;

    /// Reads a file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the plan {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in the plan {}", path.display()))
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let written: Written = toml::from_str(text)?;
        ensure!(
            !written.agent.is_empty(),
            "agent: name at least one, such as [\"http://tm-1:9260\"]"
        );
        ensure!(
            !written.sizes.is_empty(),
            "sizes: name at least one, such as [\"4 MiB\", \"8 MiB\"]"
        );
        let bytes = |key: &str, text: &String| size::parse(text).map_err(|e| anyhow!("{key}: {e}"));
        let time = |key: &str, text: Option<String>, default: Duration| {
            let time = text.map_or(Ok(default), |t| duration::parse(&t));
            let time = time.map_err(|e| anyhow!("{key}: {e}"))?;
            ensure!(
                !time.is_zero(),
                "{key}: must be longer than zero, such as `30s`"
            );
            Ok(time)
        };
        let steady = written.steady.unwrap_or(Self::STEADY);
        ensure!(
            steady > 0.0 && steady < 1.0,
            "steady: {steady} is not a share; write one such as 0.01"
        );
        let agents = written.agent.iter();
        Ok(Self {
            agents: agents
                .map(|url| base_url(url).context("agent"))
                .collect::<anyhow::Result<_>>()?,
            flink: written
                .flink
                .map(|url| base_url(&url).context("flink"))
                .transpose()?,
            agent_token: written.agent_token_file.as_deref().map(token).transpose()?,
            operators: written.operators,
            sizes: written
                .sizes
                .iter()
                .map(|s| bytes("sizes", s))
                .collect::<anyhow::Result<_>>()?,
            others: written.others.map(|s| bytes("others", &s)).transpose()?,
            results: written.results,
            settle: time("settle", written.settle, Self::SETTLE)?,
            settle_at_most: time(
                "settle-at-most",
                written.settle_at_most,
                Self::SETTLE_AT_MOST,
            )?,
            steady,
            window: time("window", written.window, Self::WINDOW)?,
            timeout: time("timeout", written.timeout, Self::TIMEOUT)?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use super::*;

    const LEAST: &str =
        "agent = [\"http://tm-1:9260/\"]\nsizes = [\"4 MiB\", \"8m\"]\nresults = \"r.jsonl\"\n";

    #[test]
    fn a_plan_says_little_at_least() {
        let plan = SweepPlan::parse(LEAST).unwrap();
        assert_eq!(plan.agents, ["http://tm-1:9260"]);
        assert_eq!(plan.sizes, [4 << 20, 8 << 20]);
        assert_eq!(plan.window, SweepPlan::WINDOW);
    }

    #[test]
    fn errors_name_the_key() {
        for (more, expected) in [
            ("window = \"soon\"", "window: `soon`"),
            ("window = \"0s\"", "longer than zero"),
            ("others = \"much\"", "others: `much`"),
            ("steady = 2.0", "steady: 2"),
            ("operator = [\"Join\"]", "operator"),
            ("flink = \"flink:8081\"", "flink"),
        ] {
            let error = SweepPlan::parse(&format!("{LEAST}{more}\n")).unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{error:#}");
        }
        let none = LEAST.replace("\"4 MiB\", \"8m\"", "");
        assert!(SweepPlan::parse(&none).is_err());
    }
}
