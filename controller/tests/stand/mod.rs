//! A stand-in for an agent, for faults that a real one cannot be made to show, and the `weir` program as a child process.
#![allow(dead_code, clippy::unwrap_used)]

pub mod flink;
pub mod kubernetes;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, put};
use parking_lot::Mutex;
use serde_json::{Value, json};
use weir_controller::status::Status;
use weir_protocol::{Allocation, AppliedAllocation, Refusal, RefusalKind, Report};

pub const MIB: u64 = 1 << 20;

/// How the stand-in misbehaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    /// Declines every allocation.
    Refuse(RefusalKind),
    /// Says yes and changes nothing.
    SayYesDoNothing,
    /// Answers what no agent answers.
    Garbage,
}

/// A stand-in: each report is a second after the one before, with a second's lookups.
pub struct Agent {
    pub address: SocketAddr,
    pub state: Arc<Mutex<AgentState>>,
    server: tokio::task::JoinHandle<()>,
}

pub struct AgentState {
    pub report: Report,
    pub fault: Fault,
    /// How often a report was asked for.
    pub asked: u32,
    /// Nothing is looked up any more.
    pub stands_still: bool,
    /// Bytes that every cache has pinned in the first report alone.
    pub pinned_at_first: u64,
    /// Numbers of the reports, from 0, in place of which garbage comes.
    pub unreadable: Range<u32>,
    pub received: Vec<Allocation>,
}

/// Join[1] gains from every byte, Join[2] from none; 64 MiB of budget, half each.
pub fn report(pid: u32) -> Report {
    let points = |at: &dyn Fn(u64) -> f64| -> Vec<Value> {
        let point = |mib: u64| {
            let ratio = at(mib);
            json!({"bytes": mib * MIB, "miss_ratio": ratio, "low": (ratio - 0.005).max(0.0), "high": (ratio + 0.005).min(1.0)})
        };
        (0..=64).map(point).collect()
    };
    let cache = |id: u64, points: Vec<Value>| {
        json!({
            "id": id,
            "operator": {
                "job_id": "b".repeat(32), "task_name": format!("Join[{id}] -> Calc"),
                "operator_name": format!("Join[{id}]"), "subtask_index": 0, "parallelism": 1, "attempt": 0,
            },
            "capacity_bytes": 32 * MIB, "usage_bytes": 32 * MIB, "pinned_bytes": 0, "age_ms": 60_000,
            "lookups": [
                {"role": "data", "caller": "task", "result": "hit", "count": 100_000},
                {"role": "data", "caller": "task", "result": "miss", "count": 100_000},
            ],
            "curve": {"points": points}, "curve_samples": 8000.0, "miss_seconds": 1e-4, "write_buffers": null,
        })
    };
    let report = json!({
        "protocol_version": 1, "uptime_ms": 60_000, "generation": 0,
        "agent": {
            "version": "0.1.0", "tm_id": "tm-1", "pid": pid, "rocksdb_version": "6.20.3",
            "mode": "per-operator", "hook": {"state": "hooked"},
        },
        "budget": {
            "total_bytes": 128 * MIB, "write_buffer_bytes": 64 * MIB, "cache_bytes": 64 * MIB,
            "allocated_bytes": 64 * MIB, "min_cache_bytes": MIB,
        },
        "caches": [cache(1, points(&|mib| 1.0 - mib as f64 / 64.0)), cache(2, points(&|_| 0.4))],
        "health": {"samples_dropped": 0, "samples_taken": 8000, "threads": 2, "panics_caught": 0},
    });
    serde_json::from_value(report).unwrap()
}

// === impl Agent ===

impl Agent {
    pub async fn start() -> Self {
        Self::start_with(report(42)).await
    }

    pub async fn start_with(report: Report) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), report).await
    }

    pub async fn start_at(address: SocketAddr, report: Report) -> Self {
        let state = Arc::new(Mutex::new(AgentState {
            report,
            fault: Fault::None,
            asked: 0,
            stands_still: false,
            pinned_at_first: 0,
            unreadable: 0..0,
            received: Vec::new(),
        }));
        // An address that was just given up may take a moment to be free.
        let mut tries = 0..50;
        let listener = loop {
            match tokio::net::TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) if tries.next().is_some() => {
                    tokio::time::sleep(Duration::from_millis(20)).await
                }
                Err(error) => panic!("cannot listen on {address}: {error}"),
            }
        };
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new()
            .route("/v1/report", get(answer_report))
            .route("/v1/allocation", put(answer_allocation))
            .with_state(state.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            state,
            server,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes the listener away; connections that are open stay until their next request.
    pub async fn die(self) -> SocketAddr {
        self.server.abort();
        let _ = self.server.await;
        self.state.lock().fault = Fault::Garbage;
        self.address
    }

    pub fn capacities_mib(&self) -> Vec<u64> {
        let state = self.state.lock();
        state
            .report
            .caches
            .iter()
            .map(|c| c.capacity_bytes / MIB)
            .collect()
    }
}

