//! A daemon that changes shapes of jobs: new subtasks get their sizes, a refused rescale leaves nothing behind, a bad one is taken
//! back.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod stand;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use stand::flink::{Flink, FlinkFault, JOIN};
use stand::kubernetes::{Kubernetes, Operator};
use stand::{Agent, Controller, MIB, lines};
use tempfile::TempDir;
use weir_controller::act::ActResult;
use weir_controller::status::{ShapeStatus, Status};
use weir_protocol::{CacheId, CacheReport};

/// What a new cache has before anybody looks after it.
const STARTS_WITH: u64 = 2 * MIB;

/// A controller between the two stand-ins.
struct Daemon {
    agent: Agent,
    flink: Flink,
    kubernetes: Kubernetes,
    controller: Controller,
    history: PathBuf,
    _dir: TempDir,
}

impl Daemon {
    async fn start(policy: &str, fault: FlinkFault) -> Self {
        Self::start_with(policy, fault, "rescale").await
    }

    /// With the way in which parallelism changes: `rescale`, or `patch`.
    async fn start_with(policy: &str, fault: FlinkFault, act: &str) -> Self {
        let (agent, flink) = (Agent::start().await, Flink::start().await);
        flink.fail(fault);
        let kubernetes = Kubernetes::start(&flink, None).await;
        kubernetes.state.lock().operator = Operator::Anew;
        let dir = tempfile::tempdir().unwrap();
        let history = dir.path().join("history.jsonl");
        let configuration = dir.path().join("weir.toml");
        let mut text =
            format!("policy = \"{policy}\"\nact = [\"resize\", \"{act}\"]\nload-window = \"5s\"\n");
        if act == "patch" {
            let api = kubernetes.address;
            text += &format!(
                "deployment = \"jobs/nexmark\"\nkubernetes = \"http://{api}\"\n[terms]\nslot-budget = 8\n"
            );
        }
        text += "[parallelism]\ncooldown-ms = 0\n";
        std::fs::write(&configuration, text).unwrap();
        let flags = [
            "--config",
            configuration.to_str().unwrap(),
            "--agent",
            &agent.url(),
            "--flink",
            &flink.url(),
            "--history",
            history.to_str().unwrap(),
        ];
        let controller = Controller::start(&flags).await;
        Self {
            agent,
            flink,
            kubernetes,
            controller,
            history,
            _dir: dir,
        }
    }

    /// Waits for a request for other parallelisms, and then for what became of it.
    async fn settled(&self, result: ActResult) -> ShapeStatus {
        let there = |s: &Status| {
            let shape = s.shapes.first().and_then(|s| s.last_rescale.as_ref());
            shape.is_some_and(|r| r.result == result)
        };
        let status = self
            .controller
            .until("the rescale has settled", there)
            .await;
        status.shapes[0].clone()
    }

    /// The tasks restart: the join has new caches, as many as its parallelism.
    fn restart_tasks(&self, parallelism: u32) {
        let mut state = self.agent.state.lock();
        let mut caches: Vec<CacheReport> = state.report.caches.drain(..).collect();
        let join = caches.remove(0);
        for subtask_index in 0..parallelism {
            let mut cache = join.clone();
            cache.id = CacheId(10 + u64::from(subtask_index));
            cache.operator.subtask_index = subtask_index;
            cache.operator.parallelism = parallelism;
            cache.operator.attempt += 1;
            cache.capacity_bytes = STARTS_WITH;
            cache.usage_bytes = STARTS_WITH;
            caches.push(cache);
        }
        state.report.caches = caches;
    }

    /// The plan of the decision that the history's shape line is about.
    fn decided(&self) -> (Value, Value) {
        let shapes = lines(&self.history, "shape");
        let shape = shapes.first().expect("a shape line").clone();
        let decisions = lines(&self.history, "decision");
        let decision = decisions
            .into_iter()
            .find(|d| d["decision"] == shape["decision"]);
        (decision.expect("its decision"), shape)
    }
}

