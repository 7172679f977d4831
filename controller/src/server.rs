//! The controller's HTTP surface.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /v1/agents` | announcement | 204; 400 with a reason |
//! | `GET /v1/status` | - | everything known, JSON |
//! | `GET /v1/events` | - | the newest decisions, outcomes and effects in sentences, oldest first, JSON |
//! | `GET /v1/sd` | - | targets for Prometheus' HTTP service discovery, JSON |
//! | `GET /metrics` | - | Prometheus text |
//! | `GET /`, `GET /page/{file}` | - | the page, see [`crate::page`] |
//! | `GET /healthz` | - | 200; 503 when no cycle was finished for too long |

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;
use weir_protocol::Announcement;

use crate::discovery::{TargetGroup, target_groups};
use crate::fleet::Fleet;
use crate::journal::{Event, Journal};
use crate::metrics::Metrics;
use crate::page;
use crate::reporters::Reporters;
use crate::status::Status;

/// What the loop and the server share; locks are held for moments only, never across an await.
#[derive(Debug)]
pub struct Shared {
    /// Known agents.
    pub fleet: Mutex<Fleet>,
    /// As of the last cycle.
    pub status: Mutex<Status>,
    /// The newest events.
    pub journal: Mutex<Journal>,
    /// Metrics.
    pub metrics: Metrics,
    /// Flink's reporters; absent if no Flink is configured.
    pub reporters: Option<Reporters>,
    /// End of the last cycle.
    pub last_cycle: Mutex<Instant>,
    /// No cycle for so long means that the loop is stuck.
    pub stuck_after: Duration,
}

/// The routes.
pub fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/agents", post(announce))
        .route("/v1/status", get(status))
        .route("/v1/events", get(events))
        .route("/v1/sd", get(service_discovery))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .merge(page::routes())
        .with_state(shared)
}

async fn announce(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let refused = |message: String| {
        (StatusCode::BAD_REQUEST, Json(json!({ "message": message }))).into_response()
    };
    let announcement: Announcement = match serde_json::from_slice(&body) {
        Ok(announcement) => announcement,
        Err(error) => return refused(format!("not an announcement: {error}")),
    };
    let known = shared.fleet.lock().announce(&announcement);
    match known {
        Ok(new) => {
            if new {
                let Announcement { tm_id, url, .. } = announcement;
                tracing::info!(tm_id, url, "agent announced itself");
            }
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => {
            tracing::warn!("announcement refused: {error:#}");
            refused(format!("{error:#}"))
        }
    }
}

async fn status(State(shared): State<Arc<Shared>>) -> Json<Status> {
    Json(shared.status.lock().clone())
}

/// Answer to `GET /v1/events`.
#[derive(Debug, Serialize)]
struct Events {
    events: Vec<Event>,
}

async fn events(State(shared): State<Arc<Shared>>) -> Json<Events> {
    let events = shared.journal.lock().events().cloned().collect();
    Json(Events { events })
}

async fn service_discovery(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Json<Vec<TargetGroup>> {
    let reporters = match &shared.reporters {
        Some(reporters) => reporters.find().await,
        None => BTreeMap::new(),
    };
    // Prometheus reaches the controller here, so here is where it can scrape it too.
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let fleet = shared.fleet.lock();
    Json(target_groups(host, &fleet, &reporters))
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    match shared.metrics.text() {
        Ok(text) => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")).into_response(),
    }
}

async fn healthz(State(shared): State<Arc<Shared>>) -> (StatusCode, String) {
    let idle = shared.last_cycle.lock().elapsed();
    if idle > shared.stuck_after {
        let message = format!("no cycle was finished for {} s\n", idle.as_secs());
        return (StatusCode::SERVICE_UNAVAILABLE, message);
    }
    (StatusCode::OK, "ok\n".to_owned())
}
