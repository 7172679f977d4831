//! `weir doctor` against a running controller, and against nobody.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod stand;

use serde_json::Value;
use stand::{Agent, Controller, report, weir};
use weir_protocol::HookState;

async fn doctor(arguments: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let mut command = weir();
    command.arg("doctor").args(arguments).arg("--json");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let findings = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), findings, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_the_controller_knows_are_looked_at() {
    let mut refused = report(42);
    refused.agent.hook = HookState::Refused {
        reason: "a vtable of 40 slots".to_owned(),
    };
    refused.health.panics_caught = 3;
    let agent = Agent::start_with(refused).await;
    let controller = Controller::start(&["--agent", &agent.url()]).await;
    let (code, findings, said) = doctor(&["--controller", &controller.url]).await;
    let faults: Vec<_> = findings
        .iter()
        .filter(|f| f["verdict"] == "fault")
        .map(|f| (f["subject"].as_str().unwrap(), f["found"].as_str().unwrap()))
        .collect();
    let url = agent.url();
    assert_eq!(
        faults,
        [
            (
                url.as_str(),
                "TaskManager tm-1: not hooked: a vtable of 40 slots"
            ),
            (url.as_str(), "3 panics were caught in it"),
        ]
    );
    assert_eq!(code, Some(1));
    assert!(said.contains("2 faults were found"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_works_is_fine() {
    let agent = Agent::start().await;
    let (code, findings, said) = doctor(&["--agent", &agent.url()]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        findings.iter().all(|f| f["verdict"] == "fine"),
        "{findings:?}"
    );
    assert!(findings.len() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_reached_is_a_fault_with_a_remedy() {
    let nobody = "http://127.0.0.1:9";
    let all = ["--agent", nobody, "--flink", nobody, "--controller", nobody];
    let (code, findings, _) = doctor(&all).await;
    assert_eq!(code, Some(1));
    assert_eq!(findings.len(), 3, "{findings:?}");
    for finding in findings {
        assert_eq!(finding["verdict"], "fault");
        assert!(finding["remedy"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_look_at_is_bad_usage() {
    let (code, _, said) = doctor(&[]).await;
    assert_eq!(code, Some(64));
    assert!(said.contains("--controller http://HOST:9240"), "{said}");
}
