//! Write buffers of a job's shape: from bytes of every subtask to the managers of one TaskManager.

use std::collections::BTreeMap;

use weir_protocol::{CacheReport, Report};
use weir_scaling::{
    CachePlan, CacheReason, OperatorKey, TaskManagerPlan, TaskManagerState, Verdict,
    WriteBufferPlan, restore,
};

use crate::observe::key_of;

/// Managers that change, and what the caches beside them may reach then.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Managers {
    pub plans: Vec<WriteBufferPlan>,
    pub cache_budget_bytes: u64,
}

/// Gives every manager what its operators are wanted to have together; an operator without a wish keeps an even part of what the
/// manager has. Nothing changes where the agent cannot resize managers, or nobody has a wish.
pub(super) fn managers(report: &Report, wanted: impl Fn(&OperatorKey) -> Option<u64>) -> Managers {
    let budget = &report.budget;
    let mut behind: BTreeMap<u64, Vec<&CacheReport>> = BTreeMap::new();
    for cache in &report.caches {
        if let Some(buffers) = &cache.write_buffers {
            behind.entry(buffers.manager).or_default().push(cache);
        }
    }
    let capacity = |caches: &[&CacheReport]| {
        let buffers = caches.first().and_then(|c| c.write_buffers);
        buffers.map_or(0, |b| b.capacity_bytes)
    };
    let mut plans = Vec::new();
    for caches in behind
        .values()
        .filter(|_| budget.write_buffer_cost_percent > 0)
    {
        let from_bytes = capacity(caches);
        let wishes: Vec<Option<u64>> = caches
            .iter()
            .map(|c| wanted(&key_of(&c.operator)))
            .collect();
        if wishes.iter().all(Option::is_none) {
            continue;
        }
        let part = from_bytes / caches.len() as u64;
        let to_bytes: u64 = wishes.iter().map(|wish| wish.unwrap_or(part)).sum();
        let to_bytes = to_bytes.max(budget.min_write_buffer_bytes);
        if to_bytes != from_bytes {
            plans.push(WriteBufferPlan {
                cache_id: caches[0].id.0,
                operator: key_of(&caches[0].operator),
                from_bytes,
                to_bytes,
            });
        }
    }
    let all: u64 = behind.values().map(|caches| capacity(caches)).sum();
    let less: u64 = plans.iter().map(|p| p.from_bytes).sum();
    let more: u64 = plans.iter().map(|p| p.to_bytes).sum();
    Managers {
        plans,
        cache_budget_bytes: budget.cache_bytes_with(all, all - less + more),
    }
}

// === impl Managers ===

impl Managers {
    /// A plan for these managers, and for sizes of caches within what they leave; nothing if what stays as it is does not fit in there.
    pub(super) fn beside_caches(
        self,
        tm: &TaskManagerState,
        sizes: &BTreeMap<OperatorKey, u64>,
    ) -> Option<TaskManagerPlan> {
        let mut tm = tm.clone();
        tm.budget.cache_bytes = self.cache_budget_bytes;
        let keep = || {
            let caches = tm.caches.iter();
            let kept = caches.map(|c| CachePlan::keep(c, CacheReason::Stays));
            TaskManagerPlan::new(&tm, Verdict::Resize, kept.collect())
        };
        let mut plan = restore(&tm, sizes).unwrap_or_else(keep);
        plan.write_buffers = self.plans;
        (plan.planned_bytes() <= plan.budget_bytes).then_some(plan)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Two operators that share manager 7 of 32 MiB, a third with manager 8 of 16 MiB; 100 MiB of caches beside them.
    fn report(cost_percent: u32) -> Report {
        let cache = |id: u64, manager: u64, capacity: u64| {
            json!({
                "id": id,
                "operator": {
                    "job_id": "j", "task_name": "t", "operator_name": format!("o{id}"), "subtask_index": 0, "parallelism": 1,
                    "attempt": 0,
                },
                "capacity_bytes": 1, "usage_bytes": 0, "pinned_bytes": 0, "age_ms": 0, "lookups": [], "curve": null,
                "curve_samples": 0.0, "miss_seconds": null,
                "write_buffers": {"capacity_bytes": capacity << 20, "used_bytes": 0, "active_bytes": 0, "manager": manager},
            })
        };
        let report = json!({
            "protocol_version": 1, "uptime_ms": 1, "generation": 0,
            "agent": {"version": "0", "tm_id": "tm", "pid": 1, "rocksdb_version": "", "mode": "per-operator", "hook": {"state": "hooked"}},
            "budget": {
                "total_bytes": 172 << 20, "write_buffer_bytes": 72 << 20, "cache_bytes": 100 << 20, "allocated_bytes": 3,
                "min_cache_bytes": 1, "min_write_buffer_bytes": 4 << 20, "write_buffer_cost_percent": cost_percent,
            },
            "caches": [cache(1, 7, 32), cache(2, 7, 32), cache(3, 8, 16)],
            "health": {"samples_dropped": 0, "samples_taken": 0, "threads": 0, "panics_caught": 0},
        });
        serde_json::from_value(report).unwrap()
    }

    fn wish(name: &'static str, mib: u64) -> impl Fn(&OperatorKey) -> Option<u64> {
        move |operator| (operator.operator_name == name).then_some(mib << 20)
    }

    #[test]
    fn a_shared_manager_gets_the_wish_of_one_and_keeps_the_part_of_the_other() {
        let managers = managers(&report(150), wish("o2", 4));
        let [plan] = managers.plans.as_slice() else {
            panic!("{managers:?}");
        };
        assert_eq!((plan.from_bytes, plan.to_bytes), (32 << 20, 20 << 20));
        assert_eq!(plan.cache_id, 1);
        // Half as much again as the 12 MiB that are given up.
        assert_eq!(managers.cache_budget_bytes, (100 + 18) << 20);
    }

    #[test]
    fn no_manager_gets_less_than_the_minimum() {
        let managers = managers(&report(150), wish("o3", 1));
        assert_eq!(managers.plans[0].to_bytes, 4 << 20);
    }

    #[test]
    fn what_cannot_be_resized_or_is_not_wished_for_stays() {
        let unmoved = Managers {
            plans: Vec::new(),
            cache_budget_bytes: 100 << 20,
        };
        assert_eq!(managers(&report(0), wish("o3", 1)), unmoved);
        assert_eq!(managers(&report(150), |_| None), unmoved);
        assert_eq!(managers(&report(150), wish("o3", 16)), unmoved);
    }
}
