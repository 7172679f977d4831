//! Checks of single fields of a scenario's file, and what a refusal says.

use crate::sim::plant::MIB;

/// Why a scenario is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scenario: {field}: {problem}")]
pub struct ScenarioError {
    /// Which field.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

pub(super) fn bytes_of(mib: f64) -> u64 {
    (mib * MIB).round() as u64
}

pub(super) fn positive(field: &str, value: f64) -> Result<(), ScenarioError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(error(field, &format!("is {value}; give a number above 0")))
}

pub(super) fn not_negative(field: &str, value: f64) -> Result<(), ScenarioError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(error(field, &format!("is {value}; give 0 or more")))
}

pub(super) fn error(field: &str, problem: &str) -> ScenarioError {
    ScenarioError {
        field: field.to_owned(),
        problem: problem.to_owned(),
    }
}
