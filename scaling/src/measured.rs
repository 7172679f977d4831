//! A measured value, or the reason why there is none: never zero, never NaN in place of "unknown".

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Seconds;

/// A finite number at or above zero that was measured, or why it was not.
///
/// In JSON a number, or an object such as `{"missing": "not-reported"}`; `null` (how JSON writes NaN) reads as [`Missing::NotFinite`].
#[derive(Debug, Clone, PartialEq)]
pub enum Measured {
    /// The value. Made by [`Measured::of`], which lets nothing pass that is not finite.
    Known(f64),
    /// Why there is none.
    Missing(Missing),
}

/// Why a value is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "missing")]
pub enum Missing {
    /// Nobody reported it.
    NotReported,
    /// What was reported is NaN, infinite or negative (legacy sources report a busy time of NaN).
    NotFinite,
    /// It is a difference of two reports, and there is only one of this life.
    OneReport,
    /// Only some of the instances reported.
    LostReports {
        /// Instances that did.
        reported: u32,
        /// Instances that should have.
        expected: u32,
    },
    /// Its operator had no input, so nothing can be said per record.
    Idle,
    /// What was reported is too old.
    Stale {
        /// Its age.
        age_ms: u64,
    },
    /// A value that it follows from is missing upstream.
    Upstream {
        /// The vertex whose value is missing.
        vertex: String,
    },
}

// === impl Measured ===

impl Measured {
    /// A value, if it can be one.
    #[must_use]
    pub fn of(value: f64) -> Self {
        if value.is_finite() && value >= 0.0 {
            Self::Known(value)
        } else {
            Self::Missing(Missing::NotFinite)
        }
    }

    /// A value that may not have been reported.
    #[must_use]
    pub fn reported(value: Option<f64>) -> Self {
        value.map_or(Self::Missing(Missing::NotReported), Self::of)
    }

    /// The value, where known.
    #[must_use]
    pub fn known(&self) -> Option<f64> {
        match self {
            Self::Known(value) => Some(*value),
            Self::Missing(_) => None,
        }
    }

    /// The value, or why there is none.
    pub fn get(&self) -> Result<f64, Missing> {
        match self {
            Self::Known(value) => Ok(*value),
            Self::Missing(missing) => Err(missing.clone()),
        }
    }

    /// What follows from the value; what is missing stays missing for the same reason.
    #[must_use]
    pub fn map(&self, follows: impl FnOnce(f64) -> f64) -> Self {
        match self {
            Self::Known(value) => Self::of(follows(*value)),
            Self::Missing(missing) => Self::Missing(missing.clone()),
        }
    }
}

impl Default for Measured {
    fn default() -> Self {
        Self::Missing(Missing::NotReported)
    }
}

impl From<Result<f64, Missing>> for Measured {
    fn from(result: Result<f64, Missing>) -> Self {
        match result {
            Ok(value) => Self::of(value),
            Err(missing) => Self::Missing(missing),
        }
    }
}

/// The form in JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Known(Option<f64>),
    Missing(Missing),
}

impl Serialize for Measured {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match self {
            Self::Known(value) => Written::Known(Some(*value)),
            Self::Missing(missing) => Written::Missing(missing.clone()),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Measured {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Known(value) => Self::of(value.unwrap_or(f64::NAN)),
            Written::Missing(missing) => Self::Missing(missing),
        })
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReported => f.write_str("it was not reported"),
            Self::NotFinite => f.write_str("what was reported is not a number"),
            Self::OneReport => f.write_str("there are no two reports of this life yet"),
            Self::LostReports { reported, expected } => {
                write!(f, "only {reported} of {expected} instances reported")
            }
            Self::Idle => f.write_str("there was no input"),
            Self::Stale { age_ms } => write!(f, "the report is {} old", Seconds(*age_ms)),
            Self::Upstream { vertex } => {
                write!(f, "it depends on {vertex}, of which too little is known")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_busy_time_is_missing_not_zero() {
        assert_eq!(
            Measured::of(f64::NAN),
            Measured::Missing(Missing::NotFinite)
        );
        assert_eq!(Measured::of(-1.0).known(), None);
        assert_eq!(Measured::of(0.0).map(|z| 1.0 / z).known(), None);
    }

    #[test]
    fn json_keeps_the_value_or_the_reason() {
        let lost = Measured::Missing(Missing::LostReports {
            reported: 3,
            expected: 4,
        });
        for value in [Measured::of(12.25), lost, Measured::default()] {
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(
                serde_json::from_str::<Measured>(&text).unwrap(),
                value,
                "{text}"
            );
        }
        let null: Measured = serde_json::from_str("null").unwrap();
        assert_eq!(null, Measured::Missing(Missing::NotFinite));
    }
}
