//! Why a job and its vertices get the shape they get: types first, each with one clear sentence.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Bytes, Missing, Percent, Seconds};

/// What becomes of a job, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum JobVerdict {
    /// Change parallelism: the job restarts; memory may change with it.
    Rescale,
    /// Change memory alone: the job goes on.
    Resize,
    /// Go back to the shape before the last change, which did not do what was predicted.
    RollBack {
        /// Realised over predicted rate of the worst vertex.
        realised: f64,
    },
    /// The policy never changes anything.
    Static,
    /// No better shape was found.
    Steady,
    /// Too little is known of the job as a whole.
    Frozen {
        /// What is missing.
        what: String,
    },
    /// The last change is too recent for fresh measurements.
    CoolingDown {
        /// Time since then.
        since_ms: u64,
        /// Time to wait.
        cooldown_ms: u64,
    },
    /// Changes are forbidden at this time.
    Blackout {
        /// The window, as configured.
        window: String,
    },
    /// The change is too small to be worth it.
    TooSmall {
        /// The largest relative change of a vertex.
        change: f64,
        /// What would be enough.
        threshold: f64,
    },
    /// There are not enough slots.
    NoSlots {
        /// Slots that the plan needs.
        needed: u32,
        /// Slots there are.
        available: u32,
    },
    /// The plan broke a rule of the guard: a defect of the policy, kept from the job.
    Vetoed {
        /// The rule and the number that broke it.
        rule: String,
    },
}

/// Why one vertex gets the shape it gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum VertexReason {
    /// The policy never changes anything.
    Static,
    /// The policy leaves sources alone.
    Source,
    /// It is excluded by configuration.
    Excluded,
    /// It has had no input, so nothing can be said of its capacity.
    Idle,
    /// What the decision rests on is missing.
    Frozen {
        /// The value.
        what: String,
        /// Why there is none.
        missing: Missing,
    },
    /// The number of instances follows from the rate it has to process and the rate one instance can.
    Rate {
        /// Records per second it has to process.
        target: f64,
        /// Records per second that one instance can.
        per_instance: f64,
    },
    /// No other shape is better.
    Stays,
    /// It is the cheapest shape that meets the target.
    Cheapest {
        /// Its cost per second.
        cost: f64,
        /// Confidence with which it meets the target.
        confidence: f64,
    },
    /// More memory, since too many lookups miss.
    MemoryUp {
        /// Share of lookups that hit.
        hit_ratio: f64,
        /// What would be enough.
        threshold: f64,
    },
    /// More memory, since reads of state are slow.
    SlowState {
        /// Seconds of a read at the 90th percentile.
        seconds: f64,
        /// What would be good enough.
        threshold: f64,
    },
    /// The last step of memory helped: one more.
    MemoryHelped {
        /// Share of lookups that hit before.
        before: f64,
        /// And since.
        after: f64,
    },
    /// The last step of memory did not help: back.
    MemoryDidNotHelp {
        /// Share of lookups that hit before.
        before: f64,
        /// And since.
        after: f64,
    },
    /// The bytes of a shape with another parallelism are tried before a restart that relies on them.
    BytesFirst {
        /// Records per second it has to process.
        target: f64,
        /// Records per second predicted for these bytes.
        predicted: f64,
    },
    /// It has no state, so it needs no memory.
    Stateless,
    /// The bytes that keep misses rare enough for the target.
    MissBound {
        /// Miss ratio allowed.
        allowed: f64,
        /// Miss ratio predicted for the planned bytes.
        predicted: f64,
    },
    /// No shape within the limits meets the target; this one comes closest.
    Unreachable {
        /// Records per second it has to process.
        target: f64,
        /// Records per second it will, where that can be told.
        best: Option<f64>,
    },
    /// It goes along to a shape that the guard cut to a limit.
    Limited {
        /// Instances wanted.
        wanted: u32,
        /// The limit.
        rule: String,
    },
    /// It goes back to the shape it had before.
    RolledBack,
    /// Another shape was wanted, but the job's verdict is to hold.
    Withheld {
        /// Instances wanted.
        parallelism: u32,
        /// Cache bytes wanted per subtask; absent if they were not to change.
        cache_bytes: Option<u64>,
    },
}

// === impl JobVerdict ===

impl JobVerdict {
    /// Whether anything changes.
    #[must_use]
    pub fn changes(&self) -> bool {
        matches!(self, Self::Rescale | Self::Resize | Self::RollBack { .. })
    }

