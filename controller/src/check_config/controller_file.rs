//! What can be wrong with the controller's TOML file.

use super::finding::Findings;
use crate::raw_settings::RawSettings;
use crate::settings::token;

/// Checks everything; the settings as written where they can be read.
pub fn check(text: &str, findings: &mut Findings) -> Option<RawSettings> {
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            not_readable(text, &error, findings);
            return None;
        }
    };
    let mut known = true;
    for key in table.keys().filter(|key| !RawSettings::is_key(key)) {
        known = false;
        findings.error(
            key,
            line_of(text, key),
            "there is no such key",
            format!("did you mean {}?", RawSettings::nearest_key(key)),
        );
    }
    if !known {
        return None;
    }
    let raw: RawSettings = match toml::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            not_readable(text, &error, findings);
            return None;
        }
    };
    if let Some(file) = &raw.agent_token_file
        && let Err(error) = token(file)
    {
        findings.warning(
            "agent-token-file",
            line_of(text, "agent-token-file"),
            format!("{error:#}").trim_start_matches("agent-token-file: "),
            "see that it is there where the controller runs, which does not start without it",
        );
    }
    let here = RawSettings {
        agent_token_file: None,
        ..raw.clone()
    };
    if let Err(error) = here.check() {
        let message = format!("{error:#}");
        let (key, reason) = message.split_once(": ").unwrap_or(("", &message));
        // Messages say what would be right themselves.
        let (reason, remedy) = reason
            .rsplit_once("; ")
            .unwrap_or((reason, "see docs/configure.md"));
        findings.error(key, line_of(text, key), reason, remedy);
        return None;
    }
    Some(raw)
}

fn not_readable(text: &str, error: &toml::de::Error, findings: &mut Findings) {
    let line = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map(|before| before.matches('\n').count() as u64 + 1);
    findings.error(
        "",
        line,
        error.message().replace('\n', ", "),
        "see `weir gen-config --controller` for every key with its kind of value",
    );
}

/// Where a key of the top level stands.
#[must_use]
pub fn line_of(text: &str, key: &str) -> Option<u64> {
    let is_key = |line: &str| {
        let line = line.trim_start().trim_start_matches('[');
        line.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with(['=', ']']))
    };
    text.lines()
        .zip(1..)
        .find_map(|(line, n)| is_key(line).then_some(n))
}
