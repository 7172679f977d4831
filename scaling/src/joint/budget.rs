//! What may be used, and what happens where no prices keep it.

use std::collections::{BTreeMap, BTreeSet};

use super::Subject;
use super::choice::{Choice, Floor, Kind};
use crate::model::VertexCaches;
use crate::{JobState, Snapshot};

/// What may be used, less what vertices use that cannot be decided on.
pub(crate) struct Fixed {
    slots: u64,
    bytes: f64,
    /// Instances of undecided vertices, by slot sharing group.
    groups: Vec<u32>,
    /// The group of each subject.
    group_of: Vec<usize>,
}

/// The memory of a cluster: caches and the write buffers beside them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Memory {
    /// What both may take together.
    pub bytes: f64,
    /// What a byte of write buffers takes.
    pub write_buffer_cost: f64,
    /// Smallest capacity every cache may be given.
    pub least_cache_bytes: u64,
}

// === impl Memory ===

impl Memory {
    pub fn of(snapshot: &Snapshot, caches: &VertexCaches<'_>) -> Self {
        let write_buffer_cost = snapshot.write_buffer_cost();
        let tms = snapshot.task_managers.iter();
        let for_caches: f64 = tms.map(|tm| tm.budget.cache_bytes as f64).sum();
        let there = for_caches + write_buffer_cost * caches.write_buffer_bytes as f64;
        let budget = snapshot.terms.memory_budget_bytes;
        let minima = snapshot
            .task_managers
            .iter()
            .map(|tm| tm.budget.min_cache_bytes);
        Self {
            least_cache_bytes: minima.max().unwrap_or(0),
            bytes: budget.map_or(there, |b| there.min(b as f64)),
            write_buffer_cost,
        }
    }

    /// What caches and write buffers take.
    pub fn taken(&self, cache_bytes: u64, write_buffer_bytes: u64) -> f64 {
        cache_bytes as f64 + self.write_buffer_cost * write_buffer_bytes as f64
    }
}

// === impl Fixed ===

impl Fixed {
    pub fn of(
        snapshot: &Snapshot,
        job: &JobState,
        subjects: &[Subject<'_>],
        caches: &VertexCaches<'_>,
        memory: &Memory,
    ) -> Self {
        let terms = &snapshot.terms;
        let decided: BTreeSet<usize> = subjects.iter().map(|s| s.at).collect();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut groups, mut group_of) = (Vec::new(), Vec::with_capacity(subjects.len()));
        for (at, vertex) in job.vertices.iter().enumerate() {
            let name = vertex.slot_sharing_group.as_deref().unwrap_or_default();
            let number = *numbers.entry(name).or_insert(groups.len());
            if number == groups.len() {
                groups.push(0);
            }
            if decided.contains(&at) {
                group_of.push(number);
            } else {
                groups[number] = vertex.parallelism.max(groups[number]);
            }
        }
        // Vertices of one name have their caches in common.
        let mut names = BTreeSet::new();
        let distinct = subjects
            .iter()
            .filter(|s| names.insert(s.vertex.name.as_str()));
        let decided = distinct.fold((0, 0), |(capacity, buffers), s| {
            let caches = s.caches;
            (
                capacity + caches.capacity_bytes,
                buffers + caches.write_buffer_bytes,
            )
        });
        let of_others = memory.taken(
            caches.capacity_bytes - decided.0,
            caches.write_buffer_bytes - decided.1,
        );
        let slots = [terms.slot_budget, snapshot.slots.map(|s| s.total)];
        Self {
            slots: slots
                .into_iter()
                .flatten()
                .min()
                .map_or(u64::MAX, u64::from),
            bytes: memory.bytes - of_others,
            groups,
            group_of,
        }
    }

    /// Whether the choices keep the budgets: (slots, bytes).
    pub fn keeps(&self, choices: &[Choice]) -> (bool, bool) {
        let chosen = |c: &Choice| (c.candidate.shape.parallelism, c.candidate.total_bytes);
        self.allows(choices.iter().map(chosen))
    }

    /// Whether instances and bytes of the subjects, in their order, keep the budgets: (slots, bytes).
    pub fn allows(&self, subjects: impl Iterator<Item = (u32, f64)>) -> (bool, bool) {
        let (slots, bytes) = self.taken(subjects);
        (slots <= self.slots, bytes <= self.bytes)
    }

    /// How many times the budgets these take, of the scarcer.
    pub fn share_taken(&self, floors: &[Floor]) -> f64 {
        let (slots, bytes) = self.taken(floors.iter().map(|f| (f.parallelism, f.bytes)));
        (slots as f64 / self.slots as f64).max(bytes / self.bytes)
    }

    fn taken(&self, subjects: impl Iterator<Item = (u32, f64)>) -> (u64, f64) {
        let mut groups = self.groups.clone();
        let mut all_bytes = 0.0;
        for ((parallelism, bytes), group) in subjects.zip(&self.group_of) {
            groups[*group] = parallelism.max(groups[*group]);
            all_bytes += bytes;
        }
        let slots: u64 = groups.iter().map(|p| u64::from(*p)).sum();
        (slots, all_bytes)
    }
}

/// Takes changes back, the ones that matter least first, until the rest fits.
pub(crate) fn fit(
    subjects: &[Subject<'_>],
    fixed: &Fixed,
    mut choices: Vec<Choice>,
) -> Vec<Choice> {
    // What is given up by staying: probability of meeting the target, for the budget that it frees.
    let loss = |c: &Choice| c.candidate.sufficient() - c.present.sufficient();
    let frees = |c: &Choice| {
        c.candidate.shape.parallelism > c.present.shape.parallelism
            || c.candidate.total_bytes > c.present.total_bytes
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
        if fixed.keeps(&with(middle)) == (true, true) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    choices = with(low);
    choices
}
