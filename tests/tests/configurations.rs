//! Configurations that are made from a source are what the source says, and every key in them is read by the Flink it is for.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use weir_testbed::artefacts::{self, FlinkLine, root};
use weir_testbed::dashboards;
use weir_testbed::state_dir::StateDir;

const LINES: [&str; 2] = ["1.20", "2"];

#[test]
fn generated_files_are_what_their_source_says() {
    for builder in [
        "flink-conf/build_templates.py",
        "monitoring/build_dashboards.py",
    ] {
        succeeds(Command::new(root().join(builder)).arg("--check"));
    }
}

#[test]
fn prometheus_accepts_configuration_and_rules_and_the_rules_do_what_they_say() {
    let promtool = artefacts::system_program("promtool", "prometheus").unwrap();
    let monitoring = root().join("monitoring");
    succeeds(
        Command::new(&promtool)
            .args(["check", "config", "prometheus.yml"])
            .current_dir(&monitoring),
    );
    succeeds(
        Command::new(&promtool)
            .args(["test", "rules", "rules_test.yml"])
            .current_dir(monitoring.join("rules")),
    );
}

/// The runbook answers every alert, and dashboards ask only what their variables allow.
#[test]
fn every_alert_is_in_the_runbook_and_every_dashboard_query_is_complete() {
    let alerts = fs::read_to_string(root().join("monitoring/rules/alerts.yml")).unwrap();
    let runbook = fs::read_to_string(root().join("docs/operate.md")).unwrap();
    let names = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let mut count = 0;
    for name in names {
        count += 1;
        assert!(
            runbook.contains(&format!("### {name}\n")),
            "docs/operate.md says nothing about {name}"
        );
    }
    assert!(count > 0, "no alerts found");
    assert!(dashboards::queries().unwrap().len() > 40);
}

#[test]
fn every_key_of_every_template_is_read_by_the_flink_it_is_for() {
    for line in LINES {
        let home = Home::new(line);
        let dir = root().join("flink-conf").join(line);
        let mut files: Vec<_> = fs::read_dir(&dir)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        files.sort();
        assert_eq!(files.len(), 10, "three modes, three purposes, and the demo");
        succeeds(home.known_keys().args(&files));
        let wrong = home.path().join("wrong.yaml");
        fs::write(
            &wrong,
            "weir.memory.mood: observe\nrest.port: 1\nrest.port: 2\n",
        )
        .unwrap();
        let refused = home.known_keys().arg(&wrong).output().unwrap();
        assert_eq!(refused.status.code(), Some(1));
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(
            said.contains(
                ":1: this Flink reads no key weir.memory.mood; did you mean weir.memory.mode?"
            ),
            "{said}"
        );
        assert!(
            said.contains(":3: rest.port stands in line 2 already"),
            "{said}"
        );
    }
}

#[test]
fn a_configuration_is_applied_once_with_its_predecessor_kept() {
    for line in LINES {
        let home = Home::new(line);
        let config = home.path().join("conf/config.yaml");
        fs::write(&config, "rest.port: 1\n").unwrap();
        let arguments = [
            "--mode",
            "shared",
            "--purpose",
            "trace",
            "--set",
            "parallelism.default=3",
            "--set",
            "rest.port=18081",
        ];

        let dry = succeeds(home.apply().args(arguments).arg("--dry-run"));
        assert!(
            text(&dry.stdout).contains("+parallelism.default: 3\n"),
            "the diff is shown"
        );
        assert_eq!(fs::read_to_string(&config).unwrap(), "rest.port: 1\n");
        assert_eq!(home.backups().len(), 0);

        succeeds(home.apply().args(arguments));
        let applied = fs::read_to_string(&config).unwrap();
        assert!(applied.contains("\nweir.memory.mode: shared\n"));
        assert!(applied.contains("\nrest.port: 18081\n"));
        assert_eq!(applied.matches("rest.port:").count(), 1);
        assert!(
            !applied
                .lines()
                .any(|l| !l.starts_with('#') && l.contains("${")),
            "all filled in"
        );
        let backups = home.backups();
        assert_eq!(backups.len(), 1);
        assert_eq!(fs::read_to_string(&backups[0]).unwrap(), "rest.port: 1\n");

        let again = succeeds(home.apply().args(arguments));
        assert!(text(&again.stderr).contains("is so already"));
        assert_eq!(
            home.backups().len(),
            1,
            "nothing was changed, so nothing is kept"
        );

        let refused = home
            .apply()
            .args(["--set", "rest.prot=1"])
            .output()
            .unwrap();
        assert_eq!(refused.status.code(), Some(1));
        assert!(
            text(&refused.stderr).contains("rest.prot; did you mean rest.port?"),
            "{}",
            text(&refused.stderr)
        );
        assert_eq!(
            fs::read_to_string(&config).unwrap(),
            applied,
            "nothing was written"
        );
        let misused = home.apply().args(["--mode", "magic"]).output().unwrap();
        assert_eq!(misused.status.code(), Some(64));
    }
}

/// A Flink installation whose `conf/` is ours; its JARs are the distribution's.
struct Home {
    state: StateDir,
    lib: PathBuf,
}

impl Home {
    fn new(line: &str) -> Self {
        let found = Command::new(root().join("scripts/get_flink.sh"))
            .arg(line)
            .output()
            .unwrap();
        assert!(found.status.success(), "{}", text(&found.stderr));
        let lib = Path::new(text(&found.stdout).trim()).join("lib");
        let state = StateDir::create().unwrap();
        state.subdir("conf").unwrap();
        symlink(&lib, state.path().join("lib")).unwrap();
        Self { state, lib }
    }

    fn path(&self) -> &Path {
        self.state.path()
    }

    fn known_keys(&self) -> Command {
        let mut java = Command::new("java");
        let jar = artefacts::weir_jar(FlinkLine::V1).unwrap();
        java.arg("-cp")
            .arg(format!("{}/*:{}", self.lib.display(), jar.display()));
        java.arg("io.weir.KnownKeys");
        java
    }

    fn apply(&self) -> Command {
        let mut script = Command::new(root().join("scripts/apply_flink_config.sh"));
        script
            .env("FLINK_HOME", self.path())
            .env("WEIR_JAR", artefacts::weir_jar(FlinkLine::V1).unwrap());
        script
    }

    fn backups(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.path().join("conf"))
            .unwrap()
            .map(|e| e.unwrap().path());
        files
            .filter(|f| f.extension().is_some_and(|e| e == "bak"))
            .collect()
    }
}

fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
