//! The Kubernetes API as far as `act = ["patch"]` needs it: one FlinkDeployment is read, and changes are merged into it.
//!
//! Two kinds of request do not pay for a Kubernetes library. TLS is of this client alone, so that the others stay as small as they are.
//! Token and CA are read anew for each request, since Kubernetes renews them in place.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use axum::body::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// Which FlinkDeployment, and how to reach the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentSettings {
    /// Its namespace; absent: that of the account.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Base URL of the API server; absent: that of the pod's own cluster.
    pub api: Option<String>,
    /// Folder with `token`, `ca.crt` and `namespace`, as Kubernetes mounts it into a pod.
    pub account: PathBuf,
}

/// A client for one FlinkDeployment.
#[derive(Debug, Clone)]
pub struct KubernetesClient {
    host: String,
    port: u16,
    encrypted: bool,
    account: PathBuf,
    /// Of the deployment.
    path: String,
    name: String,
    timeout: Duration,
}

/// A FlinkDeployment, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
pub struct FlinkDeployment {
    /// For the version.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: Spec,
    /// What the operator says of it; empty before it has looked.
    #[serde(default)]
    pub status: Status,
}

/// Of any object of Kubernetes.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    /// Changes with every change of the object.
    #[serde(rename = "resourceVersion")]
    pub version: String,
}

/// What is wanted of a deployment.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// Flink's keys; values are texts, in newer versions of the operator trees too.
    #[serde(default)]
    pub flink_configuration: Map<String, Value>,
    /// Absent in a session cluster.
    pub job: Option<JobSpec>,
}

/// What is wanted of its job.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSpec {
    /// `running` or `suspended`.
    pub state: Option<String>,
    /// `stateless`, `savepoint` or `last-state`.
    pub upgrade_mode: Option<String>,
}

/// What the operator says of a deployment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Of the job as last seen.
    pub job_status: JobStatus,
    /// What the operator could not do.
    pub error: Option<String>,
    /// Such as `STABLE`, `UPGRADING`, `ROLLED_BACK`.
    pub lifecycle_state: Option<String>,
}

/// Of the job as last seen.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobStatus {
    /// Flink's id, which changes with an upgrade by savepoint.
    pub job_id: Option<String>,
    /// Flink's state.
    pub state: Option<String>,
}

/// Why a change was not made, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The API server declined: nothing was changed.
    #[error("Kubernetes answered {status} to {path}: {message}")]
    Refused {
        /// The deployment's.
        path: String,
        /// Its verdict; 409 says that somebody else has changed the object meanwhile.
        status: StatusCode,
        /// Its words.
        message: String,
    },
    /// It may have arrived or not.
    #[error("{0:#}")]
    NoAnswer(anyhow::Error),
}

// === impl DeploymentSettings ===

impl DeploymentSettings {
    /// Where Kubernetes mounts a pod's account.
    pub const ACCOUNT: &'static str = "/var/run/secrets/kubernetes.io/serviceaccount";

    /// Takes `NAME` or `NAMESPACE/NAME`.
    pub fn parse(text: &str, api: Option<&str>, account: Option<PathBuf>) -> anyhow::Result<Self> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, text),
        };
        let is_name = |part: &str| {
            let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
            !part.is_empty() && part.chars().all(inside)
        };
        ensure!(
            is_name(name) && namespace.is_none_or(is_name),
            "deployment: `{text}` names no FlinkDeployment; write NAME or NAMESPACE/NAME"
        );
        if let Some(api) = api {
            address(api).context("kubernetes")?;
        }
        Ok(Self {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            api: api.map(str::to_owned),
            account: account.unwrap_or_else(|| Self::ACCOUNT.into()),
        })
    }

    fn namespace(&self) -> anyhow::Result<String> {
        if let Some(namespace) = &self.namespace {
            return Ok(namespace.clone());
        }
        let namespace = read(&self.account, "namespace");
        namespace.with_context(|| {
            format!(
                "deployment: `{}` names no namespace, and there is none here; write NAMESPACE/{}",
                self.name, self.name
            )
        })
    }
}

// === impl KubernetesClient ===

impl KubernetesClient {
    /// An answer is a few kilobytes.
    const LONGEST_ANSWER: usize = 16 << 20;

