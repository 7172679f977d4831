//! Holds the answers of all queries against DuckDB's on the same events.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use weir_testbed::state_dir::StateDir;
use weir_testbed::{Cluster, NexmarkJob, artefacts};

use crate::cli::{CheckOptions, Line, Mode, Tables};
use crate::run::cluster_options;
use crate::{export, queries};

/// For a job of all queries on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(900);

/// Whether every answer is as expected, on every combination of what the options name.
pub(crate) fn check(options: &CheckOptions) -> Result<bool> {
    let mut combinations = Vec::new();
    for &line in &options.lines {
        for &mode in &options.modes {
            combinations.extend(options.tables.iter().map(|&tables| (line, mode, tables)));
        }
    }
    if options.dry_run {
        for (line, mode, tables) in combinations {
            println!("{}", title(line, mode, tables, options));
        }
        return Ok(true);
    }
    let scratch = StateDir::create()?;
    let events = scratch.subdir("events")?;
    export::export(options.events, options.seed as i64, options.rate, &events)?;
    let mut right = true;
    for (line, mode, tables) in combinations {
        println!("{}", title(line, mode, tables, options));
        let answers = scratch.subdir("answers")?;
        answer(line, mode, tables, options, &answers)?;
        let script = artefacts::root().join("nexmark-src/answers/check.sh");
        let status = Command::new(&script)
            .args([&events, &answers])
            .status()
            .with_context(|| format!("cannot run {}", script.display()))?;
        right &= status.success();
        fs::remove_dir_all(&answers)?;
    }
    Ok(right)
}

fn title(line: Line, mode: Mode, tables: Tables, options: &CheckOptions) -> String {
    format!(
        "Flink {}, Weir's mode {}, tables {}: {} queries on {} events",
        line.flink().name(),
        mode.name(),
        tables.name(),
        queries::supported().len(),
        options.events
    )
}

/// Has Flink write the changes of every query's answer into a folder of the query's name.
fn answer(
    line: Line,
    mode: Mode,
    tables: Tables,
    options: &CheckOptions,
    out: &Path,
) -> Result<()> {
    // One slot has the operators of all queries.
    let cluster_options = cluster_options(line, mode)?
        .set("taskmanager.memory.managed.size", "512m")
        .set("taskmanager.memory.network.max", "128m")
        .set("taskmanager.memory.network.min", "128m");
    let cluster = Cluster::start(&cluster_options)?;
    let supported = queries::supported();
    let arguments: Vec<String> = [
        ("--queries", supported.join(",")),
        ("--events", options.events.to_string()),
        ("--seed", options.seed.to_string()),
        ("--parallelism", "1".to_owned()),
        ("--tables", tables.name().to_owned()),
        ("--sink", "changelog".to_owned()),
        ("--output", out.display().to_string()),
        ("--set", format!("next-event.rate={}", options.rate)),
        ("--set", "max-emit-speed=true".to_owned()),
        ("--set", "generator=native".to_owned()),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect();
    let flink = cluster.rest();
    let jar = flink.upload(&artefacts::nexmark_jar()?)?;
    let job = flink.run(&jar, NexmarkJob::MAIN_CLASS, &arguments)?;
    let state = flink.wait_until_ended(&job, DEADLINE)?;
    ensure!(
        state == "FINISHED",
        "the job ended as {state}: {}",
        flink.root_exception(&job)?
    );
    Ok(())
}
