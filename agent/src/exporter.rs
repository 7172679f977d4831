//! The agent's HTTP server.
//!
//! | request | answer |
//! |---|---|
//! | `GET /metrics` | Prometheus text, see [`crate::metrics`] |
//! | `GET /v1/report` | [`weir_protocol::Report`] |
//! | `GET /v1/options` | [`options_in_force::DatabaseOptions`] of every open database |
//! | `PUT /v1/allocation` | [`weir_protocol::AppliedAllocation`], or [`weir_protocol::Refusal`] with its status |
//! | `GET /healthz` | `200 ok` |
//!
//! One thread, one runtime, a bounded number of connections, a time limit on everything a client may be slow with: a
//! client costs the TaskManager nothing but that thread's time.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Extension, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use weir_protocol::{Allocation, Refusal, RefusalKind};

use crate::agent::{Agent, LogLevel};
use crate::{announcer, memory_limit, metrics, options_in_force};

const NAME: &str = "weir-http";
/// Prometheus, a controller and a few curious people.
const MAX_CONNECTIONS: usize = 32;
/// An allocation names at most some thousand caches.
const MAX_BODY_BYTES: usize = 256 * 1024;
const SLOWEST_CLIENT: Duration = Duration::from_secs(10);

/// Binds the first free port of the configured range; `None` if none is.
#[must_use]
pub fn bind(agent: &Agent) -> Option<TcpListener> {
    agent.settings.http_ports.clone().find_map(|port| {
        let listener = TcpListener::bind((agent.settings.http_bind_host.as_str(), port)).ok()?;
        listener.set_nonblocking(true).ok()?;
        Some(listener)
    })
}

/// Serves on `listener`, and announces `url` to the controller if one is configured, on a thread of its own.
pub fn start(
    agent: Arc<Agent>,
    listener: TcpListener,
    url: String,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    std::thread::Builder::new()
        .name(NAME.to_owned())
        .spawn(move || {
            runtime.block_on(async {
                if agent.settings.controller_url.is_some() {
                    tokio::spawn(announcer::run(agent.clone(), url));
                }
                let routes = |peer| router(agent.clone(), peer);
                if let Err(error) = serve(&agent, listener, routes).await {
                    agent.log(
                        LogLevel::Warn,
                        &format!("Weir's HTTP server stopped: {error}"),
                    );
                }
            });
        })
}

/// The routes, for a client at a known address.
pub fn router(agent: Arc<Agent>, peer: SocketAddr) -> Router {
    Router::new()
        .route("/metrics", get(metrics_text))
        .route("/v1/report", get(report))
        .route("/v1/allocation", put(allocate))
        .route("/v1/options", get(options_in_force))
        .route("/healthz", get(|| async { "ok\n" }))
        .layer(Extension(peer))
        .with_state(agent)
}

/// Notes when a connection ends in a panic. The runtime catches it, and the others go on.
struct PanicWitness(Arc<Agent>);

impl Drop for PanicWitness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.counts.panics_caught.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn serve(
    agent: &Arc<Agent>,
    listener: TcpListener,
    routes: impl Fn(SocketAddr) -> Router,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(_) => {
                // Out of file descriptors, say: that passes, and retrying at once would burn a core.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            continue; // full: the connection is closed
        };
        let service = TowerToHyperService::new(routes(peer));
        let witness = PanicWitness(agent.clone());
        tokio::spawn(async move {
            let _witness = witness;
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                // One request a connection: a client that reuses an idle one would at times find it just closed by the
                // time limit, and the places are few.
                .keep_alive(false)
                .header_read_timeout(SLOWEST_CLIENT)
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes away in mid-answer is its own affair.
            let _ = connection.await;
            drop(place);
        });
    }
}

async fn metrics_text(State(agent): State<Arc<Agent>>) -> Response {
    match metrics::render(&agent) {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn report(State(agent): State<Arc<Agent>>) -> Response {
    Json(agent.report()).into_response()
}

async fn options_in_force() -> Response {
    Json(options_in_force::of_this_process()).into_response()
}

async fn allocate(
    State(agent): State<Arc<Agent>>,
    Extension(peer): Extension<SocketAddr>,
    request: Request,
) -> Response {
    let refused = |kind: RefusalKind, message: String| {
        let generation = agent.caches.lock().ledger.generation();
        refusal(Refusal {
            kind,
            message,
            generation,
        })
    };
    if let Err(message) = may_change(&agent, peer.ip(), &request) {
        return refused(RefusalKind::Unauthorized, message);
    }
    let body = tokio::time::timeout(
        SLOWEST_CLIENT,
        to_bytes(request.into_body(), MAX_BODY_BYTES),
    );
    let body = match body.await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return refused(RefusalKind::Malformed, error.to_string()),
        Err(_) => {
            return refused(
                RefusalKind::Malformed,
                "the body did not arrive within 10 seconds".to_owned(),
            );
        }
    };
    let allocation: Allocation = match serde_json::from_slice(&body) {
        Ok(allocation) => allocation,
        Err(error) => {
            return refused(
                RefusalKind::Malformed,
                format!(
                    "{error}; expected {{\"generation\":N,\"caches\":[{{\"id\":N,\"capacity_bytes\":N}}]}}"
                ),
            );
        }
    };
    let memory = memory_limit::read();
    let applied = agent.caches.lock().apply(&allocation, memory.as_ref());
    match applied {
        Ok(applied) => Json(applied).into_response(),
        Err(refused) => refusal(refused),
    }
}

fn refusal(refusal: Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.kind.http_status())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(refusal)).into_response()
}

/// With a token file: whoever has the token. Without one: whoever is on this machine.
fn may_change(agent: &Agent, peer: IpAddr, request: &Request) -> Result<(), String> {
    let Some(file) = &agent.settings.http_token_file else {
        return if peer.is_loopback() {
            Ok(())
        } else {
            Err(format!(
                "changes from {peer} need a token: set weir.http.token-file; without it only loopback may change anything"
            ))
        };
    };
    // Read each time, so that a token can be changed without a restart.
    let token = std::fs::read_to_string(file)
        .map_err(|error| format!("the token file {} cannot be read: {error}", file.display()))?;
    let token = token.trim();
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    if !token.is_empty() && is_equal(given.as_bytes(), token.as_bytes()) {
        Ok(())
    } else {
        Err("the header 'Authorization: Bearer TOKEN' with the token of weir.http.token-file is missing or wrong".to_owned())
    }
}

/// Compares without telling by the time taken where the difference is.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;
    use crate::settings::Settings;

    fn answer(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: weir\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[test]
    fn a_handler_that_panics_costs_its_own_connection_and_is_counted() {
        let pairs = [("mode", "observe"), ("budget-bytes", "100000000")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let agent = Agent::new(Settings::parse(&pairs).unwrap(), Box::new(|_, _| {}));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let server = agent.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            let routes = |peer: SocketAddr| {
                let failing = move || async move {
                    assert_eq!(peer.port(), 0, "injected");
                };
                router(server.clone(), peer).route("/panic", get(failing))
            };
            runtime.block_on(serve(&server, listener, routes)).unwrap();
        });
        // More often than there are places: each must be given back.
        for _ in 0..2 * MAX_CONNECTIONS {
            assert_eq!(answer(address, "/panic"), "");
        }
        assert!(answer(address, "/healthz").starts_with("HTTP/1.1 200"));
        assert_eq!(agent.health().panics_caught, 2 * MAX_CONNECTIONS as u64);
    }
}
