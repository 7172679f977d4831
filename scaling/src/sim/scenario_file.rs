//! Reads a scenario from TOML. Every refusal names the field and says what would be right.

mod field;
mod operator;
mod plant;

use serde::Deserialize;

use super::plant::{MIB, Shape};
use super::scenario::{Budget, Price, Scenario};
use crate::JobLimits;
pub use field::ScenarioError;
use field::{bytes_of, error, not_negative, positive};
use operator::{RawOperator, operators};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    #[serde(default = "default_interval")]
    policy_interval_s: u64,
    #[serde(default = "default_restart")]
    restart_s: u64,
    horizon_s: u64,
    #[serde(default)]
    noise: f64,
    #[serde(default = "default_seed")]
    seed: u64,
    #[serde(default)]
    price: RawPrice,
    #[serde(default)]
    budget: RawBudget,
    guard: Option<JobLimits>,
    #[serde(default)]
    operator: Vec<RawOperator>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawPrice {
    slot_second: f64,
    gib_second: f64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawBudget {
    slots: Option<u32>,
    cache_mib: Option<f64>,
}

fn default_interval() -> u64 {
    60
}

fn default_restart() -> u64 {
    30
}

fn default_seed() -> u64 {
    1
}

impl Default for RawPrice {
    fn default() -> Self {
        Self {
            slot_second: 1.0,
            gib_second: 0.25,
        }
    }
}

// === impl Scenario ===

impl Scenario {
    /// Reads a scenario; `load` gives the text of a CSV file that a plant names.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`] names the field and says what would be right.
    pub fn parse(
        text: &str,
        load: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Self, ScenarioError> {
        let raw: RawScenario =
            toml::from_str(text).map_err(|e| error("file", e.to_string().trim_end()))?;
        let RawScenario {
            policy_interval_s,
            restart_s,
            horizon_s,
            noise,
            seed,
            ..
        } = raw;
        if policy_interval_s == 0 {
            return Err(error("policy_interval_s", "is 0; give at least 1 second"));
        }
        if horizon_s < policy_interval_s {
            let problem = format!(
                "is {horizon_s}; give at least one policy_interval_s ({policy_interval_s})"
            );
            return Err(error("horizon_s", &problem));
        }
        if horizon_s > MAX_HORIZON_S {
            let problem = format!("is {horizon_s}; give at most {MAX_HORIZON_S}, a month");
            return Err(error("horizon_s", &problem));
        }
        if !(0.0..=0.5).contains(&noise) {
            let problem = format!("is {noise}; give a share from 0 to 0.5, such as 0.1");
            return Err(error("noise", &problem));
        }
        not_negative("price.slot_second", raw.price.slot_second)?;
        not_negative("price.gib_second", raw.price.gib_second)?;
        let bytes = match raw.budget.cache_mib {
            Some(mib) => {
                positive("budget.cache_mib", mib)?;
                bytes_of(mib)
            }
            None => u64::MAX,
        };
        if raw.budget.slots == Some(0) {
            return Err(error("budget.slots", "is 0; give at least 1"));
        }
        let scenario = Self {
            policy_interval_s,
            restart_s,
            horizon_s,
            noise,
            seed,
            price: Price {
                slot_second: raw.price.slot_second,
                gib_second: raw.price.gib_second,
            },
            budget: Budget {
                slots: raw.budget.slots.unwrap_or(u32::MAX),
                bytes,
            },
            limits: raw.guard.unwrap_or_else(unlimited),
            operators: operators(raw.operator, &load)?,
        };
        scenario.check_start()?;
        Ok(scenario)
    }

    fn check_start(&self) -> Result<(), ScenarioError> {
        let shapes = || self.operators.iter().map(|o| &o.start);
        let slots: u64 = shapes().map(|s| u64::from(s.parallelism)).sum();
        if slots > u64::from(self.budget.slots) {
            let problem = format!(
                "is {}, but the operators start with {slots} instances; raise it or start smaller",
                self.budget.slots
            );
            return Err(error("budget.slots", &problem));
        }
        let bytes: u64 = shapes().map(Shape::total_bytes).sum();
        if bytes > self.budget.bytes {
            let problem = format!(
                "is {:.1}, but the operators start with {:.1} MiB together (cache and write buffers of all instances); \
                 raise it or start smaller",
                self.budget.bytes as f64 / MIB,
                bytes as f64 / MIB
            );
            return Err(error("budget.cache_mib", &problem));
        }
        Ok(())
    }
}

/// A guard that keeps budgets and minima alone: what is compared are policies.
fn unlimited() -> JobLimits {
    JobLimits {
        max_growth: f64::MAX,
        max_shrink: 1.0,
        min_change: 0.0,
        cooldown_ms: 0,
        roll_back_below: 0.0,
        ..JobLimits::default()
    }
}

const MAX_HORIZON_S: u64 = 31 * 24 * 3600;
