//! The whole loop: an announced agent, a plan, memory that moves, a prediction that comes true, a controller that is killed and
//! resumes.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use weir_protocol::{CacheId, Report};
use weir_testbed::artefacts::FlinkLine;
use weir_testbed::controller::ControllerOptions;
use weir_testbed::nexmark::STEADY_RATE;
use weir_testbed::{
    Agent, ClusterOptions, Controller, LiveJob, NexmarkJob, Prometheus, RenderedPage, dashboards,
    ports, predictions, wait,
};

/// Lookups have to outgrow the caches before sizes matter, and a prediction needs a job whose next minute is like its last.
const STATE_GROWS: Duration = Duration::from_secs(120);
/// Caches are filled, and the curve has seen it.
const SETTLE: Duration = Duration::from_secs(30);
const DECISION: Duration = Duration::from_secs(240);
/// Flink renews its gauges every five seconds, and a rate needs a minute's worth of scrapes.
const PANELS: Duration = Duration::from_secs(120);

type Sizes = BTreeMap<CacheId, u64>;

#[test]
fn the_controller_moves_memory_keeps_its_word_and_survives_its_own_death() {
    the_loop_closes_on(FlinkLine::V1);
}

#[test]
#[ignore = "the same on Flink 2; run by make e2e-more"]
fn the_controller_moves_memory_on_flink_2() {
    the_loop_closes_on(FlinkLine::V2);
}

fn the_loop_closes_on(line: FlinkLine) {
    let port = ports::free_port().unwrap();
    let options = ClusterOptions::with_weir_on(line)
        .unwrap()
        .set("weir.controller.url", format!("http://127.0.0.1:{port}"));
    let job = NexmarkJob::q20_and_q18(STEADY_RATE).with_steady_state();
    let live = LiveJob::start(&options, &job).unwrap();
    let incarnation = live.cluster.rest().incarnation(&live.id).unwrap();
    std::thread::sleep(STATE_GROWS);
    starve_the_hungriest(&live.agent);
    std::thread::sleep(SETTLE);
    let before = sizes(&live.agent.report().unwrap());

    let dir = live.cluster.state().subdir("controller").unwrap();
    let controller_options = ControllerOptions {
        act: true,
        configuration: String::new(),
        history: dir.join("history.jsonl"),
        port: Some(port),
        interval_seconds: 5,
    };
    // No agent is named: the agent announces itself.
    let start = || Controller::start(&dir, &controller_options, &[], live.cluster.rest()).unwrap();
    let mut controller = start();
    let prometheus_dir = live.cluster.state().subdir("prometheus").unwrap();
    let prometheus = Prometheus::start(&prometheus_dir, controller.authority()).unwrap();
    wait_for_counter(&controller, "applied", DECISION);
    println!("{}", last_act(&controller));
    assert_metrics(&controller.metrics().unwrap());
    the_page_shows_it(
        &format!("http://{}/", controller.authority()),
        &live.agent.report().unwrap(),
    );
    every_panel_has_data(&prometheus, live.cluster.processes());
    controller.process().kill().unwrap();

    let moved = live.agent.report().unwrap();
    assert_ne!(sizes(&moved), before, "memory has moved");
    assert!(moved.budget.allocated_bytes <= moved.budget.cache_bytes);
    let history = predictions::history(&controller_options.history).unwrap();
    let decision = predictions::last_acting(&history).unwrap();
    let worst = predictions::worst_error(&live.agent, decision).unwrap();
    assert!(worst <= 0.03, "a prediction was {worst} off");

    // Dead for half a minute and more by now.
    let while_dead = live.agent.report().unwrap();
    assert_eq!(sizes(&while_dead), sizes(&moved), "sizes stay without it");
    assert_eq!(while_dead.generation, moved.generation);

    // Somebody else changes the sizes; the controller that comes back puts its own in force again.
    let even = even_sizes(&while_dead);
    assert_ne!(even, sizes(&moved));
    live.agent
        .resize(&even.into_iter().collect::<Vec<_>>())
        .unwrap();
    let controller = start();
    wait_for_counter(&controller, "restored", DECISION);
    let restored = restored_sizes(&controller_options.history);
    assert_eq!(restored, sizes(&moved), "the sizes it had decided on");

    assert_eq!(
        live.cluster.rest().incarnation(&live.id).unwrap(),
        incarnation,
        "no restart, no new attempt"
    );
}

