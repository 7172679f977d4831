//! Weir watches and sizes caches; what a query answers must not depend on it.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::time::Duration;

use weir_testbed::nexmark::output_rows;
use weir_testbed::{Cluster, ClusterOptions, NexmarkJob};

/// Enough for the join's state to leave the write buffers and be read through the block caches.
const EVENTS: u64 = 300_000;

#[test]
fn the_join_answers_the_same_with_and_without_weir() {
    let without = joined(&ClusterOptions::without_weir().unwrap(), false);
    let with = joined(&ClusterOptions::with_weir().unwrap(), true);
    assert!(
        without.len() > 20_000,
        "the join found only {} pairs",
        without.len()
    );
    println!("{} rows without Weir, {} with", without.len(), with.len());
    let different = without.iter().zip(&with).find(|(a, b)| a != b);
    assert_eq!(different, None, "first difference, without and with Weir");
    assert_eq!(without.len(), with.len());
}

/// q20's whole output, sorted.
fn joined(options: &ClusterOptions, watched: bool) -> Vec<String> {
    let cluster = Cluster::start(options).unwrap();
    let output = cluster.state().subdir("output").unwrap();
    let job = NexmarkJob {
        queries: vec!["q20"],
        events: EVENTS,
        output: Some(output.clone()),
        ..NexmarkJob::q20_and_q18(EVENTS)
    };
    let id = job.submit(cluster.rest()).unwrap();
    if watched {
        // Equal answers prove something only if the lookups really went through the hook.
        let agent = cluster.agent(Duration::from_secs(60)).unwrap();
        weir_testbed::wait::until_true("100,000 hooked lookups", Duration::from_secs(240), || {
            let report = agent.report()?;
            Ok(report.caches.iter().map(|c| c.count(|_| true)).sum::<u64>() > 100_000)
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
    output_rows(&output).unwrap()
}
