//! The built-in web page: static files in the binary; the page itself asks `/v1/status` and `/v1/events`.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | the page |
//! | `GET /page/{file}` | its script, styles and the chart library |
//!
//! Nothing is loaded from elsewhere, so the page works where there is no internet; the content security policy holds it to that.

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Scripts, styles and data from this server alone, nothing inline.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

const INDEX: &str = include_str!("page/assets/index.html");

/// Name, type and content of each file.
const FILES: &[(&str, &str, &str)] = &[
    ("page.css", STYLE, include_str!("page/assets/page.css")),
    ("page.js", SCRIPT, include_str!("page/assets/page.js")),
    ("dom.js", SCRIPT, include_str!("page/assets/dom.js")),
    ("units.js", SCRIPT, include_str!("page/assets/units.js")),
    ("choice.js", SCRIPT, include_str!("page/assets/choice.js")),
    ("curve.js", SCRIPT, include_str!("page/assets/curve.js")),
    ("memory.js", SCRIPT, include_str!("page/assets/memory.js")),
    ("jobs.js", SCRIPT, include_str!("page/assets/jobs.js")),
    ("events.js", SCRIPT, include_str!("page/assets/events.js")),
    // uPlot 1.6.32, MIT; its licence is the last one.
    (
        "uplot.js",
        SCRIPT,
        include_str!("page/assets/uPlot.iife.min.js"),
    ),
    (
        "uplot.css",
        STYLE,
        include_str!("page/assets/uPlot.min.css"),
    ),
    (
        "uplot-license.txt",
        "text/plain; charset=utf-8",
        include_str!("page/assets/uPlot.LICENSE"),
    ),
];

/// The page's routes.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(|| async { served(HTML, INDEX) }))
        .route("/page/{file}", get(file))
}

async fn file(Path(name): Path<String>) -> Response {
    let found = FILES.iter().find(|(known, ..)| *known == name);
    match found {
        Some((_, kind, text)) => served(kind, text),
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}

fn served(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // A new release must not meet an old script.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
