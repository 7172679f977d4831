//! Makes the agent known to the controller, again and again, so that a restarted controller learns of it.

use std::sync::Arc;
use std::time::Duration;

use weir_protocol::{Announcement, PROTOCOL_VERSION};

use crate::agent::{Agent, LogLevel};

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(3);

/// Announces `url` every few seconds; logs only when reachability changes.
pub async fn run(agent: Arc<Agent>, url: String) {
    let Some(controller) = agent.settings.controller_url.clone() else {
        return;
    };
    let client = match reqwest::Client::builder().timeout(TIMEOUT).build() {
        Ok(client) => client,
        Err(error) => {
            agent.log(
                LogLevel::Warn,
                &format!("Weir cannot announce itself to {controller}: {error}"),
            );
            return;
        }
    };
    let announcement = Announcement {
        protocol_version: PROTOCOL_VERSION,
        tm_id: agent.settings.tm_id.clone(),
        url,
    };
    let mut was_reached = None;
    loop {
        let answer = client
            .post(format!("{controller}/v1/agents"))
            .json(&announcement)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        let is_reached = answer.is_ok();
        if was_reached != Some(is_reached) {
            match &answer {
                Ok(_) => agent.log(
                    LogLevel::Info,
                    &format!("Weir's controller at {controller} knows this agent"),
                ),
                Err(error) => agent.log(
                    LogLevel::Warn,
                    &format!(
                        "Weir's controller at {controller} is not reached ({error}); sizes stay as they are"
                    ),
                ),
            }
            was_reached = Some(is_reached);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
