//! Justin's levels and Weir's sizes on a real Flink: each changes the caches of an I/O-bound SQL job once while it runs, and the miss
//! ratios that are measured then are those that were predicted.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use weir_testbed::controller::ControllerOptions;
use weir_testbed::nexmark::STEADY_RATE;
use weir_testbed::{
    Agent, ClusterOptions, Controller, LiveJob, NexmarkJob, artefacts, predictions, wait,
};

/// Auctions that still get bids: the smallest cache then misses clearly more of the join's lookups than Justin tolerates, one in five.
const OPEN_AUCTIONS: u64 = 16_000;
/// Until there are so many, at three auctions in fifty events, and until as much expires as comes.
const AT_REST: Duration = Duration::from_secs(140);
const DECISION: Duration = Duration::from_secs(180);
/// At the small sizes at which this begins, a miss ratio moves by more than it does at the start sizes.
const TOLERANCE: f64 = 0.05;

/// A restart of half a minute, and a quarter to catch up with it: DS2 would have the join three times as fast, and Justin gives it
/// memory in its place. The other operators do not stand in the way with restarts of their own.
const JUSTIN: &str = r#"
policy = "justin"
load-window = "20s"
[terms]
restart-seconds = 30.0
catch-up-seconds = 15.0
[parallelism]
cooldown-ms = 20000
excluded = ["Rank", "Deduplicate"]
"#;

const WEIR: &str = r#"
policy = "weir"
load-window = "20s"
"#;

#[test]
fn levels_and_sizes_are_applied_live_and_the_miss_ratio_follows() {
    let options = ClusterOptions::with_weir()
        .unwrap()
        // What REST tells is renewed this often; a window has to hold several of these.
        .set("metrics.fetcher.update-interval", "2 s");
    let job = NexmarkJob::q20_and_q18(STEADY_RATE)
        .set("auction.num-in-flight", OPEN_AUCTIONS)
        .with_steady_state();
    let live = LiveJob::start(&options, &job).unwrap();
    std::thread::sleep(AT_REST);
    let incarnation = live.cluster.rest().incarnation(&live.id).unwrap();
    each_policy_acts_once(&live);
    let now = live.cluster.rest().incarnation(&live.id).unwrap();
    assert_eq!(now, incarnation, "no restart, no new attempt");
}

fn each_policy_acts_once(live: &LiveJob) {
    let start = leave_the_minimum(&live.agent);
    let doubled = decided_by(live, "justin", JUSTIN);
    let shape = &doubled["plan"]["jobs"][0];
    assert_eq!(shape["verdict"]["verdict"], "resize", "{shape}");
    let changed = changed_caches(&doubled);
    assert!(!changed.is_empty(), "{doubled}");
    for cache in changed {
        assert_eq!(cache["from_bytes"], start, "{cache}");
        assert_eq!(cache["to_bytes"], 2 * start, "a level doubles: {cache}");
    }
    keeps_its_word(&live.agent, &doubled);

    let before = live.agent.report().unwrap().budget.allocated_bytes;
    let grown = decided_by(live, "weir", WEIR);
    let budget = live.agent.report().unwrap().budget;
    assert!(budget.allocated_bytes > before, "{grown}");
    assert!(budget.allocated_bytes <= budget.cache_bytes);
    keeps_its_word(&live.agent, &grown);
    every_policy_has_advice(live);
}

/// Shrinks every cache as far as it goes, so that there is room to decide on; the size of each.
fn leave_the_minimum(agent: &Agent) -> u64 {
    let report = agent.report().unwrap();
    let least = report.budget.min_cache_bytes;
    let sizes: Vec<_> = report.caches.iter().map(|c| (c.id, least)).collect();
    agent.resize(&sizes).unwrap();
    least
}

/// Lets a policy act until it has changed something; its decision.
fn decided_by(live: &LiveJob, policy: &str, configuration: &str) -> Value {
    let dir = live.cluster.state().subdir(policy).unwrap();
    let options = ControllerOptions {
        act: true,
        configuration: configuration.to_owned(),
        history: dir.join("history.jsonl"),
        port: None,
        interval_seconds: 2,
    };
    let controller =
        Controller::start(&dir, &options, &[&live.agent], live.cluster.rest()).unwrap();
    let waited = wait::until_true("sizes to be changed", DECISION, || {
        let applied = controller.status()?["counters"]["applied"].as_u64();
        Ok(applied.is_some_and(|applied| applied > 0))
    });
    if let Err(error) = waited {
        panic!("{error:#}\n{:#}", controller.status().unwrap());
    }
    drop(controller);
    let history = predictions::history(&options.history).unwrap();
    predictions::last_acting(&history).unwrap().clone()
}

fn changed_caches(decision: &Value) -> Vec<&Value> {
    let caches = decision["plan"]["task_managers"][0]["caches"].as_array();
    let caches = caches.unwrap().iter();
    caches
        .filter(|c| c["from_bytes"] != c["to_bytes"])
        .collect()
}

fn keeps_its_word(agent: &Agent, decision: &Value) {
    let worst = predictions::worst_error(agent, decision).unwrap();
    let policy = &decision["plan"]["policy"];
    println!("{policy}: {:.2} points off at most", 100.0 * worst);
    assert!(worst <= TOLERANCE, "a prediction was {worst} off");
}

/// `weir advise`: what every policy would make of the join, side by side.
fn every_policy_has_advice(live: &LiveJob) {
    let output = Command::new(artefacts::weir_binary().unwrap())
        .args(["advise", "--window", "10s"])
        .args(["--flink", live.cluster.rest().url()])
        .args(["--agent", live.agent.url()])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let advice = String::from_utf8(output.stdout).unwrap();
    println!("{advice}");
    let policies = ["weir", "ds2", "justin", "a4s", "static"];
    let mut lines = advice.lines();
    let header = lines.find(|l| policies.iter().all(|p| l.contains(p)));
    assert!(header.is_some(), "no table of all policies:\n{advice}");
    assert!(lines.any(|l| l.contains("Join")), "no join:\n{advice}");
}
