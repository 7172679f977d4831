//! The curve is right where it can be checked: at the capacity the cache really has, after a live resize, and seen through Prometheus.
//!
//! One cluster and one job for all of it, since each check needs a minute of steady state.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::time::Duration;

use weir_protocol::{Allocation, CacheCapacity, CacheId, RefusalKind, Report};
use weir_testbed::controller::ControllerOptions;
use weir_testbed::nexmark::STEADY_RATE;
use weir_testbed::{
    Agent, CacheWindow, ClusterOptions, Controller, LiveJob, NexmarkJob, Prometheus, wait,
};

/// How long counters are compared with the curve.
const WINDOW: Duration = Duration::from_secs(60);

/// A curve with half-life h looks back h / ln 2 on average, a plain window of length w half of w. With h = 20 s and w = 60 s both
/// look back half a minute, so that they describe the same stretch of the job.
const HALF_LIFE: &str = "20 s";
/// State has to outgrow the caches before a resize can show anything, and to expire as fast as it grows before a prediction can hold.
const STATE_SETTLES: Duration = Duration::from_secs(120);

/// Below this many lookups a second an operator is not held to the two points.
const BUSY_LOOKUPS_PER_SECOND: f64 = 1_000.0;

#[test]
fn the_curve_agrees_with_exact_counters_prometheus_and_live_resizes() {
    let options = ClusterOptions::with_weir()
        .unwrap()
        .set("weir.mrc.half-life", HALF_LIFE);
    let job = NexmarkJob::q20_and_q18(STEADY_RATE)
        .with_steady_state()
        .with_steady_state();
    let live = LiveJob::start(&options, &job).unwrap();
    let prometheus_dir = live.cluster.state().subdir("prometheus").unwrap();
    let controller = advising_controller(&live);
    let prometheus = Prometheus::start(&prometheus_dir, controller.authority()).unwrap();
    let incarnation = live.cluster.rest().incarnation(&live.id).unwrap();

    std::thread::sleep(STATE_SETTLES);
    agrees_with_exact_counters(&live.agent);
    agrees_with_prometheus(&live.agent, &prometheus);
    resize_is_refused_whole_when_it_cannot_be(&live.agent);
    predicts_live_resizes(&live.agent);

    assert_eq!(
        live.cluster.rest().incarnation(&live.id).unwrap(),
        incarnation,
        "moving memory must not restart anything"
    );
}

/// Tells Prometheus what to scrape, and changes nothing.
fn advising_controller(live: &LiveJob) -> Controller {
    let dir = live.cluster.state().subdir("controller").unwrap();
    let options = ControllerOptions {
        act: false,
        configuration: String::new(),
        history: dir.join("history.jsonl"),
        port: None,
        interval_seconds: 5,
    };
    Controller::start(&dir, &options, &[&live.agent], live.cluster.rest()).unwrap()
}

fn agrees_with_exact_counters(agent: &Agent) {
    let window = agent.observe(WINDOW).unwrap();
    let mut checked = 0;
    for cache in window.caches() {
        let exact = cache.miss_ratio().unwrap();
        let curve = cache
            .after
            .predicted_miss_ratio(cache.after.capacity_bytes)
            .unwrap();
        let rate = cache.lookups_per_second();
        println!(
            "{}: {rate:.0} lookups/s, capacity {} MiB, miss ratio exact {:.2} %, curve {:.2} %",
            cache.name(),
            cache.after.capacity_bytes >> 20,
            100.0 * exact,
            100.0 * curve
        );
        if rate > BUSY_LOOKUPS_PER_SECOND {
            checked += 1;
            assert!(
                (exact - curve).abs() <= 0.02,
                "{}: exact {exact}, curve {curve}",
                cache.name()
            );
        }
    }
    assert!(
        checked > 0,
        "no operator subtask had more than {BUSY_LOOKUPS_PER_SECOND} lookups/s"
    );
    let health = window.after().health;
    println!("{health:?}");
    assert_eq!(health.panics_caught, 0);
}

/// The README's PromQL, for each subtask, at the histogram bound nearest to its capacity.
fn agrees_with_prometheus(agent: &Agent, prometheus: &Prometheus) {
    let report = agent.report().unwrap();
    let mut checked = 0;
    for cache in &report.caches {
        let operator = &cache.operator;
        let labels = format!(
            "job_id=\"{}\",operator_name=\"{}\",subtask_index=\"{}\"",
            operator.job_id,
            operator
                .operator_name
                .replace('\\', "\\\\")
                .replace('"', "\\\""),
            operator.subtask_index
        );
        let metric = "weir_block_reuse_distance_bytes";
        let bounds = prometheus
            .query_vector(&format!("{metric}_bucket{{{labels}}}"))
            .unwrap();
        let distance =
            |le: &str| (le.parse::<f64>().unwrap_or(f64::MAX) - cache.capacity_bytes as f64).abs();
        let bound = bounds
            .iter()
            .filter_map(|(series, _)| series["le"].as_str())
            .min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let bound =
            bound.unwrap_or_else(|| panic!("Prometheus has no {metric}_bucket{{{labels}}}"));
        let promql = format!(
            "1 - sum(rate({metric}_bucket{{{labels},le=\"{bound}\"}}[1m])) / sum(rate({metric}_count{{{labels}}}[1m]))"
        );
        let measured = prometheus.query(&promql).unwrap().unwrap();
        let curve = cache.curve.as_ref().unwrap();
        let reported = curve
            .miss_ratio_at(bound.parse::<f64>().unwrap() as u64)
            .value;
        println!("{operator:?}\n  le {bound}: PromQL {measured:.4}, report {reported:.4}");
        assert!(
            (measured - reported).abs() <= 0.01,
            "{promql} = {measured}, report says {reported}"
        );
        checked += 1;
    }
    assert_eq!(checked, report.caches.len());
}

