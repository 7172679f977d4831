//! The templates of `flink-conf/`, and what stands for ${NAME} in them.

use std::collections::BTreeMap;

use clap::ValueEnum;

use crate::flink_line::FlinkLine;

/// `weir.memory.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Flink's caches stay as they are and are only watched.
    Observe,
    /// Flink's caches are resized while the job runs.
    Shared,
    /// Each operator subtask has a cache of its own.
    PerOperator,
}

/// What a cluster is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// See what the job does with its memory.
    Measure,
    /// Let the controller resize and rescale.
    Autoscale,
    /// Record as much as can be.
    Trace,
}

macro_rules! templates {
    ($line:literal) => {
        [
            [
                include_str!(concat!(
                    "../../../flink-conf/",
                    $line,
                    "/observe-measure.yaml"
                )),
                include_str!(concat!(
                    "../../../flink-conf/",
                    $line,
                    "/observe-autoscale.yaml"
                )),
                include_str!(concat!(
                    "../../../flink-conf/",
                    $line,
                    "/observe-trace.yaml"
                )),
            ],
            [
                include_str!(concat!(
                    "../../../flink-conf/",
                    $line,
                    "/shared-measure.yaml"
                )),
                include_str!(concat!(
                    "../../../flink-conf/",
                    $line,
                    "/shared-autoscale.yaml"
                )),
                include_str!(concat!("../../../flink-conf/", $line, "/shared-trace.yaml")),
            ],
            [
                include_str!(concat!(
                    "../../../flink-conf/",
                    $line,
                    "/per-operator-measure.yaml"
                )),
                include_str!(concat!(
                    "../../../flink-conf/",
                    $line,
                    "/per-operator-autoscale.yaml"
                )),
                include_str!(concat!(
                    "../../../flink-conf/",
                    $line,
                    "/per-operator-trace.yaml"
                )),
            ],
        ]
    };
}

/// The template for a line, a mode and a purpose.
#[must_use]
pub fn text(line: FlinkLine, mode: Mode, purpose: Purpose) -> &'static str {
    let by_mode = match line {
        FlinkLine::V1 => templates!("1.20"),
        FlinkLine::V2 => templates!("2"),
    };
    by_mode[mode as usize][purpose as usize]
}

/// The template with every ${NAME} replaced; an error names one that has no value.
pub fn filled(template: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut text = String::new();
    for line in template.lines() {
        // The braces of a comment are the reader's.
        if line.starts_with('#') {
            text.push_str(line);
        } else {
            let mut rest = line;
            while let Some((before, after)) = rest.split_once("${") {
                let (name, after) = after.split_once('}').ok_or_else(|| line.to_owned())?;
                text.push_str(before);
                text.push_str(
                    &value(name)
                        .filter(|v| !v.is_empty())
                        .ok_or_else(|| name.to_owned())?,
                );
                rest = after;
            }
            text.push_str(rest);
        }
        text.push('\n');
    }
    Ok(text)
}

/// What scripts/env.sh gives a name where the environment does not: `: "${NAME:=VALUE}"`, in which VALUE may use other names.
pub struct Defaults(BTreeMap<&'static str, &'static str>);

// === impl Defaults ===

impl Defaults {
    /// Those of scripts/env.sh as it was when this program was built.
    #[must_use]
    pub fn of_scripts() -> Self {
        Self::of(include_str!("../../../scripts/env.sh"))
    }

    fn of(script: &'static str) -> Self {
        let lines = script.lines().filter_map(|line| {
            let inside = line.strip_prefix(": \"${")?.strip_suffix("}\"")?;
            inside.split_once(":=")
        });
        Self(lines.collect())
    }

    /// The value of a name: the environment's, else the default.
    #[must_use]
    pub fn value(
        &self,
        name: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Option<String> {
        if let Some(value) = environment(name).filter(|v| !v.is_empty()) {
            return Some(value);
        }
        let default = self.0.get(name)?;
        Some(self.expanded(default, environment))
    }

    /// As the shell would: `$NAME`, `${NAME}`, `${NAME:-WORD}`.
    fn expanded(&self, text: &str, environment: &dyn Fn(&str) -> Option<String>) -> String {
        let Some((before, after)) = text.split_once('$') else {
            return text.to_owned();
        };
        let (name, word, rest) = if let Some(inside) = after.strip_prefix('{') {
            let (inside, rest) = inside.split_once('}').unwrap_or((inside, ""));
            let (name, word) = inside.split_once(":-").unwrap_or((inside, ""));
            (name, word, rest)
        } else {
            let end = after
                .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
                .unwrap_or(after.len());
            (&after[..end], "", &after[end..])
        };
        let value = self
            .value(name, environment)
            .filter(|v| !v.is_empty())
            .unwrap_or_else(|| self.expanded(word, environment));
        format!("{before}{value}{}", self.expanded(rest, environment))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_scripts() {
        let environment = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        let defaults = Defaults::of_scripts();
        let value = |name: &str| defaults.value(name, &environment).unwrap();
        assert_eq!(value("TASKMANAGER_MEMORY"), "3g");
        assert_eq!(value("CONTROLLER_URL"), "http://127.0.0.1:9240");
        assert_eq!(value("CHECKPOINT_URI"), "file:///home/me/state/checkpoints");
        let there = |name: &str| (name == "FLINK_HOME").then(|| "/opt/flink".to_owned());
        assert_eq!(
            defaults.value("TMP_DIR", &there).unwrap(),
            "/opt/flink/state/tmp"
        );
        assert_eq!(defaults.value("NOBODY_KNOWS", &there), None);
    }

    #[test]
    fn a_name_without_value_is_told() {
        let filled = |text: &str| filled(text, |n| (n == "A").then(|| "1".to_owned()));
        assert_eq!(
            filled("# ${B}\nx: ${A}-${A}\n").unwrap(),
            "# ${B}\nx: 1-1\n"
        );
        assert_eq!(filled("x: ${B}\n").unwrap_err(), "B");
    }
}