fn sizes(report: &Report) -> Sizes {
    let caches = report.caches.iter();
    caches.map(|c| (c.id, c.capacity_bytes)).collect()
}

fn even_sizes(report: &Report) -> Sizes {
    let each = report.budget.cache_bytes / report.caches.len() as u64;
    report.caches.iter().map(|c| (c.id, each)).collect()
}

/// Leaves the caches with the most misses half of an even share, so that a controller has something to put right.
fn starve_the_hungriest(agent: &Agent) {
    let window = agent
        .observe_lookups(20_000, Duration::from_secs(180))
        .unwrap();
    let mut by_misses: Vec<_> = window.caches().collect();
    by_misses.sort_by_key(|cache| std::cmp::Reverse(cache.hits_and_misses().1));
    let report = window.after();
    let even = report.budget.cache_bytes / report.caches.len() as u64;
    let starved = by_misses.len() / 2;
    let small = (even / 2).max(report.budget.min_cache_bytes);
    let large = 2 * even - small;
    let shares: Vec<_> = by_misses
        .iter()
        .enumerate()
        .map(|(n, cache)| (cache.after.id, if n < starved { small } else { large }))
        .collect();
    agent.resize(&shares).unwrap();
}

/// The sizes of the first decision that put remembered ones in force.
fn restored_sizes(history: &Path) -> Sizes {
    let all = predictions::history(history).unwrap();
    let last_start = all.iter().rposition(|l| l["kind"] == "started").unwrap();
    let decision = all[last_start..]
        .iter()
        .find(|line| line["kind"] == "decision" && line["acting"] == true)
        .unwrap();
    let caches = decision["plan"]["task_managers"][0]["caches"].as_array();
    let size = |cache: &Value| {
        (
            CacheId(cache["id"].as_u64().unwrap()),
            cache["to_bytes"].as_u64().unwrap(),
        )
    };
    caches.unwrap().iter().map(size).collect()
}

/// The built-in page, in a real browser: the job, its operators, a curve, what was done.
fn the_page_shows_it(url: &str, report: &Report) {
    let page = RenderedPage::open(url).unwrap();
    for text in ["RUNNING", "The curve says", "class=\"uplot", "applied"] {
        page.assert_shows(text);
    }
    for cache in &report.caches {
        page.assert_shows(&cache.operator.operator_name);
    }
    page.assert_no_complaint();
}

/// Asks every panel's query of the dashboards: each must have an answer, of a cluster whose every process is scraped.
fn every_panel_has_data(prometheus: &Prometheus, flink_processes: usize) {
    wait::until_true("every Flink process to be scraped", PANELS, || {
        let up = prometheus.query(r#"count(up{job="weir-flink"} == 1)"#)?;
        Ok(up == Some(flink_processes as f64))
    })
    .unwrap();
    let queries = dashboards::queries().unwrap();
    let mut asked = 0;
    for query in &queries {
        asked += 1;
        if query.may_be_empty {
            // It must be a query that Prometheus accepts.
            prometheus.query_vector(&query.promql).unwrap();
            continue;
        }
        // Means over five minutes need a while until they have two points.
        let answered = wait::until_true(&query.place, PANELS, || {
            let series = prometheus.query_vector(&query.promql)?;
            Ok(series.iter().any(|(_, value)| value.is_finite()))
        });
        if let Err(error) = answered {
            panic!("{error:#}\n{}", query.promql);
        }
    }
    println!("{asked} queries of the dashboards have data");
}

fn wait_for_counter(controller: &Controller, name: &str, deadline: Duration) {
    let waited = wait::until_true(&format!("the counter '{name}'"), deadline, || {
        let count = &controller.status()?["counters"][name];
        Ok(count.as_u64().unwrap() > 0)
    });
    if let Err(error) = waited {
        panic!("{error:#}\nstatus: {:#}", controller.status().unwrap());
    }
}

fn last_act(controller: &Controller) -> Value {
    let status = controller.status().unwrap();
    status["agents"][0]["last_act"].clone()
}

fn assert_metrics(metrics: &str) {
    let applied = metrics
        .lines()
        .find(|line| line.starts_with("weir_decisions_total") && line.contains("applied"));
    assert!(applied.is_some(), "{metrics}");
}
