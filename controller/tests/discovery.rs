//! What Prometheus is told to scrape.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod stand;

use std::collections::BTreeMap;

use axum::Router;
use axum::response::Json;
use axum::routing::get;
use serde_json::json;
use stand::{Agent, Controller};
use tokio::net::TcpListener;
use weir_controller::discovery::TargetGroup;

const TM_ID: &str = "127.0.0.1:41357-ab12";

/// Serves one fixed text at `/metrics`; the port is the answer.
async fn reporter(metrics: &'static str) -> u16 {
    serve(Router::new().route("/metrics", get(move || async move { metrics }))).await
}

async fn serve(router: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    port
}

/// A JobManager's REST API with one TaskManager, and reporters that may be on any of `ports`.
async fn flink(ports: String) -> u16 {
    let class = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory";
    let config = json!([
        {"key": "metrics.reporter.prom.factory.class", "value": class},
        {"key": "metrics.reporter.prom.port", "value": ports},
    ]);
    let path = "pekko.tcp://flink@127.0.0.1:41357/user/rpc/taskmanager_0";
    let task_managers = json!({"taskmanagers": [{"id": TM_ID, "path": path}]});
    let jobs = json!({"jobs": []});
    let router = Router::new()
        .route("/jobmanager/config", get(|| async { Json(config) }))
        .route("/taskmanagers", get(|| async { Json(task_managers) }))
        .route("/jobs/overview", get(|| async { Json(jobs) }));
    serve(router).await
}

#[tokio::test]
async fn controller_agents_and_flinks_own_reporters_are_listed() {
    let agent = Agent::start().await;
    let jm = reporter("flink_jobmanager_numRunningJobs{host=\"a\",} 1.0\n").await;
    let tm =
        reporter("flink_taskmanager_Status_JVM_CPU_Load{tm_id=\"127_0_0_1:41357_ab12\",} 0.1\n")
            .await;
    let other_cluster =
        reporter("flink_taskmanager_Status_JVM_CPU_Load{tm_id=\"127_0_0_1:1_ff\",} 0.1\n").await;
    let not_flink = reporter("up 1\n").await;
    let flink = flink(format!("{jm},{tm},{other_cluster},{not_flink}")).await;
    let flags = [
        "--agent",
        &agent.url(),
        "--flink",
        &format!("http://127.0.0.1:{flink}"),
    ];
    let controller = Controller::start(&flags).await;
    controller
        .until("the agent has reported", |s| {
            s.agents.iter().any(|a| a.tm_id.is_some())
        })
        .await;

    let groups: Vec<TargetGroup> = serde_json::from_str(&controller.text("/v1/sd").await).unwrap();
    let found: BTreeMap<_, _> = groups
        .iter()
        .map(|g| {
            let label = |name: &str| g.labels.get(name).map_or("", String::as_str);
            (
                g.targets[0].clone(),
                (label("__meta_weir_kind"), label("__meta_weir_tm_id")),
            )
        })
        .collect();
    let expected = BTreeMap::from([
        (controller.url.replace("http://", ""), ("controller", "")),
        (agent.address.to_string(), ("agent", "tm-1")),
        (format!("127.0.0.1:{jm}"), ("flink", "")),
        (format!("127.0.0.1:{tm}"), ("flink", TM_ID)),
    ]);
    assert_eq!(found, expected);
}
