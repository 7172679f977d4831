//! What a user sees on the command line.

#![allow(clippy::unwrap_used)]

mod stand;

use std::process::Output;

use stand::{Agent, Controller, weir};
use tempfile::tempdir;

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = weir().args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn bad_usage_and_configuration_end_with_64_and_say_what_would_be_right() {
    let (code, _, error) = run(&["frobnicate"]);
    assert_eq!(code, Some(64), "{error}");
    let (code, _, error) = run(&["run", "--interval", "soon"]);
    assert_eq!(code, Some(64));
    assert!(
        error.contains("interval: `soon` is not a duration"),
        "{error}"
    );

    let dir = tempdir().unwrap();
    let file = dir.path().join("weir.toml");
    std::fs::write(&file, "histroy = \"x\"\n").unwrap();
    let (code, _, error) = run(&["run", "--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(64));
    assert!(
        error.contains("unknown key `histroy`; the nearest known one is `history`"),
        "{error}"
    );
    let (code, _, error) = run(&["advise"]);
    assert_eq!(code, Some(64));
    assert!(error.contains("--agent http://HOST:9260"), "{error}");
}

#[test]
fn help_and_version_are_no_errors() {
    for flag in ["--help", "--version"] {
        let (code, out, _) = run(&[flag]);
        assert_eq!(code, Some(0));
        assert!(out.contains("weir"), "{out}");
    }
}

#[test]
fn what_cannot_be_reached_is_named_with_a_hint() {
    let (code, _, error) = run(&["advise", "--agent", "http://127.0.0.1:1"]);
    assert_eq!(code, Some(1));
    assert!(
        error.contains("cannot reach agent http://127.0.0.1:1: "),
        "{error}"
    );
    assert!(error.contains("is the TaskManager running"), "{error}");
    let (code, _, error) = run(&["top", "--once", "--controller", "http://127.0.0.1:1"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("start it with `weir run`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn advise_prints_the_plan_with_its_reasons_and_changes_nothing() {
    let agent = Agent::start().await;
    let url = agent.url();
    let args = ["advise", "--agent", &url, "--window", "100ms"];
    let (code, out, error) = run(&args);
    assert_eq!(code, Some(0), "{error}");
    assert!(
        out.contains("Join[1] (0) grows from 32.0 MiB to 48.0 MiB"),
        "{out}"
    );
    assert!(out.contains("keeping all sizes rejected"), "{out}");

    let (code, out, _) = run(&[&args[..], &["--json"]].concat());
    assert_eq!(code, Some(0));
    let advice: serde_json::Value = serde_json::from_str(&out).unwrap();
    let plan = &advice["plans"][0]["plan"]["task_managers"][0];
    assert_eq!(plan["verdict"]["verdict"], "resize");
    assert_eq!(plan["caches"][0]["to_bytes"], 48 << 20);
    assert!(agent.state.lock().received.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn top_shows_a_row_per_operator_subtask() {
    let agent = Agent::start().await;
    let controller = Controller::start(&["--agent", &agent.url()]).await;
    controller
        .until("something is advised", |s| s.counters.advised > 1)
        .await;
    let (code, out, _) = run(&["top", "--once", "--controller", &controller.url]);
    assert_eq!(code, Some(0));
    let row = out.lines().find(|l| l.contains("Join[1] (0)")).unwrap();
    for cell in [
        "32.0 MiB", "1000", "40.0 %", "50.0 %", "75.0 %", "0.0 %", "advised",
    ] {
        assert!(row.contains(cell), "{cell} is missing in {row}");
    }
    let (_, out, _) = run(&["top", "--once", "--json", "--controller", &controller.url]);
    let status: weir_controller::status::Status = serde_json::from_str(&out).unwrap();
    assert_eq!(status.agents[0].caches.len(), 2);
    assert_eq!(controller.text("/healthz").await, "ok\n");
}
