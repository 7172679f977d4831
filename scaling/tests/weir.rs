//! What policy `weir` does with caches of different needs.

mod build;

use build::{MIB, cache, curve, decide, falling, flat, snapshot, task_manager};
use weir_scaling::{
    AlternativeKind, CacheReason, Freeze, Objective, Policy, StaticPolicy, Verdict,
};

#[test]
fn bytes_flow_from_the_flat_curve_to_the_steep_one() {
    let steep = cache(1, 32, 5_000, falling(128, 0.0));
    let level = cache(2, 32, 5_000, flat(0.4));
    let plan = decide(&snapshot(task_manager(64, vec![steep, level])));
    let tm = &plan.task_managers[0];
    assert_eq!(tm.verdict, Verdict::Resize, "{tm}");
    assert_eq!(
        tm.caches[0].to_bytes,
        48 * MIB,
        "half of the flat cache, one step"
    );
    assert_eq!(tm.caches[1].to_bytes, 16 * MIB);
    assert_eq!(tm.caches[0].reason, CacheReason::Gains);
    assert_eq!(tm.caches[1].reason, CacheReason::Yields);
    let saved = tm.caches[0].misses_saved_per_second.unwrap();
    assert!((saved - 5_000.0 * 16.0 / 128.0).abs() < 1e-6, "{saved}");
    let kinds: Vec<_> = tm.rejected.iter().map(|r| r.kind).collect();
    assert_eq!(
        kinds,
        [AlternativeKind::KeepSizes, AlternativeKind::EqualShares]
    );
}

#[test]
fn the_sentence_names_sizes_rates_ratios_and_bands() {
    let steep = cache(1, 32, 5_000, falling(128, 0.0));
    let level = cache(2, 32, 5_000, flat(0.4));
    let plan = decide(&snapshot(task_manager(64, vec![steep, level])));
    let sentence = plan.task_managers[0].caches[0].to_string();
    assert_eq!(
        sentence,
        "Join[1] (0) grows from 32.0 MiB to 48.0 MiB: at 5000 lookups/s the predicted miss ratio goes from \
         75.0 % (74.5 to 75.5) to 62.5 % (62.0 to 63.0), 625.0 misses/s fewer"
    );
}

#[test]
fn nothing_moves_when_all_curves_are_flat() {
    let caches = vec![cache(1, 16, 9_000, flat(0.9)), cache(2, 48, 10, flat(0.1))];
    let plan = decide(&snapshot(task_manager(128, caches)));
    assert_eq!(plan.task_managers[0].verdict, Verdict::Balanced);
    assert_eq!(plan.task_managers[0].changes().count(), 0);
}

#[test]
fn free_budget_is_handed_out_without_shrinking_anyone() {
    let a = cache(1, 16, 5_000, falling(64, 0.0));
    let b = cache(2, 16, 5_000, flat(0.3));
    let plan = decide(&snapshot(task_manager(96, vec![a, b])));
    let tm = &plan.task_managers[0];
    assert_eq!(
        tm.caches[0].to_bytes,
        64 * MIB,
        "its whole working set fits"
    );
    assert_eq!(tm.caches[1].to_bytes, 16 * MIB);
}

#[test]
fn pinned_bytes_are_room_the_curve_does_not_have() {
    let mut a = cache(1, 16, 5_000, falling(64, 0.0));
    a.pinned_bytes = 8 * MIB;
    let plan = decide(&snapshot(task_manager(96, vec![a])));
    assert_eq!(plan.task_managers[0].caches[0].to_bytes, 72 * MIB);
}

#[test]
fn measured_miss_time_decides_where_all_have_it() {
    let slow = || {
        let mut c = cache(1, 32, 1_000, falling(128, 0.0));
        c.miss_seconds = Some(5e-3);
        c
    };
    let fast = || cache(2, 32, 2_000, falling(128, 0.0));
    let timed = decide(&snapshot(task_manager(64, vec![slow(), fast()])));
    let tm = &timed.task_managers[0];
    assert_eq!(tm.effect.unwrap().objective, Objective::MissSeconds);
    assert!(tm.caches[0].to_bytes > 32 * MIB, "{}", tm.caches[0]);

    let mut untimed = fast();
    untimed.miss_seconds = None;
    let plan = decide(&snapshot(task_manager(64, vec![slow(), untimed])));
    let tm = &plan.task_managers[0];
    assert_eq!(tm.effect.unwrap().objective, Objective::Misses);
    assert!(tm.caches[1].to_bytes > 32 * MIB, "{}", tm.caches[1]);
}

#[test]
fn an_idle_cache_yields_and_a_missing_load_freezes() {
    let busy = || cache(1, 32, 5_000, falling(256, 0.0));
    let idle = cache(2, 32, 0, falling(256, 0.0));
    let plan = decide(&snapshot(task_manager(64, vec![busy(), idle.clone()])));
    assert_eq!(plan.task_managers[0].caches[1].to_bytes, 16 * MIB);

    let mut unknown = idle;
    unknown.load = None;
    let plan = decide(&snapshot(task_manager(64, vec![busy(), unknown])));
    let kept = &plan.task_managers[0].caches[1];
    assert_eq!(kept.to_bytes, 32 * MIB);
    assert_eq!(kept.reason, CacheReason::Frozen(Freeze::NoLoad));
}

#[test]
fn a_frozen_cache_keeps_its_size_while_the_others_trade() {
    let mut young = cache(3, 20, 90_000, falling(256, 0.0));
    young.age_ms = 1_000;
    let caches = vec![
        cache(1, 20, 5_000, falling(128, 0.0)),
        cache(2, 20, 5_000, flat(0.4)),
        young,
    ];
    let plan = decide(&snapshot(task_manager(60, caches)));
    let tm = &plan.task_managers[0];
    assert_eq!(tm.verdict, Verdict::Resize);
    assert_eq!(tm.caches[2].to_bytes, 20 * MIB);
    assert!(matches!(
        tm.caches[2].reason,
        CacheReason::Frozen(Freeze::TooYoung { .. })
    ));
    assert_eq!(tm.planned_bytes(), 60 * MIB);
}

#[test]
fn a_cliff_out_of_reach_takes_no_bytes() {
    let cliff = curve(&[(0, 0.9), (199, 0.9), (200, 0.1), (256, 0.1)], 0.005);
    let slope = falling(256, 0.0);
    let caches = vec![cache(1, 32, 5_000, cliff), cache(2, 32, 5_000, slope)];
    let plan = decide(&snapshot(task_manager(96, caches)));
    let tm = &plan.task_managers[0];
    assert!(tm.caches[0].to_bytes <= 32 * MIB, "{}", tm.caches[0]);
    assert!(tm.caches[1].to_bytes > 32 * MIB, "{}", tm.caches[1]);
}

#[test]
fn static_keeps_everything() {
    let caches = vec![
        cache(1, 32, 5_000, falling(128, 0.0)),
        cache(2, 32, 5, flat(0.4)),
    ];
    let plan = StaticPolicy.decide(&snapshot(task_manager(64, caches)), &Default::default());
    assert_eq!(plan.task_managers[0].verdict, Verdict::Static);
    assert_eq!(plan.task_managers[0].changes().count(), 0);
}
