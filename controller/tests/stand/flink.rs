//! A stand-in for a JobManager with the adaptive scheduler, for faults of a rescale that a real one cannot be made to show.
//!
//! Paths and bodies are those of Flink 1.20's REST API. One job: a source that is offered three times what
//! its join, of the stream with itself, can process.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use parking_lot::Mutex;
use serde_json::{Value, json};
use weir_scaling::{Measured, VertexPlan, VertexReason};

pub const SOURCE: &str = "cbc357ccb763df2852fee8c4fc7d55f2";
pub const JOIN: &str = "20ba6b65f97481d5570070de90e4e791";
/// The vertex whose state the stand-in for an agent reports.
pub const JOIN_NAME: &str = "Join[1] -> Calc";
/// Of the requirements a vertex that is in no plan.
pub const STRANGER: &str = "deadbeefdeadbeefdeadbeefdeadbeef";

/// How the stand-in misbehaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FlinkFault {
    None,
    /// There are no resource requirements: `jobmanager.scheduler` is not `adaptive`.
    NotAdaptive,
    /// The requirements name a vertex that the plan does not.
    OneVertexMore,
    /// The job restarts for a reason of its own.
    Restarting,
    /// Declines the checkpoint.
    RefuseCheckpoint,
    /// The checkpoint is begun and fails.
    FailCheckpoint,
    /// The checkpoint is begun and never ends.
    HangCheckpoint,
    /// Declines the new requirements.
    RefusePut,
    /// Takes the new requirements, but the answer gets lost.
    LosePutAnswer,
    /// Says yes to the new requirements and does nothing.
    IgnorePut,
    /// Begins to restart and never gets its slots.
    NeverRunAgain,
    /// Restarts as asked, and then every instance but a single one processes a tenth of what it did.
    Slower,
}

pub struct Flink {
    pub address: SocketAddr,
    pub state: Arc<Mutex<FlinkState>>,
}

pub struct FlinkState {
    pub fault: FlinkFault,
    pub job_id: String,
    pub free_slots: u32,
    pub parallelism: BTreeMap<&'static str, u32>,
    pub state: &'static str,
    /// Bodies of `PUT /jobs/:id/resource-requirements`.
    pub puts: Vec<Value>,
    /// Number of `POST /jobs/:id/checkpoints`.
    pub checkpoints: u32,
    attempt: u32,
    running_since: Instant,
    running_since_ms: u128,
}

type Shared = State<Arc<Mutex<FlinkState>>>;

/// A vertex of a plan that asks for other instances.
pub fn vertex(id: &str, name: &str, from: u32, to: u32) -> VertexPlan {
    VertexPlan {
        vertex_id: id.to_owned(),
        name: name.to_owned(),
        from_parallelism: from,
        to_parallelism: to,
        memory: Vec::new(),
        level: None,
        reason: VertexReason::Stays,
        target_records_per_second: Measured::default(),
        predicted: None,
    }
}

// === impl Flink ===

impl Flink {
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(FlinkState {
            fault: FlinkFault::None,
            job_id: "b".repeat(32),
            free_slots: 3,
            parallelism: BTreeMap::from([(SOURCE, 1), (JOIN, 1)]),
            state: "RUNNING",
            puts: Vec::new(),
            checkpoints: 0,
            attempt: 0,
            running_since: Instant::now(),
            running_since_ms: now_ms(),
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requirements = get(answer_requirements).put(answer_put);
        let router = axum::Router::new()
            .route("/overview", get(answer_overview))
            .route("/taskmanagers", get(answer_task_managers))
            .route("/jobs/overview", get(answer_jobs))
            .route("/jobs/{job}", get(answer_job))
            .route("/jobs/{job}/metrics", get(answer_restarts))
            .route("/jobs/{job}/vertices/{vertex}", get(answer_vertex))
            .route(
                "/jobs/{job}/vertices/{vertex}/subtasks/metrics",
                get(answer_metrics),
            )
            .route("/jobs/{job}/resource-requirements", requirements)
            .route("/jobs/{job}/checkpoints", post(answer_checkpoint))
            .route(
                "/jobs/{job}/checkpoints/{request}",
                get(answer_checkpoint_status),
            )
            .with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, state }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn fail(&self, fault: FlinkFault) {
        let mut state = self.state.lock();
        state.fault = fault;
        if fault == FlinkFault::Restarting {
            state.state = "RESTARTING";
        }
    }
}

// === impl FlinkState ===

impl FlinkState {
    /// Records a second of one instance of the join, which is always busy.
    fn rate_per_instance(&self) -> f64 {
        match self.fault {
            FlinkFault::Slower if self.parallelism[JOIN] > 1 => 100.0,
            _ => 1000.0,
        }
    }

