//! A TaskManager is killed in the middle of a bounded job: what comes out in the end is, row for row, what comes out undisturbed. So the
//! source goes on exactly where its last checkpoint has it, and the join's state is of the same moment.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::time::Duration;

use weir_testbed::nexmark::output_rows;
use weir_testbed::{Cluster, ClusterOptions, NexmarkJob, wait};

const EVENTS: u64 = 60_000;
/// So the disturbed job has twelve seconds to do.
const RATE: u64 = 5_000;
/// Events that must be behind a completed checkpoint when the process is killed, and those that are read after it.
const BEFORE: u64 = EVENTS / 4;
const DEADLINE: Duration = Duration::from_secs(180);

#[test]
fn a_job_whose_task_manager_was_killed_ends_with_the_answer_of_an_undisturbed_one() {
    let options = ClusterOptions {
        task_managers: 2,
        ..ClusterOptions::without_weir().unwrap()
    }
    .set("execution.checkpointing.interval", "1 s")
    // Until Flink has noticed, it goes on sending tasks to the one that is gone.
    .set("restart-strategy.fixed-delay.attempts", 100)
    .set("heartbeat.interval", "1 s")
    .set("heartbeat.timeout", "20 s")
    .set("cluster.evenly-spread-out-slots", true)
    .set("taskmanager.load-balance.mode", "SLOTS");
    let mut cluster = Cluster::start(&options).unwrap();
    let flink = cluster.rest().clone();
    let job = |output: &str| NexmarkJob {
        // Each event by itself, and a join that is right only if both of its sides are.
        queries: vec!["q0", "q20"],
        events: EVENTS,
        output: Some(cluster.state().subdir(output).unwrap()),
        ..NexmarkJob::q20_and_q18(RATE)
    };

    let calm = job("calm").set("max-emit-speed", true);
    let disturbed = job("disturbed");
    let id = calm.submit(&flink).unwrap();
    assert_eq!(flink.wait_until_ended(&id, DEADLINE).unwrap(), "FINISHED");
    let expected = output_rows(calm.output.as_ref().unwrap()).unwrap();
    assert!(expected.len() as u64 > EVENTS * 9 / 10);

    let id = disturbed.submit(&flink).unwrap();
    wait::until_true("a checkpoint in the middle of the events", DEADLINE, || {
        let committed = output_rows(disturbed.output.as_ref().unwrap())?;
        Ok(committed.len() as u64 > BEFORE)
    })
    .unwrap();
    assert_eq!(flink.job(&id).unwrap().state, "RUNNING");
    cluster.task_manager_mut(1).kill().unwrap();
    let state = flink.wait_until_ended(&id, DEADLINE).unwrap();
    assert_eq!(state, "FINISHED", "{}", flink.root_exception(&id).unwrap());
    let restored = flink.restored_checkpoint(&id).unwrap();
    assert!(restored.is_some(), "the job was not restored");

    let rows = output_rows(disturbed.output.as_ref().unwrap()).unwrap();
    println!("{} rows, from checkpoint {restored:?}", rows.len());
    let different = expected.iter().zip(&rows).find(|(a, b)| a != b);
    assert_eq!(different, None, "first difference, undisturbed and not");
    assert_eq!(expected.len(), rows.len());
}
