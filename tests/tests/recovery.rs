//! A TaskManager dies under a running job: on the one that stays the job comes back with the sizes it had, and what was before is told
//! apart from what is now. Then that one is told to end, in mid-traffic, and ends.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::time::Duration;

use weir_protocol::CacheReport;
use weir_testbed::artefacts::FlinkLine;
use weir_testbed::nexmark::STEADY_RATE;
use weir_testbed::{Cluster, ClusterOptions, NexmarkJob, wait};

const FIRST_LOOKUPS: Duration = Duration::from_secs(240);
const RESTART: Duration = Duration::from_secs(180);
/// Far more than a TaskManager takes; one that hangs does not end at all.
const END: Duration = Duration::from_secs(120);
/// What the JVM ends with after SIGTERM.
const TERMINATED: i32 = 128 + 15;
/// -17, what Flink ends its process with if one of its own threads has an exception that nobody catches (`FatalExitExceptionHandler`).
/// It runs into that by itself now and then, when its actors are gone before the threads that still want to tell them something.
const ENDED_BY_FLINK: i32 = 256 - 17;
/// Two queries of one stateful operator each, in two subtasks.
const OPERATORS: usize = 4;

#[test]
fn sizes_come_back_after_a_task_manager_was_killed_and_the_other_ends_when_told() {
    recovers_on(FlinkLine::V1);
}

#[test]
#[ignore = "the same on Flink 2; run by make e2e-more"]
fn sizes_come_back_on_flink_2_after_a_task_manager_was_killed() {
    recovers_on(FlinkLine::V2);
}

fn recovers_on(line: FlinkLine) {
    let options = ClusterOptions {
        task_managers: 2,
        ..ClusterOptions::with_weir_on(line).unwrap()
    }
    .set("weir.memory.mode", "per-operator")
    // Until Flink has noticed, it goes on sending tasks to the one that is gone.
    .set("restart-strategy.fixed-delay.attempts", 100)
    .set("heartbeat.interval", "2 s")
    .set("heartbeat.timeout", "20 s")
    .set("cluster.evenly-spread-out-slots", true)
    .set("taskmanager.load-balance.mode", "SLOTS");
    let mut cluster = Cluster::start(&options).unwrap();
    let job = NexmarkJob::q20_and_q18(STEADY_RATE);
    let id = job.submit(cluster.rest()).unwrap();
    let agent = cluster.agent(FIRST_LOOKUPS).unwrap();
    let report = wait::until(
        "look-ups in both TaskManagers' caches",
        FIRST_LOOKUPS,
        || {
            let report = agent.report()?;
            let are_used = report.caches.iter().all(is_used);
            Ok((report.caches.len() == OPERATORS / 2 && are_used).then_some(report))
        },
    )
    .unwrap();
    let (chosen, bytes) = (&report.caches[0], report.budget.cache_bytes / 8);
    assert_ne!(chosen.capacity_bytes, bytes);
    assert!(chosen.write_counts.unwrap().flushed_bytes > 0);
    agent.resize(&[(chosen.id, bytes)]).unwrap();

    cluster.task_manager_mut(1).kill().unwrap();
    let after = wait::until("the job to come back on one TaskManager", RESTART, || {
        let report = agent.report()?;
        let is_new = |c: &CacheReport| c.operator.attempt > 0 && is_used(c);
        let all_new = report.caches.iter().all(is_new);
        Ok((report.caches.len() == OPERATORS && all_new).then_some(report))
    })
    .unwrap();
    for cache in &after.caches {
        println!(
            "{} {}/{} attempt {}: {} bytes",
            cache.operator.operator_name,
            cache.operator.subtask_index + 1,
            cache.operator.parallelism,
            cache.operator.attempt,
            cache.capacity_bytes
        );
        assert_eq!(cache.operator.job_id, id);
        let came_before = report.caches.iter().any(|before| before.id == cache.id);
        assert!(!came_before, "a cache of the first attempt is still there");
    }
    let subtask = |c: &&CacheReport| {
        c.operator.operator_name == chosen.operator.operator_name
            && c.operator.subtask_index == chosen.operator.subtask_index
    };
    let again: Vec<_> = after.caches.iter().filter(subtask).collect();
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].capacity_bytes, bytes, "the size it was given");
    assert!(after.budget.allocated_bytes <= after.budget.cache_bytes);
    assert_eq!(after.health.panics_caught, 0);

    let ended = cluster.task_manager_mut(0).terminate(END).unwrap();
    let log = cluster.task_manager().log_tail();
    let ended = ended.unwrap_or_else(|| panic!("the TaskManager hangs; its log ends:\n{log}"));
    let codes = [Some(TERMINATED), Some(ENDED_BY_FLINK)];
    assert!(
        codes.contains(&ended.code()),
        "{ended}; its log ends:\n{log}"
    );
    let whole_log = cluster.task_manager().log().unwrap();
    let fatal = whole_log.find("FATAL: Thread").map(|at| &whole_log[at..]);
    let is_ours = fatal.is_some_and(|log| log.contains("io.weir"));
    assert!(!is_ours, "{ended}; its log ends:\n{log}");
}

fn is_used(cache: &CacheReport) -> bool {
    cache.count(|_| true) > 0
}
