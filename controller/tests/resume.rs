//! A controller that was killed, and one that follows it.

mod stand;

use std::io::Write;

use stand::{Agent, Controller, MIB, lines, report, weir};
use tempfile::tempdir;
use weir_controller::act::ActResult;

/// Long enough that the policy moves nothing more during a test.
const COOLDOWN: &str = "1h";

async fn start(agent: &Agent, history: &str) -> Controller {
    let url = agent.url();
    let flags = [
        "--agent",
        &url,
        "--act",
        "resize",
        "--history",
        history,
        "--cooldown",
        COOLDOWN,
    ];
    Controller::start(&flags).await
}

#[tokio::test]
async fn after_kill_9_the_sizes_are_found_in_force_or_restored() {
    let agent = Agent::start().await;
    let dir = tempdir().unwrap();
    let file = dir.path().join("history.jsonl");
    let history = file.to_str().unwrap();

    let first = start(&agent, history).await;
    first
        .until("a resize is applied", |s| s.counters.applied == 1)
        .await;
    first.kill();
    assert_eq!(
        agent.capacities_mib(),
        [48, 16],
        "sizes stay without a controller"
    );

    let second = start(&agent, history).await;
    let status = second
        .until("it has resumed", |s| s.counters.found_in_force == 1)
        .await;
    assert_eq!(status.counters.applied, 0, "nothing needed to be changed");
    second.kill();

    // A kill in the middle of a line, and a TaskManager that came back with the sizes it starts with.
    let mut torn = std::fs::OpenOptions::new()
        .append(true)
        .open(&file)
        .unwrap();
    torn.write_all(br#"{"kind":"decision","at_ms":17"#).unwrap();
    agent.die().await;
    let agent = Agent::start_with(report(43)).await;
    assert_eq!(agent.capacities_mib(), [32, 32]);

    let third = start(&agent, history).await;
    let status = third
        .until("it has restored", |s| s.counters.restored == 1)
        .await;
    assert_eq!(agent.capacities_mib(), [48, 16]);
    let act = status.agents[0].last_act.clone().unwrap();
    assert_eq!(
        (act.action.as_str(), act.result),
        ("restore", ActResult::Applied)
    );
    assert_eq!(third.terminate(), Some(0));
    assert_eq!(
        lines(&file, "started").len(),
        3,
        "every line is whole again"
    );
}

#[tokio::test]
async fn a_restarted_task_gets_its_size_back_without_a_restart_of_the_controller() {
    let agent = Agent::start().await;
    let dir = tempdir().unwrap();
    let file = dir.path().join("history.jsonl");
    let controller = start(&agent, file.to_str().unwrap()).await;
    controller
        .until("a resize is applied", |s| s.counters.applied == 1)
        .await;
    {
        let mut state = agent.state.lock();
        let fresh = report(42);
        state.report.caches = fresh.caches;
        for (id, cache) in (11..).zip(&mut state.report.caches) {
            cache.id = weir_protocol::CacheId(id);
            cache.operator.attempt = 1;
            cache.age_ms = 0;
        }
    }
    controller
        .until("it has restored", |s| s.counters.restored == 1)
        .await;
    assert_eq!(agent.capacities_mib(), [48, 16]);
}

#[tokio::test]
async fn a_plan_whose_outcome_was_never_written_counts_if_it_is_in_force() {
    let agent = Agent::start().await;
    let dir = tempdir().unwrap();
    let file = dir.path().join("history.jsonl");
    let history = file.to_str().unwrap();
    let first = start(&agent, history).await;
    first
        .until("a resize is applied", |s| s.counters.applied == 1)
        .await;
    first.kill();
    // As if the kill had come between the agent's answer and the outcome's line.
    let text = std::fs::read_to_string(&file).unwrap();
    let kept: Vec<_> = text
        .lines()
        .filter(|l| !l.contains(r#""kind":"outcome""#))
        .collect();
    std::fs::write(&file, kept.join("\n") + "\n").unwrap();

    let second = start(&agent, history).await;
    second
        .until("it has resumed", |s| s.counters.found_in_force == 1)
        .await;
    assert_eq!(agent.capacities_mib(), [48, 16]);
}

#[tokio::test]
async fn sizes_outlive_the_rotation_of_the_file() {
    let agent = Agent::start().await;
    let dir = tempdir().unwrap();
    let file = dir.path().join("history.jsonl");
    let history = file.to_str().unwrap();
    let url = agent.url();
    let flags = ["--agent", &url, "--act", "resize", "--history", history];
    let small = [
        "--cooldown",
        "50ms",
        "--min-gain",
        "0",
        "--history-max-bytes",
        "4096",
    ];
    let controller = Controller::start(&[flags, small].concat()).await;
    controller
        .until("it has come to rest", |s| {
            s.counters.applied > 1 && s.counters.held > 9
        })
        .await;
    let sizes = agent.capacities_mib();
    controller.kill();
    assert!(dir.path().join("history.jsonl.1").exists());
    assert!(
        std::fs::metadata(&file).unwrap().len() < 3 * 65536,
        "one line over the limit at most"
    );

    agent.die().await;
    let agent = Agent::start_with(report(43)).await;
    let controller = start(&agent, history).await;
    controller
        .until("it has restored", |s| s.counters.restored == 1)
        .await;
    assert_eq!(agent.capacities_mib(), sizes);
}

#[tokio::test]
async fn two_controllers_do_not_share_a_history() {
    let agent = Agent::start().await;
    let dir = tempdir().unwrap();
    let file = dir.path().join("history.jsonl");
    let history = file.to_str().unwrap();
    let _first = start(&agent, history).await;
    let second = weir()
        .args(["run", "--listen", "127.0.0.1:0", "--history", history])
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(error.contains("is in use by another controller"), "{error}");
}

#[tokio::test]
async fn a_smaller_budget_is_respected_when_sizes_are_restored() {
    let agent = Agent::start().await;
    let dir = tempdir().unwrap();
    let file = dir.path().join("history.jsonl");
    let history = file.to_str().unwrap();
    let first = start(&agent, history).await;
    first
        .until("a resize is applied", |s| s.counters.applied == 1)
        .await;
    first.kill();
    agent.die().await;
    let mut smaller = report(43);
    smaller.budget.cache_bytes = 33 * MIB;
    for cache in &mut smaller.caches {
        cache.capacity_bytes = 16 * MIB;
    }
    let agent = Agent::start_with(smaller).await;
    let second = start(&agent, history).await;
    second
        .until("it has restored", |s| s.counters.restored == 1)
        .await;
    let sizes = agent.capacities_mib();
    assert_eq!(
        sizes,
        [24, 8],
        "one above the minimum for every two that were"
    );
}
