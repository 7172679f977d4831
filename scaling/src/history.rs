//! What a decision may know of the past.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{JobHistory, Models};

/// The past, as far as policies and guard look at it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    /// The last change of sizes in each TaskManager, by [`crate::TaskManagerState::tm_id`].
    pub last_changes: BTreeMap<String, Change>,
    /// Changes of shape of each job, by job id.
    #[serde(default)]
    pub jobs: BTreeMap<String, JobHistory>,
    /// What was learned of how long a record takes, by job and vertex.
    #[serde(default)]
    pub models: Models,
}

/// A change of sizes that was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}

// === impl History ===

impl History {
    /// Milliseconds since the last change in a TaskManager; absent if there was none.
    /// A clock that was set back counts as "just now": waiting is the safe side.
    #[must_use]
    pub fn since_change_ms(&self, tm_id: &str, now_ms: u64) -> Option<u64> {
        let change = self.last_changes.get(tm_id)?;
        Some(now_ms.saturating_sub(change.at_ms))
    }
}
