//! How an agent makes itself known to the controller.

use serde::{Deserialize, Serialize};

/// Body of `POST /v1/agents`, sent at start and every few seconds, so that a restarted controller learns its agents again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// [`crate::PROTOCOL_VERSION`] of the agent.
    pub protocol_version: u32,
    /// The TaskManager, see [`crate::AgentInfo::tm_id`].
    pub tm_id: String,
    /// Base URL under which the controller reaches the agent: `http://10.0.0.7:9260`.
    pub url: String,
}
