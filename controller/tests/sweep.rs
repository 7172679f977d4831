//! `weir sweep` with a stand-in for an agent.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod stand;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use stand::flink::Flink;
use stand::{Agent, Fault, lines, weir};
use tempfile::{TempDir, tempdir};
use weir_protocol::{MemoryMode, RefusalKind};

/// So many reports are read before anything is changed.
const FOUND: u32 = 10;

struct Sweep {
    directory: TempDir,
    plan: PathBuf,
}

impl Sweep {
    fn of(agent: &Agent, sizes: &str, more: &str) -> Self {
        let directory = tempdir().unwrap();
        let plan = directory.path().join("plan.toml");
        let results = directory.path().join("results.jsonl");
        let text = format!(
            "agent = [\"{}\"]\nsizes = {sizes}\nresults = {:?}\nsettle = \"20ms\"\nwindow = \"50ms\"\n{more}",
            agent.url(),
            results.display().to_string()
        );
        fs::write(&plan, text).unwrap();
        Self { directory, plan }
    }

    fn results(&self) -> PathBuf {
        self.directory.path().join("results.jsonl")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = weir();
        command.arg("sweep").arg(&self.plan).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_measured_against_the_curve_and_put_back() {
    let agent = Agent::start().await;
    let flink = Flink::start().await;
    let more = format!("flink = \"{}\"\noperators = [\"Join[1]\"]\n", flink.url());
    let sweep = Sweep::of(&agent, "[\"8 MiB\", \"16 MiB\"]", &more);
    let csv = sweep.directory.path().join("points.csv");
    let plot = sweep.directory.path().join("points.svg");
    let (code, out, error) = sweep.run(&[
        "--json",
        "--csv",
        csv.to_str().unwrap(),
        "--plot",
        plot.to_str().unwrap(),
    ]);
    assert_eq!(code, Some(0), "{error}");
    let json: Value = serde_json::from_str(&out).unwrap();
    let points = json["points"].as_array().unwrap();
    assert_eq!(points.len(), 2);
    let one = &points[0]["operators"][0];
    assert_eq!(points[0]["bytes"], 8 << 20);
    assert_eq!(points[0]["settled"], true);
    assert_eq!(one["operator"], "Join[1]");
    // The curve falls from 1 at nothing to 0 at 64 MiB; the stand-in always counts four misses in ten look-ups.
    assert!(
        (one["predicted"].as_f64().unwrap() - 0.875).abs() < 1e-9,
        "{one}"
    );
    assert!(
        (one["measured"].as_f64().unwrap() - 0.4).abs() < 1e-9,
        "{one}"
    );
    assert!(
        (one["error"].as_f64().unwrap() + 0.475).abs() < 1e-9,
        "{one}"
    );
    // The stand-in's curve stays as it was.
    assert_eq!(one["curve_after"], one["predicted"], "{one}");
    assert!(one["records_per_second"].as_f64().unwrap() > 0.0, "{one}");
    assert_eq!(agent.capacities_mib(), [32, 32], "put back");
    let asked: Vec<u64> = {
        let state = agent.state.lock();
        let received = state.received.iter();
        received
            .flat_map(|a| a.caches.iter().map(|c| c.capacity_bytes >> 20))
            .collect()
    };
    assert_eq!(asked, [8, 16, 32], "and only the chosen operator's");
    assert_eq!(fs::read_to_string(csv).unwrap().lines().count(), 3);
    assert!(fs::read_to_string(plot).unwrap().contains("<polygon"));

    // Both are done: nothing is changed any more, and the table has them.
    let (code, out, error) = sweep.run(&[]);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("87.50 %") && out.contains("-47.50"), "{out}");
    assert_eq!(agent.state.lock().received.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_sweep_puts_back_and_goes_on() {
    let agent = Agent::start().await;
    let sweep = Sweep::of(
        &agent,
        "[\"8 MiB\", \"16 MiB\"]",
        "settle-at-most = \"1h\"\n",
    );
    // The first size settles, the second never does while its window is endless.
    let long = fs::read_to_string(&sweep.plan)
        .unwrap()
        .replace("\"50ms\"", "\"1h\"");
    let short = fs::read_to_string(&sweep.plan).unwrap();
    fs::write(&sweep.plan, long).unwrap();
    let child = sweep
        .command(&[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for tries in 0.. {
        if agent.capacities_mib() == [8, 8] {
            break;
        }
        assert!(tries < 500, "the first size was never set");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let interrupted = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupted.success());
    let ended = child.wait_with_output().unwrap();
    let error = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{error}");
    assert!(error.contains("run it again to go on"), "{error}");
    assert_eq!(agent.capacities_mib(), [32, 32], "put back");

    // A killed one has put nothing back; the next one does that first.
    let kept = fs::read_to_string(sweep.results()).unwrap();
    let start = kept.lines().next().unwrap();
    fs::write(sweep.results(), format!("{start}\n")).unwrap();
    agent.state.lock().report.caches[0].capacity_bytes = 8 << 20;
    fs::write(&sweep.plan, short).unwrap();
    let (code, _, error) = sweep.run(&[]);
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("its sizes are put back first"), "{error}");
    assert_eq!(agent.capacities_mib(), [32, 32]);
    assert_eq!(lines(&sweep.results(), "point").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_swept_is_refused_before_anything_is_changed() {
    let agent = Agent::start().await;
    let refused = |sizes: &str, more: &str, expected: &str| {
        let (code, _, error) = Sweep::of(&agent, sizes, more).run(&[]);
        assert_eq!(code, Some(64), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(agent.state.lock().received.is_empty());
    };
    // 64 MiB of budget, two caches.
    refused("[\"8 MiB\", \"40 MiB\"]", "", "name sizes up to 32.0 MiB");
    refused(
        "[\"60 MiB\"]",
        "operators = [\"Join[2]\"]\n",
        "`others = \"1.0 MiB\"`",
    );
    refused("[\"1 KiB\"]", "", "less than the smallest cache, 1.0 MiB");
    refused(
        "[\"8 MiB\"]",
        "operators = [\"Agg\"]\n",
        "there are Join[1], Join[2]",
    );
    refused("[]", "", "sizes: name at least one");
    agent.state.lock().report.caches[1].curve = None;
    refused("[\"8 MiB\"]", "", "no curve of Join[2] yet");
    agent.state.lock().report.agent.mode = MemoryMode::Observe;
    refused(
        "[\"8 MiB\"]",
        "",
        "mode observe, in which no size may be changed; start the TaskManager with weir.memory.mode",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_may_make_room_and_a_dry_run_changes_nothing() {
    let agent = Agent::start().await;
    let sweep = Sweep::of(
        &agent,
        "[\"60 MiB\"]",
        "operators = [\"Join[1]\"]\nothers = \"2 MiB\"\n",
    );
    let (code, out, error) = sweep.run(&["--dry-run"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(
        out.contains("Join[1] at 60.0 MiB: 6.25 % predicted"),
        "{out}"
    );
    assert!(agent.state.lock().received.is_empty());
    let (code, _, error) = sweep.run(&[]);
    assert_eq!(code, Some(0), "{error}");
    let first = agent.state.lock().received[0]
        .caches
        .iter()
        .map(|c| c.capacity_bytes >> 20)
        .collect::<Vec<_>>();
    assert_eq!(first, [60, 2]);
    assert_eq!(agent.capacities_mib(), [32, 32]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_declines_or_lies_ends_the_sweep() {
    for (fault, expected) in [
        (
            Fault::Refuse(RefusalKind::MemoryPressure),
            "the moon is in the wrong phase",
        ),
        (Fault::SayYesDoNothing, "has 32.0 MiB in force"),
    ] {
        let agent = Agent::start().await;
        agent.state.lock().fault = fault;
        let (code, _, error) = Sweep::of(&agent, "[\"8 MiB\"]", "").run(&[]);
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_without_an_answer_does_not_end_a_sweep_and_a_longer_one_does() {
    // The first reports find the caches; then sizes are set and read back, looked at and counted.
    for unreadable in [FOUND..FOUND + 2, FOUND + 3..FOUND + 5] {
        let agent = Agent::start().await;
        agent.state.lock().unreadable = unreadable.clone();
        let sweep = Sweep::of(&agent, "[\"8 MiB\"]", "");
        let (code, _, error) = sweep.run(&[]);
        assert_eq!(code, Some(0), "{error}");
        assert!(error.contains("asking again"), "{error}");
        assert_eq!(lines(&sweep.results(), "point").len(), 1);
        assert!(agent.state.lock().asked > unreadable.end);
        assert_eq!(agent.capacities_mib(), [32, 32]);
    }
    let agent = Agent::start().await;
    agent.state.lock().unreadable = FOUND + 3..FOUND + 7;
    let sweep = Sweep::of(&agent, "[\"8 MiB\"]", "");
    let (code, out, error) = sweep.run(&[]);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("is this really an agent?"), "{error}");
    assert!(out.contains("no size has been measured"), "{out}");
    assert_eq!(agent.capacities_mib(), [32, 32], "put back");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_pinned_for_a_tenth_of_the_time_count_for_a_tenth() {
    let agent = Agent::start().await;
    agent.state.lock().pinned_at_first = 32 << 20;
    let sweep = Sweep::of(&agent, "[\"32 MiB\"]", "");
    let (code, out, error) = sweep.run(&["--dry-run"]);
    assert_eq!(code, Some(0), "{error}");
    assert!(out.contains("Join[1] at 32.0 MiB: 55.00 %"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_stands_still_does_not_settle() {
    let agent = Agent::start().await;
    agent.state.lock().stands_still = true;
    let sweep = Sweep::of(&agent, "[\"8 MiB\"]", "settle-at-most = \"100ms\"\n");
    let (code, out, error) = sweep.run(&[]);
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("no look-ups"), "{error}");
    assert!(out.contains("not settled"), "{out}");
}
