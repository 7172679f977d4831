//! `weir check-config` and `weir gen-config` as a user sees them.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod stand;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use stand::weir;
use tempfile::{TempDir, tempdir};

struct Said {
    code: Option<i32>,
    out: String,
    error: String,
}

fn run(args: &[&str]) -> Said {
    let Output {
        status,
        stdout,
        stderr,
    } = weir().args(args).env("HOME", "/home/me").output().unwrap();
    Said {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        error: String::from_utf8(stderr).unwrap(),
    }
}

fn file(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

fn check(files: &[&Path]) -> Said {
    let mut args = vec!["check-config"];
    args.extend(files.iter().map(|f| f.to_str().unwrap()));
    run(&args)
}

const GOOD: &str = "taskmanager.memory.process.size: 3g\ntaskmanager.numberOfTaskSlots: 4\nstate.backend.type: rocksdb\n\
    state.backend.rocksdb.options-factory: io.weir.WeirOptionsFactory\nexecution.checkpointing.interval: 1min\n\
    jobmanager.scheduler: adaptive\nweir.memory.mode: per-operator\nweir.controller.url: http://127.0.0.1:9240\n";

#[test]
fn a_good_configuration_passes_and_its_memory_is_told() {
    let directory = tempdir().unwrap();
    let flink = file(&directory, "config.yaml", GOOD);
    let controller = file(
        &directory,
        "weir.toml",
        "act = [\"resize\", \"rescale\"]\n[terms]\nslot-budget = 8\n",
    );
    let said = check(&[&flink, &controller]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.error);
    assert!(said.out.contains("nothing wrong"), "{}", said.out);
    assert!(
        said.out
            .contains("budget 1003.5 MiB of 1003.5 MiB managed memory; of it each of 4 slots has 125.4 MiB for blocks"),
        "{}",
        said.out
    );
}

#[test]
fn every_fault_is_told_with_its_line_and_what_would_be_right() {
    let directory = tempdir().unwrap();
    let profile = file(
        &directory,
        "own.options",
        "[DBOptions]\nuse_direct_read = true\n",
    );
    let cases = [
        (
            "weir.memory.buget: 64m\n".to_owned(),
            ":9: error: weir.memory.buget: there is no such key; did you mean weir.memory.budget?",
        ),
        (
            "weir.memory.budget: 512 MiB\n".to_owned(),
            ":9: error: weir.memory.budget: '512 MiB' is not usable; write a size greater than 0, such as 512m",
        ),
        (
            "weir:\n  mrc:\n    half-life: soon\n".to_owned(),
            ":11: error: weir.mrc.half-life: 'soon' is not usable; write a duration",
        ),
        (
            "weir.memory.budget: 2g\n".to_owned(),
            "is more than the 1003.5 MiB that Flink sets aside for it",
        ),
        (
            "weir.memory.budget: 4g\n".to_owned(),
            "4.0 GiB is as much as the whole TaskManager has",
        ),
        (
            "taskmanager.memory.managed.fraction: 1.5\n".to_owned(),
            "managed fraction 1.5 must be from 0 to below 1",
        ),
        (
            "taskmanager.memory.managed.size: 0m\nstate.backend.rocksdb.memory.managed: false\n"
                .to_owned(),
            ":10: error: state.backend.rocksdb.memory.managed: Flink bounds nothing, and per-operator has nothing to regulate within",
        ),
        (
            format!("weir.options.profile: {}\n", profile.display()),
            "own.options:2: RocksDB has no option use_direct_read in [DBOptions]; did you mean use_direct_reads?",
        ),
        (
            "weir.options.profile: dirct-io\n".to_owned(),
            ":9: error: weir.options.profile: 'dirct-io' is not usable; write a built-in profile",
        ),
        (
            "weir.http.token-file: ${TOKEN}\n".to_owned(),
            "${TOKEN} stands for a value that was never filled in",
        ),
        ("weir.memory.mode: shared\n".to_owned(), ":9: error:"),
    ];
    for (more, expected) in cases {
        let flink = file(&directory, "config.yaml", &format!("{GOOD}{more}"));
        let said = check(&[&flink]);
        assert_eq!(said.code, Some(64), "{more}: {}{}", said.out, said.error);
        assert!(said.out.contains(expected), "{more}: {}", said.out);
    }
    let nobody = file(
        &directory,
        "config.yaml",
        "state.backend.type: hashmap\nweir.memory.mode: shared\n",
    );
    let said = check(&[&nobody]);
    assert_eq!(said.code, Some(64));
    assert!(
        said.out
            .contains("weir.memory.mode is set in line 2, but nobody reads it"),
        "{}",
        said.out
    );
    assert!(
        said.out
            .contains(":1: error: state.backend.type: the state backend hashmap"),
        "{}",
        said.out
    );
}

#[test]
fn what_works_alone_and_not_together_is_told() {
    let directory = tempdir().unwrap();
    let observe = GOOD
        .replace("per-operator", "observe")
        .replace("jobmanager.scheduler: adaptive\n", "")
        + "weir.http.token-file: /etc/weir/token\n";
    let flink = file(&directory, "config.yaml", &observe);
    let controller = file(
        &directory,
        "weir.toml",
        "act = [\"resize\", \"rescale\"]\nlisten = \"127.0.0.1:9999\"\n",
    );
    let said = check(&[&flink, &controller]);
    assert_eq!(said.code, Some(64), "{}", said.out);
    for expected in [
        "weir.toml:1: error: act: resize has nothing to do",
        "weir.toml:1: error: act: rescale needs Flink's adaptive scheduler",
        "weir.toml: error: agent-token-file: agents want a token",
        "weir.toml:2: error: listen: the controller listens at 127.0.0.1:9999",
    ] {
        assert!(said.out.contains(expected), "{expected}: {}", said.out);
    }
    let json = run(&[
        "check-config",
        "--json",
        flink.to_str().unwrap(),
        controller.to_str().unwrap(),
    ]);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["findings"][0]["severity"], "error");
    assert_eq!(json["memory"][0]["slots"], 4);
}

