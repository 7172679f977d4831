//! The scripts a user runs by hand, from a clean clone, on a cluster of this host and two others.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use weir_testbed::artefacts::{self, FlinkLine};
use weir_testbed::flink_home::FlinkHome;
use weir_testbed::ssh_hosts::SshHosts;
use weir_testbed::state_dir::StateDir;
use weir_testbed::workflows::{Workflows, printed};

const WORKFLOWS: [&str; 9] = [
    "build_nexmark",
    "build_rocksdb_options",
    "apply_flink_config",
    "sync_cluster",
    "start_cluster",
    "stop_cluster",
    "run_nexmark_query",
    "run_nexmark_sql_query_test",
    "sweep_nexmark",
];

#[test]
fn from_a_clean_clone_to_a_query_on_two_workers() {
    let place = Place::new();
    let jar = artefacts::weir_jar(FlinkLine::V1).unwrap();
    place.run("build_rocksdb_options", &["--jar", jar.to_str().unwrap()]);
    let sets = [
        "--mode",
        "per-operator",
        "--set",
        "taskmanager.numberOfTaskSlots=1",
        "--set",
        "jobmanager.memory.process.size=1280m",
        "--set",
        "taskmanager.memory.network.max=64m",
    ];
    place.run("apply_flink_config", &sets);
    place.run("sync_cluster", &[]);
    for host in ["a", "b"] {
        let there = place.hosts.home(host).join("flink");
        let conf = fs::read_to_string(there.join("conf/config.yaml")).unwrap();
        assert!(conf.contains("weir.memory.mode: per-operator"), "{conf}");
        assert!(there.join("lib").join(jar.file_name().unwrap()).exists());
    }
    // A file that is gone here goes there, and what a cluster writes stays.
    let stray = place.hosts.home("a").join("flink/lib/stray.jar");
    let written = place.hosts.home("a").join("flink/log/kept.log");
    for file in [&stray, &written] {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }
    place.run("sync_cluster", &[]);
    assert!(!stray.exists() && written.exists());

    place.run("start_cluster", &[]);
    assert_eq!(place.scripts.flink().overview().unwrap().task_managers, 2);
    let ran = place.run(
        "run_nexmark_query",
        &[
            "--no-start",
            "--no-stop",
            "--events",
            "20000",
            "--parallelism",
            "2",
            "q1,q2",
        ],
    );
    for query in ["q1: 20000 events in", "q2: 20000 events in"] {
        assert!(ran.contains(query), "{ran}");
    }
    let ran = place.run(
        "run_nexmark_sql_query_test",
        &[
            "--no-start",
            "--query",
            "q7",
            "--duration-seconds",
            // Flink gathers counts every ten seconds.
            "15",
            "--rate",
            "1000",
        ],
    );
    let records: u64 = ran.trim().split(' ').nth(1).unwrap().parse().unwrap();
    assert!(records > 1000, "{ran}");
    // It stopped the cluster, so there is none to stop.
    assert!(place.scripts.flink().overview().is_err());
    for host in ["a", "b"] {
        let run = place.hosts.home(host).join("flink/run");
        let left: Vec<_> = fs::read_dir(run)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "process ids left on {host}");
    }
    place.run("stop_cluster", &[]);
}

