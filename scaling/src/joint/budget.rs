//! Slots and bytes are scarce together: prices are raised until what is chosen fits (Lagrange's multipliers; Everett, "Generalized
//! Lagrange multiplier method", 1963). Each round looks once at every vertex, so the whole is near linear.

use std::collections::{BTreeMap, BTreeSet};

use super::Subject;
use super::choice::{Choice, Kind, Price};
use crate::{JobState, Snapshot};

/// What may be used, less what vertices use that cannot be decided on.
pub(crate) struct Fixed {
    slots: u64,
    bytes: f64,
    /// Instances of undecided vertices, by slot sharing group.
    groups: BTreeMap<String, u32>,
}

// === impl Fixed ===

impl Fixed {
    pub fn of(snapshot: &Snapshot, job: &JobState, subjects: &[Subject<'_>]) -> Self {
        let terms = &snapshot.terms;
        let decided: BTreeSet<usize> = subjects.iter().map(|s| s.at).collect();
        let mut groups = BTreeMap::new();
        for (at, vertex) in job.vertices.iter().enumerate() {
            if !decided.contains(&at) {
                let most = groups.entry(group(vertex)).or_insert(0);
                *most = vertex.parallelism.max(*most);
            }
        }
        let names: BTreeSet<&str> = subjects.iter().map(|s| s.vertex.name.as_str()).collect();
        let others = snapshot.caches().filter(|(_, c)| {
            c.operator.job_id != job.job_id || !names.contains(c.task_name.as_str())
        });
        let other_bytes: f64 = others
            .map(|(_, c)| c.capacity_bytes + c.write_path.as_ref().map_or(0, |w| w.buffer_bytes))
            .map(|bytes| bytes as f64)
            .sum();
        let all: f64 = snapshot
            .task_managers
            .iter()
            .map(|tm| tm.budget.cache_bytes as f64)
            .sum();
        let bytes = terms.memory_budget_bytes.map_or(all, |b| all.min(b as f64));
        let slots = [terms.slot_budget, snapshot.slots.map(|s| s.total)];
        Self {
            slots: slots
                .into_iter()
                .flatten()
                .min()
                .map_or(u64::MAX, u64::from),
            bytes: bytes - other_bytes,
            groups,
        }
    }

    /// Whether the choices keep the budgets: (slots, bytes).
    fn keeps(&self, subjects: &[Subject<'_>], choices: &[Choice]) -> (bool, bool) {
        let mut groups = self.groups.clone();
        let mut bytes = 0.0;
        for (subject, choice) in subjects.iter().zip(choices) {
            let most = groups.entry(group(subject.vertex)).or_insert(0);
            *most = choice.candidate.shape.parallelism.max(*most);
            bytes += choice.candidate.total_bytes();
        }
        let slots: u64 = groups.values().map(|p| u64::from(*p)).sum();
        (slots <= self.slots, bytes <= self.bytes)
    }
}

fn group(vertex: &crate::VertexState) -> String {
    vertex.slot_sharing_group.clone().unwrap_or_default()
}

/// Choices within the budgets. Where no prices lead there, what is wished for at the real ones.
pub(crate) fn within(
    subjects: &[Subject<'_>],
    fixed: &Fixed,
    choose: impl Fn(Price) -> Vec<Choice>,
) -> Result<Vec<Choice>, Vec<Choice>> {
    const ROUNDS: u32 = 10;
    let mut price = Price::REAL;
    let first = choose(price);
    let mut kept = fixed.keeps(subjects, &first);
    if kept == (true, true) {
        return Ok(first);
    }
    price.trials = false;
    for round in 0..=ROUNDS {
        // The first round only does without trials.
        if round > 0 && !kept.0 {
            price.slot *= 2.0;
        }
        if round > 0 && !kept.1 {
            price.byte *= 2.0;
        }
        let choices = choose(price);
        kept = fixed.keeps(subjects, &choices);
        if kept == (true, true) {
            return Ok(choices);
        }
    }
    Err(first)
}

/// Takes changes back, the ones that matter least first, until the rest fits.
pub(crate) fn fit(
    subjects: &[Subject<'_>],
    fixed: &Fixed,
    mut choices: Vec<Choice>,
) -> Vec<Choice> {
    // What is given up by staying: probability of meeting the target, for the budget that it frees.
    let loss = |c: &Choice| c.candidate.sufficient - c.present.sufficient;
    let frees = |c: &Choice| {
        c.candidate.shape.parallelism > c.present.shape.parallelism
            || c.candidate.total_bytes() > c.present.total_bytes()
    };
    let mut growing: Vec<usize> = (0..choices.len())
        .filter(|at| frees(&choices[*at]))
        .collect();
    let name = |at: &usize| subjects[*at].vertex.id.as_str();
    growing.sort_by(|a, b| {
        loss(&choices[*a])
            .total_cmp(&loss(&choices[*b]))
            .then_with(|| name(a).cmp(name(b)))
    });
    // Fewer taken back is better: bisect over how many.
    let with = |count: usize| {
        let mut fewer = choices.clone();
        for at in &growing[..count] {
            fewer[*at].kind = Kind::Stay;
            fewer[*at].candidate = fewer[*at].present;
        }
        fewer
    };
    let (mut low, mut high) = (0, growing.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if fixed.keeps(subjects, &with(middle)) == (true, true) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    choices = with(low);
    choices
}
