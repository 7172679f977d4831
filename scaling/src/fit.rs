//! Cuts a plan to the slots and the memory there are.

use std::collections::BTreeMap;

use crate::state_access::StateIndex;
use crate::{Bytes, JobPlan, JobState, OperatorMemory};

/// Slots that a job needs: subtasks of vertices of one group share slots, so each group needs as many as its widest vertex.
pub(crate) fn slots_needed(job: &JobState, parallelism: impl Fn(usize) -> u32) -> u32 {
    widest_of_groups(job, parallelism).values().sum()
}

fn widest_of_groups(job: &JobState, parallelism: impl Fn(usize) -> u32) -> BTreeMap<&str, u32> {
    let mut widest: BTreeMap<&str, u32> = BTreeMap::new();
    for (at, vertex) in job.vertices.iter().enumerate() {
        let group = vertex.slot_sharing_group.as_deref().unwrap_or_default();
        let widest = widest.entry(group).or_default();
        *widest = (*widest).max(parallelism(at));
    }
    widest
}

/// Cuts growing vertices so that every group keeps within its part of the slots: a plan that cannot be had whole is had in part.
pub(crate) fn fit_slots(plan: &mut JobPlan, job: &JobState, available: u32) {
    let wanted = widest_of_groups(job, |at| plan.vertices[at].to_parallelism);
    let held = widest_of_groups(job, |at| job.vertices[at].parallelism);
    let needed: u32 = wanted.values().sum();
    if needed <= available {
        return;
    }
    // What no group gives up, and what the others want beyond it.
    let floor = |group: &str| wanted[group].min(held[group]);
    let kept: u32 = wanted.keys().map(|group| floor(group)).sum();
    let spare = u64::from(available.saturating_sub(kept));
    let more = u64::from(needed - kept).max(1);
    let cap = |group: &str| {
        let beyond = u64::from(wanted[group] - floor(group));
        floor(group) + u32::try_from(beyond * spare / more).unwrap_or(0)
    };
    for (vertex, state) in plan.vertices.iter_mut().zip(&job.vertices) {
        let cap = cap(state.slot_sharing_group.as_deref().unwrap_or_default());
        if vertex.to_parallelism > cap {
            vertex.limit(
                cap,
                format!("{available} slots are to be had, {needed} were wanted"),
            );
        }
    }
}

/// Cuts the memory of the vertices that change in proportion, so that all subtasks together keep within the budget, write buffers at
/// what they take of it.
pub(crate) fn fit_memory(
    plan: &mut JobPlan,
    job: &JobState,
    index: &StateIndex<'_>,
    budget_bytes: u64,
    write_buffer_cost: f64,
) -> Result<(), String> {
    let mut fixed = 0_u128;
    let mut least = 0_u128;
    let mut wanted = 0_u128;
    let mut cut = Vec::new();
    for (at, (vertex, state)) in plan.vertices.iter().zip(&job.vertices).enumerate() {
        let instances = u128::from(vertex.to_parallelism);
        let changes = vertex.changes_parallelism() || vertex.changes_memory();
        for operator in index.operators(job, state) {
            let named = vertex
                .memory
                .iter()
                .find(|m| m.operator_name == operator.name);
            let capacity = operator.capacity_bytes();
            let bytes = named.map_or(capacity, |m| m.to_cache_bytes);
            let buffers = named.and_then(|m| m.to_write_buffer_bytes);
            let there = buffers.unwrap_or_else(|| operator.write_buffer_bytes());
            fixed += instances * (there as f64 * write_buffer_cost) as u128;
            if changes {
                let minimum = operator.min_cache_bytes().min(bytes);
                least += instances * u128::from(minimum);
                wanted += instances * u128::from(bytes);
                let memory = OperatorMemory {
                    operator_name: operator.name.to_owned(),
                    from_cache_bytes: Some(capacity),
                    to_cache_bytes: bytes,
                    to_write_buffer_bytes: buffers,
                };
                cut.push((at, minimum, memory));
            } else {
                fixed += instances * u128::from(bytes);
            }
        }
    }
    let budget = u128::from(budget_bytes);
    if cut.is_empty() || fixed + wanted <= budget {
        return Ok(());
    }
    let Some(room) = budget.checked_sub(fixed + least) else {
        let minimum = u64::try_from(fixed + least).unwrap_or(u64::MAX);
        return Err(format!(
            "its caches would need {} at least, the budget is {}",
            Bytes(minimum),
            Bytes(budget_bytes)
        ));
    };
    for (at, ..) in &cut {
        plan.vertices[*at].memory.clear();
        plan.vertices[*at].predicted = None;
    }
    for (at, minimum, mut memory) in cut {
        let above = u128::from(memory.to_cache_bytes - minimum);
        let scaled = above * room / (wanted - least).max(1);
        memory.to_cache_bytes = minimum + u64::try_from(scaled).unwrap_or(0);
        plan.vertices[at].memory.push(memory);
    }
    Ok(())
}
