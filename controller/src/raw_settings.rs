//! Settings as written: a TOML file and flags with the same names; flags come first.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use weir_scaling::{JobLimits, Terms};

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
    /// What may be changed: `resize` (memory), and parallelism by `rescale` (Flink's adaptive scheduler) or `patch` (a FlinkDeployment); nothing by default, or with `advise`.
    #[arg(long, value_name = "ACTION", value_delimiter = ',')]
    pub act: Option<Vec<String>>,
    /// `weir`, `ds2`, `justin`, `justin-as-published`, `a4s`, `a4s-as-published` or `static` [default: weir].
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Time from poll to poll [default: 5s].
    #[arg(long, value_name = "TIME")]
    pub interval: Option<String>,
    /// Time over which miss ratios are measured [default: twice the interval].
    #[arg(long, value_name = "TIME")]
    pub window: Option<String>,
    /// Time over which lookups per second are counted [default: 1m].
    #[arg(long, value_name = "TIME")]
    pub load_window: Option<String>,
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
    /// FlinkDeployment that `patch` changes, as NAME in the controller's own namespace or NAMESPACE/NAME.
    #[arg(long, value_name = "DEPLOYMENT")]
    pub deployment: Option<String>,
    /// Kubernetes' API server [default: that of the cluster in which the controller is a pod].
    #[arg(long, value_name = "URL")]
    pub kubernetes: Option<String>,
    /// Folder with `token` and `ca.crt` for an API server with https [default: /var/run/secrets/kubernetes.io/serviceaccount].
    #[arg(long, value_name = "FOLDER")]
    pub kubernetes_account: Option<PathBuf>,
    /// Wait after a change before the next one in the same TaskManager [default: three intervals].
    #[arg(long, value_name = "TIME")]
    pub cooldown: Option<String>,
    /// Age from which a cache takes part [default: 30s].
    #[arg(long, value_name = "TIME")]
    pub min_age: Option<String>,
    /// Share of the present misses that a change must save [default: 0.05].
    #[arg(long, value_name = "SHARE")]
    pub min_gain: Option<f64>,
    /// Prices and budgets; in the file only.
    #[arg(skip)]
    pub terms: Option<Terms>,
    /// Limits for parallelism; in the file only.
    #[arg(skip)]
    pub parallelism: Option<JobLimits>,
}

/// Every key of the file, for the nearest-key hint.
const KEYS: [&str; 21] = [
    "agent",
    "flink",
    "listen",
    "act",
    "policy",
    "interval",
    "window",
    "load-window",
    "timeout",
    "drop-after",
    "history",
    "history-max-bytes",
    "agent-token-file",
    "deployment",
    "kubernetes",
    "kubernetes-account",
    "cooldown",
    "min-age",
    "min-gain",
    "terms",
    "parallelism",
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
        if let Some(key) = table.keys().find(|key| !Self::is_key(key)) {
            bail!(
                "unknown key `{key}`; the nearest known one is `{}`",
                Self::nearest_key(key)
            );
        }
        Ok(toml::from_str(text)?)
    }

    /// Whether the file may have such a key.
    #[must_use]
    pub fn is_key(name: &str) -> bool {
        KEYS.contains(&name)
    }

    /// The key nearest to a name that is none.
    #[must_use]
    pub fn nearest_key(name: &str) -> &'static str {
        let nearest = KEYS
            .iter()
            .min_by_key(|known| strsim::damerau_levenshtein(known, name));
        nearest.copied().unwrap_or_default()
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
            load_window: self.load_window.or(other.load_window),
            timeout: self.timeout.or(other.timeout),
            drop_after: self.drop_after.or(other.drop_after),
            history: self.history.or(other.history),
            history_max_bytes: self.history_max_bytes.or(other.history_max_bytes),
            agent_token_file: self.agent_token_file.or(other.agent_token_file),
            deployment: self.deployment.or(other.deployment),
            kubernetes: self.kubernetes.or(other.kubernetes),
            kubernetes_account: self.kubernetes_account.or(other.kubernetes_account),
            cooldown: self.cooldown.or(other.cooldown),
            min_age: self.min_age.or(other.min_age),
            min_gain: self.min_gain.or(other.min_gain),
            terms: self.terms.or(other.terms),
            parallelism: self.parallelism.or(other.parallelism),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_one() {
        let error = RawSettings::parse("intervall = \"5s\"\n")
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "unknown key `intervall`; the nearest known one is `interval`"
        );
    }

    #[test]
    fn every_key_is_known_to_the_hint() {
        // A list of lists is wrong for every key.
        for key in KEYS {
            let error = RawSettings::parse(&format!("{key} = [[]]")).unwrap_err();
            assert!(
                !format!("{error:#}").contains("unknown"),
                "{key}: {error:#}"
            );
        }
    }
}
