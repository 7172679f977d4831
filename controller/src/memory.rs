//! What the controller knows from before: sizes that were in force, and which caches it has already looked after.
//!
//! Fail static: while no controller runs, sizes stay. A restarted controller replays its history into this memory; a cache that it
//! sees for the first time in its present life gets back the size its operator subtask had.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use weir_scaling::{
    CacheState, Change, History, Name, OperatorKey, ShapeChange, Snapshot, TaskManagerPlan,
    TaskManagerState, restore,
};

use crate::act::{OperatorSize, Outcome};
use crate::history::Line;

/// Sizes by operator subtask, and who has been looked after.
#[derive(Debug, Default)]
pub struct Memory {
    sizes: BTreeMap<OperatorKey, RememberedSize>,
    /// Plans whose outcome was never written: the controller died between sending and recording.
    intents: BTreeMap<String, Intent>,
    /// Process and caches that were looked after, by TaskManager.
    seen: BTreeMap<String, (u32, BTreeSet<u64>)>,
    /// Jobs that are being restarted with another shape.
    restarting: BTreeSet<String>,
    /// One of them may come back under another id.
    may_be_renamed: bool,
    history: History,
    next_decision: u64,
}

/// A plan that was about to be sent.
#[derive(Debug)]
struct Intent {
    at_ms: u64,
    sizes: Vec<OperatorSize>,
}

/// A size that was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedSize {
    /// Whose.
    pub operator: OperatorKey,
    /// Capacity.
    pub bytes: u64,
    /// When the operator subtask was last seen, in milliseconds since the Unix epoch.
    pub seen_at_ms: u64,
}

/// What a TaskManager needs before a policy may look at it.
#[derive(Debug, Clone, PartialEq)]
pub enum Resume {
    /// Nothing.
    Nothing,
    /// Its remembered sizes are in force already.
    InForce(Vec<OperatorSize>),
    /// These sizes have to be restored.
    Restore(TaskManagerPlan),
}

// === impl Memory ===

impl Memory {
    /// Operators that were not seen for so long are forgotten: their job is gone.
    const FORGET_AFTER_MS: u64 = 7 * 24 * 3600 * 1000;

    /// Takes one line of the history in.
    pub fn replay(&mut self, line: &Line) {
        match line {
            Line::Started { .. } | Line::Effect { .. } => {}
            Line::Remembered {
                sizes,
                history,
                next_decision,
                ..
            } => {
                let entry = |s: &RememberedSize| (s.operator.clone(), s.clone());
                self.sizes = sizes.iter().map(entry).collect();
                self.history = history.clone();
                self.next_decision = *next_decision;
                self.intents.clear();
            }
            Line::Decision {
                at_ms,
                decision,
                acting,
                plan,
                ..
            } => {
                self.next_decision = self.next_decision.max(decision + 1);
                let plans = plan.task_managers.iter();
                for tm in plans.filter(|tm| *acting && tm.verdict.changes_sizes()) {
                    let sizes = tm.caches.iter().map(|c| OperatorSize {
                        operator: c.operator.clone(),
                        bytes: c.to_bytes,
                    });
                    let intent = Intent {
                        at_ms: *at_ms,
                        sizes: sizes.collect(),
                    };
                    self.intents.insert(tm.tm_id.clone(), intent);
                }
            }
            Line::Outcome { at_ms, outcome, .. } => self.learn(outcome, *at_ms),
            Line::Shape {
                at_ms,
                change,
                outcome,
                ..
            } => {
                if outcome.result.in_force() {
                    if let Some(former) = &outcome.former_job_id {
                        self.rename(former, &outcome.job_id);
                    }
                    // Of memory alone, the TaskManagers' outcomes say more exactly what is in force.
                    if change.rescales() {
                        self.remember_shape(&outcome.job_id, change, *at_ms);
                    }
                    let jobs = &mut self.history.jobs;
                    let past = jobs.entry(outcome.job_id.clone()).or_default();
                    past.push(change.clone());
                }
            }
        }
    }

    /// Takes an outcome in: sizes in force are remembered, and a change starts the cool-down.
    pub fn learn(&mut self, outcome: &Outcome, at_ms: u64) {
        use crate::act::ActResult::{Advised, Applied, Failed, FoundInForce, Refused, Stale};
        self.intents.remove(&outcome.tm_id);
        match outcome.result {
            // A failed act may have changed something all the same.
            Applied | Failed => {
                let changes = &mut self.history.last_changes;
                changes.insert(outcome.tm_id.clone(), Change { at_ms });
            }
            FoundInForce | Advised | Refused | Stale => {}
        }
        if outcome.result.in_force() {
            self.remember(&outcome.sizes, at_ms);
        }
    }

    /// A restart of this job with another shape begins. Until it has ended, its new caches are not looked after: which sizes they
    /// are to have is not known before.
    /// If it may come back under another id, that goes for all new caches.
    pub fn begin_restart(&mut self, job_id: &str, may_be_renamed: bool) {
        self.restarting.insert(job_id.to_owned());
        self.may_be_renamed = may_be_renamed;
    }

    /// The restart has ended, in whatever way.
    pub fn end_restart(&mut self, job_id: &str) {
        self.restarting.remove(job_id);
        self.may_be_renamed = false;
    }

    /// What is known of a job is known of it under its new id.
    fn rename(&mut self, from: &str, to: &str) {
        let renamed = |(mut operator, mut size): (OperatorKey, RememberedSize)| {
            if operator.job_id.as_str() == from {
                operator.job_id = Name::from(to);
                size.operator = operator.clone();
            }
            (operator, size)
        };
        let sizes = std::mem::take(&mut self.sizes);
        self.sizes = sizes.into_iter().map(renamed).collect();
        if let Some(past) = self.history.jobs.remove(from) {
            self.history.jobs.insert(to.to_owned(), past);
        }
    }

