//! Every command in the README and in docs/ is run, or is excused here with the reason and the test that runs the like of it.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use weir_testbed::artefacts::{self, FlinkLine};
use weir_testbed::flink_home::FlinkHome;
use weir_testbed::state_dir::StateDir;
use weir_testbed::workflows::printed;

/// Beginnings of commands that are not run here, and why.
const EXCUSED: &[(&str, &str)] = &[
    (
        "make demo",
        "takes minutes; it is run by hand before a release",
    ),
    ("make test", "runs this"),
    (
        "cp java-bridge/target/weir-flink-2-",
        "the Flink here is 1.20; tests/flink_2.rs has the other one",
    ),
    (
        "weir run --agent",
        "never ends; tests/memory_loop.rs runs it",
    ),
    (
        "weir doctor --controller",
        "needs a controller; controller/tests/doctor.rs runs it",
    ),
    (
        "weir advise --agent",
        "needs an agent; tests/install.rs runs it",
    ),
    (
        "weir doctor --controller",
        "needs a controller; controller/tests/doctor.rs runs it",
    ),
    (
        "weir sweep plan.toml",
        "needs a running job; controller/tests/sweep.rs runs it",
    ),
    (
        "weir lsm",
        "the logs are the reader's own; controller/tests/lsm_command.rs runs it on logs of both builds",
    ),
    ("weir top", "never ends; tests/memory_loop.rs runs it"),
    (
        "weir mrc trace.csv",
        "the trace is the reader's own; controller/tests has `weir mrc` on traces",
    ),
    (
        "weir decide",
        "the files are the reader's own; controller/tests has `weir decide` on dataflows",
    ),
    (
        "weir simulate",
        "the scenario is the reader's own; controller/tests has `weir simulate`",
    ),
    (
        "make simulate-study",
        "needs the study's measured points, which are not in this repository",
    ),
    ("make accuracy", "takes long and downloads a reference"),
];

#[test]
fn every_command_in_the_documentation_is_run_or_excused() {
    let state = StateDir::create().unwrap();
    let distribution = artefacts::flink_distribution(FlinkLine::V1).unwrap();
    // The README comes first, and installs the JAR.
    let home = FlinkHome::create(&state.subdir("flink").unwrap(), &distribution, &[]).unwrap();
    let programs = artefacts::weir_binary()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut run = 0;
    let mut used = vec![false; EXCUSED.len()];
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for command in commands(&text) {
            let excuse = EXCUSED
                .iter()
                .position(|(beginning, _)| command.starts_with(beginning));
            if let Some(excuse) = excuse {
                used[excuse] = true;
                continue;
            }
            println!("{}: {command}", document.file_name().unwrap().display());
            let mut shell = Command::new("bash");
            shell
                .args(["-euo", "pipefail", "-c", &command])
                .current_dir(artefacts::root())
                .env("FLINK_HOME", home.path())
                .env("PATH", &path)
                .env("WORKER_HOSTS", "")
                .env("JAVA_TOOL_OPTIONS", "-XX:+PerfDisableSharedMem");
            printed(&mut shell).unwrap_or_else(|e| panic!("{}: {e:#}", document.display()));
            run += 1;
        }
    }
    assert!(run >= 12, "only {run} commands were found");
    for (excuse, used) in EXCUSED.iter().zip(used) {
        // The policies' pages are others'; their commands come and go.
        assert!(
            used || excuse.0.starts_with("weir ") || excuse.0.starts_with("make "),
            "{excuse:?} excuses nothing"
        );
    }
}

fn documents() -> Vec<PathBuf> {
    let mut pages: Vec<_> = fs::read_dir(artefacts::root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    pages.push(artefacts::root().join("README.md"));
    pages.sort();
    pages
}

/// Lines of the blocks marked `sh`, without their comments; `text` marks what cannot be run here.
fn commands(document: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside {
            let command = line.split("  #").next().unwrap_or_default().trim();
            if !command.is_empty() && !command.starts_with('#') {
                commands.push(command.to_owned());
            }
        }
    }
    commands
}
