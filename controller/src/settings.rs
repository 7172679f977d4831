//! Settings of the daemon: a TOML file and flags with the same names, flags first. All of it is checked before anything starts.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use serde::Deserialize;
use weir_scaling::Limits;

use crate::clock::millis_of;
use crate::duration;
use crate::policies::PolicyName;

/// Settings as written, in file or flags; absent means default.
#[derive(Debug, Clone, Default, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawSettings {
    /// Agent to poll without waiting for its announcement (may be repeated).
    #[arg(long, value_name = "URL")]
    pub agent: Option<Vec<String>>,
    /// Flink's REST API; without it jobs are known by their agents alone.
    #[arg(long, value_name = "URL")]
    pub flink: Option<String>,
    /// Where agents announce themselves and status and metrics are served [default: 127.0.0.1:9240].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// What may be changed: `resize`; nothing by default, or with `advise`.
    #[arg(long, value_name = "ACTION", value_delimiter = ',')]
    pub act: Option<Vec<String>>,
    /// `weir` or `static` [default: weir].
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Time from poll to poll [default: 5s].
    #[arg(long, value_name = "TIME")]
    pub interval: Option<String>,
    /// Time over which lookups are counted [default: twice the interval].
    #[arg(long, value_name = "TIME")]
    pub window: Option<String>,
    /// Longest wait for an answer [default: 2s].
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
    /// A lost agent that announced itself is forgotten after this [default: 5m].
    #[arg(long, value_name = "TIME")]
    pub drop_after: Option<String>,
    /// File for decisions and their effect; needed to resume after a restart.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Size at which the history is rotated to FILE.1 [default: 67108864].
    #[arg(long, value_name = "BYTES")]
    pub history_max_bytes: Option<u64>,
    /// File with the bearer token that the agents want for changes.
    #[arg(long, value_name = "FILE")]
    pub agent_token_file: Option<PathBuf>,
    /// Wait after a change before the next one in the same TaskManager [default: three intervals].
    #[arg(long, value_name = "TIME")]
    pub cooldown: Option<String>,
    /// Age from which a cache takes part [default: 30s].
    #[arg(long, value_name = "TIME")]
    pub min_age: Option<String>,
    /// Share of the present misses that a change must save [default: 0.05].
    #[arg(long, value_name = "SHARE")]
    pub min_gain: Option<f64>,
}

/// What may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Sizes of caches, through the agents.
    Resize,
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
    /// Over which lookups are counted.
    pub window: Duration,
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
    /// The guard's limits.
    pub limits: Limits,
}

/// Every key of the file, for the nearest-key hint.
const KEYS: [&str; 15] = [
    "agent",
    "flink",
    "listen",
    "act",
    "policy",
    "interval",
    "window",
    "timeout",
    "drop-after",
    "history",
    "history-max-bytes",
    "agent-token-file",
    "cooldown",
    "min-age",
    "min-gain",
];

// === impl RawSettings ===

impl RawSettings {
    /// Reads a file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in the configuration {}", path.display()))
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let table: toml::Table = text.parse()?;
        for key in table.keys() {
            if !KEYS.contains(&key.as_str()) {
                let nearest = KEYS
                    .iter()
                    .min_by_key(|known| strsim::damerau_levenshtein(known, key));
                bail!(
                    "unknown key `{key}`; the nearest known one is `{}`",
                    nearest.unwrap_or(&"")
                );
            }
        }
        Ok(toml::from_str(text)?)
    }

    /// These settings, completed by `other` where they are silent.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            agent: self.agent.or(other.agent),
            flink: self.flink.or(other.flink),
            listen: self.listen.or(other.listen),
            act: self.act.or(other.act),
            policy: self.policy.or(other.policy),
            interval: self.interval.or(other.interval),
            window: self.window.or(other.window),
            timeout: self.timeout.or(other.timeout),
            drop_after: self.drop_after.or(other.drop_after),
            history: self.history.or(other.history),
            history_max_bytes: self.history_max_bytes.or(other.history_max_bytes),
            agent_token_file: self.agent_token_file.or(other.agent_token_file),
            cooldown: self.cooldown.or(other.cooldown),
            min_age: self.min_age.or(other.min_age),
            min_gain: self.min_gain.or(other.min_gain),
        }
    }

    /// Checks everything and fills in the defaults.
    pub fn check(self) -> anyhow::Result<Settings> {
        let interval = time("interval", self.interval, Settings::INTERVAL)?;
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
            min_cache_age_ms: millis_of(positive_or_zero("min-age", self.min_age, min_age)?),
            min_relative_gain,
            ..Limits::default()
        };
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
            act: acts(&self.act.unwrap_or_default())?,
            policy: self.policy.as_deref().unwrap_or("weir").parse()?,
            interval,
            window: time("window", self.window, interval * 2)?,
            timeout: time("timeout", self.timeout, Settings::TIMEOUT)?,
            drop_after: time("drop-after", self.drop_after, Settings::DROP_AFTER)?,
            history: self.history,
            history_max_bytes: self
                .history_max_bytes
                .unwrap_or(Settings::HISTORY_MAX_BYTES),
            agent_token: self.agent_token_file.as_deref().map(token).transpose()?,
            limits,
        })
    }
}

// === impl Settings ===

impl Settings {
    /// Where the controller listens by default.
    pub const LISTEN: &'static str = "127.0.0.1:9240";
    /// Flink's own gauges are renewed every 5 s; faster polls see nothing new of it.
    pub const INTERVAL: Duration = Duration::from_secs(5);
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
}

// === impl Act ===

impl Act {
    /// Name in configuration and status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Resize => "resize",
        }
    }
}

fn acts(names: &[String]) -> anyhow::Result<BTreeSet<Act>> {
    let mut acts = BTreeSet::new();
    for name in names {
        match name.as_str() {
            "resize" => drop(acts.insert(Act::Resize)),
            "advise" => {}
            _ => bail!("act: `{name}` is unknown; write `resize`, or `advise` to change nothing"),
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

fn token(path: &Path) -> anyhow::Result<String> {
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
    fn an_unknown_key_is_refused_with_the_nearest_one() {
        let error = error_of("intervall = \"5s\"\n");
        assert_eq!(
            error,
            "unknown key `intervall`; the nearest known one is `interval`"
        );
    }

    #[test]
    fn errors_name_the_key_and_what_would_be_right() {
        assert!(error_of("interval = \"5\"").starts_with("interval: `5` is not a duration"));
        assert!(error_of("interval = \"0s\"").contains("longer than zero"));
        assert!(error_of("act = [\"rescale\"]").contains("write `resize`"));
        assert!(error_of("policy = \"ds3\"").contains("weir, static"));
        assert!(error_of("listen = \"here\"").contains("IP:PORT"));
        assert!(error_of("agent = [\"10.0.0.1:9260\"]").contains("http://HOST:PORT"));
        assert!(error_of("flink = \"https://x\"").contains("only http"));
        assert!(error_of("min-gain = 5.0").contains("not a share"));
    }

    #[test]
    fn every_key_is_known_to_the_hint() {
        for key in KEYS {
            let error = RawSettings::parse(&format!("{key} = {{}}")).unwrap_err();
            assert!(
                !format!("{error:#}").contains("unknown"),
                "{key}: {error:#}"
            );
        }
    }
}