async fn answer_report(State(state): State<Arc<Mutex<AgentState>>>) -> Response {
    let mut state = state.lock();
    let number = state.asked;
    state.asked += 1;
    if state.fault == Fault::Garbage || state.unreadable.contains(&number) {
        return (StatusCode::OK, "<html>a router's login page</html>").into_response();
    }
    state.report.uptime_ms += 1_000;
    let stands_still = state.stands_still;
    for cache in &mut state.report.caches {
        cache.age_ms += 1_000;
        if !stands_still {
            cache.lookups[0].count += 600;
            cache.lookups[1].count += 400;
        }
    }
    let mut report = state.report.clone();
    if number == 0 {
        for cache in &mut report.caches {
            cache.pinned_bytes += state.pinned_at_first;
        }
    }
    Json(report).into_response()
}

async fn answer_allocation(
    State(state): State<Arc<Mutex<AgentState>>>,
    Json(asked): Json<Allocation>,
) -> Response {
    let mut state = state.lock();
    state.received.push(asked.clone());
    let generation = state.report.generation;
    let refuse = |kind: RefusalKind, message: &str| {
        let status = StatusCode::from_u16(kind.http_status()).unwrap();
        let message = message.to_owned();
        (
            status,
            Json(Refusal {
                kind,
                message,
                generation,
            }),
        )
            .into_response()
    };
    if asked.generation <= generation {
        return refuse(RefusalKind::StaleGeneration, "an older generation");
    }
    match state.fault {
        Fault::Refuse(kind) => return refuse(kind, "the moon is in the wrong phase"),
        Fault::None => {
            state.report.generation = asked.generation;
            for wanted in &asked.caches {
                let caches = &mut state.report.caches;
                let cache = caches.iter_mut().find(|c| c.id == wanted.id).unwrap();
                cache.capacity_bytes = wanted.capacity_bytes;
                cache.usage_bytes = wanted.capacity_bytes;
            }
        }
        Fault::SayYesDoNothing | Fault::Garbage => {}
    }
    let applied = AppliedAllocation {
        generation: asked.generation,
        caches: Vec::new(),
        write_buffers: Vec::new(),
        allocated_bytes: 0,
        cache_budget_bytes: 0,
    };
    Json(applied).into_response()
}

/// A running `weir run`, killed when dropped.
pub struct Controller {
    child: Child,
    pub url: String,
}

// === impl Controller ===

impl Controller {
    /// Starts one on a free port, in a hurry: an interval of 50 ms, and caches need no age.
    pub async fn start(flags: &[&str]) -> Self {
        let mut child = weir()
            .args([
                "run",
                "--listen",
                "127.0.0.1:0",
                "--interval",
                "50ms",
                "--min-age",
                "0s",
            ])
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (found, url) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let url = line
                    .split_whitespace()
                    .find(|w| w.starts_with("http://127.0.0.1:"));
                if let (true, Some(url)) = (line.contains("listens on"), url) {
                    let _ = found.send(url.trim_end_matches(',').to_owned());
                }
                eprintln!("{line}");
            }
        });
        let url = url.recv().expect("the controller ended before it listened");
        let controller = Self { child, url };
        controller.until("it answers", |_| true).await;
        controller
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap().code()
    }

    pub async fn text(&self, path: &str) -> String {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        answer.text().await.unwrap()
    }

    /// Waits for a status; panics with the last one if it does not come.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let mut last = None;
        for _ in 0..400 {
            if let Ok(answer) = reqwest::get(format!("{}/v1/status", self.url)).await {
                let status: Status = answer.json().await.unwrap();
                if wanted(&status) {
                    return status;
                }
                last = Some(status);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("waited in vain until {what}; last status: {last:#?}");
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It may have been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program under test.
pub fn weir() -> Command {
    Command::new(env!("CARGO_BIN_EXE_weir"))
}

/// Lines of a history file of one kind.
pub fn lines(path: &Path, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap());
    lines.filter(|l| l["kind"] == kind).collect()
}