#[test]
fn every_workflow_explains_itself_and_can_be_tried_dry() {
    let place = Place::new();
    let config = place.home.path().join("conf/config.yaml");
    let before = fs::read(&config).unwrap_or_default();
    for name in WORKFLOWS {
        let help = place.run(name, &["--help"]);
        assert!(
            help.contains(&format!("{name}.sh")) && help.contains("--dry-run"),
            "{help}"
        );
        let misused = place.scripts.command(name).arg("--magic").output().unwrap();
        assert_eq!(misused.status.code(), Some(64), "{name}");
        let needed: &[&str] = match name {
            "run_nexmark_query" => &["q1,q2"],
            "sweep_nexmark" => &[
                "--queries",
                "q7,q20",
                "--memory",
                "1g,2g",
                "--variant",
                "a:weir.mrc.samples=100",
            ],
            "run_nexmark_sql_query_test" => &["--query", "q7", "--duration-seconds", "5"],
            _ => &[],
        };
        let mut dry = place.scripts.command(name);
        dry.arg("--dry-run")
            .args(needed)
            .env("WEIR_JAR", artefacts::weir_jar(FlinkLine::V1).unwrap());
        assert!(
            !printed(&mut dry).unwrap().is_empty(),
            "{name} says nothing"
        );
    }
    let patterns = ["--dry-run", "--category", "cep", "q0,q3"];
    let patterns = place.run("run_nexmark_query", &patterns);
    for query in ["--queries cep0 ", "--queries cep3 "] {
        assert!(patterns.contains(query), "{patterns}");
    }
    assert_eq!(fs::read(&config).unwrap_or_default(), before);
    assert!(!place.hosts.home("a").join("flink").exists());
    assert!(place.scripts.flink().overview().is_err());
}

#[test]
fn what_is_missing_is_named_with_a_remedy() {
    let place = Place::new();
    let no_flink = place
        .scripts
        .command("start_cluster")
        .env("FLINK_HOME", "")
        .output()
        .unwrap();
    assert_eq!(no_flink.status.code(), Some(1));
    assert!(text(&no_flink.stderr).contains("FLINK_HOME is not set; name your Flink"));
    let wrong = artefacts::weir_jar(FlinkLine::V2).unwrap();
    let wrong = place
        .scripts
        .command("build_rocksdb_options")
        .arg("--jar")
        .arg(wrong)
        .output()
        .unwrap();
    assert!(
        text(&wrong.stderr).contains("is not for the Flink 1.20"),
        "{}",
        text(&wrong.stderr)
    );
    let jar = artefacts::nexmark_jar().unwrap();
    let target = place.clone.join("nexmark-src/target");
    fs::remove_file(target.join(jar.file_name().unwrap())).unwrap();
    let no_jar = place
        .scripts
        .command("run_nexmark_query")
        .arg("q1")
        .output()
        .unwrap();
    assert!(
        text(&no_jar.stderr).contains("scripts/build_nexmark.sh builds it"),
        "{}",
        text(&no_jar.stderr)
    );
}

/// A clone, a Flink and two hosts.
struct Place {
    // Stops the cluster before the hosts go.
    scripts: Workflows,
    hosts: SshHosts,
    home: FlinkHome,
    clone: PathBuf,
    _state: StateDir,
}

impl Place {
    fn new() -> Self {
        let state = StateDir::create().unwrap();
        let clone = state.path().join("clone");
        let mut git = Command::new("git");
        git.args(["clone", "--quiet"])
            .arg(artefacts::root())
            .arg(&clone);
        printed(&mut git).unwrap();
        let target = clone.join("nexmark-src/target");
        fs::create_dir(&target).unwrap();
        let jar = artefacts::nexmark_jar().unwrap();
        symlink(&jar, target.join(jar.file_name().unwrap())).unwrap();
        let distribution = artefacts::flink_distribution(FlinkLine::V1).unwrap();
        let home = FlinkHome::create(&state.subdir("flink").unwrap(), &distribution, &[]).unwrap();
        let hosts = SshHosts::start(&state.subdir("hosts").unwrap(), &["a", "b"]).unwrap();
        let environment = [
            ("WORKER_FLINK_HOME", "flink".to_owned()),
            ("WORKER_HOSTS", hosts.names()),
            ("WEIR_SSH", hosts.ssh()),
        ];
        Self {
            scripts: Workflows::new(&clone, &home, &environment).unwrap(),
            hosts,
            home,
            clone,
            _state: state,
        }
    }

    fn run(&self, name: &str, arguments: &[&str]) -> String {
        self.scripts.run(name, arguments).unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