#[tokio::test]
async fn the_new_subtasks_get_the_size_their_operator_had_as_far_as_it_fits() {
    let daemon = Daemon::start("ds2", FlinkFault::None).await;
    let shape = daemon.settled(ActResult::Applied).await;
    assert!(shape.last_rescale.unwrap().restart_seconds.is_some());
    assert_eq!(daemon.flink.state.lock().parallelism[JOIN], 3);
    daemon.restart_tasks(3);
    daemon
        .controller
        .until("sizes are given", |s| s.counters.restored > 0)
        .await;
    // 32 MiB each were wanted; beside the other join's 32 of 64 MiB each has a third of the rest.
    assert_eq!(daemon.agent.capacities_mib(), [32, 10, 10, 10]);
    let (decision, shape) = daemon.decided();
    assert_eq!(decision["plan"]["jobs"][0]["verdict"]["verdict"], "rescale");
    assert_eq!(shape["outcome"]["result"], "applied");
    assert_eq!(shape["change"]["vertices"][JOIN]["to_parallelism"], 3);
}

#[tokio::test]
async fn a_job_that_the_operator_starts_anew_gets_its_sizes_under_its_new_id() {
    let daemon = Daemon::start_with("ds2", FlinkFault::None, "patch").await;
    // Two more are wanted, and all that are there are taken: they come with a TaskManager that Kubernetes starts.
    daemon.flink.state.lock().free_slots = 0;
    let there = |s: &Status| !s.shapes.is_empty() && !lines(&daemon.history, "shape").is_empty();
    daemon.controller.until("the job is patched", there).await;
    let (_, shape) = daemon.decided();
    assert_eq!(shape["outcome"]["result"], "applied", "{shape}");
    assert_eq!(shape["outcome"]["job_id"], "c".repeat(32));
    assert_eq!(shape["outcome"]["former_job_id"], "b".repeat(32));
    assert_eq!(daemon.kubernetes.state.lock().changes.len(), 1);
    assert!(daemon.flink.state.lock().puts.is_empty());
    daemon.restart_tasks(3);
    for cache in &mut daemon.agent.state.lock().report.caches {
        cache.operator.job_id = "c".repeat(32);
    }
    daemon
        .controller
        .until("sizes are given", |s| s.counters.restored > 0)
        .await;
    assert_eq!(daemon.agent.capacities_mib(), [32, 10, 10, 10]);
}

#[tokio::test]
async fn the_sizes_of_a_refused_rescale_are_not_remembered() {
    let daemon = Daemon::start("a4s", FlinkFault::RefusePut).await;
    let shape = daemon.settled(ActResult::Refused).await;
    let message = shape.last_rescale.unwrap().message;
    assert!(message.contains("the wrong phase"), "{message}");
    let (decision, _) = daemon.decided();
    let planned = &decision["plan"]["jobs"][0]["vertices"][1];
    assert_ne!(planned["to_parallelism"], 1, "{planned}");
    let memory = planned["memory"][0]["to_cache_bytes"].as_u64();
    assert!(
        memory.is_some_and(|bytes| bytes != STARTS_WITH),
        "{planned}"
    );

    // From now on Flink refuses at once, and the tasks restart for another reason.
    daemon.restart_tasks(1);
    let seen = daemon.controller.until("it has looked", |_| true).await;
    let cycles = seen.counters.cycles;
    let status = daemon
        .controller
        .until("it went on", |s| s.counters.cycles > cycles + 5)
        .await;
    assert_eq!(status.counters.restored, 0, "{status:#?}");
    assert_eq!(daemon.agent.capacities_mib(), [32, STARTS_WITH / MIB]);
}

#[tokio::test]
async fn a_rescale_that_made_things_worse_is_taken_back_and_not_tried_again() {
    let daemon = Daemon::start("ds2", FlinkFault::Slower).await;
    daemon.settled(ActResult::Applied).await;
    let rolled_back = |s: &Status| s.counters.applied > 1;
    daemon
        .controller
        .until("it is taken back", rolled_back)
        .await;
    {
        let state = daemon.flink.state.lock();
        assert_eq!(state.parallelism[JOIN], 1);
        assert_eq!(state.puts.len(), 2, "{:?}", state.puts);
    }
    let vetoed = |s: &Status| {
        let shape = s.shapes.first();
        shape.is_some_and(|s| s.sentence.contains("this shape was taken back"))
    };
    daemon
        .controller
        .until("the same wish is vetoed", vetoed)
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(daemon.flink.state.lock().puts.len(), 2);
}
