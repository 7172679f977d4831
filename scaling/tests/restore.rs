//! What operator subtasks get back after a restart.

mod build;

use std::collections::BTreeMap;

use build::{MIB, cache, falling, key, task_manager};
use weir_scaling::restore;

fn sizes(entries: &[(u64, u64)]) -> BTreeMap<weir_scaling::OperatorKey, u64> {
    let entry = |&(id, mib): &(u64, u64)| (key(&format!("Join[{id}]"), 0), mib * MIB);
    entries.iter().map(entry).collect()
}

#[test]
fn remembered_sizes_come_back_even_to_young_caches() {
    let mut a = cache(1, 32, 0, falling(8, 0.0));
    a.age_ms = 10;
    a.curve = None;
    a.load = None;
    a.window = None;
    let tm = task_manager(64, vec![a, cache(2, 32, 0, falling(8, 0.0))]);
    let plan = restore(&tm, &sizes(&[(1, 48), (2, 16), (9, 500)])).unwrap();
    let to: Vec<u64> = plan.caches.iter().map(|c| c.to_bytes / MIB).collect();
    assert_eq!(to, [48, 16]);
}

#[test]
fn sizes_in_force_need_no_plan() {
    let tm = task_manager(64, vec![cache(1, 48, 0, falling(8, 0.0))]);
    assert_eq!(restore(&tm, &sizes(&[(1, 48)])), None);
    assert_eq!(
        restore(&tm, &sizes(&[(2, 48)])),
        None,
        "another operator's size"
    );
}

#[test]
fn a_smaller_budget_cuts_what_exceeds_the_minimum() {
    let tm = task_manager(
        42,
        vec![
            cache(1, 10, 0, falling(8, 0.0)),
            cache(2, 10, 0, falling(8, 0.0)),
            cache(3, 20, 0, falling(8, 0.0)),
        ],
    );
    let plan = restore(&tm, &sizes(&[(1, 31), (2, 11)])).unwrap();
    assert!(plan.planned_bytes() <= 42 * MIB);
    let to: Vec<u64> = plan.caches.iter().map(|c| c.to_bytes).collect();
    assert_eq!(
        to,
        [16 * MIB, 6 * MIB, 20 * MIB],
        "thirty and ten parts of twenty"
    );
}
