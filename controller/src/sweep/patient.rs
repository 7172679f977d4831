//! Reads of reports that outlast a moment without an answer: a sweep of an hour is not given up for one of them.

use std::time::Duration;

use weir_protocol::Report;

use crate::agent_client::{AgentClient, AgentError};

/// How often is asked before no answer is the answer.
const TRIES: u32 = 4;

/// A pause of the JVM is over by then, most of the time.
const PAUSE: Duration = Duration::from_secs(1);

/// `GET /v1/report`, asked again a few times where no answer comes, or none that an agent gives.
pub async fn report(client: &AgentClient, url: &str) -> Result<Report, AgentError> {
    let mut tries = 1;
    loop {
        match client.report(url).await {
            Err(error @ (AgentError::Unreachable { .. } | AgentError::Odd { .. }))
                if tries < TRIES =>
            {
                tracing::warn!("{error}; asking again ({tries} of {})", TRIES - 1);
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}
