//! A rescale that Flink declines, loses or does not carry out: what was asked for, what is said, and that nothing else changes.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod stand;

use std::time::Duration;

use stand::flink::{Flink, FlinkFault, JOIN, JOIN_NAME, SOURCE, STRANGER, vertex};
use weir_controller::act::ActResult;
use weir_controller::flink::FlinkClient;
use weir_controller::rescale::{Patience, RescaleOutcome, rescale};
use weir_scaling::{JobPlan, JobVerdict};

const SHORT: Patience = Patience {
    checkpoint: Duration::from_secs(2),
    restart: Duration::from_secs(2),
};

/// Three instances of the join instead of one.
fn plan() -> JobPlan {
    JobPlan {
        job_id: "b".repeat(32),
        verdict: JobVerdict::Rescale,
        vertices: vec![
            vertex(SOURCE, "Source: Bids[2]", 1, 1),
            vertex(JOIN, JOIN_NAME, 1, 3),
        ],
        effect: None,
        rejected: Vec::new(),
    }
}

async fn carry_out(flink: &Flink, plan: &JobPlan) -> RescaleOutcome {
    let client = FlinkClient::new(flink.url(), Duration::from_secs(2)).unwrap();
    rescale(&client, plan, SHORT).await
}

/// The outcome under a fault that must come before anything is changed.
async fn refused(fault: FlinkFault) -> String {
    let flink = Flink::start().await;
    flink.fail(fault);
    let outcome = carry_out(&flink, &plan()).await;
    assert_eq!(outcome.result, ActResult::Refused, "{outcome:?}");
    assert!(
        outcome.message.ends_with("; nothing was changed"),
        "{outcome:?}"
    );
    let state = flink.state.lock();
    assert!(state.puts.is_empty(), "{:?}", state.puts);
    outcome.message
}

#[tokio::test]
async fn a_checkpoint_comes_first_and_the_request_names_every_vertex() {
    let flink = Flink::start().await;
    let outcome = carry_out(&flink, &plan()).await;
    assert_eq!(outcome.result, ActResult::Applied, "{outcome:?}");
    assert!(outcome.restart_seconds.is_some());
    let state = flink.state.lock();
    assert_eq!(state.checkpoints, 1);
    let bounds =
        |upper: u32| serde_json::json!({"parallelism": {"lowerBound": 1, "upperBound": upper}});
    let expected = serde_json::json!({SOURCE: bounds(1), JOIN: bounds(3)});
    assert_eq!(state.puts, [expected]);
    assert_eq!(state.parallelism[JOIN], 3);
}

#[tokio::test]
async fn without_the_adaptive_scheduler_it_is_refused() {
    let message = refused(FlinkFault::NotAdaptive).await;
    assert!(
        message.contains("jobmanager.scheduler: adaptive"),
        "{message}"
    );
}

#[tokio::test]
async fn a_vertex_that_the_plan_does_not_name_is_named() {
    let message = refused(FlinkFault::OneVertexMore).await;
    assert!(message.contains(STRANGER), "{message}");
}

#[tokio::test]
async fn a_vertex_that_flink_does_not_know_is_named() {
    let flink = Flink::start().await;
    let mut plan = plan();
    plan.vertices.push(vertex(STRANGER, "gone", 1, 1));
    let outcome = carry_out(&flink, &plan).await;
    assert_eq!(outcome.result, ActResult::Refused);
    assert!(outcome.message.contains(STRANGER), "{outcome:?}");
    assert!(flink.state.lock().puts.is_empty());
}

#[tokio::test]
async fn a_job_that_restarts_is_left_alone() {
    let message = refused(FlinkFault::Restarting).await;
    assert!(message.contains("RESTARTING"), "{message}");
}

#[tokio::test]
async fn too_few_slots_are_counted() {
    let flink = Flink::start().await;
    flink.state.lock().free_slots = 1;
    let outcome = carry_out(&flink, &plan()).await;
    assert_eq!(outcome.result, ActResult::Refused);
    let words = "2 more slots are needed and 1 are free";
    assert!(outcome.message.contains(words), "{outcome:?}");
    let state = flink.state.lock();
    assert!(state.puts.is_empty() && state.checkpoints == 0);
}

#[tokio::test]
async fn a_checkpoint_that_is_declined_fails_or_hangs_ends_the_attempt() {
    let declined = refused(FlinkFault::RefuseCheckpoint).await;
    assert!(
        declined.contains("Checkpointing has not been enabled"),
        "{declined}"
    );
    let failed = refused(FlinkFault::FailCheckpoint).await;
    assert!(failed.contains("CheckpointException"), "{failed}");
    let hangs = refused(FlinkFault::HangCheckpoint).await;
    assert!(hangs.contains("took longer than 2 s"), "{hangs}");
}

#[tokio::test]
async fn a_refused_request_is_quoted_without_the_stack_trace() {
    let flink = Flink::start().await;
    flink.fail(FlinkFault::RefusePut);
    let outcome = carry_out(&flink, &plan()).await;
    assert_eq!(outcome.result, ActResult::Refused, "{outcome:?}");
    assert!(
        outcome.message.contains("The moon is in the wrong phase"),
        "{outcome:?}"
    );
    assert!(
        !outcome.message.contains("at org.apache.flink"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn an_answer_that_gets_lost_does_not_hide_that_the_job_was_rescaled() {
    let flink = Flink::start().await;
    flink.fail(FlinkFault::LosePutAnswer);
    let outcome = carry_out(&flink, &plan()).await;
    assert_eq!(outcome.result, ActResult::Applied, "{outcome:?}");
    assert_eq!(flink.state.lock().puts.len(), 1, "asked once");
}

#[tokio::test]
async fn what_is_not_in_force_in_time_has_failed() {
    let flink = Flink::start().await;
    flink.fail(FlinkFault::IgnorePut);
    let outcome = carry_out(&flink, &plan()).await;
    assert_eq!(outcome.result, ActResult::Failed, "{outcome:?}");
    let words = "not in force after 2 s: Join[1] -> Calc has 1 instances";
    assert!(outcome.message.contains(words), "{outcome:?}");

    flink.fail(FlinkFault::NeverRunAgain);
    let outcome = carry_out(&flink, &plan()).await;
    assert_eq!(outcome.result, ActResult::Failed, "{outcome:?}");
    assert!(
        outcome.message.contains("the job is CREATED"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_jobmanager_that_is_gone_refuses_nothing_and_changes_nothing() {
    let client = FlinkClient::new("http://127.0.0.1:9".to_owned(), Duration::from_secs(1)).unwrap();
    let outcome = rescale(&client, &plan(), SHORT).await;
    assert_eq!(outcome.result, ActResult::Refused);
    assert!(
        outcome.message.contains("cannot reach Flink"),
        "{outcome:?}"
    );
}
