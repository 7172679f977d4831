//! Parallelism that changes through a FlinkDeployment, against a stand-in for Kubernetes and the Flink operator: what is asked for, what is
//! believed, and what is taken back.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod stand;

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use stand::flink::{Flink, FlinkFault, JOIN, JOIN_NAME, SOURCE};
use stand::kubernetes::{Api, Kubernetes, OVERRIDES, Operator, TOKEN, certificate};
use tempfile::TempDir;
use weir_controller::act::ActResult;
use weir_controller::flink::FlinkClient;
use weir_controller::kubernetes::{DeploymentSettings, KubernetesClient};
use weir_controller::patch::patch;
use weir_controller::rescale::{Patience, RescaleOutcome};
use weir_scaling::JobPlan;

const TIMEOUT: Duration = Duration::from_secs(2);
const SHORT: Patience = Patience {
    checkpoint: TIMEOUT,
    restart: TIMEOUT,
};

/// A deployment, its Flink, and what the stand-ins saw.
struct Stand {
    flink: Flink,
    kubernetes: Kubernetes,
}

impl Stand {
    async fn new() -> Self {
        let flink = Flink::start().await;
        let kubernetes = Kubernetes::start(&flink, None).await;
        Self { flink, kubernetes }
    }

    fn client(&self) -> KubernetesClient {
        let api = format!("http://{}", self.kubernetes.address);
        let settings = DeploymentSettings::parse("jobs/nexmark", Some(&api), None).unwrap();
        KubernetesClient::new(&settings, TIMEOUT, |_| None).unwrap()
    }

    async fn carry_out(&self) -> RescaleOutcome {
        let flink = FlinkClient::new(self.flink.url(), TIMEOUT).unwrap();
        patch(&self.client(), &flink, &plan(), SHORT).await
    }

    /// With a status or specification that differs, nothing is changed; what is said.
    async fn refused(self) -> String {
        let outcome = self.carry_out().await;
        assert_eq!(outcome.result, ActResult::Refused, "{outcome:?}");
        assert!(
            outcome.message.ends_with("; nothing was changed"),
            "{outcome:?}"
        );
        assert!(self.kubernetes.state.lock().changes.is_empty());
        outcome.message
    }

    async fn refused_with(pointer: &str, value: Value) -> String {
        let stand = Self::new().await;
        *stand
            .kubernetes
            .state
            .lock()
            .deployment
            .pointer_mut(pointer)
            .unwrap() = value;
        stand.refused().await
    }
}

/// Three instances of the join instead of one.
fn plan() -> JobPlan {
    let vertex = stand::flink::vertex;
    JobPlan {
        job_id: "b".repeat(32),
        verdict: weir_scaling::JobVerdict::Rescale,
        vertices: vec![
            vertex(SOURCE, "Source: Bids[2]", 1, 1),
            vertex(JOIN, JOIN_NAME, 1, 3),
        ],
        effect: None,
        rejected: Vec::new(),
    }
}

fn wanted() -> String {
    format!("{SOURCE}:1,{JOIN}:3")
}

#[tokio::test]
async fn the_operator_is_asked_for_every_vertex_after_a_checkpoint() {
    let stand = Stand::new().await;
    // Slots that are not there yet come with the pods.
    stand.flink.state.lock().free_slots = 0;
    let outcome = stand.carry_out().await;
    assert_eq!(outcome.result, ActResult::Applied, "{outcome:?}");
    assert_eq!(outcome.former_job_id, None);
    let state = stand.kubernetes.state.lock();
    let expected = json!({
        "metadata": {"resourceVersion": "4711"},
        "spec": {"flinkConfiguration": {OVERRIDES: wanted()}},
    });
    assert_eq!(state.changes, [expected]);
    assert_eq!(*state.overrides(), json!(wanted()));
    assert_eq!(
        state.authorizations[0], None,
        "a proxy has credentials of its own"
    );
    let flink = stand.flink.state.lock();
    assert_eq!((flink.checkpoints, flink.parallelism[JOIN]), (1, 3));
    assert!(flink.puts.is_empty(), "the operator's part");
}

#[tokio::test]
async fn a_job_that_comes_back_under_another_id_is_followed() {
    let stand = Stand::new().await;
    stand.kubernetes.state.lock().operator = Operator::Anew;
    let outcome = stand.carry_out().await;
    assert_eq!(outcome.result, ActResult::Applied, "{outcome:?}");
    assert_eq!(outcome.job_id, "c".repeat(32));
    assert_eq!(outcome.former_job_id, Some("b".repeat(32)));
}

#[tokio::test]
async fn what_the_operator_does_not_do_is_taken_back() {
    for (operator, says) in [
        (
            Operator::Gone,
            "has 1 instances and is RUNNING, 3 are wanted",
        ),
        (Operator::Error, "ReconciliationException"),
        (Operator::RollsBack, "the deployment is ROLLED_BACK"),
    ] {
        let stand = Stand::new().await;
        stand.kubernetes.state.lock().operator = operator;
        let outcome = stand.carry_out().await;
        assert_eq!(outcome.result, ActResult::Failed, "{outcome:?}");
        assert!(outcome.message.contains(says), "{outcome:?}");
        assert!(
            outcome.message.ends_with("; it was taken back"),
            "{outcome:?}"
        );
        let state = stand.kubernetes.state.lock();
        assert_eq!(state.changes.len(), 2);
        assert_eq!(*state.overrides(), Value::Null, "{operator:?}");
    }
}