    /// A client; `environment` tells what Kubernetes put into the pod's.
    pub fn new(
        settings: &DeploymentSettings,
        timeout: Duration,
        environment: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        let api = match &settings.api {
            Some(api) => api.clone(),
            None => own_cluster(environment)?,
        };
        let (encrypted, host, port) = address(&api).context("kubernetes")?;
        let namespace = settings.namespace()?;
        if encrypted {
            // Said now, not with the first decision.
            tls(&settings.account)?;
            read(&settings.account, "token")?;
        }
        Ok(Self {
            host,
            port,
            encrypted,
            account: settings.account.clone(),
            path: format!(
                "/apis/flink.apache.org/v1beta1/namespaces/{namespace}/flinkdeployments/{}",
                settings.name
            ),
            name: format!("{namespace}/{}", settings.name),
            timeout,
        })
    }

    /// The deployment's name, with its namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The deployment as it is.
    pub async fn read(&self) -> anyhow::Result<FlinkDeployment> {
        let request = self.request(Method::GET, &self.path, None)?;
        let (status, body) = self.send(request).await?;
        if !status.is_success() {
            bail!(
                "Kubernetes answered {status} to {}: {}",
                self.path,
                message(status, &body)
            );
        }
        self.deployment(&body)
    }

    /// Merges a change into it (RFC 7396); one that carries a `resourceVersion` is declined if that is not the present one.
    pub async fn merge(&self, change: &Value) -> Result<FlinkDeployment, MergeError> {
        let path = format!("{}?fieldManager=weir", self.path);
        let request = self.request(Method::PATCH, &path, Some(change));
        let request = request.map_err(MergeError::NoAnswer)?;
        let (status, body) = self.send(request).await.map_err(MergeError::NoAnswer)?;
        if !status.is_success() {
            return Err(MergeError::Refused {
                path: self.path.clone(),
                status,
                message: message(status, &body),
            });
        }
        self.deployment(&body).map_err(MergeError::NoAnswer)
    }

    fn deployment(&self, body: &[u8]) -> anyhow::Result<FlinkDeployment> {
        serde_json::from_slice(body)
            .with_context(|| format!("{} did not answer a FlinkDeployment", self.path))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(ACCEPT, "application/json");
        if self.encrypted {
            let token = read(&self.account, "token")?;
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            None => Bytes::new(),
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/merge-patch+json");
                serde_json::to_vec(body)?.into()
            }
        };
        Ok(request.body(Full::new(body))?)
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let exchange = tokio::time::timeout(self.timeout, self.exchange(request));
        let answer = exchange
            .await
            .unwrap_or_else(|_| Err(anyhow!("no answer within {} ms", self.timeout.as_millis())));
        answer.with_context(|| format!("cannot reach Kubernetes at {}:{}", self.host, self.port))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        if self.encrypted {
            let name = ServerName::try_from(self.host.clone())?;
            let stream = tls(&self.account)?.connect(name, stream).await?;
            over(TokioIo::new(stream), request).await
        } else {
            over(TokioIo::new(stream), request).await
        }
    }
}

/// One request over a connection of its own: they are minutes apart.
async fn over(
    stream: impl hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    // Its end is the answer's, or an error that the answer tells.
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), KubernetesClient::LONGEST_ANSWER);
    let body = body.collect().await.map_err(|e| anyhow!("{e}"))?.to_bytes();
    connection.abort();
    Ok((status, body))
}

/// Trusts the account's CA alone.
fn tls(account: &Path) -> anyhow::Result<TlsConnector> {
    let file = account.join("ca.crt");
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(&file);
    for certificate in certificates.with_context(|| format!("cannot read {}", file.display()))? {
        let unusable = || format!("{} has a certificate that is none", file.display());
        roots
            .add(certificate.with_context(unusable)?)
            .with_context(unusable)?;
    }
    ensure!(!roots.is_empty(), "{} has no certificate", file.display());
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn read(account: &Path, name: &str) -> anyhow::Result<String> {
    let file = account.join(name);
    let text = fs::read_to_string(&file);
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    let text = text.trim();
    ensure!(
        !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()),
        "{} must hold one line of printable characters",
        file.display()
    );
    Ok(text.to_owned())
}

fn own_cluster(environment: impl Fn(&str) -> Option<String>) -> anyhow::Result<String> {
    let host = environment("KUBERNETES_SERVICE_HOST");
    let (Some(host), Some(port)) = (host, environment("KUBERNETES_SERVICE_PORT")) else {
        bail!(
            "kubernetes: this is no pod, so the API server is not known; write https://HOST:PORT, or http://127.0.0.1:8001 with `kubectl proxy`"
        );
    };
    Ok(match host.contains(':') {
        true => format!("https://[{host}]:{port}"),
        false => format!("https://{host}:{port}"),
    })
}

