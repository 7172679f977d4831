//! The newest events in sentences, for the page: what was decided, what became of it, what it really did.
//!
//! A bounded excerpt of what goes into the history file, kept whether there is one or not.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use weir_scaling::Percent;

use crate::effect::OperatorEffect;
use crate::history::Line;
use crate::status::permission;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up by one from event to event; a gap means that events were forgotten.
    pub sequence: u64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Number of the decision it belongs to.
    pub decision: Option<u64>,
    /// What kind of event.
    pub kind: EventKind,
    /// Short form: name of a verdict or of a result.
    pub name: String,
    /// What happened.
    pub sentence: String,
    /// More of it: changes, reasons, rejected alternatives, a sentence each.
    pub details: Vec<String>,
}

/// What kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The controller started.
    Started,
    /// Something was decided.
    Decision,
    /// A decision was carried out, or could not be.
    Outcome,
    /// What a change did was measured.
    Effect,
}

/// The newest events, oldest first.
#[derive(Debug, Default)]
pub struct Journal {
    events: VecDeque<Event>,
    next: u64,
}

// === impl Journal ===

impl Journal {
    /// Events kept: some hours of a job that is being tuned, some days of one that is not.
    pub const CAPACITY: usize = 256;

    /// Takes in a line of the history.
    pub fn take_in(&mut self, line: &Line) {
        match line {
            Line::Started {
                at_ms,
                version,
                policy,
                act,
            } => {
                let act = permission(act);
                let sentence = format!("weir {version} started: policy {policy}, {act}");
                self.push(*at_ms, None, EventKind::Started, "started", sentence);
            }
            Line::Remembered { .. } => {}
            Line::Decision {
                at_ms,
                decision,
                plan,
                ..
            } => {
                for tm in &plan.task_managers {
                    let name = tm.verdict.name();
                    let changes = tm.changes().map(ToString::to_string);
                    let rejected = tm.rejected.iter().map(ToString::to_string);
                    let details = changes.chain(rejected).collect();
                    self.push(*at_ms, Some(*decision), EventKind::Decision, name, tm)
                        .details = details;
                }
                for job in &plan.jobs {
                    let name = job.verdict.name();
                    let vertices = job.vertices.iter().map(ToString::to_string);
                    let rejected = job.rejected.iter().map(ToString::to_string);
                    let details = vertices.chain(rejected).collect();
                    self.push(*at_ms, Some(*decision), EventKind::Decision, name, job)
                        .details = details;
                }
            }
            Line::Outcome {
                at_ms,
                decision,
                outcome,
            } => {
                let name = outcome.result.name();
                let sentence = format!("TaskManager {}: {}", outcome.tm_id, outcome.message);
                self.push(*at_ms, Some(*decision), EventKind::Outcome, name, sentence);
            }
            Line::Shape {
                at_ms,
                decision,
                outcome,
                ..
            } => {
                let name = outcome.result.name();
                let sentence = format!("job {}: {}", outcome.job_id, outcome.message);
                self.push(*at_ms, Some(*decision), EventKind::Outcome, name, sentence);
            }
            Line::Effect { at_ms, effect } => {
                for operator in &effect.operators {
                    let decision = Some(effect.decision);
                    let sentence = effect_sentence(operator);
                    self.push(*at_ms, decision, EventKind::Effect, "effect", sentence);
                }
            }
        }
    }

    /// What is kept, oldest first.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    fn push(
        &mut self,
        at_ms: u64,
        decision: Option<u64>,
        kind: EventKind,
        name: &str,
        sentence: impl ToString,
    ) -> &mut Event {
        if self.events.len() == Self::CAPACITY {
            self.events.pop_front();
        }
        let event = Event {
            sequence: self.next,
            at_ms,
            decision,
            kind,
            name: name.to_owned(),
            sentence: sentence.to_string(),
            details: Vec::new(),
        };
        self.next += 1;
        self.events.push_back(event);
        let newest = self.events.len() - 1;
        &mut self.events[newest]
    }
}

fn effect_sentence(effect: &OperatorEffect) -> String {
    let name = &effect.operator;
    match (effect.measured, effect.error()) {
        (Some(measured), Some(error)) => format!(
            "{name} misses {} of its lookups since, {:+.1} points from the prediction",
            Percent(measured),
            error * 100.0
        ),
        (Some(measured), None) => {
            format!(
                "{name} misses {} of its lookups since; nothing had been predicted",
                Percent(measured)
            )
        }
        (None, _) => format!("{name}: what the change did could not be measured"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(at_ms: u64) -> Line {
        Line::Started {
            at_ms,
            version: "1.2.3".to_owned(),
            policy: "weir".to_owned(),
            act: vec!["resize".to_owned(), "rescale".to_owned()],
        }
    }

    #[test]
    fn the_oldest_events_make_room_and_the_gap_can_be_seen() {
        let mut journal = Journal::default();
        for at_ms in 0..Journal::CAPACITY as u64 + 3 {
            journal.take_in(&started(at_ms));
        }
        let sequences: Vec<u64> = journal.events().map(|e| e.sequence).collect();
        let expected: Vec<u64> = (3..Journal::CAPACITY as u64 + 3).collect();
        assert_eq!(sequences, expected);
    }

    #[test]
    fn a_start_says_what_may_be_changed() {
        let mut journal = Journal::default();
        journal.take_in(&started(7));
        let event = journal.events().next().expect("one event");
        assert_eq!(
            event.sentence,
            "weir 1.2.3 started: policy weir, may resize, rescale"
        );
    }
}
