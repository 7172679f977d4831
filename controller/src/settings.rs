//! Settings of the daemon, complete and checked before anything starts.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use weir_scaling::{JobLimits, Limits, Terms};

use crate::clock::millis_of;
use crate::duration;
use crate::kubernetes::DeploymentSettings;
use crate::observe::Windows;
use crate::policies::PolicyName;
use crate::raw_settings::RawSettings;

/// What may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Sizes of caches, through the agents.
    Resize,
    /// Parallelism of jobs, through Flink's adaptive scheduler.
    Rescale,
    /// Parallelism of a job, through its FlinkDeployment.
    Patch,
}

/// Settings, complete and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Agents to poll from the start.
    pub agents: Vec<String>,
    /// Base URL of Flink's REST API.
    pub flink: Option<String>,
    /// Address to serve on.
    pub listen: SocketAddr,
    /// What may be changed; empty: nothing.
    pub act: BTreeSet<Act>,
    /// Who decides.
    pub policy: PolicyName,
    /// From poll to poll.
    pub interval: Duration,
    /// Over which lookups and misses are counted.
    pub windows: Windows,
    /// For an answer.
    pub timeout: Duration,
    /// Until a lost agent is forgotten.
    pub drop_after: Duration,
    /// File of decisions.
    pub history: Option<PathBuf>,
    /// Where it is rotated.
    pub history_max_bytes: u64,
    /// Bearer token for changes.
    pub agent_token: Option<String>,
    /// The FlinkDeployment to change.
    pub deployment: Option<DeploymentSettings>,
    /// The guard's limits for memory.
    pub limits: Limits,
    /// The guard's limits for parallelism.
    pub job_limits: JobLimits,
    /// Prices and budgets.
    pub terms: Terms,
}

// === impl RawSettings ===

impl RawSettings {
    /// Checks everything and fills in the defaults.
    pub fn check(self) -> anyhow::Result<Settings> {
        let interval = time("interval", self.interval, Settings::INTERVAL)?;
        let window = time("window", self.window, interval * 2)?;
        let cooldown = time("cooldown", self.cooldown, interval * 3)?;
        let min_age = Duration::from_millis(Limits::DEFAULT_MIN_CACHE_AGE_MS);
        let min_relative_gain = self.min_gain.unwrap_or(Limits::DEFAULT_MIN_RELATIVE_GAIN);
        ensure!(
            (0.0..1.0).contains(&min_relative_gain),
            "min-gain: {min_relative_gain} is not a share; write a number from 0 to below 1, such as 0.05"
        );
        let listen = self.listen.as_deref().unwrap_or(Settings::LISTEN);
        let listen = listen.parse().map_err(|_| {
            anyhow!("listen: `{listen}` is not an address; write IP:PORT, such as 127.0.0.1:9240")
        })?;
        let limits = Limits {
            max_data_age_ms: millis_of(interval * 3),
            cooldown_ms: millis_of(cooldown),
            // With room for jitter.
            min_load_ms: millis_of(window).saturating_mul(9) / 10,
            min_cache_age_ms: millis_of(positive_or_zero("min-age", self.min_age, min_age)?),
            min_relative_gain,
            ..Limits::default()
        };
        let act = acts(&self.act.unwrap_or_default())?;
        let deployment = self.deployment.map(|text| {
            DeploymentSettings::parse(&text, self.kubernetes.as_deref(), self.kubernetes_account)
        });
        let terms = self.terms.unwrap_or_default();
        if act.contains(&Act::Patch) {
            ensure!(
                !act.contains(&Act::Rescale),
                "act: `rescale` and `patch` both change parallelism; write one of them"
            );
            ensure!(
                deployment.is_some() && self.flink.is_some(),
                "deployment: `patch` needs to know whose job it is; write `deployment` and `flink`"
            );
            ensure!(
                terms.slot_budget.is_some(),
                "terms: with `patch` TaskManagers come when they are wanted, so somebody must say when there are enough; write `slot-budget`"
            );
        }
        Ok(Settings {
            agents: self
                .agent
                .unwrap_or_default()
                .iter()
                .map(|url| base_url(url).context("agent"))
                .collect::<anyhow::Result<_>>()?,
            flink: self
                .flink
                .map(|url| base_url(&url).context("flink"))
                .transpose()?,
            listen,
            act,
            deployment: deployment.transpose()?,
            policy: self.policy.as_deref().unwrap_or("weir").parse()?,
            interval,
            windows: Windows {
                load: time(
                    "load-window",
                    self.load_window,
                    window.max(Settings::LOAD_WINDOW),
                )?,
                miss_ratio: window,
            },
            timeout: time("timeout", self.timeout, Settings::TIMEOUT)?,
            drop_after: time("drop-after", self.drop_after, Settings::DROP_AFTER)?,
            history: self.history,
            history_max_bytes: self
                .history_max_bytes
                .unwrap_or(Settings::HISTORY_MAX_BYTES),
            agent_token: self.agent_token_file.as_deref().map(token).transpose()?,
            limits,
            job_limits: self.parallelism.unwrap_or_default(),
            terms,
        })
    }
}

// === impl Settings ===

