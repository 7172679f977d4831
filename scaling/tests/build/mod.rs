//! Snapshots for tests, built from a few numbers.
#![allow(dead_code, clippy::unwrap_used)]

pub mod job;

use serde_json::json;
use weir_mrc::MissRatioCurve;
use weir_scaling::{
    BudgetState, CacheState, Guard, History, Limits, Load, OperatorKey, Plan, Policy, Snapshot,
    TaskManagerState, Terms, WeirPolicy, Window,
};

pub const MIB: u64 = 1 << 20;

/// A curve through (MiB, miss ratio) points, with bands of `half_band` either side.
pub fn curve(points: &[(u64, f64)], half_band: f64) -> MissRatioCurve {
    let points: Vec<_> = points
        .iter()
        .map(|&(mib, ratio)| {
            json!({
                "bytes": mib * MIB,
                "miss_ratio": ratio,
                "low": (ratio - half_band).max(0.0),
                "high": (ratio + half_band).min(1.0),
            })
        })
        .collect();
    serde_json::from_value(json!({ "points": points })).unwrap()
}

/// A curve that falls from 1 to `floor` over `working_set_mib`, evenly.
pub fn falling(working_set_mib: u64, floor: f64) -> MissRatioCurve {
    let ratio =
        |mib: u64| 1.0 - (1.0 - floor) * mib.min(working_set_mib) as f64 / working_set_mib as f64;
    let points: Vec<_> = (0..=working_set_mib.max(1))
        .map(|mib| (mib, ratio(mib)))
        .collect();
    curve(&points, 0.005)
}

/// A curve that no cache size changes.
pub fn flat(ratio: f64) -> MissRatioCurve {
    curve(&[(0, ratio), (1, ratio), (512, ratio)], 0.005)
}

pub fn key(name: &str, subtask_index: u32) -> OperatorKey {
    OperatorKey {
        job_id: "a".repeat(32).into(),
        operator_name: name.into(),
        subtask_index,
    }
}

/// A healthy cache, two minutes old, with a window of ten seconds in which its curve was right.
pub fn cache(id: u64, mib: u64, lookups_per_s: u64, curve: MissRatioCurve) -> CacheState {
    let measured = curve.miss_ratio_at(mib * MIB).value;
    CacheState {
        id,
        operator: key(&format!("Join[{id}]"), 0),
        task_name: format!("Join[{id}] -> Calc").into(),
        parallelism: 1,
        attempt: 0,
        capacity_bytes: mib * MIB,
        usage_bytes: mib * MIB,
        pinned_bytes: 0,
        age_ms: 120_000,
        load: Some(Load {
            millis: 10_000,
            lookups: lookups_per_s * 10,
        }),
        window: Some(Window {
            millis: 10_000,
            lookups: lookups_per_s * 10,
            misses: (lookups_per_s as f64 * 10.0 * measured) as u64,
        }),
        curve: Some(curve),
        miss_seconds: Some(100e-6),
        hit_seconds: None,
        write_path: None,
    }
}

pub fn task_manager(budget_mib: u64, caches: Vec<CacheState>) -> TaskManagerState {
    TaskManagerState {
        tm_id: "tm-1".to_owned(),
        pid: 42,
        generation: 7,
        data_age_ms: 100,
        unmanaged: None,
        slots: None,
        budget: BudgetState {
            cache_bytes: budget_mib * MIB,
            allocated_bytes: caches.iter().map(|c| c.capacity_bytes).sum(),
            min_cache_bytes: MIB,
            write_buffer_cost_percent: 100,
        },
        caches,
    }
}

pub fn snapshot(tm: TaskManagerState) -> Snapshot {
    Snapshot {
        at_ms: 1_000_000,
        jobs: None,
        task_managers: vec![tm],
        slots: None,
        terms: Terms::default(),
    }
}

/// What policy `weir` and the guard make of it, with no history.
pub fn decide(snapshot: &Snapshot) -> Plan {
    decide_after(snapshot, &History::default())
}

pub fn decide_after(snapshot: &Snapshot, history: &History) -> Plan {
    let limits = Limits::default();
    let plan = WeirPolicy::new(limits).decide(snapshot, history);
    Guard::new(limits).review(plan, snapshot, history)
}