    /// Of all of them: what the source can hand on.
    fn read_per_second(&self) -> f64 {
        self.rate_per_instance() * f64::from(self.parallelism[JOIN])
    }

    /// Restarts into the upper bounds asked for.
    pub fn obey(&mut self, put: &Value) {
        for (vertex, parallelism) in &mut self.parallelism {
            let upper = put[*vertex]["parallelism"]["upperBound"].as_u64().unwrap();
            *parallelism = u32::try_from(upper).unwrap();
        }
        self.attempt += 1;
        self.running_since = Instant::now();
        self.running_since_ms = now_ms();
    }
}

fn now_ms() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis()
}

fn errors(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"errors": [message]}))).into_response()
}

async fn answer_overview(State(state): Shared) -> Json<Value> {
    let free = state.lock().free_slots;
    Json(json!({"taskmanagers": 1, "slots-total": 4, "slots-available": free}))
}

async fn answer_task_managers() -> Json<Value> {
    Json(json!({"taskmanagers": [{"id": "tm-1", "slotsNumber": 4, "freeSlots": 3}]}))
}

async fn answer_jobs(State(state): Shared) -> Json<Value> {
    let state = state.lock();
    Json(json!({"jobs": [{"jid": state.job_id, "name": "q20", "state": state.state}]}))
}

async fn answer_restarts() -> Json<Value> {
    Json(json!([{"id": "numRestarts", "value": "0"}]))
}

async fn answer_job(State(state): Shared) -> Json<Value> {
    let state = state.lock();
    let vertex = |id: &str, name: &str| {
        json!({
            "id": id, "name": name, "parallelism": state.parallelism[id], "maxParallelism": 128,
            "slotSharingGroupId": "a", "status": "RUNNING",
        })
    };
    let running_since_ms = u64::try_from(state.running_since_ms).unwrap();
    Json(json!({
        "jid": state.job_id, "name": "q20", "state": state.state,
        "now": u64::try_from(now_ms()).unwrap(), "timestamps": {"RUNNING": running_since_ms, "FAILED": 0},
        "vertices": [vertex(SOURCE, "Source: Bids[2]"), vertex(JOIN, JOIN_NAME)],
        "plan": {"nodes": [{"id": SOURCE}, {"id": JOIN, "inputs": [{"num": 0, "id": SOURCE, "ship_strategy": "HASH"}, {"num": 1, "id": SOURCE, "ship_strategy": "HASH"}]}]},
    }))
}

async fn answer_vertex(
    State(state): Shared,
    Path((_, vertex)): Path<(String, String)>,
) -> Json<Value> {
    let state = state.lock();
    let seconds = state.running_since.elapsed().as_secs_f64();
    let reads = vertex == JOIN;
    let rate = state.rate_per_instance();
    let subtask = |index: u32| {
        json!({"subtask": index, "attempt": state.attempt, "status": "RUNNING", "metrics": {
            "read-records": if reads { rate * seconds } else { 0.0 }, "read-records-complete": true,
            "write-records": if reads { 0.0 } else { state.read_per_second() * seconds }, "write-records-complete": true,
            "accumulated-busy-time": if reads { 1000.0 * seconds } else { 100.0 * seconds },
            "accumulated-idle-time": 0.0, "accumulated-backpressured-time": 0.0,
        }})
    };
    let parallelism = state.parallelism.get(vertex.as_str()).copied().unwrap_or(0);
    let subtasks: Vec<Value> = (0..parallelism).map(subtask).collect();
    Json(json!({"id": vertex, "parallelism": parallelism, "subtasks": subtasks}))
}

