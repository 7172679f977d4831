//! Justin's levels and Weir's sizes on a real Flink: the caches of an I/O-bound SQL job change while it runs, and the miss ratios that
//! are measured then are those that were predicted.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::time::Duration;

use serde_json::Value;
use weir_testbed::controller::ControllerOptions;
use weir_testbed::nexmark::STEADY_RATE;
use weir_testbed::{Agent, ClusterOptions, Controller, LiveJob, NexmarkJob, predictions, wait};

/// Lookups have to outgrow the caches, and what expires has to be as much as what comes.
const STATE_GROWS: Duration = Duration::from_secs(110);
const DECISION: Duration = Duration::from_secs(180);
/// At the small sizes at which the test begins, a miss ratio moves by more than it does at the start sizes of `memory_loop`.
const TOLERANCE: f64 = 0.05;

/// A restart of half a minute, and a quarter to catch up with it: DS2 would have the join three times as fast, and Justin gives it
/// memory in its place.
const JUSTIN: &str = r#"
policy = "justin"
load-window = "20s"
[terms]
restart-seconds = 30.0
catch-up-seconds = 15.0
[parallelism]
cooldown-ms = 20000
"#;

const WEIR: &str = r#"
policy = "weir"
load-window = "20s"
"#;

#[test]
fn levels_and_sizes_are_applied_live_and_the_miss_ratio_follows() {
    let options = ClusterOptions::with_weir().unwrap();
    let job = NexmarkJob {
        queries: vec!["q20"],
        ..NexmarkJob::q20_and_q18(STEADY_RATE)
    };
    // Of a working set this large the smallest cache misses more than Justin tolerates: one lookup in five.
    let job = job
        .set("auction.num-in-flight", 30_000)
        .configure("table.exec.state.ttl", "100 s");
    let live = LiveJob::start(&options, &job).unwrap();
    let start = leave_the_minimum(&live.agent);
    std::thread::sleep(STATE_GROWS);
    let incarnation = live.cluster.rest().incarnation(&live.id).unwrap();

    let doubled = decided_by(&live, "justin", JUSTIN);
    let shape = &doubled["plan"]["jobs"][0];
    assert_eq!(shape["verdict"]["verdict"], "resize", "{shape}");
    for cache in caches(&doubled) {
        assert_eq!(cache["from_bytes"], start, "{cache}");
        assert_eq!(cache["to_bytes"], 2 * start, "a level doubles");
    }
    keeps_its_word(&live.agent, &doubled);

    let grown = decided_by(&live, "weir", WEIR);
    let report = live.agent.report().unwrap();
    assert!(report.budget.allocated_bytes > 4 * start, "{grown}");
    assert!(report.budget.allocated_bytes <= report.budget.cache_bytes);
    keeps_its_word(&live.agent, &grown);

    let now = live.cluster.rest().incarnation(&live.id).unwrap();
    assert_eq!(now, incarnation, "no restart, no new attempt");
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

fn caches(decision: &Value) -> Vec<&Value> {
    let caches = decision["plan"]["task_managers"][0]["caches"].as_array();
    caches.unwrap().iter().collect()
}

fn keeps_its_word(agent: &Agent, decision: &Value) {
    let worst = predictions::worst_error(agent, decision).unwrap();
    let policy = &decision["plan"]["policy"];
    println!("{policy}: {:.2} points off at most", 100.0 * worst);
    assert!(worst <= TOLERANCE, "a prediction was {worst} off");
}