fn resize_is_refused_whole_when_it_cannot_be(agent: &Agent) {
    let before = agent.report().unwrap();
    let first = &before.caches[0];
    let too_much =
        before.budget.cache_bytes - before.budget.allocated_bytes + first.capacity_bytes + 1;
    let mut caches = vec![capacity(first.id, too_much)];
    // A harmless part must not be applied either.
    caches.extend(
        before
            .caches
            .get(1)
            .map(|c| capacity(c.id, c.capacity_bytes)),
    );
    let refused = |generation, caches| {
        let (status, refusal) = agent
            .allocate(&Allocation {
                generation,
                caches,
                write_buffers: Vec::new(),
            })
            .unwrap()
            .unwrap_err();
        assert_eq!(status, refusal.kind.http_status());
        println!("refused with {status}: {}", refusal.message);
        refusal
    };
    let refusal = refused(before.generation + 1, caches);
    assert_eq!(refusal.kind, RefusalKind::OverBudget);
    let budget = before.budget.cache_bytes.to_string();
    assert!(
        refusal.message.contains(&budget),
        "the message does not name the budget {budget}: {}",
        refusal.message
    );
    let stale = refused(
        before.generation,
        vec![capacity(first.id, first.capacity_bytes)],
    );
    assert_eq!(stale.kind, RefusalKind::StaleGeneration);

    let after = agent.report().unwrap();
    assert_eq!(after.generation, before.generation);
    assert_eq!(capacities(&after), capacities(&before));
}

/// Halves the busiest cache in favour of the one that misses most, then gives everything back, and checks what the curves had said of each size.
fn predicts_live_resizes(agent: &Agent) {
    let window = agent.observe(Duration::from_secs(10)).unwrap();
    let rate = |c: &CacheWindow<'_>| c.lookups_per_second();
    let misses = |c: &CacheWindow<'_>| c.miss_ratio().unwrap();
    let a = window
        .caches()
        .max_by(|x, y| rate(x).total_cmp(&rate(y)))
        .unwrap()
        .after;
    let b = window
        .caches()
        .filter(|c| c.after.id != a.id)
        .max_by(|x, y| misses(x).total_cmp(&misses(y)));
    let b = b.unwrap().after;
    let half = a.capacity_bytes / 2;
    resize_and_check(agent, &[(a.id, half), (b.id, b.capacity_bytes + half)]);
    resize_and_check(agent, &[(a.id, a.capacity_bytes), (b.id, b.capacity_bytes)]);
}

fn resize_and_check(agent: &Agent, sizes: &[(CacheId, u64)]) {
    let before = agent.report().unwrap();
    let cache = |report: &Report, id| report.caches.iter().find(|c| c.id == id).unwrap().clone();
    let predicted: Vec<_> = sizes
        .iter()
        .map(|&(id, bytes)| cache(&before, id).predicted_miss_ratio(bytes).unwrap())
        .collect();

    let applied = agent.resize(sizes).unwrap();
    assert!(applied.allocated_bytes <= applied.cache_budget_bytes);
    let report = agent.report().unwrap();
    assert_eq!(report.generation, applied.generation);
    for &(id, bytes) in sizes {
        let read_back = applied.caches.iter().find(|c| c.id == id).unwrap();
        assert_eq!(read_back.capacity_bytes, bytes);
        assert!(read_back.usage_bytes <= bytes.max(read_back.pinned_bytes));
        assert_eq!(cache(&report, id).capacity_bytes, bytes);
    }

    // A grown cache has to fill first: until it is full, or until it stops growing because nothing more is asked for.
    let mut usage = 0;
    wait::until_true("the caches to fill", Duration::from_secs(180), || {
        std::thread::sleep(Duration::from_secs(5));
        let report = agent.report()?;
        let now: u64 = sizes
            .iter()
            .map(|&(id, _)| cache(&report, id).usage_bytes)
            .sum();
        let room: u64 = sizes.iter().map(|&(_, bytes)| bytes).sum();
        let settled = now as f64 > 0.97 * room as f64 || now <= usage + room / 200;
        usage = now;
        Ok(settled)
    })
    .unwrap();
    let window = agent.observe(WINDOW / 2).unwrap();
    for (&(id, bytes), predicted) in sizes.iter().zip(predicted) {
        let cache = window.cache(id).unwrap();
        let measured = cache.miss_ratio().unwrap();
        println!(
            "{}: resized from {} to {} MiB, predicted {:.2} %, measured {:.2} %",
            cache.name(),
            before
                .caches
                .iter()
                .find(|c| c.id == id)
                .unwrap()
                .capacity_bytes
                >> 20,
            bytes >> 20,
            100.0 * predicted,
            100.0 * measured
        );
        assert!(
            (measured - predicted).abs() <= 0.03,
            "predicted {predicted}, measured {measured}"
        );
    }
}

fn capacity(id: CacheId, capacity_bytes: u64) -> CacheCapacity {
    CacheCapacity { id, capacity_bytes }
}

fn capacities(report: &Report) -> Vec<(CacheId, u64)> {
    report
        .caches
        .iter()
        .map(|c| (c.id, c.capacity_bytes))
        .collect()
}
