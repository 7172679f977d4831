//! Speaks to agents: reads reports, changes sizes.

use std::error::Error;
use std::time::Duration;

use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use weir_protocol::{Allocation, AppliedAllocation, PROTOCOL_VERSION, Refusal, Report};

/// A client for all agents of a fleet.
#[derive(Debug, Clone)]
pub struct AgentClient {
    http: reqwest::Client,
    token: Option<String>,
}

/// Why an agent did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No answer.
    #[error(
        "cannot reach agent {url}: {cause}; is the TaskManager running and weir.http.bind-host reachable from here?"
    )]
    Unreachable {
        /// Base URL of the agent.
        url: String,
        /// The innermost cause.
        cause: String,
    },
    /// An answer that is none of ours.
    #[error(
        "{url} answered {status}, which is not what an agent says here: {body}; is this really an agent?"
    )]
    Odd {
        /// What was requested.
        url: String,
        /// HTTP status.
        status: StatusCode,
        /// Start of the body, or why it could not be read.
        body: String,
    },
    /// Another release.
    #[error(
        "agent {url} speaks protocol {theirs}, this controller {PROTOCOL_VERSION}: use agent and controller of one release"
    )]
    Version {
        /// Base URL of the agent.
        url: String,
        /// The agent's version of the protocol.
        theirs: u32,
    },
    /// The agent understood and declined; nothing was changed.
    #[error("agent {url} refused: {}", refusal.message)]
    Refused {
        /// Base URL of the agent.
        url: String,
        /// Its reason.
        refusal: Refusal,
    },
}

// === impl AgentClient ===

impl AgentClient {
    /// A client that waits at most `timeout` for each answer.
    pub fn new(timeout: Duration, token: Option<String>) -> anyhow::Result<Self> {
        // Agents are reached directly: a proxy from the environment is meant for other traffic.
        let http = reqwest::Client::builder().timeout(timeout).no_proxy();
        Ok(Self {
            http: http.build()?,
            token,
        })
    }

    /// `GET /v1/report`.
    pub async fn report(&self, url: &str) -> Result<Report, AgentError> {
        let request = self.http.get(format!("{url}/v1/report"));
        let (status, body) = exchange(url, request).await?;
        if status != StatusCode::OK {
            return Err(odd(url, status, &body));
        }
        // The version first: another release's report may not even parse.
        let version: VersionOnly = parse(url, status, &body)?;
        if version.protocol_version != PROTOCOL_VERSION {
            return Err(AgentError::Version {
                url: url.to_owned(),
                theirs: version.protocol_version,
            });
        }
        parse(url, status, &body)
    }

    /// `PUT /v1/allocation`.
    pub async fn allocate(
        &self,
        url: &str,
        allocation: &Allocation,
    ) -> Result<AppliedAllocation, AgentError> {
        let mut request = self.http.put(format!("{url}/v1/allocation"));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let (status, body) = exchange(url, request.json(allocation)).await?;
        if status == StatusCode::OK {
            return parse(url, status, &body);
        }
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) => Err(AgentError::Refused {
                url: url.to_owned(),
                refusal,
            }),
            Err(_) => Err(odd(url, status, &body)),
        }
    }
}

#[derive(serde::Deserialize)]
struct VersionOnly {
    protocol_version: u32,
}

async fn exchange(
    url: &str,
    request: reqwest::RequestBuilder,
) -> Result<(StatusCode, Vec<u8>), AgentError> {
    let unreachable = |error: reqwest::Error| AgentError::Unreachable {
        url: url.to_owned(),
        cause: innermost(&error),
    };
    let answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(unreachable)?;
    Ok((status, body.to_vec()))
}

fn parse<T: DeserializeOwned>(url: &str, status: StatusCode, body: &[u8]) -> Result<T, AgentError> {
    serde_json::from_slice(body).map_err(|e| AgentError::Odd {
        url: url.to_owned(),
        status,
        body: format!("{e} in {}", start_of(body)),
    })
}

fn odd(url: &str, status: StatusCode, body: &[u8]) -> AgentError {
    AgentError::Odd {
        url: url.to_owned(),
        status,
        body: start_of(body),
    }
}

fn start_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
    format!("{:?}", text.trim())
}

/// What is wrong in the end: reqwest's own message names the URL twice and the cause not at all.
pub fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
