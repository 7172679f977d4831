//! `weir gen-config`: prints a complete configuration, Flink's from the templates of `flink-conf/`, or the controller's from its own code.

mod controller_toml;
mod template;

use std::io::Write;

use anyhow::{Context, anyhow};
use clap::Args;

use crate::Failure;
use crate::check_config::{Severity, check_flink_text};
use crate::flink_line::FlinkLine;
use template::{Defaults, Mode, Purpose};

/// Arguments of `weir gen-config`.
#[derive(Debug, Args)]
pub struct GenConfigArgs {
    /// The line of Flink.
    #[arg(long, value_name = "LINE", value_enum, default_value_t = FlinkLine::V1)]
    pub flink: FlinkLine,
    /// `weir.memory.mode`.
    #[arg(long, value_name = "MODE", value_enum, default_value_t = Mode::Observe)]
    mode: Mode,
    /// What the cluster is for.
    #[arg(long, value_name = "PURPOSE", value_enum, default_value_t = Purpose::Measure)]
    purpose: Purpose,
    /// A key to set, in place of the template's where it has one (may be repeated).
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Print the controller's settings instead, as TOML with comments.
    #[arg(long, conflicts_with_all = ["flink", "mode", "purpose", "sets"])]
    pub controller: bool,
}

/// Prints a configuration; one that `weir check-config` would refuse is refused here.
pub fn gen_config(args: &GenConfigArgs, out: &mut impl Write) -> Result<(), Failure> {
    let text = if args.controller {
        controller_toml::text()
    } else {
        flink(args, &|name| std::env::var(name).ok())?
    };
    out.write_all(text.as_bytes()).context("cannot write")?;
    Ok(())
}

fn flink(
    args: &GenConfigArgs,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<String, Failure> {
    let usage = |message: String| Failure::Usage(anyhow!(message));
    let defaults = Defaults::of_scripts();
    let template = template::text(args.flink, args.mode, args.purpose);
    let mut text =
        template::filled(template, |name| defaults.value(name, environment)).map_err(|name| {
            usage(format!(
                "${{{name}}} has no value; set {name} in the environment"
            ))
        })?;
    for set in &args.sets {
        let (key, value) = set
            .split_once('=')
            .filter(|(key, _)| !key.trim().is_empty())
            .ok_or_else(|| usage(format!("--set {set}: expected KEY=VALUE")))?;
        text = with(&text, key.trim(), value);
    }
    let errors: Vec<String> = check_flink_text("configuration", &text, args.flink)
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.to_string())
        .collect();
    if errors.is_empty() {
        Ok(text)
    } else {
        Err(usage(errors.join("\n")))
    }
}

/// The text with a key set: where the key stands, else at the end, for Flink refuses a key that stands twice.
fn with(text: &str, key: &str, value: &str) -> String {
    let line = format!("{key}: {}", scalar(value));
    let prefix = format!("{key}:");
    let mut found = false;
    let mut lines: Vec<&str> = text
        .lines()
        .map(|old| {
            let is_it = old.starts_with(&prefix);
            found |= is_it;
            if is_it { line.as_str() } else { old }
        })
        .collect();
    if !found {
        lines.push(&line);
    }
    lines.join("\n") + "\n"
}

/// A value as YAML: in quotes only where it would be read as something else.
fn scalar(value: &str) -> String {
    let plain = !value.is_empty()
        && value.trim() == value
        && !value.starts_with([
            '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', '#', ',', '?',
        ])
        && !value.starts_with("- ")
        && value != "-"
        && !value.contains(": ")
        && !value.contains(" #")
        && !value.ends_with(':')
        && !value.contains(['\n', '\t']);
    if plain {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "''"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use clap::ValueEnum;

    use super::*;

    fn args(flink: FlinkLine, mode: Mode, purpose: Purpose, sets: &[&str]) -> GenConfigArgs {
        GenConfigArgs {
            flink,
            mode,
            purpose,
            sets: sets.iter().map(|s| (*s).to_owned()).collect(),
            controller: false,
        }
    }

    fn nothing(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/me".to_owned())
    }

    #[test]
    fn every_configuration_is_complete_and_nothing_is_wrong_with_it() {
        for line in FlinkLine::value_variants() {
            for mode in Mode::value_variants() {
                for purpose in Purpose::value_variants() {
                    let text = flink(&args(*line, *mode, *purpose, &[]), &nothing).unwrap();
                    let findings = check_flink_text("configuration", &text, *line);
                    assert_eq!(findings, [], "{line:?} {mode:?} {purpose:?}");
                    let key = mode.to_possible_value().unwrap();
                    let mode = format!("\nweir.memory.mode: {}\n", key.get_name());
                    assert!(text.contains(&mode), "{text}");
                }
            }
        }
    }

    #[test]
    fn keys_are_set_in_their_place_or_at_the_end() {
        let with_sets = |sets: &[&str]| {
            flink(
                &args(FlinkLine::V2, Mode::Shared, Purpose::Trace, sets),
                &nothing,
            )
        };
        let text = with_sets(&[
            "rest.port=18081",
            "parallelism.default=3",
            "pipeline.name=a: b",
        ])
        .unwrap();
        assert_eq!(text.matches("rest.port:").count(), 1);
        assert!(text.contains("\nrest.port: 18081\n"));
        assert!(text.ends_with("parallelism.default: 3\npipeline.name: 'a: b'\n"));
        let error = with_sets(&["weir.memory.buget=64m"])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("did you mean weir.memory.budget?"),
            "{error}"
        );
        assert!(
            with_sets(&["no-value"])
                .unwrap_err()
                .to_string()
                .contains("KEY=VALUE")
        );
    }
}
