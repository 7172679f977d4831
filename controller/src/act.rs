//! Carries a plan out, and makes sure that it took effect.

use serde::{Deserialize, Serialize};
use weir_protocol::{Allocation, CacheCapacity, CacheId, RefusalKind, Report, WriteBufferCapacity};
use weir_scaling::{OperatorKey, TaskManagerPlan};

use crate::agent_client::{AgentClient, AgentError};
use crate::observe::key_of;

/// What became of a plan for one TaskManager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which TaskManager.
    pub tm_id: String,
    /// Short form.
    pub result: ActResult,
    /// For people.
    pub message: String,
    /// Generation in force afterwards, where known.
    pub generation: Option<u64>,
    /// Sizes in force afterwards of all its operator subtasks; empty unless `result` says that the plan is in force.
    pub sizes: Vec<OperatorSize>,
}

/// Size of one operator subtask's cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorSize {
    /// Whose.
    pub operator: OperatorKey,
    /// Capacity.
    pub bytes: u64,
}

/// What became of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActResult {
    /// The sizes were changed and read back.
    Applied,
    /// The sizes were in force already.
    FoundInForce,
    /// Not even tried: the controller only advises.
    Advised,
    /// Somebody else changed sizes meanwhile; the next cycle looks again.
    Stale,
    /// The agent declined.
    Refused,
    /// No answer, or the sizes read back are not the ones asked for.
    Failed,
}

// === impl ActResult ===

impl ActResult {
    /// Name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::FoundInForce => "found-in-force",
            Self::Advised => "advised",
            Self::Stale => "stale",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// Whether the planned sizes are in force.
    #[must_use]
    pub fn in_force(self) -> bool {
        matches!(self, Self::Applied | Self::FoundInForce)
    }
}

// === impl Outcome ===

impl Outcome {
    /// An outcome without sizes.
    #[must_use]
    pub fn of(tm_id: &str, result: ActResult, message: impl Into<String>) -> Self {
        Self {
            tm_id: tm_id.to_owned(),
            result,
            message: message.into(),
            generation: None,
            sizes: Vec::new(),
        }
    }
}

/// Sends the changes of a plan to the agent at `url` and reads them back; also the report read, if it could be.
pub async fn apply(
    client: &AgentClient,
    url: &str,
    plan: &TaskManagerPlan,
) -> (Outcome, Option<Report>) {
    let allocation = Allocation {
        generation: plan.generation + 1,
        caches: plan
            .changes()
            .map(|c| CacheCapacity {
                id: CacheId(c.id),
                capacity_bytes: c.to_bytes,
            })
            .collect(),
        write_buffers: plan
            .write_buffers
            .iter()
            .map(|w| WriteBufferCapacity {
                cache: CacheId(w.cache_id),
                capacity_bytes: w.to_bytes,
            })
            .collect(),
    };
    let outcome = |result, message| Outcome::of(&plan.tm_id, result, message);
    if let Err(error) = client.allocate(url, &allocation).await {
        let result = match &error {
            AgentError::Refused { refusal, .. } => match refusal.kind {
                RefusalKind::StaleGeneration => ActResult::Stale,
                _ => ActResult::Refused,
            },
            _ => ActResult::Failed,
        };
        return (outcome(result, error.to_string()), None);
    }
    // The agent's own answer is not enough: what counts is what its next report says.
    match client.report(url).await {
        Ok(report) => (verified(plan, &allocation, &report), Some(report)),
        Err(error) => {
            let message = format!("sent, but could not be verified: {error}");
            (outcome(ActResult::Failed, message), None)
        }
    }
}

fn verified(plan: &TaskManagerPlan, asked: &Allocation, report: &Report) -> Outcome {
    let in_force = |id: CacheId| {
        let cache = report.caches.iter().find(|c| c.id == id);
        cache.map(|c| c.capacity_bytes)
    };
    let differing = asked
        .caches
        .iter()
        .find(|c| in_force(c.id) != Some(c.capacity_bytes))
        .map(|c| ("cache", c.id, c.capacity_bytes, in_force(c.id)));
    let buffers_in_force = |id: CacheId| {
        let cache = report.caches.iter().find(|c| c.id == id);
        cache
            .and_then(|c| c.write_buffers)
            .map(|w| w.capacity_bytes)
    };
    let buffers = asked.write_buffers.iter();
    let mut buffers = buffers.map(|w| (w.cache, w.capacity_bytes, buffers_in_force(w.cache)));
    let differing = differing.or_else(|| {
        let (id, bytes, found) = buffers.find(|(_, bytes, found)| *found != Some(*bytes))?;
        Some(("write buffers of cache", id, bytes, found))
    });
    let (result, message) = match differing {
        None => (
            ActResult::Applied,
            format!("generation {} is in force", report.generation),
        ),
        Some((what, id, bytes, found)) => {
            let found = found.map_or("no such cache any more".to_owned(), |b| {
                format!("{b} bytes in force")
            });
            let message = format!(
                "{what} {id}: asked for {bytes} bytes, read back {found}, generation {} (asked as {})",
                report.generation, asked.generation
            );
            (ActResult::Failed, message)
        }
    };
    let sizes = report.caches.iter().map(|c| OperatorSize {
        operator: key_of(&c.operator),
        bytes: c.capacity_bytes,
    });
    Outcome {
        tm_id: plan.tm_id.clone(),
        result,
        message,
        generation: Some(report.generation),
        sizes: if result.in_force() {
            sizes.collect()
        } else {
            Vec::new()
        },
    }
}