async fn answer_metrics(
    State(state): Shared,
    Path((_, vertex)): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Json<Value> {
    if vertex != SOURCE {
        return Json(json!([]));
    }
    let state = state.lock();
    let seconds = state.running_since.elapsed().as_secs_f64();
    let read = state.read_per_second();
    let metrics = [
        ("Source__Bids[2].numRecordsIn", read * seconds),
        ("Source__Bids[2].pendingRecords", (3000.0 - read) * seconds),
        ("Source__Bids[2].numRecordsInPerSecond", read),
    ];
    let asked = query.get("get");
    let answer = metrics.iter().filter_map(|(id, value)| match asked {
        None => Some(json!({"id": id})),
        Some(asked) => asked
            .split(',')
            .any(|a| a == *id)
            .then(|| json!({"id": id, "sum": value, "max": value})),
    });
    Json(answer.collect())
}

async fn answer_requirements(State(state): Shared) -> Response {
    let state = state.lock();
    if state.fault == FlinkFault::NotAdaptive {
        return errors(
            StatusCode::NOT_FOUND,
            "The job is not running on the adaptive scheduler",
        );
    }
    let bounds = |upper: u32| json!({"parallelism": {"lowerBound": 1, "upperBound": upper}});
    let vertices = state.parallelism.iter();
    let mut all: serde_json::Map<String, Value> = vertices
        .map(|(id, parallelism)| ((*id).to_owned(), bounds(*parallelism)))
        .collect();
    if state.fault == FlinkFault::OneVertexMore {
        all.insert(STRANGER.to_owned(), bounds(1));
    }
    Json(Value::Object(all)).into_response()
}

async fn answer_put(State(state): Shared, Json(asked): Json<Value>) -> Response {
    let mut state = state.lock();
    state.puts.push(asked.clone());
    match state.fault {
        FlinkFault::RefusePut => {
            return errors(
                StatusCode::BAD_REQUEST,
                "The moon is in the wrong phase.\\n\\tat org.apache.flink.Moon",
            );
        }
        FlinkFault::LosePutAnswer => {
            state.obey(&asked);
            drop(state);
            // Without an answer the server closes the connection.
            panic!("this answer gets lost on purpose");
        }
        FlinkFault::IgnorePut => {}
        FlinkFault::NeverRunAgain => state.state = "CREATED",
        _ => state.obey(&asked),
    }
    Json(json!({})).into_response()
}

async fn answer_checkpoint(State(state): Shared, Json(asked): Json<Value>) -> Response {
    let mut state = state.lock();
    assert_eq!(asked["checkpointType"], "CONFIGURED");
    state.checkpoints += 1;
    if state.fault == FlinkFault::RefuseCheckpoint {
        return errors(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Checkpointing has not been enabled",
        );
    }
    let answer = Json(json!({"request-id": "1c0ffee"}));
    (StatusCode::ACCEPTED, answer).into_response()
}

async fn answer_checkpoint_status(
    State(state): Shared,
    Path((_, request)): Path<(String, String)>,
) -> Json<Value> {
    assert_eq!(request, "1c0ffee");
    Json(match state.lock().fault {
        FlinkFault::HangCheckpoint => json!({"status": {"id": "IN_PROGRESS"}, "operation": null}),
        FlinkFault::FailCheckpoint => json!({"status": {"id": "COMPLETED"}, "operation": {
            "checkpointId": null,
            "failureCause": {"class": "org.apache.flink.runtime.checkpoint.CheckpointException", "stack-trace": "..."},
        }}),
        _ => json!({"status": {"id": "COMPLETED"}, "operation": {"checkpointId": 7}}),
    })
}
