//! Flink 2, with its newer RocksDB: what the other tests show on Flink 1.20 at length, on one cluster.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use weir_testbed::artefacts::FlinkLine;
use weir_testbed::cluster::agent_lines;
use weir_testbed::nexmark::{STEADY_RATE, output_rows};
use weir_testbed::{Agent, Cluster, ClusterOptions, LiveJob, NexmarkJob, wait};

/// Enough for the join's state to leave the write buffers and be read through the block caches.
const EVENTS: u64 = 200_000;
/// State outgrows the caches.
const STATE_GROWS: Duration = Duration::from_secs(60);
/// A curve with half-life h looks back as far as a window of twice h / ln 2.
const HALF_LIFE: &str = "20 s";
const WINDOW: Duration = Duration::from_secs(60);
/// Below this many lookups in the window a miss ratio is noise.
const BUSY_LOOKUPS: u64 = 20_000;

#[test]
fn on_flink_2_lookups_are_hooked_curves_are_right_and_memory_moves() {
    let options = ClusterOptions::with_weir_on(FlinkLine::V2)
        .unwrap()
        .set("weir.mrc.half-life", HALF_LIFE);
    let job = NexmarkJob::q20_and_q18(STEADY_RATE).with_steady_state();
    let live = LiveJob::start(&options, &job).unwrap();
    let log = live.cluster.task_manager().log().unwrap();
    let lines = agent_lines(&log);
    assert_eq!(lines.len(), 1, "expected one INFO line, got {lines:#?}");
    for part in ["RocksDB 8.10.0", "Lookup", "Insert", "slot", "per-operator"] {
        assert!(lines[0].contains(part), "{part:?} is not in {:?}", lines[0]);
    }
    let incarnation = live.cluster.rest().incarnation(&live.id).unwrap();
    std::thread::sleep(STATE_GROWS);
    curves_agree_with_exact_counters(&live.agent);
    memory_moves(&live.agent);
    assert_eq!(
        live.cluster.rest().incarnation(&live.id).unwrap(),
        incarnation,
        "moving memory must not restart anything"
    );
    jobs_of_one_session_are_told_apart(&live);
    live.cluster.rest().cancel(&live.id).unwrap();
    answers_are_the_same_without_weir(&live.cluster, &live.agent);
}

fn curves_agree_with_exact_counters(agent: &Agent) {
    let window = agent.observe(WINDOW).unwrap();
    let mut checked = 0;
    for cache in window.caches().filter(|c| c.lookups() > BUSY_LOOKUPS) {
        let exact = cache.miss_ratio().unwrap();
        let capacity = cache.after.capacity_bytes;
        let curve = cache.after.predicted_miss_ratio(capacity).unwrap();
        println!(
            "{}: {} lookups, exact {exact:.4}, curve {curve:.4}",
            cache.name(),
            cache.lookups()
        );
        assert!(
            (exact - curve).abs() <= 0.03,
            "{}: exact {exact}, curve {curve}",
            cache.name()
        );
        checked += 1;
    }
    assert!(checked > 0, "no cache had more than {BUSY_LOOKUPS} lookups");
    assert_eq!(window.after().health.panics_caught, 0);
}

/// A megabyte from the first cache to the last one, and back.
fn memory_moves(agent: &Agent) {
    let report = agent.report().unwrap();
    let (first, last) = (&report.caches[0], report.caches.last().unwrap());
    let megabyte = 1 << 20;
    let there = [
        (first.id, first.capacity_bytes - megabyte),
        (last.id, last.capacity_bytes + megabyte),
    ];
    let back = [
        (first.id, first.capacity_bytes),
        (last.id, last.capacity_bytes),
    ];
    for sizes in [there, back] {
        let applied = agent.resize(&sizes).unwrap();
        assert!(applied.allocated_bytes <= applied.cache_budget_bytes);
        let report = agent.report().unwrap();
        for (id, bytes) in sizes {
            let cache = report.caches.iter().find(|c| c.id == id).unwrap();
            assert_eq!(cache.capacity_bytes, bytes);
        }
    }
}

/// A second job on the same TaskManager: every cache names its own job, and only those of the job that ends go.
fn jobs_of_one_session_are_told_apart(live: &LiveJob) {
    let second = NexmarkJob {
        queries: vec!["q18"],
        parallelism: 1,
        ..NexmarkJob::q20_and_q18(STEADY_RATE)
    };
    let id = second.submit(live.cluster.rest()).unwrap();
    let of_job = |job: &str| -> Result<usize> {
        let caches = live.agent.report()?.caches;
        Ok(caches.iter().filter(|c| c.operator.job_id == job).count())
    };
    wait::until_true("the second job's cache", Duration::from_secs(60), || {
        Ok(of_job(&id)? == 1)
    })
    .unwrap();
    assert_eq!(of_job(&live.id).unwrap(), live.caches);
    let names: BTreeSet<_> = live
        .agent
        .report()
        .unwrap()
        .caches
        .iter()
        .map(|c| c.operator.job_name.clone())
        .collect();
    assert_eq!(
        names,
        ["nexmark q18".to_owned(), "nexmark q20 and q18".to_owned()].into()
    );
    live.cluster.rest().cancel(&id).unwrap();
    wait::until_true(
        "the second job's cache to go",
        Duration::from_secs(60),
        || Ok(of_job(&id)? == 0 && of_job(&live.id)? == live.caches),
    )
    .unwrap();
}

/// The join of the same events, once with Weir and once switched off for that job.
fn answers_are_the_same_without_weir(cluster: &Cluster, agent: &Agent) {
    let [with, without] = [true, false].map(|enabled| {
        let output = cluster
            .state()
            .subdir(&format!("output-{enabled}"))
            .unwrap();
        let job = NexmarkJob {
            queries: vec!["q20"],
            events: EVENTS,
            output: Some(output.clone()),
            ..NexmarkJob::q20_and_q18(EVENTS)
        };
        let id = job
            .configure("weir.enabled", enabled)
            .submit(cluster.rest())
            .unwrap();
        if enabled {
            wait::until_true("hooked lookups", Duration::from_secs(120), || {
                let report = agent.report()?;
                Ok(report.caches.iter().map(|c| c.count(|_| true)).sum::<u64>() > 10_000)
            })
            .unwrap();
        }
        let state = cluster
            .rest()
            .wait_until_ended(&id, Duration::from_secs(300))
            .unwrap();
        assert_eq!(
            state,
            "FINISHED",
            "{}",
            cluster.rest().root_exception(&id).unwrap()
        );
        if !enabled {
            assert_eq!(agent.report().unwrap().caches.len(), 0);
        }
        output_rows(&output).unwrap()
    });
    assert!(
        with.len() > 10_000,
        "the join found only {} pairs",
        with.len()
    );
    let different = with.iter().zip(&without).find(|(a, b)| a != b);
    assert_eq!(different, None, "first difference, with and without Weir");
    assert_eq!(with.len(), without.len());
}
