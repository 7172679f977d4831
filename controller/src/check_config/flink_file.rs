//! What can be wrong with one `config.yaml` of Flink's.

use std::fs;
use std::path::Path;

use weir_rocksdb_options::{BUILT_IN_PROFILES, Profile};

use super::finding::Findings;
use super::flink_yaml::FlinkYaml;
use super::memory::MemoryAccount;
use super::weir_keys::{self, WeirKey};

const BACKEND: [&str; 2] = ["state.backend.type", "state.backend"];
const FACTORY: &str = "state.backend.rocksdb.options-factory";
const OURS: &str = "io.weir.WeirOptionsFactory";

/// Checks everything, and reckons up the memory where the keys say enough.
pub fn check(
    yaml: &FlinkYaml,
    version: weir_rocksdb_options::RocksDbVersion,
    findings: &mut Findings,
) -> Option<MemoryAccount> {
    placeholders(yaml, findings);
    own_keys(yaml, findings);
    is_used(yaml, findings);
    reachable(yaml, findings);
    let profile = profile(yaml, findings);
    MemoryAccount::of(yaml, profile.as_ref(), version, findings)
}

/// A template that was not filled in.
fn placeholders(yaml: &FlinkYaml, findings: &mut Findings) {
    for (key, value) in yaml.iter() {
        if let Some((_, rest)) = value.text.split_once("${") {
            let name = rest.split('}').next().unwrap_or_default();
            findings.error(
                key,
                Some(value.line),
                format!("${{{name}}} stands for a value that was never filled in"),
                "write the value, or let `weir gen-config` or scripts/apply_flink_config.sh do it",
            );
        }
    }
}

fn own_keys(yaml: &FlinkYaml, findings: &mut Findings) {
    for (name, value) in yaml.iter().filter(|(name, _)| name.starts_with("weir.")) {
        match WeirKey::named(name) {
            None => findings.error(
                name,
                Some(value.line),
                "there is no such key",
                format!("did you mean {}?", WeirKey::nearest(name)),
            ),
            Some(key) if !value.text.contains("${") && !key.accepts(&value.text) => findings.error(
                name,
                Some(value.line),
                format!("'{}' is not usable", value.text),
                format!("write {}", key.expected),
            ),
            Some(_) => {}
        }
    }
}

/// Keys of Weir's do nothing unless Flink asks Weir's factory.
fn is_used(yaml: &FlinkYaml, findings: &mut Findings) {
    let Some((first, value)) = yaml.iter().find(|(name, _)| name.starts_with("weir.")) else {
        if yaml.get(FACTORY).is_none() {
            findings.warning(
                FACTORY,
                None,
                "nothing here is Weir's",
                format!("add `{FACTORY}: {OURS}` to use it"),
            );
        }
        return;
    };
    match yaml.get(FACTORY) {
        None => findings.error(
            FACTORY,
            None,
            format!("{first} is set in line {}, but nobody reads it", value.line),
            format!("add `{FACTORY}: {OURS}`"),
        ),
        Some(factory) if factory.text != OURS => findings.error(
            FACTORY,
            Some(factory.line),
            format!("{} does not read Weir's keys", factory.text),
            format!(
                "write {OURS}; options that your own factory sets can be a profile (`{}`)",
                weir_keys::PROFILE
            ),
        ),
        Some(_) => {}
    }
    let backend = BACKEND.iter().find_map(|key| Some((*key, yaml.get(key)?)));
    match backend {
        None => findings.error(
            BACKEND[0],
            None,
            "Flink keeps state on the heap, where there is no block cache",
            "add `state.backend.type: rocksdb`",
        ),
        Some((key, value))
            if value.text != "rocksdb" && !value.text.ends_with("RocksDBStateBackendFactory") =>
        {
            findings.error(
                key,
                Some(value.line),
                format!(
                    "the state backend {} has no block cache that Weir knows",
                    value.text
                ),
                "write rocksdb",
            );
        }
        Some(_) => {}
    }
}

/// Who may change sizes.
fn reachable(yaml: &FlinkYaml, findings: &mut Findings) {
    let bound = ["weir.http.bind-host", "taskmanager.bind-host"]
        .iter()
        .find_map(|key| Some((*key, yaml.get(key)?)));
    if let Some((key, host)) = bound
        && yaml.get("weir.http.token-file").is_none()
        && mode(yaml) != "observe"
        && !is_loopback(&host.text)
        && !host.text.contains("${")
    {
        findings.warning(
            key,
            Some(host.line),
            format!("the agent listens on {}, but without a token only loopback may change sizes", host.text),
            "set weir.http.token-file, and agent-token-file in the controller's settings, unless the controller runs on the same host",
        );
    }
    if let (Some(token), Some("false")) =
        (yaml.get("weir.http.token-file"), yaml.text("weir.enabled"))
    {
        findings.warning(
            "weir.http.token-file",
            Some(token.line),
            "nothing listens while weir.enabled is false",
            "remove one of the two",
        );
    }
}

/// `weir.memory.mode`, or its default.
#[must_use]
pub fn mode(yaml: &FlinkYaml) -> &str {
    yaml.text(weir_keys::MODE).unwrap_or("observe")
}

/// Whether only this host can reach it.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host == "::1" || host.starts_with("127.")
}

/// The profile, where it is built in or can be read here.
fn profile(yaml: &FlinkYaml, findings: &mut Findings) -> Option<Profile> {
    let key = weir_keys::PROFILE;
    let value = yaml.get(key);
    let name = value.map_or("flink", |v| v.text.as_str());
    if BUILT_IN_PROFILES.contains(&name) {
        return Profile::by_name(name).ok();
    }
    // Anything else but an absolute path was refused already.
    if !Path::new(name).is_absolute() {
        return None;
    }
    let line = value.map(|v| v.line);
    let text = match fs::read_to_string(name) {
        Ok(text) => text,
        Err(error) => {
            findings.warning(
                key,
                line,
                format!("the profile {name} cannot be read here ({error})"),
                "check it on a TaskManager, which needs it, with `weir options check FILE`",
            );
            return None;
        }
    };
    match Profile::parse(name, &text) {
        Ok(profile) => Some(profile),
        Err(invalid) => {
            for problem in invalid.problems {
                findings.error(
                    key,
                    line,
                    format!("{name}:{}: {}", problem.line, problem.reason),
                    problem.remedy,
                );
            }
            None
        }
    }
}
