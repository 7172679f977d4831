//! A scenario: operators with plants and targets, prices, budgets, noise. `docs/simulator.md` has every field of the file.

use super::plant::{MIB, Plant, Shape};
use crate::JobLimits;

/// What is simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Time between two decisions, seconds.
    pub policy_interval_s: u64,
    /// How long a restart stops the job, seconds.
    pub restart_s: u64,
    /// Length of the run, seconds.
    pub horizon_s: u64,
    /// Relative standard deviation of what is measured.
    pub noise: f64,
    /// Of the noise.
    pub seed: u64,
    /// What resources cost.
    pub price: Price,
    /// What may be used.
    pub budget: Budget,
    /// What the guard allows, beside the budgets.
    pub limits: JobLimits,
    /// In an order in which every operator comes after its inputs.
    pub operators: Vec<Operator>,
}

/// What resources cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// One instance of an operator for one second.
    pub slot_second: f64,
    /// One GiB of cache or write buffer for one second.
    pub gib_second: f64,
}

/// What all operators may use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Instances.
    pub slots: u32,
    /// Caches and write buffers.
    pub bytes: u64,
}

/// One operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Operator {
    /// Name, unique in the scenario.
    pub name: String,
    /// What it really does.
    pub plant: Plant,
    /// What it has at the start.
    pub start: Shape,
    /// Where its records come from.
    pub feed: Feed,
}

/// Where records come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Feed {
    /// From a source of its own.
    Source(Vec<TargetStep>),
    /// From other operators.
    Operators(Vec<Input>),
}

/// From this second on, so many records arrive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetStep {
    /// Second of the run.
    pub at_s: u64,
    /// Records per second.
    pub rate_per_s: f64,
}

/// An edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Input {
    /// Index of the operator upstream.
    pub operator: usize,
    /// Records here for one record there.
    pub ratio: f64,
}

// === impl Scenario ===

impl Scenario {
    /// Begin of every steady phase and the end of the run, in seconds.
    #[must_use]
    pub fn phase_bounds_s(&self) -> Vec<u64> {
        let steps = self.operators.iter().filter_map(|o| match &o.feed {
            Feed::Source(steps) => Some(steps),
            Feed::Operators(_) => None,
        });
        let mut bounds: Vec<u64> = steps.flatten().map(|s| s.at_s).collect();
        bounds.retain(|at| *at < self.horizon_s);
        bounds.extend([0, self.horizon_s]);
        bounds.sort_unstable();
        bounds.dedup();
        bounds
    }

    /// Records per second that every operator has to process at a moment, so that nothing queues up.
    #[must_use]
    pub fn required_per_s(&self, at_s: u64) -> Vec<f64> {
        let mut required: Vec<f64> = Vec::with_capacity(self.operators.len());
        for operator in &self.operators {
            let rate = match &operator.feed {
                Feed::Source(steps) => rate_at(steps, at_s),
                Feed::Operators(inputs) => {
                    inputs.iter().map(|i| required[i.operator] * i.ratio).sum()
                }
            };
            required.push(rate);
        }
        required
    }
}

// === impl Price ===

impl Price {
    const GIB: f64 = 1024.0 * MIB;

    /// Cost of a shape for one second.
    #[must_use]
    pub fn per_second(&self, shape: &Shape) -> f64 {
        f64::from(shape.parallelism) * self.slot_second + gib(shape.total_bytes()) * self.gib_second
    }
}

/// Bytes in GiB.
pub(crate) fn gib(bytes: u64) -> f64 {
    bytes as f64 / Price::GIB
}

fn rate_at(steps: &[TargetStep], at_s: u64) -> f64 {
    let begun = steps.iter().take_while(|s| s.at_s <= at_s);
    begun.last().map_or(0.0, |s| s.rate_per_s)
}
