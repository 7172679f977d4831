//! Why a plan says what it says: types first, each with one clear sentence.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Percent, Seconds};

/// A miss ratio read off a curve, with its 90 % band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PredictedRatio {
    /// The estimate.
    pub value: f64,
    /// Lower end of the band.
    pub low: f64,
    /// Upper end of the band.
    pub high: f64,
}

/// What a policy makes small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Misses per second; used while any cache's miss time is unknown.
    Misses,
    /// Seconds that task threads wait for misses, per second.
    MissSeconds,
}

/// Why one cache gets the size it gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum CacheReason {
    /// Its bytes save more misses here than where they come from.
    Gains,
    /// Its bytes save more misses elsewhere.
    Yields,
    /// No other size is better for the TaskManager as a whole.
    Stays,
    /// Another size was wanted, but the TaskManager's verdict is to hold.
    Withheld {
        /// The size wanted.
        wanted_bytes: u64,
    },
    /// Its data do not carry a decision.
    Frozen(Freeze),
    /// It gets back the size it had before a restart.
    Restored,
    /// The policy never moves anything.
    Static,
    /// The policy decides on whole jobs, not within one TaskManager.
    OtherLoop,
}

/// Which data are missing, so that a cache keeps its size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "missing")]
pub enum Freeze {
    /// The report is too old.
    Stale {
        /// Age of the newest report.
        age_ms: u64,
        /// What would still do.
        limit_ms: u64,
    },
    /// No two reports of this life yet.
    NoLoad,
    /// Its lookups were counted over too short a time.
    ShortLoad {
        /// Time over which they were.
        millis: u64,
        /// The time that would do.
        limit_ms: u64,
    },
    /// The cache is too young.
    TooYoung {
        /// Its age.
        age_ms: u64,
        /// The age that would do.
        limit_ms: u64,
    },
    /// The agent has no curve yet.
    NoCurve,
    /// Numbers that cannot be: not finite, or more misses than lookups.
    Nonsense {
        /// Which.
        what: String,
    },
    /// Flink says that the job does not run.
    JobNotRunning {
        /// What Flink says.
        state: String,
    },
}

/// What becomes of a TaskManager, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// Change sizes: the effect is worth it.
    Resize,
    /// Change sizes back to what was in force before a restart.
    Restore,
    /// The policy never moves anything.
    Static,
    /// The policy decides on whole jobs, not within one TaskManager.
    OtherLoop,
    /// It has no caches.
    NoCaches,
    /// The agent does not manage the caches.
    Unmanaged {
        /// The agent's reason.
        reason: String,
    },
    /// Every cache is frozen.
    AllFrozen,
    /// No allocation with a better prediction was found.
    Balanced,
    /// The last change is too recent for fresh measurements.
    CoolingDown {
        /// Time since then.
        since_ms: u64,
        /// Time to wait.
        cooldown_ms: u64,
    },
    /// The predicted gain is not worth a change.
    GainTooSmall {
        /// Predicted gain over what is lost now.
        gain: f64,
        /// What would be enough.
        threshold: f64,
    },
    /// The predicted gain is not outside the curves' bands.
    WithinNoise {
        /// Predicted gain over what is lost now.
        gain: f64,
        /// The bands' noise over what is lost now.
        noise: f64,
    },
    /// The plan broke a rule of the guard: a defect of the policy, kept from the job.
    Vetoed {
        /// The rule and the number that broke it.
        rule: String,
    },
}

// === impl Verdict ===

impl Verdict {
    /// Whether sizes change.
    #[must_use]
    pub fn changes_sizes(&self) -> bool {
        matches!(self, Self::Resize | Self::Restore)
    }

    /// Short name for metrics: the serialised tag.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Resize => "resize",
            Self::Restore => "restore",
            Self::Static => "static",
            Self::OtherLoop => "other-loop",
            Self::NoCaches => "no-caches",
            Self::Unmanaged { .. } => "unmanaged",
            Self::AllFrozen => "all-frozen",
            Self::Balanced => "balanced",
            Self::CoolingDown { .. } => "cooling-down",
            Self::GainTooSmall { .. } => "gain-too-small",
            Self::WithinNoise { .. } => "within-noise",
            Self::Vetoed { .. } => "vetoed",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resize => f.write_str("resize"),
            Self::Restore => f.write_str(
                "restore the sizes that were in force before a restart of task, TaskManager or controller",
            ),
            Self::Static => f.write_str("keep all sizes: policy static never moves anything"),
            Self::OtherLoop => f.write_str("keep all sizes: the policy decides on whole jobs only"),
            Self::NoCaches => f.write_str("nothing to decide: no operator subtask has a cache here"),
            Self::Unmanaged { reason } => {
                write!(f, "keep all sizes: the agent does not manage the caches ({reason})")
            }
            Self::AllFrozen => f.write_str("keep all sizes: no cache has data that carry a decision"),
            Self::Balanced => {
                f.write_str("keep all sizes: no other allocation within one step predicts fewer misses")
            }
            Self::CoolingDown { since_ms, cooldown_ms } => write!(
                f,
                "keep all sizes: the last change is {} ago, fresh measurements need {}",
                Seconds(*since_ms),
                Seconds(*cooldown_ms)
            ),
            Self::GainTooSmall { gain, threshold } => write!(
                f,
                "keep all sizes: the best allocation found saves only {} of the misses, a change needs {}",
                Percent(*gain),
                Percent(*threshold)
            ),
            Self::WithinNoise { gain, noise } => write!(
                f,
                "keep all sizes: the best allocation found saves {} of the misses, which is within the noise of the curves ({})",
                Percent(*gain),
                Percent(*noise)
            ),
            Self::Vetoed { rule } => write!(f, "keep all sizes: the guard vetoed the plan: {rule}"),
        }
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale { age_ms, limit_ms } => write!(
                f,
                "the newest report is {} old, more than {}",
                Seconds(*age_ms),
                Seconds(*limit_ms)
            ),
            Self::NoLoad => f.write_str("there are no two reports of this cache yet"),
            Self::ShortLoad { millis, limit_ms } => write!(
                f,
                "its lookups were counted for only {}, less than {}",
                Seconds(*millis),
                Seconds(*limit_ms)
            ),
            Self::TooYoung { age_ms, limit_ms } => write!(
                f,
                "the cache is only {} old, less than {}",
                Seconds(*age_ms),
                Seconds(*limit_ms)
            ),
            Self::NoCurve => f.write_str("its miss ratio curve has too few samples yet"),
            Self::Nonsense { what } => write!(f, "its data are implausible: {what}"),
            Self::JobNotRunning { state } => write!(f, "Flink says that its job is {state}"),
        }
    }
}

impl fmt::Display for PredictedRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (self.low * 100.0, self.high * 100.0);
        write!(f, "{} ({low:.1} to {high:.1})", Percent(self.value))
    }
}
