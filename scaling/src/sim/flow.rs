//! How records flow: what every operator gets to do in one second, given what it could do.

use super::scenario::{Feed, Scenario};

/// One second of the job.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Flow {
    /// Records per second that each operator processes.
    pub processed_per_s: Vec<f64>,
    /// What each operator takes from its own source; zero for one fed by operators.
    pub consumed_per_s: Vec<f64>,
    /// Which operators wait for room downstream.
    pub backpressured: Vec<bool>,
}

/// The operators of one pipeline, by pipeline: they slow each other down, others do not.
pub(crate) fn pipelines(scenario: &Scenario) -> Vec<usize> {
    let mut of: Vec<usize> = (0..scenario.operators.len()).collect();
    for (at, operator) in scenario.operators.iter().enumerate() {
        let Feed::Operators(inputs) = &operator.feed else {
            continue;
        };
        for input in inputs {
            let (from, to) = (of[input.operator], of[at]);
            for pipeline in &mut of {
                if *pipeline == from {
                    *pipeline = to;
                }
            }
        }
    }
    of
}

/// What flows if each source offers `offered_per_s` and each operator can do `capacity_per_s`.
///
/// The sources of one pipeline are slowed down alike, until no operator has more to do than it can: that is backpressure in the
/// steady state.
pub(crate) fn flow(
    scenario: &Scenario,
    pipelines: &[usize],
    offered_per_s: &[f64],
    capacity_per_s: &[f64],
) -> Flow {
    let count = scenario.operators.len();
    let mut load = vec![0.0; count];
    for (at, operator) in scenario.operators.iter().enumerate() {
        load[at] = match &operator.feed {
            Feed::Source(_) => offered_per_s[at],
            Feed::Operators(inputs) => inputs.iter().map(|i| load[i.operator] * i.ratio).sum(),
        };
    }
    let mut share = vec![1.0_f64; count];
    for at in 0..count {
        if load[at] > capacity_per_s[at] {
            let pipeline = &mut share[pipelines[at]];
            *pipeline = pipeline.min(capacity_per_s[at] / load[at]);
        }
    }
    let share_of = |at: usize| share[pipelines[at]];
    let is_fed = |at: usize| matches!(scenario.operators[at].feed, Feed::Source(_));
    // Whoever has an operator downstream that works at its limit waits for it.
    let at_limit = |at: usize| {
        share_of(at) < 1.0 && load[at] * share_of(at) >= capacity_per_s[at] * (1.0 - 1e-9)
    };
    let mut backpressured = vec![false; count];
    for at in (0..count).rev() {
        if let Feed::Operators(inputs) = &scenario.operators[at].feed
            && (backpressured[at] || at_limit(at))
        {
            for input in inputs {
                backpressured[input.operator] = !at_limit(input.operator);
            }
        }
    }
    Flow {
        processed_per_s: (0..count).map(|at| load[at] * share_of(at)).collect(),
        consumed_per_s: (0..count)
            .map(|at| {
                if is_fed(at) {
                    offered_per_s[at] * share_of(at)
                } else {
                    0.0
                }
            })
            .collect(),
        backpressured,
    }
}
