//! Gives operator subtasks back the sizes they had before a restart, as far as the budget reaches.

use std::collections::BTreeMap;

use crate::{
    CachePlan, CacheReason, CacheState, OperatorKey, TaskManagerPlan, TaskManagerState, Verdict,
};

/// A plan that restores `sizes`; absent if they are in force already, or none of the operators is here.
///
/// Where the remembered sizes no longer fit beside the other caches, what exceeds the minimum is cut back in proportion.
#[must_use]
pub fn restore(
    tm: &TaskManagerState,
    sizes: &BTreeMap<OperatorKey, u64>,
) -> Option<TaskManagerPlan> {
    let minimum = tm.budget.min_cache_bytes;
    let wanted = |c: &CacheState| sizes.get(&c.operator).map(|bytes| (*bytes).max(minimum));
    let others: u64 = tm
        .caches
        .iter()
        .filter(|c| wanted(c).is_none())
        .map(|c| c.capacity_bytes)
        .sum();
    let remembered: Vec<u64> = tm.caches.iter().filter_map(wanted).collect();
    let floor = minimum * remembered.len() as u64;
    let above_floor: u64 = remembered.iter().sum::<u64>() - floor;
    let room = tm.budget.cache_bytes.checked_sub(others + floor)?;
    let fit = |bytes: u64| {
        let above = u128::from(bytes - minimum);
        let scaled = above * u128::from(room.min(above_floor)) / u128::from(above_floor.max(1));
        minimum + u64::try_from(scaled).unwrap_or(0)
    };
    let plan_of = |c: &CacheState| match wanted(c).map(fit) {
        Some(bytes) if bytes != c.capacity_bytes => {
            CachePlan::resize(c, bytes, CacheReason::Restored)
        }
        _ => CachePlan::keep(c, CacheReason::Stays),
    };
    let plan = TaskManagerPlan::new(
        tm,
        Verdict::Restore,
        tm.caches.iter().map(plan_of).collect(),
    );
    plan.moves().then_some(plan)
}
