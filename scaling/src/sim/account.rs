//! Keeps the books of a run: what was used, when the target was missed, what was changed.

use super::outcome::{DecisionRow, Outcome};
use super::plant::{MIB, Shape};
use super::scenario::{Scenario, gib};

/// Books of one run.
pub(crate) struct Account<'a> {
    scenario: &'a Scenario,
    bounds_s: Vec<u64>,
    outcome: Outcome,
    /// Restarts by phase.
    restarts: Vec<u64>,
    missed: Vec<bool>,
    /// Whether the present policy interval has been below the target, and for how many of its seconds.
    interval: Interval,
}

/// Work and capacity summed over a policy interval: bursts shorter than that average out.
#[derive(Default)]
struct Interval {
    begin_s: u64,
    seconds: u64,
    required: Vec<f64>,
    capacity: Vec<f64>,
}

// === impl Account ===

impl<'a> Account<'a> {
    /// Policy intervals that finding out and deciding may take after a step, before the restart.
    const GRACE_INTERVALS: u64 = 5;
    /// A capacity that falls short of the target by less than this meets it.
    const TOLERANCE: f64 = 1e-6;

    pub fn new(scenario: &'a Scenario, policy: &str) -> Self {
        let bounds_s = scenario.phase_bounds_s();
        let phases = bounds_s.len() - 1;
        let outcome = Outcome {
            policy: policy.to_owned(),
            below_target_s: 0,
            below_target_with_grace_s: 0,
            missed_phases: 0,
            grace_s: Self::GRACE_INTERVALS * scenario.policy_interval_s + scenario.restart_s,
            slot_seconds: 0.0,
            gib_seconds: 0.0,
            cost: 0.0,
            restarts: 0,
            restarts_in_a_phase_max: 0,
            resizes: 0,
            late_actions: 0,
            refused: 0,
            backlog_max_s: 0.0,
            backlog_end_s: 0.0,
            decisions: Vec::new(),
        };
        Self {
            scenario,
            bounds_s,
            outcome,
            restarts: vec![0; phases],
            missed: vec![false; phases],
            interval: Interval::default(),
        }
    }

    /// Notes a shape that is in force from now on.
    pub fn decided(&mut self, at_s: u64, operator: usize, shape: &Shape, why: String) {
        self.outcome.decisions.push(DecisionRow {
            at_s,
            operator: self.scenario.operators[operator].name.clone(),
            parallelism: shape.parallelism,
            cache_mib: rounded(shape.cache_bytes as f64 / MIB),
            write_buffer_mib: rounded(shape.write_buffer_bytes as f64 / MIB),
            why,
        });
    }

    pub fn restarted(&mut self, at_s: u64) {
        self.outcome.restarts += 1;
        let phase = self.phase(at_s);
        self.restarts[phase] += 1;
        self.acted(at_s);
    }

    pub fn resized(&mut self, at_s: u64) {
        self.outcome.resizes += 1;
        self.acted(at_s);
    }

    pub fn refused(&mut self) {
        self.outcome.refused += 1;
    }

    /// One second: what was used, required and possible.
    pub fn second(
        &mut self,
        at_s: u64,
        shapes: &[Shape],
        required_per_s: &[f64],
        capacity_per_s: &[f64],
        backlog_s: f64,
    ) {
        for shape in shapes {
            self.outcome.slot_seconds += f64::from(shape.parallelism);
            self.outcome.gib_seconds += gib(shape.total_bytes());
        }
        self.outcome.backlog_max_s = self.outcome.backlog_max_s.max(backlog_s);
        self.outcome.backlog_end_s = backlog_s;
        // A step of the target begins a new interval: what came before it has nothing to do with it.
        let full = self.interval.seconds == self.scenario.policy_interval_s;
        if full || self.bounds_s.contains(&at_s) {
            self.close_interval();
            self.interval.begin_s = at_s;
        }
        let interval = &mut self.interval;
        interval.required.resize(required_per_s.len(), 0.0);
        interval.capacity.resize(capacity_per_s.len(), 0.0);
        interval.seconds += 1;
        for (sum, value) in interval.required.iter_mut().zip(required_per_s) {
            *sum += value;
        }
        for (sum, value) in interval.capacity.iter_mut().zip(capacity_per_s) {
            *sum += value;
        }
    }

    pub fn close(mut self) -> Outcome {
        self.close_interval();
        let price = &self.scenario.price;
        let mut outcome = self.outcome;
        outcome.cost =
            outcome.slot_seconds * price.slot_second + outcome.gib_seconds * price.gib_second;
        outcome.restarts_in_a_phase_max = self.restarts.into_iter().max().unwrap_or(0);
        outcome.missed_phases = self.missed.iter().filter(|m| **m).count() as u64;
        outcome
    }

    fn close_interval(&mut self) {
        let interval = std::mem::take(&mut self.interval);
        let pairs = || interval.capacity.iter().zip(&interval.required);
        let short = pairs().any(|(can, must)| *can < must * (1.0 - Self::TOLERANCE));
        if !short {
            return;
        }
        self.outcome.below_target_with_grace_s += interval.seconds;
        let phase = self.phase(interval.begin_s);
        let since = interval.begin_s - self.bounds_s[phase];
        let after_grace = (since + interval.seconds).saturating_sub(self.outcome.grace_s);
        self.outcome.below_target_s += after_grace.min(interval.seconds);
        if self.is_late(interval.begin_s) {
            self.missed[phase] = true;
        }
    }

    fn acted(&mut self, at_s: u64) {
        if self.is_late(at_s) {
            self.outcome.late_actions += 1;
        }
    }

    fn phase(&self, at_s: u64) -> usize {
        let begun = self.bounds_s.partition_point(|b| *b <= at_s);
        (begun - 1).min(self.bounds_s.len() - 2)
    }

    /// Whether a moment lies in the second half of its phase.
    fn is_late(&self, at_s: u64) -> bool {
        let phase = self.phase(at_s);
        2 * at_s >= self.bounds_s[phase] + self.bounds_s[phase + 1]
    }
}

/// To a thousandth: bytes are whole, MiB need not show it.
fn rounded(mib: f64) -> f64 {
    (mib * 1000.0).round() / 1000.0
}
