//! A session cluster outlives its jobs: twenty of them leave no cache, thread or estimator behind.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::time::Duration;

use anyhow::Result;
use weir_testbed::nexmark::STEADY_RATE;
use weir_testbed::{Agent, Cluster, ClusterOptions, NexmarkJob, artefacts, process, wait};

const ROUNDS: usize = 20;
/// The JVM starts compiler and network threads as it warms up; by the third job it has those it needs.
const WARM_UP: usize = 3;
/// Threads the JVM may have more at the end. A thread lost per job would be seventeen.
const TOLERANCE: u32 = 6;

#[test]
fn twenty_jobs_in_one_session_leave_nothing_behind() {
    let mut cluster = Cluster::start(&ClusterOptions::with_weir().unwrap()).unwrap();
    let jar = cluster
        .rest()
        .upload(&artefacts::nexmark_jar().unwrap())
        .unwrap();
    let job = NexmarkJob::q20_and_q18(STEADY_RATE);
    let pid = cluster.task_manager().pid();
    let mut agent = None;
    let mut baseline = None;
    for round in 1..=ROUNDS {
        let id = job.run(cluster.rest(), &jar).unwrap();
        let agent = agent.get_or_insert_with(|| cluster.agent(Duration::from_secs(120)).unwrap());
        wait::until_true("caches in use", Duration::from_secs(120), || in_use(agent)).unwrap();
        cluster.rest().cancel(&id).unwrap();
        wait::until_true("the caches to be released", Duration::from_secs(60), || {
            let report = agent.report()?;
            Ok(report.caches.is_empty() && report.budget.allocated_bytes == 0)
        })
        .unwrap();
        let threads = process::thread_count(pid).unwrap();
        let rings = agent.report().unwrap().health.threads;
        println!("job {round} of {ROUNDS}: {threads} threads, {rings} of them with a ring");
        if round == WARM_UP {
            baseline = Some((threads, rings));
        }
    }

    let agent = agent.unwrap();
    let (threads_before, rings_before) = baseline.unwrap();
    // Threads of the last job end a moment after the job does.
    wait::until_true(
        "the thread count to return to its baseline",
        Duration::from_secs(90),
        || Ok(process::thread_count(pid)? <= threads_before + TOLERANCE),
    )
    .unwrap();
    let report = agent.report().unwrap();
    assert!(
        report.health.threads <= rings_before,
        "{} threads own a ring, {rings_before} did after job {WARM_UP}",
        report.health.threads
    );
    assert_eq!(report.health.panics_caught, 0);
    let metrics = agent.metrics().unwrap();
    let leaked: Vec<_> = metrics
        .lines()
        .filter(|line| line.contains("operator_name="))
        .collect();
    assert_eq!(leaked, Vec::<&str>::new(), "series of jobs that are gone");
    agent.healthz().unwrap();
    cluster.check_alive().unwrap();
    assert_eq!(pid, cluster.task_manager().pid());
}

/// Whether every operator has its cache and at least one of them has been looked at.
fn in_use(agent: &Agent) -> Result<bool> {
    let report = agent.report()?;
    let lookups: u64 = report.caches.iter().map(|c| c.count(|_| true)).sum();
    Ok(report.caches.len() == 4 && lookups > 0)
}
