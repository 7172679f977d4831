//! A stand-in for Kubernetes' API server with the Flink operator behind it. Paths, answers and the operator's words are those of Kubernetes 1.32
//! and of the operator 1.12, as their sources and documentation have them; neither runs in a test.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

use super::flink::{Flink, JOIN, SOURCE};

pub const PATH: &str = "/apis/flink.apache.org/v1beta1/namespaces/jobs/flinkdeployments/nexmark";
pub const OVERRIDES: &str = "pipeline.jobvertex-parallelism-overrides";
/// What the account's token is.
pub const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln";

/// How the operator takes a change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operator {
    /// Through the adaptive scheduler; the job stays.
    InPlace,
    /// Stops the job with a savepoint and starts another one from it.
    Anew,
    /// Says that it cannot.
    Error,
    /// Tries, and goes back to the last stable specification.
    RollsBack,
    /// Is not there.
    Gone,
}

/// How the API server takes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Api {
    Well,
    /// Somebody else is always faster.
    Conflict,
    /// The account may read alone.
    Forbidden,
}

pub struct Kubernetes {
    pub address: std::net::SocketAddr,
    pub state: Arc<Mutex<KubernetesState>>,
}

pub struct KubernetesState {
    pub deployment: Value,
    pub operator: Operator,
    pub api: Api,
    /// Bodies of `PATCH`.
    pub changes: Vec<Value>,
    /// What every request had as `Authorization`.
    pub authorizations: Vec<Option<String>>,
    flink: Arc<Mutex<super::flink::FlinkState>>,
}

// === impl Kubernetes ===

impl Kubernetes {
    /// Whose FlinkDeployment runs the job of `flink`; with TLS if there is a configuration for it.
    pub async fn start(flink: &Flink, tls: Option<ServerConfig>) -> Self {
        let state = Arc::new(Mutex::new(KubernetesState {
            deployment: deployment(&flink.state.lock().job_id),
            operator: Operator::InPlace,
            api: Api::Well,
            changes: Vec::new(),
            authorizations: Vec::new(),
            flink: flink.state.clone(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new()
            .fallback(answer)
            .with_state(state.clone());
        match tls {
            None => {
                tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
            }
            Some(tls) => {
                let acceptor = TlsAcceptor::from(Arc::new(tls));
                tokio::spawn(serve_encrypted(listener, acceptor, router));
            }
        }
        Self { address, state }
    }
}

async fn serve_encrypted(listener: TcpListener, acceptor: TlsAcceptor, router: axum::Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            // A client that does not trust us goes away.
            if let Ok(stream) = acceptor.accept(stream).await {
                let service = TowerToHyperService::new(router);
                let server = Builder::new(TokioExecutor::new());
                drop(server.serve_connection(TokioIo::new(stream), service).await);
            }
        });
    }
}

/// A certificate of its own for 127.0.0.1, as the server wants it, and for `ca.crt`.
pub fn certificate() -> (ServerConfig, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (config, made.cert.pem())
}

/// As `kubectl get flinkdeployment nexmark -o json` has it, without what is of no matter here.
fn deployment(job_id: &str) -> Value {
    json!({
        "apiVersion": "flink.apache.org/v1beta1",
        "kind": "FlinkDeployment",
        "metadata": {"name": "nexmark", "namespace": "jobs", "resourceVersion": "4711", "generation": 1},
        "spec": {
            "image": "flink:1.20-java17",
            "flinkVersion": "v1_20",
            "flinkConfiguration": {"taskmanager.numberOfTaskSlots": "4", "jobmanager.scheduler": "adaptive"},
            "job": {"jarURI": "local:///opt/flink/usrlib/nexmark.jar", "parallelism": 1, "upgradeMode": "savepoint", "state": "running"},
        },
        "status": {
            "jobStatus": {"jobId": job_id, "jobName": "q20", "state": "RUNNING", "startTime": "1732838400000", "updateTime": "1732838460000"},
            "lifecycleState": "STABLE",
            "observedGeneration": 1,
            "jobManagerDeploymentStatus": "READY",
            "reconciliationStatus": {"state": "DEPLOYED", "reconciliationTimestamp": 1732838400000_u64},
        },
    })
}

fn refusal(code: StatusCode, reason: &str, message: &str) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code.as_u16(),
    });
    (code, Json(status)).into_response()
}

