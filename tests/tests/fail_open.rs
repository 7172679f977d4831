//! A state-backend add-on must never kill a job: what a user sees when Weir works, cannot work, or is configured wrongly.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use weir_testbed::artefacts::FlinkLine;
use weir_testbed::cluster::agent_lines;
use weir_testbed::nexmark::STEADY_RATE;
use weir_testbed::{Cluster, ClusterOptions, LiveJob, NexmarkJob, artefacts, wait};

/// The native library's place inside the JAR.
const LIBRARY: &str = "native/linux-x86_64/libweir_agent.so";

fn job() -> NexmarkJob {
    NexmarkJob::q20_and_q18(STEADY_RATE)
}

#[test]
fn on_a_stock_flink_one_line_says_what_was_hooked() {
    let live = LiveJob::start(&ClusterOptions::with_weir().unwrap(), &job()).unwrap();
    let log = live.cluster.task_manager().log().unwrap();
    let lines = agent_lines(&log);
    assert_eq!(lines.len(), 1, "expected one INFO line, got {lines:#?}");
    let line = lines[0];
    for part in [
        "RocksDB 6.20.3",
        "Lookup",
        "Insert",
        "slot",
        live.agent.url(),
    ] {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
    assert_eq!(weir_warnings(&log), Vec::<&str>::new());
    // The JobManager reads the configuration too, and must never load native code.
    let log = live.cluster.job_manager().log().unwrap();
    assert_eq!(agent_lines(&log), Vec::<&str>::new());
    let maps =
        fs::read_to_string(format!("/proc/{}/maps", live.cluster.job_manager().pid())).unwrap();
    assert!(
        !maps.contains("weir"),
        "the JobManager has mapped the native library"
    );
    // Both queries run, and both are seen.
    assert_eq!(live.cluster.rest().job(&live.id).unwrap().state, "RUNNING");
    assert_eq!(live.agent.report().unwrap().caches.len(), live.caches);
}

#[test]
fn without_its_native_library_the_job_runs_untouched_with_one_warning() {
    let log = log_of_a_job_with(|unpacked| fs::remove_file(unpacked.join(LIBRARY)).unwrap());
    let warnings = weir_warnings(&log);
    assert_eq!(warnings.len(), 1, "expected one WARN, got {warnings:#?}");
    assert!(
        warnings[0].contains(LIBRARY),
        "{:?} does not name {LIBRARY}",
        warnings[0]
    );
}

#[test]
fn with_a_corrupt_native_library_the_job_runs_untouched_with_one_warning() {
    let log = log_of_a_job_with(|unpacked| {
        let path = unpacked.join(LIBRARY);
        let mut library = fs::read(&path).unwrap();
        // A download that broke off: the ELF header is fine, and half of what the loader would map is not there.
        library.truncate(2 << 20);
        fs::write(&path, library).unwrap();
    });
    let warnings = weir_warnings(&log);
    assert_eq!(warnings.len(), 1, "expected one WARN, got {warnings:#?}");
}

#[test]
fn an_unknown_key_fails_the_submission_and_names_the_nearest_key() {
    let options = ClusterOptions::with_weir()
        .unwrap()
        .set("weir.mrc.halflife", "10 s");
    let cluster = Cluster::start(&options).unwrap();
    let message = match job().submit(cluster.rest()) {
        Ok(id) => panic!("job {id} was accepted"),
        Err(error) => format!("{error:#}"),
    };
    for part in ["weir.mrc.halflife", "weir.mrc.half-life"] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_eq!(cluster.rest().running_jobs().unwrap(), Vec::<String>::new());
}

/// Runs the job with a JAR changed by `damage` and returns the TaskManager's log, once data has flowed for a while.
fn log_of_a_job_with(damage: impl FnOnce(&Path)) -> String {
    let scratch = weir_testbed::state_dir::StateDir::create().unwrap();
    let options = ClusterOptions {
        jars: vec![damaged_jar(scratch.path(), damage)],
        ..ClusterOptions::with_weir().unwrap()
    };
    let cluster = Cluster::start(&options).unwrap();
    let id = job().submit(cluster.rest()).unwrap();
    let records = || cluster.rest().records_read(&id);
    wait::until_true("100,000 records", Duration::from_secs(120), || {
        Ok(records()? > 100_000)
    })
    .unwrap();
    let incarnation = cluster.rest().incarnation(&id).unwrap();
    assert_eq!(incarnation.restarts, 0);
    assert_eq!(cluster.rest().job(&id).unwrap().state, "RUNNING");
    let log = cluster.task_manager().log().unwrap();
    assert_eq!(agent_lines(&log), Vec::<&str>::new());
    log
}

/// Weir's JAR, unpacked, changed and packed again.
fn damaged_jar(scratch: &Path, damage: impl FnOnce(&Path)) -> PathBuf {
    let unpacked = scratch.join("jar");
    fs::create_dir(&unpacked).unwrap();
    let jar = |arguments: &[&str], file: &Path| {
        let mut command = Command::new("jar");
        command
            .arg(arguments[0])
            .arg(file)
            .args(&arguments[1..])
            .current_dir(&unpacked);
        assert!(command.status().unwrap().success(), "{command:?} failed");
    };
    jar(&["xf"], &artefacts::weir_jar(FlinkLine::V1).unwrap());
    damage(&unpacked);
    let damaged = scratch.join("weir-damaged.jar");
    jar(&["cfM", "."], &damaged);
    damaged
}

/// What Weir warns of.
fn weir_warnings(log: &str) -> Vec<&str> {
    log.lines()
        .filter(|line| line.contains(" WARN ") && line.contains("io.weir"))
        .collect()
}