    /// Takes the sizes in that a new shape gives to the subtasks of each vertex, and forgets those of subtasks it has no more.
    fn remember_shape(&mut self, job_id: &str, change: &ShapeChange, at_ms: u64) {
        let job_id = Name::from(job_id);
        for vertex in change.vertices.values() {
            for memory in &vertex.memory {
                let operator_name = Name::from(memory.operator_name.as_str());
                let key = |subtask_index| OperatorKey {
                    job_id: job_id.clone(),
                    operator_name: operator_name.clone(),
                    subtask_index,
                };
                let size = |subtask_index| OperatorSize {
                    operator: key(subtask_index),
                    bytes: memory.to_cache_bytes,
                };
                let sizes: Vec<_> = (0..vertex.to_parallelism).map(size).collect();
                self.remember(&sizes, at_ms);
                for gone in vertex.to_parallelism..vertex.from_parallelism {
                    self.sizes.remove(&key(gone));
                }
            }
        }
    }

    /// Learns from what is measured now: how long records take, and what the last change of a shape brought.
    pub fn observe(&mut self, snapshot: &Snapshot) {
        self.history.observe(snapshot);
    }

    /// What policies may know of the past.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The number of the next decision, each given out once.
    pub fn number_decision(&mut self) -> u64 {
        self.next_decision += 1;
        self.next_decision - 1
    }

    /// What has to happen to a TaskManager first, for caches not looked after yet.
    pub fn resume(&mut self, tm: &TaskManagerState, at_ms: u64) -> Resume {
        self.settle_intent(tm, at_ms);
        let unseen = |c: &&CacheState| !self.was_seen(tm, c.id) && !self.restarts(c);
        let sizes: BTreeMap<OperatorKey, u64> = tm
            .caches
            .iter()
            .filter(unseen)
            .filter_map(|c| self.sizes.get_key_value(&c.operator))
            .map(|(operator, size)| (operator.clone(), size.bytes))
            .collect();
        if sizes.is_empty() {
            self.mark_seen(tm);
            return Resume::Nothing;
        }
        if let Some(plan) = restore(tm, &sizes) {
            return Resume::Restore(plan);
        }
        self.mark_seen(tm);
        let in_force = |c: &&CacheState| sizes.get(&c.operator) == Some(&c.capacity_bytes);
        let found: Vec<_> = tm.caches.iter().filter(in_force).map(size_of).collect();
        if found.is_empty() {
            tracing::warn!(
                tm_id = tm.tm_id,
                "the remembered sizes do not fit the budget any more and are not restored"
            );
            return Resume::Nothing;
        }
        Resume::InForce(found)
    }

    /// The caches of this TaskManager need no further look.
    pub fn mark_seen(&mut self, tm: &TaskManagerState) {
        let settled = |c: &&CacheState| self.was_seen(tm, c.id) || !self.restarts(c);
        let ids = tm.caches.iter().filter(settled).map(|c| c.id).collect();
        self.seen.insert(tm.tm_id.clone(), (tm.pid, ids));
    }

    /// Notes that these operator subtasks are alive.
    pub fn touch<'a>(&mut self, alive: impl Iterator<Item = &'a OperatorKey>, at_ms: u64) {
        for operator in alive {
            if let Some(size) = self.sizes.get_mut(operator) {
                size.seen_at_ms = at_ms;
            }
        }
    }

    /// All of it in one line, so that older ones may be rotated away.
    #[must_use]
    pub fn line(&self, at_ms: u64) -> Line {
        let recent =
            |s: &&RememberedSize| at_ms.saturating_sub(s.seen_at_ms) < Self::FORGET_AFTER_MS;
        Line::Remembered {
            at_ms,
            sizes: self.sizes.values().filter(recent).cloned().collect(),
            history: self.history.clone(),
            next_decision: self.next_decision,
        }
    }

    fn was_seen(&self, tm: &TaskManagerState, id: u64) -> bool {
        let seen = self.seen.get(&tm.tm_id);
        seen.is_some_and(|(pid, ids)| *pid == tm.pid && ids.contains(&id))
    }

    fn restarts(&self, cache: &CacheState) -> bool {
        self.may_be_renamed || self.restarting.contains(cache.operator.job_id.as_str())
    }

    fn remember(&mut self, sizes: &[OperatorSize], seen_at_ms: u64) {
        for OperatorSize { operator, bytes } in sizes {
            let size = RememberedSize {
                operator: operator.clone(),
                bytes: *bytes,
                seen_at_ms,
            };
            self.sizes.insert(operator.clone(), size);
        }
    }

    /// A plan without an outcome counts as applied if what it wanted is what is there; it starts a cool-down in any case.
    fn settle_intent(&mut self, tm: &TaskManagerState, at_ms: u64) {
        let Some(intent) = self.intents.remove(&tm.tm_id) else {
            return;
        };
        let is_there = |wanted: &OperatorSize| tm.caches.iter().any(|c| size_of(c) == *wanted);
        if intent.sizes.iter().all(is_there) {
            self.remember(&intent.sizes, at_ms);
        }
        let change = Change {
            at_ms: intent.at_ms,
        };
        self.history.last_changes.insert(tm.tm_id.clone(), change);
    }
}

fn size_of(cache: &CacheState) -> OperatorSize {
    OperatorSize {
        operator: cache.operator.clone(),
        bytes: cache.capacity_bytes,
    }
}