impl Settings {
    /// Where the controller listens by default.
    pub const LISTEN: &'static str = "127.0.0.1:9240";
    /// Flink's own gauges are renewed every 5 s; faster polls see nothing new of it.
    pub const INTERVAL: Duration = Duration::from_secs(5);
    /// Lookups come in bursts of flushes and checkpoints; a minute evens them out.
    pub const LOAD_WINDOW: Duration = Duration::from_secs(60);
    /// An agent answers within milliseconds; two seconds means it is in trouble.
    pub const TIMEOUT: Duration = Duration::from_secs(2);
    /// Longer than a TaskManager takes to come back.
    pub const DROP_AFTER: Duration = Duration::from_secs(300);
    /// About a day of decisions.
    pub const HISTORY_MAX_BYTES: u64 = 64 << 20;

    /// Whether sizes may be changed.
    #[must_use]
    pub fn may_resize(&self) -> bool {
        self.act.contains(&Act::Resize)
    }

    /// Whether jobs may be restarted with another parallelism.
    #[must_use]
    pub fn may_rescale(&self) -> bool {
        self.act.contains(&Act::Rescale) || self.may_patch()
    }

    /// Whether that is done by the Flink operator.
    #[must_use]
    pub fn may_patch(&self) -> bool {
        self.act.contains(&Act::Patch)
    }
}

// === impl Act ===

impl Act {
    /// Name in configuration and status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Resize => "resize",
            Self::Rescale => "rescale",
            Self::Patch => "patch",
        }
    }
}

fn acts(names: &[String]) -> anyhow::Result<BTreeSet<Act>> {
    let mut acts = BTreeSet::new();
    for name in names {
        match name.as_str() {
            "resize" => drop(acts.insert(Act::Resize)),
            "rescale" => drop(acts.insert(Act::Rescale)),
            "patch" => drop(acts.insert(Act::Patch)),
            "advise" => {}
            _ => bail!(
                "act: `{name}` is unknown; write `resize`, `rescale`, `patch`, or `advise` to change nothing"
            ),
        }
    }
    Ok(acts)
}

fn positive_or_zero(
    key: &str,
    text: Option<String>,
    default: Duration,
) -> anyhow::Result<Duration> {
    match text {
        Some(text) => duration::parse(&text).map_err(|e| anyhow!("{key}: {e}")),
        None => Ok(default),
    }
}

fn time(key: &str, text: Option<String>, default: Duration) -> anyhow::Result<Duration> {
    let time = positive_or_zero(key, text, default)?;
    ensure!(
        !time.is_zero(),
        "{key}: must be longer than zero, such as `5s`"
    );
    Ok(time)
}

/// Checks a base URL and takes the slash off its end, so that paths can be appended.
pub fn base_url(text: &str) -> anyhow::Result<String> {
    let parsed = reqwest::Url::parse(text);
    let url = parsed.map_err(|e| anyhow!("`{text}` is not a URL ({e}); write http://HOST:PORT"))?;
    ensure!(
        url.scheme() == "http",
        "`{text}` has the scheme {}; only http is spoken here",
        url.scheme()
    );
    ensure!(
        url.host_str().is_some_and(|h| !h.is_empty()),
        "`{text}` names no host; write http://HOST:PORT"
    );
    Ok(text.trim_end_matches('/').to_owned())
}

/// Reads a file that holds a bearer token and nothing else.
pub fn token(path: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("agent-token-file: cannot read {}", path.display()))?;
    let token = text.trim();
    ensure!(
        !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic()),
        "agent-token-file: {} must hold one line of printable characters",
        path.display()
    );
    Ok(token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        let checked = RawSettings::parse(text).and_then(RawSettings::check);
        format!("{:#}", checked.unwrap_err())
    }

    #[test]
    fn nothing_is_changed_by_default() {
        let settings = RawSettings::default().check().unwrap();
        assert!(!settings.may_resize());
        assert_eq!(settings.limits, Limits::default());
    }

    #[test]
    fn flags_come_before_the_file() {
        let file = RawSettings::parse("act = [\"resize\"]\ninterval = \"9s\"\n").unwrap();
        let flags = RawSettings {
            interval: Some("1s".to_owned()),
            ..RawSettings::default()
        };
        let settings = flags.or(file).check().unwrap();
        assert_eq!(settings.interval, Duration::from_secs(1));
        assert_eq!(settings.limits.cooldown_ms, 3_000);
        assert!(settings.may_resize());
    }

    #[test]
    fn errors_name_the_key_and_what_would_be_right() {
        assert!(error_of("interval = \"5\"").starts_with("interval: `5` is not a duration"));
        assert!(error_of("interval = \"0s\"").contains("longer than zero"));
        assert!(error_of("act = [\"restart\"]").contains("write `resize`"));
        assert!(error_of("act = [\"rescale\", \"patch\"]").contains("write one of them"));
        assert!(error_of("act = [\"patch\"]").starts_with("deployment: `patch` needs to know"));
        let patch = "act = [\"patch\"]\nflink = \"http://f:8081\"\ndeployment = \"a/b\"\n";
        assert!(error_of(patch).contains("write `slot-budget`"));
        assert!(error_of("deployment = \"A\"").contains("NAMESPACE/NAME"));
        assert!(error_of("policy = \"ds3\"").contains("weir, ds2"));
        assert!(error_of("listen = \"here\"").contains("IP:PORT"));
        assert!(error_of("agent = [\"10.0.0.1:9260\"]").contains("http://HOST:PORT"));
        assert!(error_of("flink = \"https://x\"").contains("only http"));
        assert!(error_of("min-gain = 5.0").contains("not a share"));
    }
}
