//! The harness itself: a stock Flink starts and runs a query, and a dropped harness leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::time::Duration;

use weir_testbed::{Cluster, ClusterOptions, NexmarkJob, process};

#[test]
fn a_stock_cluster_runs_a_query_and_leaves_no_process_and_no_folder() {
    let cluster = Cluster::start(&ClusterOptions::without_weir().unwrap()).unwrap();
    let pids = [cluster.job_manager().pid(), cluster.task_manager().pid()];
    let folder = cluster.state().path().to_owned();
    assert_eq!(cluster.rest().overview().unwrap().slots_available, 4);

    let job = NexmarkJob {
        // q18 corrects earlier answers, which files cannot take.
        queries: vec!["q20"],
        events: 50_000,
        output: Some(cluster.state().subdir("out").unwrap()),
        ..NexmarkJob::q20_and_q18(50_000)
    };
    let id = job.submit(cluster.rest()).unwrap();
    let state = cluster
        .rest()
        .wait_until_ended(&id, Duration::from_secs(120))
        .unwrap();
    assert_eq!(
        state,
        "FINISHED",
        "{}",
        cluster.rest().root_exception(&id).unwrap()
    );

    drop(cluster);
    assert!(pids.iter().all(|pid| !process::exists(*pid)));
    assert!(!folder.exists());
}