async fn answer(
    State(state): State<Arc<Mutex<KubernetesState>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut state = state.lock();
    let header = |name: &str| Some(headers.get(name)?.to_str().unwrap().to_owned());
    state.authorizations.push(header("authorization"));
    if uri.path() != PATH {
        let message = r#"flinkdeployments.flink.apache.org "other" not found"#;
        return refusal(StatusCode::NOT_FOUND, "NotFound", message);
    }
    if method == Method::GET {
        return Json(state.deployment.clone()).into_response();
    }
    assert_eq!(method, Method::PATCH);
    assert_eq!(uri.query(), Some("fieldManager=weir"));
    assert_eq!(
        header("content-type").as_deref(),
        Some("application/merge-patch+json")
    );
    let change: Value = serde_json::from_slice(&body).unwrap();
    state.changes.push(change.clone());
    let present = state.deployment["metadata"]["resourceVersion"].clone();
    let stale = change["metadata"]["resourceVersion"] != present;
    match state.api {
        Api::Forbidden => {
            let message = r#"flinkdeployments.flink.apache.org "nexmark" is forbidden: User "system:serviceaccount:jobs:weir" cannot patch"#;
            refusal(StatusCode::FORBIDDEN, "Forbidden", message)
        }
        api if stale || api == Api::Conflict => {
            let message = "the object has been modified; please apply your changes to the latest version and try again";
            refusal(StatusCode::CONFLICT, "Conflict", message)
        }
        _ => {
            state.take(&change);
            Json(state.deployment.clone()).into_response()
        }
    }
}

// === impl KubernetesState ===

impl KubernetesState {
    /// Of the deployment.
    pub fn overrides(&self) -> &Value {
        &self.deployment["spec"]["flinkConfiguration"][OVERRIDES]
    }

    fn take(&mut self, change: &Value) {
        let version = &mut self.deployment["metadata"]["resourceVersion"];
        let next: u64 = version.as_str().unwrap().parse::<u64>().unwrap() + 1;
        *version = json!(next.to_string());
        let mut spec = change.clone();
        spec.as_object_mut().unwrap().remove("metadata");
        merge(&mut self.deployment, &spec);
        let status = &mut self.deployment["status"];
        match self.operator {
            Operator::Gone => {}
            Operator::Error => {
                status["error"] = json!(
                    r#"{"type":"org.apache.flink.kubernetes.operator.exception.ReconciliationException","message":"no"}"#
                );
            }
            Operator::RollsBack => status["lifecycleState"] = json!("ROLLED_BACK"),
            Operator::InPlace => self.obey(),
            Operator::Anew => {
                let job_id = "c".repeat(32);
                status["jobStatus"]["jobId"] = json!(job_id);
                self.flink.lock().job_id = job_id;
                self.obey();
            }
        }
    }

    /// What the operator asks Flink for.
    fn obey(&self) {
        let overrides = self.overrides().as_str().unwrap_or_default().to_owned();
        let bounds = overrides.split(',').filter_map(|o| o.split_once(':'));
        let asked = bounds.map(|(vertex, parallelism)| {
            let parallelism: u32 = parallelism.parse().unwrap();
            let bounds = json!({"parallelism": {"lowerBound": 1, "upperBound": parallelism}});
            (vertex.to_owned(), bounds)
        });
        let asked = Value::Object(asked.collect());
        assert!(asked.get(SOURCE).is_some() && asked.get(JOIN).is_some());
        self.flink.lock().obey(&asked);
    }
}

/// RFC 7396.
fn merge(target: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        *target = change.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in change {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}
