//! The oracle: for every phase of the targets the cheapest shape of every operator that meets them, by exhaustive search.
//!
//! It knows the plants. A plant never gets slower with more bytes, so for each parallelism only the fewest bytes that meet the
//! target can be cheapest; every combination of parallelisms over all operators is tried within the budgets. It changes shape at
//! each step of a target without a restart and without delay, so no policy can be both as cheap and as good. Where no shape
//! meets a target, it takes the fastest one the budgets allow for that operator, cheapest first.

use super::account::Account;
use super::outcome::Outcome;
use super::plant::Shape;
use super::scenario::{Budget, Scenario};

/// Why there is no oracle for a scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OracleError {
    /// The search would not end.
    #[error(
        "the oracle would have to try {combinations:.1e} combinations of parallelisms, it tries at most {limit:.1e}; \
         give fewer operators or a smaller `budget.slots`"
    )]
    TooLarge {
        /// Combinations there are, rounded.
        combinations: u64,
        /// Combinations that are tried.
        limit: u64,
    },
}

/// A shape and how well it does.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    shape: Shape,
    cost_per_s: f64,
    /// Share of the required rate that it can do, at most 1.
    met: f64,
}

/// Combinations tried at most.
const LIMIT: u64 = 20_000_000;
/// Instances beyond which no operator is scaled if neither plant nor budget says so.
const MAX_PARALLELISM: u32 = 256;

/// The run of the oracle.
///
/// # Errors
///
/// [`OracleError::TooLarge`] if there are too many combinations to try.
pub fn oracle(scenario: &Scenario) -> Result<Outcome, OracleError> {
    let mut account = Account::new(scenario, "oracle");
    let bounds_s = scenario.phase_bounds_s();
    for phase in bounds_s.windows(2) {
        let required = scenario.required_per_s(phase[0]);
        let shapes = cheapest(scenario, &required)?;
        let operators = scenario.operators.iter().zip(&shapes);
        let capacity: Vec<f64> = operators.map(|(o, s)| o.plant.capacity_per_s(s)).collect();
        for (at, shape) in shapes.iter().enumerate() {
            let why = match capacity[at] >= required[at] {
                true => "cheapest shape that meets the target",
                false => "no shape within the budgets meets the target; the fastest",
            };
            account.decided(phase[0], at, shape, why.to_owned());
        }
        for at_s in phase[0]..phase[1] {
            account.second(at_s, &shapes, &required, &capacity, 0.0);
        }
    }
    Ok(account.close())
}

/// The best combination of shapes: as many targets as possible met as far as possible, then the least cost.
fn cheapest(scenario: &Scenario, required: &[f64]) -> Result<Vec<Shape>, OracleError> {
    let candidates: Vec<Vec<Candidate>> = (0..required.len())
        .map(|at| candidates(scenario, at, required[at]))
        .collect();
    let combinations = candidates
        .iter()
        .fold(1_u64, |n, c| n.saturating_mul(c.len() as u64));
    let mut search = Search {
        budget: scenario.budget,
        candidates: &candidates,
        best: None,
        chosen: Vec::new(),
    };
    // Where each operator on its own is within the budgets, so are all together or not: one look.
    if let Some(shapes) = each_best(&candidates, scenario.budget) {
        return Ok(shapes);
    }
    if combinations > LIMIT {
        return Err(OracleError::TooLarge {
            combinations,
            limit: LIMIT,
        });
    }
    search.extend(0.0, 0.0, 0, 0);
    let fallback = || scenario.operators.iter().map(|o| o.start).collect();
    Ok(search.best.map_or_else(fallback, |(_, _, shapes)| shapes))
}

/// For each parallelism the fewest bytes that meet the target, or the most that help.
fn candidates(scenario: &Scenario, at: usize, required_per_s: f64) -> Vec<Candidate> {
    let operator = &scenario.operators[at];
    let slots = scenario.budget.slots.min(MAX_PARALLELISM);
    let parallelisms = operator
        .plant
        .parallelisms()
        .unwrap_or_else(|| (1..=slots).collect());
    let mut candidates = Vec::new();
    for parallelism in parallelisms.into_iter().filter(|p| *p <= slots) {
        let shape = |cache_bytes| Shape {
            parallelism,
            cache_bytes,
            ..operator.start
        };
        let of_each = scenario.budget.bytes / u64::from(parallelism);
        let room = of_each.saturating_sub(operator.start.write_buffer_bytes);
        let least = operator
            .plant
            .feasible(shape(operator.plant.min_cache_bytes()))
            .cache_bytes;
        if room < least {
            continue;
        }
        let most = operator
            .plant
            .largest_useful_cache_bytes(parallelism)
            .clamp(least, room);
        let can = |bytes: u64| operator.plant.capacity_per_s(&shape(bytes));
        let (mut low, mut high) = (least, most);
        let goal = required_per_s.min(can(most));
        while low < high {
            let middle = low + (high - low) / 2;
            if can(middle) >= goal {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let shape = shape(high);
        candidates.push(Candidate {
            shape,
            cost_per_s: scenario.price.per_second(&shape),
            met: if required_per_s > 0.0 {
                (can(high) / required_per_s).min(1.0)
            } else {
                1.0
            },
        });
    }
    candidates
}

/// Each operator's best, if together they keep the budgets.
fn each_best(candidates: &[Vec<Candidate>], budget: Budget) -> Option<Vec<Shape>> {
    let best = |of_one: &Vec<Candidate>| {
        let better = |a: &&Candidate, b: &&Candidate| {
            b.met
                .total_cmp(&a.met)
                .then(a.cost_per_s.total_cmp(&b.cost_per_s))
        };
        of_one.iter().min_by(better).map(|c| c.shape)
    };
    let shapes: Vec<Shape> = candidates.iter().map(best).collect::<Option<_>>()?;
    let slots: u64 = shapes.iter().map(|s| u64::from(s.parallelism)).sum();
    let bytes: u64 = shapes.iter().map(Shape::total_bytes).sum();
    (slots <= u64::from(budget.slots) && bytes <= budget.bytes).then_some(shapes)
}

/// Depth-first search over one candidate per operator.
struct Search<'a> {
    budget: Budget,
    candidates: &'a [Vec<Candidate>],
    /// Missing share of the targets, cost, shapes.
    best: Option<(f64, f64, Vec<Shape>)>,
    chosen: Vec<Shape>,
}

impl Search<'_> {
    fn extend(&mut self, missing: f64, cost: f64, slots: u64, bytes: u64) {
        if slots > u64::from(self.budget.slots) || bytes > self.budget.bytes {
            return;
        }
        if let Some((best_missing, best_cost, _)) = &self.best
            && (missing, cost) >= (*best_missing, *best_cost)
        {
            return;
        }
        let Some(of_one) = self.candidates.get(self.chosen.len()) else {
            self.best = Some((missing, cost, self.chosen.clone()));
            return;
        };
        for candidate in of_one {
            self.chosen.push(candidate.shape);
            self.extend(
                missing + (1.0 - candidate.met),
                cost + candidate.cost_per_s,
                slots + u64::from(candidate.shape.parallelism),
                bytes + candidate.shape.total_bytes(),
            );
            self.chosen.pop();
        }
    }
}