    /// Short name for metrics: the serialised tag.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rescale => "rescale",
            Self::Resize => "resize",
            Self::RollBack { .. } => "roll-back",
            Self::Static => "static",
            Self::Steady => "steady",
            Self::Frozen { .. } => "frozen",
            Self::CoolingDown { .. } => "cooling-down",
            Self::Blackout { .. } => "blackout",
            Self::TooSmall { .. } => "too-small",
            Self::NoSlots { .. } => "no-slots",
            Self::Vetoed { .. } => "vetoed",
        }
    }
}

impl fmt::Display for JobVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rescale => f.write_str("rescale, which restarts the job"),
            Self::Resize => f.write_str("change memory, the job goes on"),
            Self::RollBack { realised } => write!(
                f,
                "go back to the shape before: the last change brought {} of the rate predicted",
                Percent(*realised)
            ),
            Self::Static => f.write_str("keep: policy static never changes anything"),
            Self::Steady => f.write_str("keep: no better shape was found"),
            Self::Frozen { what } => write!(f, "keep: {what}"),
            Self::CoolingDown {
                since_ms,
                cooldown_ms,
            } => write!(
                f,
                "keep: the last change is {} ago, fresh measurements need {}",
                Seconds(*since_ms),
                Seconds(*cooldown_ms)
            ),
            Self::Blackout { window } => write!(f, "keep: no changes are allowed in {window}"),
            Self::TooSmall { change, threshold } => write!(
                f,
                "keep: the largest change of a vertex is {}, a restart needs {}",
                Percent(*change),
                Percent(*threshold)
            ),
            Self::NoSlots { needed, available } => {
                write!(
                    f,
                    "keep: the plan needs {needed} slots, there are {available}"
                )
            }
            Self::Vetoed { rule } => write!(f, "keep: the guard vetoed the plan: {rule}"),
        }
    }
}

impl fmt::Display for VertexReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => f.write_str("policy static"),
            Self::Source => f.write_str("sources are left alone"),
            Self::Excluded => f.write_str("excluded by configuration"),
            Self::Idle => f.write_str("it had no input, so nothing is known of its capacity"),
            Self::Frozen { what, missing } => write!(f, "{what} is not known: {missing}"),
            Self::Rate {
                target,
                per_instance,
            } => write!(
                f,
                "{target:.0} records/s to process, {per_instance:.0} by each instance"
            ),
            Self::Stays => f.write_str("no other shape is better"),
            Self::Cheapest { cost, confidence } => write!(
                f,
                "the cheapest shape that meets the target with {} confidence, at {cost:.3} a second",
                Percent(*confidence)
            ),
            Self::MemoryUp {
                hit_ratio,
                threshold,
            } => write!(
                f,
                "only {} of its lookups hit, less than {}: memory first",
                Percent(*hit_ratio),
                Percent(*threshold)
            ),
            Self::SlowState { seconds, threshold } => write!(
                f,
                "a read of state takes {:.2} ms, more than {:.2} ms: memory first",
                seconds * 1e3,
                threshold * 1e3
            ),
            Self::MemoryHelped { before, after } => write!(
                f,
                "the last step of memory raised hits from {} to {}",
                Percent(*before),
                Percent(*after)
            ),
            Self::MemoryDidNotHelp { before, after } => write!(
                f,
                "the last step of memory did not help: hits went from {} to {}",
                Percent(*before),
                Percent(*after)
            ),
            Self::BytesFirst { target, predicted } => write!(
                f,
                "bytes first, before a restart relies on them: {predicted:.0} records/s predicted, {target:.0} to process"
            ),
            Self::Stateless => f.write_str("it has no state"),
            Self::MissBound { allowed, predicted } => write!(
                f,
                "the target allows {} misses, the curve gives {} at these bytes",
                Percent(*allowed),
                Percent(*predicted)
            ),
            Self::Unreachable { target, best } => {
                write!(
                    f,
                    "no shape within the limits processes {target:.0} records/s"
                )?;
                match best {
                    Some(best) => write!(f, "; this one processes {best:.0}"),
                    None => Ok(()),
                }
            }
            Self::Limited { wanted, rule } => write!(f, "{wanted} instances were wanted: {rule}"),
            Self::RolledBack => f.write_str("back to the shape before the last change"),
            Self::Withheld {
                parallelism,
                cache_bytes,
            } => {
                write!(f, "{parallelism} instances")?;
                if let Some(bytes) = cache_bytes {
                    write!(f, " with {} each", Bytes(*bytes))?;
                }
                f.write_str(" were wanted: see the verdict")
            }
        }
    }
}
