//! A complete TOML file of the controller's settings, made from the very code that reads it: everything is commented out, since everything
//! has a default.

use std::collections::BTreeMap;

use clap::{ArgAction, CommandFactory};
use serde::Serialize;
use weir_scaling::{JobLimits, Terms};

use crate::cli::Cli;

/// Where the tables' fields are described.
const TERMS: &str = include_str!("../../../scaling/src/terms.rs");
const JOB_LIMITS: &str = include_str!("../../../scaling/src/job_bounds.rs");

/// The file.
#[must_use]
pub fn text() -> String {
    let mut text = String::from(
        "# The controller's settings, for `weir run --config FILE`. What is commented out has the value shown, or is an example where none is\n# the default.\n",
    );
    let cli = Cli::command();
    let arguments = cli
        .find_subcommand("run")
        .into_iter()
        .flat_map(|run| run.get_arguments());
    for argument in arguments {
        let Some(name) = argument
            .get_long()
            .filter(|name| !["help", "version", "config"].contains(name))
        else {
            continue;
        };
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let kind = argument
            .get_value_names()
            .and_then(|names| names.first())
            .map(ToString::to_string)
            .unwrap_or_default();
        let default = default_in(&help);
        let value = default
            .filter(|d| !d.contains(' '))
            .unwrap_or_else(|| example(name, &kind));
        let is_number = value.parse::<f64>().is_ok();
        let value = match (argument.get_action(), is_number) {
            (ArgAction::Append, _) => format!("[\"{value}\"]"),
            (_, true) => value.to_owned(),
            (_, false) => format!("\"{value}\""),
        };
        text.push_str(&format!("\n# {help}\n# {name} = {value}\n"));
    }
    text.push_str("\n# Prices and budgets; docs/policies.md.\n# [terms]\n");
    text.push_str(&fields(
        &Terms::default(),
        TERMS,
        &[("slot-budget", "8"), ("memory-budget-bytes", "4294967296")],
    ));
    text.push_str("\n# Limits for parallelism; docs/policies.md.\n# [parallelism]\n");
    text.push_str(&fields(&JobLimits::default(), JOB_LIMITS, &[]));
    text
}

/// What the help says is the default.
fn default_in(help: &str) -> Option<&str> {
    help.split_once("[default: ")?
        .1
        .split_once(']')
        .map(|(d, _)| d)
}

fn example(name: &str, kind: &str) -> &'static str {
    match (name, kind) {
        ("agent", _) => "http://127.0.0.1:9260",
        ("history", _) => "/var/lib/weir/history.jsonl",
        ("agent-token-file", _) => "/etc/weir/token",
        ("window", _) => "10s",
        ("cooldown", _) => "15s",
        ("deployment", _) => "default/nexmark",
        ("kubernetes", _) => "https://kubernetes.default.svc:443",
        (_, "URL") => "http://127.0.0.1:8081",
        (_, "ACTION") => "advise",
        _ => "",
    }
}

/// The fields of a table with their descriptions and defaults; `absent` are examples for those without.
fn fields(table: &impl Serialize, source: &str, absent: &[(&str, &str)]) -> String {
    let toml = toml::Value::try_from(table).unwrap_or(toml::Value::Boolean(false));
    let descriptions = descriptions(source);
    let mut text = String::new();
    let present = toml.as_table().into_iter().flatten();
    let present = present.map(|(name, value)| (name.as_str(), value.to_string()));
    let absent = absent
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    for (name, value) in present.chain(absent) {
        if let Some(description) = descriptions.get(name) {
            text.push_str(&format!("# # {description}\n"));
        }
        text.push_str(&format!("# {name} = {value}\n"));
    }
    text
}

/// Doc sentences of a struct's fields, by the fields' names in the file.
fn descriptions(source: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut sentence = String::new();
    for line in source.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("/// ") {
            if !sentence.is_empty() {
                sentence.push(' ');
            }
            sentence.push_str(doc);
        } else {
            let field = line.strip_prefix("pub ").and_then(|l| l.split_once(": "));
            if let Some((name, _)) = field {
                found.insert(name.replace('_', "-"), sentence.clone());
            }
            sentence.clear();
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use super::*;
    use crate::raw_settings::RawSettings;

    /// Uncommented, it is a file that the controller takes, and every key is in it once.
    #[test]
    fn it_is_a_file_that_the_controller_reads() {
        let directory = tempfile::tempdir().unwrap();
        let token = directory.path().join("token");
        std::fs::write(&token, "secret\n").unwrap();
        let uncommented: String = text()
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.starts_with('[') || line.split(' ').nth(1) == Some("="))
            .map(|line| {
                if line.starts_with("agent-token-file") {
                    format!("agent-token-file = {:?}\n", token.display().to_string())
                } else {
                    format!("{line}\n")
                }
            })
            .collect();
        let raw =
            RawSettings::parse(&uncommented).unwrap_or_else(|e| panic!("{e:#}\n{uncommented}"));
        let terms = raw.terms.unwrap();
        assert_eq!(terms.restart_seconds, Terms::default().restart_seconds);
        assert_eq!(terms.slot_budget, Some(8));
        assert_eq!(raw.parallelism, Some(JobLimits::default()));
        raw.check().unwrap();
        let table: toml::Table = uncommented.parse().unwrap();
        assert_eq!(table.len(), 21, "every key");
        assert!(text().contains("# # Price of one slot for one second.\n# slot-second = 1.0\n"));
    }
}
