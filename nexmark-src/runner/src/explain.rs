//! How Flink would run a query: its planner's answer, for one shape of the tables or for two side by side.
//!
//! The planner is that of a Flink distribution; the job's own `main` asks it, in a JVM of its own, so that tables, queries and options are
//! those of a run. No cluster is needed.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use weir_testbed::artefacts;
use weir_testbed::nexmark::NexmarkJob;

use crate::cli::{Detail, ExplainOptions, Tables};
use crate::queries;

/// What parts two plans on a line.
const GAP: &str = " | ";
/// Headings of the parts of Flink's answer.
const OPTIMIZED: &str = "== Optimized Physical Plan";
const EXECUTION: &str = "== Optimized Execution Plan";
const JSON: &str = "== Physical Execution Plan";

/// Prints the plans.
pub(crate) fn explain(options: &ExplainOptions) -> Result<()> {
    ensure!(
        options.tables.len() <= 2,
        "--tables: two shapes fit side by side, not {}",
        options.tables.len()
    );
    for name in options.queries.concat() {
        if let Some(why) = queries::unsupported(&name) {
            println!("{name}: unsupported: {why}");
            continue;
        }
        let mut plans = Vec::new();
        for tables in &options.tables {
            let answer = plan(&name, *tables, options)
                .with_context(|| format!("{name}, {} tables", tables.name()))?;
            let shown = if options.all {
                answer
            } else {
                wanted(&answer, &options.detail)
            };
            let line = options.line.flink().name();
            let heading = format!("{name} on Flink {line}, {} tables", tables.name());
            plans.push(format!("{heading}\n\n{}\n", shown.trim_end()));
        }
        match &plans[..] {
            [left, right] => println!("{}", side_by_side(left, right, options.width.into())),
            plans => println!("{}", plans.concat()),
        }
    }
    Ok(())
}

/// Everything that Flink says.
fn plan(query: &str, tables: Tables, options: &ExplainOptions) -> Result<String> {
    let home = artefacts::flink_distribution(options.line.flink())?;
    let jar = artefacts::nexmark_jar()?;
    let details: Vec<&str> = options.detail.iter().map(|d| d.name()).collect();
    let mut command = Command::new(java());
    // The planner reads fields of the JDK's as a cluster's does.
    for package in [
        "java.base/java.util",
        "java.base/java.lang",
        "java.base/java.time",
    ] {
        command.arg(format!("--add-opens={package}=ALL-UNNAMED"));
    }
    command
        .arg("-cp")
        .arg(format!("{}/lib/*:{}", home.display(), jar.display()))
        .arg(NexmarkJob::MAIN_CLASS)
        .args(["--queries", query, "--tables", tables.name()])
        .args(["--parallelism", &options.parallelism.to_string()])
        .args(["--explain", &details.join(",")]);
    for (key, value) in &options.configuration {
        command.args(["--conf", &format!("{key}={value}")]);
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .context("cannot run java; set JAVA_HOME")?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        let lines = error.lines();
        // The first cause that is named, then what Java calls it.
        let cause = lines.clone().rfind(|line| line.starts_with("Caused by: "));
        let thrown = lines.clone().find(|line| line.contains("Exception"));
        bail!("{}", cause.or(thrown).unwrap_or(error.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn java() -> PathBuf {
    match env::var_os("JAVA_HOME") {
        Some(home) => PathBuf::from(home).join("bin/java"),
        None => "java".into(),
    }
}

/// The plan alone: it has the details, where the tree before it and the execution plan after it do not.
fn wanted(answer: &str, details: &[Detail]) -> String {
    let from = answer.find(OPTIMIZED).unwrap_or(0);
    let part = &answer[from..];
    let plan = &part[..part.find(EXECUTION).unwrap_or(part.len())];
    let json = part.find(JSON).map(|at| &part[at..]);
    let json = json.filter(|_| details.contains(&Detail::JsonExecutionPlan));
    format!("{plan}{}", json.unwrap_or_default())
}

/// Two texts in columns; a line that is too long goes on in the next.
fn side_by_side(left: &str, right: &str, width: usize) -> String {
    let column = (width - GAP.len()) / 2;
    let (left, right) = (fold(left, column), fold(right, column));
    let mut text = String::new();
    for row in 0..left.len().max(right.len()) {
        let cell = |lines: &[String]| lines.get(row).cloned().unwrap_or_default();
        let line = format!("{:column$}{GAP}{}", cell(&left), cell(&right));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn fold(text: &str, column: usize) -> Vec<String> {
    let mut folded = Vec::new();
    for line in text.lines() {
        let characters: Vec<char> = line.chars().collect();
        if characters.is_empty() {
            folded.push(String::new());
        }
        folded.extend(characters.chunks(column).map(|part| part.iter().collect()));
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::{fold, side_by_side, wanted};
    use crate::cli::Detail;

    const ANSWER: &str = "== Abstract Syntax Tree ==\nast\n\n== Optimized Physical Plan ==\nphysical\n\n== Optimized Execution Plan ==\nexecution\n\n\
                          == Physical Execution Plan ==\n{}\n";

    #[test]
    fn the_plan_is_cut_out_of_what_flink_says() {
        let plan = "== Optimized Physical Plan ==\nphysical\n\n";
        assert_eq!(wanted(ANSWER, &[Detail::Plan]), plan);
        let with_json = format!("{plan}== Physical Execution Plan ==\n{{}}\n");
        assert_eq!(wanted(ANSWER, &[Detail::JsonExecutionPlan]), with_json);
        // What is not known is shown as it is.
        assert_eq!(wanted("something else", &[]), "something else");
    }

    #[test]
    fn columns_are_as_wide_as_they_may_be() {
        assert_eq!(fold("abcdefg\n\nh", 3), ["abc", "def", "g", "", "h"]);
        let text = side_by_side("abcdef\nx", "1\n2\n3\n4", 11);
        assert_eq!(text, "abcd | 1\nef   | 2\nx    | 3\n     | 4\n");
    }
}