#[test]
fn the_controllers_file_is_checked_too() {
    let directory = tempdir().unwrap();
    for (text, expected) in [
        (
            "\nintervall = \"5s\"\n",
            ":2: error: intervall: there is no such key; did you mean interval?",
        ),
        (
            "interval = \"5\"\n",
            ":1: error: interval: `5` is not a duration; write a number and ms",
        ),
        ("\n\nmin-gain = \"much\"\n", ":3: error: invalid type"),
        ("[terms]\nslots = 1\n", ":2: error:"),
        ("= 1\n", ":1: error:"),
    ] {
        let controller = file(&directory, "weir.toml", text);
        let said = check(&[&controller]);
        assert_eq!(said.code, Some(64), "{text}: {}", said.out);
        assert!(said.out.contains(expected), "{text}: {}", said.out);
    }
    let absent = directory.path().join("absent.yaml");
    assert_eq!(check(&[&absent]).code, Some(1));
    assert_eq!(run(&["check-config"]).code, Some(64));
}

/// What is printed can be used, and is what `weir check-config` finds nothing wrong with.
#[test]
fn configurations_are_printed_complete() {
    let directory = tempdir().unwrap();
    let said = run(&[
        "gen-config",
        "--flink",
        "2",
        "--mode",
        "per-operator",
        "--purpose",
        "autoscale",
        "--set",
        "taskmanager.memory.process.size=8g",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.error);
    let flink = file(&directory, "config.yaml", &said.out);
    let controller = run(&["gen-config", "--controller"]);
    assert_eq!(controller.code, Some(0), "{}", controller.error);
    let controller = file(&directory, "weir.toml", &controller.out);
    let checked = check(&[&flink, &controller]);
    assert_eq!(checked.code, Some(0), "{}", checked.out);
    assert!(
        checked.out.contains("2.8 GiB managed memory"),
        "{}",
        checked.out
    );

    let refused = run(&["gen-config", "--set", "weir.memory.budget=much"]);
    assert_eq!(refused.code, Some(64));
    assert!(
        refused.error.contains("'much' is not usable"),
        "{}",
        refused.error
    );
    assert_eq!(
        run(&["gen-config", "--controller", "--mode", "shared"]).code,
        Some(64)
    );
}