#[tokio::test]
async fn former_overrides_come_back() {
    let stand = Stand::new().await;
    let before = json!(format!("{JOIN}:1"));
    {
        let mut state = stand.kubernetes.state.lock();
        state.operator = Operator::RollsBack;
        state.deployment["spec"]["flinkConfiguration"][OVERRIDES] = before.clone();
    }
    assert_eq!(stand.carry_out().await.result, ActResult::Failed);
    assert_eq!(*stand.kubernetes.state.lock().overrides(), before);
}

#[tokio::test]
async fn somebody_else_who_is_faster_wins_and_a_missing_right_is_named() {
    let stand = Stand::new().await;
    stand.kubernetes.state.lock().api = Api::Conflict;
    let outcome = stand.carry_out().await;
    assert_eq!(outcome.result, ActResult::Stale, "{outcome:?}");
    assert!(outcome.message.contains("has been modified"), "{outcome:?}");
    stand.kubernetes.state.lock().api = Api::Forbidden;
    let outcome = stand.carry_out().await;
    assert_eq!(outcome.result, ActResult::Refused);
    assert!(
        outcome
            .message
            .contains("cannot patch; the controller's account needs get and patch"),
        "{outcome:?}"
    );
    assert_eq!(stand.flink.state.lock().parallelism[JOIN], 1);
}

#[tokio::test]
async fn what_must_not_be_changed_is_refused() {
    let message = Stand::refused_with("/status/jobStatus/jobId", json!("d".repeat(32))).await;
    assert!(message.contains("and the plan is of job bbb"), "{message}");
    let message = Stand::refused_with("/status/jobStatus/state", json!("RECONCILING")).await;
    assert!(message.contains("RECONCILING, not RUNNING"), "{message}");
    let message = Stand::refused_with("/status/lifecycleState", json!("UPGRADING")).await;
    assert!(message.contains("as UPGRADING"), "{message}");
    let message = Stand::refused_with("/spec/job/state", json!("suspended")).await;
    assert!(message.contains("to be suspended"), "{message}");
    let message = Stand::refused_with("/spec/job/upgradeMode", json!("stateless")).await;
    assert!(message.contains("set savepoint or last-state"), "{message}");
    let message = Stand::refused_with("/spec/job", Value::Null).await;
    assert!(message.contains("session cluster"), "{message}");
    // Newer versions of the operator take `true` as it is.
    for on in [json!("true"), json!(true)] {
        let message = Stand::refused_with(
            "/spec/flinkConfiguration",
            json!({"job.autoscaler.enabled": on}),
        );
        let message = message.await;
        assert!(message.contains("own autoscaler is at work"), "{message}");
    }
    let stand = Stand::new().await;
    stand.flink.fail(FlinkFault::FailCheckpoint);
    let message = stand.refused().await;
    assert!(message.contains("CheckpointException"), "{message}");
}

#[tokio::test]
async fn a_pod_speaks_tls_with_its_account() {
    let flink = Flink::start().await;
    let (tls, ca) = certificate();
    let kubernetes = Kubernetes::start(&flink, Some(tls)).await;
    let account = TempDir::new().unwrap();
    for (file, text) in [
        ("ca.crt", ca.as_str()),
        ("token", TOKEN),
        ("namespace", "jobs\n"),
    ] {
        fs::write(account.path().join(file), text).unwrap();
    }
    // As a pod knows it.
    let environment = |name: &str| match name {
        "KUBERNETES_SERVICE_HOST" => Some("127.0.0.1".to_owned()),
        _ => Some(kubernetes.address.port().to_string()),
    };
    let settings =
        DeploymentSettings::parse("nexmark", None, Some(account.path().to_owned())).unwrap();
    let client = KubernetesClient::new(&settings, TIMEOUT, environment).unwrap();
    assert_eq!(client.name(), "jobs/nexmark");
    let deployment = client.read().await.unwrap();
    assert_eq!(deployment.metadata.version, "4711");
    // Kubernetes renews it in place.
    fs::write(account.path().join("token"), "renewed").unwrap();
    client
        .merge(&json!({"metadata": {"resourceVersion": "1"}}))
        .await
        .unwrap_err();
    let expected = [TOKEN, "renewed"].map(|token| Some(format!("Bearer {token}")));
    assert_eq!(kubernetes.state.lock().authorizations, expected);
    let (_, strangers) = certificate();
    fs::write(account.path().join("ca.crt"), strangers).unwrap();
    let error = format!("{:#}", client.read().await.unwrap_err());
    assert!(error.contains("certificate"), "{error}");
    assert_eq!(kubernetes.state.lock().authorizations.len(), 2);
}