/// Whether TLS is spoken, host and port.
fn address(url: &str) -> anyhow::Result<(bool, String, u16)> {
    let wrong = || format!("`{url}` is no address of an API server; write https://HOST:PORT");
    let parsed = reqwest::Url::parse(url).with_context(wrong)?;
    let encrypted = match parsed.scheme() {
        "https" => true,
        "http" => false,
        _ => bail!(wrong()),
    };
    let host = parsed.host_str().with_context(wrong)?;
    let port = parsed.port_or_known_default().with_context(wrong)?;
    ensure!(matches!(parsed.path(), "" | "/"), wrong());
    // Of an address of IPv6 the brackets belong to the URL.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((encrypted, host.to_owned(), port))
}

/// What a `Status` object says, and what may be missing.
fn message(status: StatusCode, body: &[u8]) -> String {
    const LONGEST: usize = 300;
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let words = answer["message"]
        .as_str()
        .map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    let words: String = words.chars().take(LONGEST).collect();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!(
            "{words}; the controller's account needs get and patch on this FlinkDeployment, see deploy/kubernetes/patch"
        ),
        _ => words,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use super::*;

    fn client(text: &str, api: Option<&str>, account: &Path) -> anyhow::Result<KubernetesClient> {
        let settings = DeploymentSettings::parse(text, api, Some(account.to_owned()))?;
        let environment = |name: &str| match name {
            "KUBERNETES_SERVICE_HOST" => Some("fd00::1".to_owned()),
            "KUBERNETES_SERVICE_PORT" => Some("443".to_owned()),
            _ => None,
        };
        KubernetesClient::new(&settings, Duration::from_secs(1), environment)
    }

    fn error(text: &str, api: Option<&str>, account: &Path) -> String {
        format!("{:#}", client(text, api, account).unwrap_err())
    }

    #[test]
    fn the_pod_says_what_is_not_configured() {
        let account = tempfile::tempdir().unwrap();
        let plain = client(
            "jobs/nexmark",
            Some("http://localhost:8001/"),
            account.path(),
        );
        let plain = plain.unwrap();
        assert_eq!(
            (plain.encrypted, plain.host.as_str(), plain.port),
            (false, "localhost", 8001)
        );
        assert_eq!(
            plain.path,
            "/apis/flink.apache.org/v1beta1/namespaces/jobs/flinkdeployments/nexmark"
        );
        let missing = error("nexmark", None, account.path());
        assert!(missing.contains("write NAMESPACE/nexmark"), "{missing}");
        fs::write(account.path().join("namespace"), "jobs").unwrap();
        let missing = error("nexmark", None, account.path());
        assert!(missing.contains("ca.crt"), "{missing}");
        let in_pod = own_cluster(|name| Some(name.len().to_string())).unwrap();
        assert_eq!(in_pod, "https://23:23");
        assert!(own_cluster(|_| None).is_err());
        let inside = |name: &str| {
            Some(
                if name.ends_with("HOST") {
                    "fd00::1"
                } else {
                    "443"
                }
                .to_owned(),
            )
        };
        let (encrypted, host, port) = address(&own_cluster(inside).unwrap()).unwrap();
        assert_eq!((encrypted, host.as_str(), port), (true, "fd00::1", 443));
    }

    #[test]
    fn what_cannot_be_right_is_named() {
        let here = Path::new(".");
        for (text, api, says) in [
            ("", None, "names no FlinkDeployment"),
            ("a/b/c", None, "write NAME or NAMESPACE/NAME"),
            ("Nexmark", None, "names no FlinkDeployment"),
            ("a/b", Some("nowhere"), "write https://HOST:PORT"),
            ("a/b", Some("ftp://x"), "write https://HOST:PORT"),
            ("a/b", Some("https://x/api"), "write https://HOST:PORT"),
        ] {
            let error = error(text, api, here);
            assert!(error.contains(says), "{text} {api:?}: {error}");
        }
    }

    #[test]
    fn a_status_object_is_quoted() {
        let status = br#"{"kind":"Status","message":"it is forbidden","code":403}"#;
        let said = message(StatusCode::FORBIDDEN, status);
        assert!(said.starts_with("it is forbidden; the controller's account needs get and patch"));
        assert_eq!(
            message(StatusCode::BAD_GATEWAY, b"no upstream"),
            "no upstream"
        );
    }
}
