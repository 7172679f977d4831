//! What the guard withholds, whatever a policy wants.

mod build;

use build::{MIB, cache, curve, decide, decide_after, falling, flat, snapshot, task_manager};
use weir_scaling::{
    CachePlan, CacheReason, Change, Freeze, Guard, History, JobState, Measured, Plan, Snapshot,
    TaskManagerPlan, Verdict,
};

/// One cache gains a lot, the other loses nothing.
fn worthwhile() -> Snapshot {
    let caches = vec![
        cache(1, 32, 5_000, falling(128, 0.0)),
        cache(2, 32, 5_000, flat(0.4)),
    ];
    snapshot(task_manager(64, caches))
}

/// A plan as a careless policy might make it: these sizes, no questions asked.
fn careless(snapshot: &Snapshot, sizes_mib: &[u64]) -> Plan {
    let tm = &snapshot.task_managers[0];
    let caches = tm.caches.iter().zip(sizes_mib);
    let caches = caches.map(|(c, mib)| CachePlan::resize(c, mib * MIB, CacheReason::Gains));
    let plan = TaskManagerPlan::new(tm, Verdict::Resize, caches.collect());
    Plan::new("careless", vec![plan])
}

fn verdict_on(snapshot: &Snapshot, sizes_mib: &[u64]) -> Verdict {
    let plan = careless(snapshot, sizes_mib);
    let plan = Guard::default().review(plan, snapshot, &History::default());
    let tm = &plan.task_managers[0];
    if !tm.verdict.changes_sizes() {
        assert_eq!(tm.changes().count(), 0, "a withheld plan moves nothing");
    }
    tm.verdict.clone()
}

fn vetoed(verdict: &Verdict, part: &str) -> bool {
    matches!(verdict, Verdict::Vetoed { rule } if rule.contains(part))
}

#[test]
fn hard_rules_veto_any_policy() {
    let s = worthwhile();
    assert_eq!(verdict_on(&s, &[40, 24]), Verdict::Resize);
    assert!(vetoed(&verdict_on(&s, &[41, 24]), "the budget is"));
    assert!(vetoed(&verdict_on(&s, &[49, 15]), "one step allows"));
    assert!(vetoed(&verdict_on(&s, &[64, 0]), "the minimum is"));
}

#[test]
fn a_frozen_cache_may_not_be_changed_by_any_policy() {
    let mut s = worthwhile();
    s.task_managers[0].caches[1].curve = None;
    assert!(vetoed(&verdict_on(&s, &[40, 24]), "too few samples"));
}

#[test]
fn the_effect_is_computed_anew() {
    assert!(matches!(
        verdict_on(&worthwhile(), &[24, 40]),
        Verdict::GainTooSmall { gain, .. } if gain < 0.0
    ));
}

#[test]
fn small_gains_are_not_worth_a_change() {
    let gentle = curve(&[(0, 0.50), (32, 0.50), (48, 0.49), (64, 0.48)], 0.0001);
    let caches = vec![cache(1, 32, 5_000, gentle), cache(2, 32, 5_000, flat(0.4))];
    let plan = decide(&snapshot(task_manager(64, caches)));
    let tm = &plan.task_managers[0];
    assert!(matches!(tm.verdict, Verdict::GainTooSmall { .. }), "{tm}");
    let wanted = 48 * MIB;
    assert_eq!(
        tm.caches[0].reason,
        CacheReason::Withheld {
            wanted_bytes: wanted
        }
    );
}

#[test]
fn gains_inside_the_bands_are_noise() {
    let points = [(0, 0.9), (32, 0.6), (48, 0.5), (64, 0.4)];
    let decide_with = |half_band| {
        let steep = curve(&points, half_band);
        let caches = vec![cache(1, 32, 5_000, steep), cache(2, 32, 5_000, flat(0.4))];
        decide(&snapshot(task_manager(64, caches))).task_managers[0]
            .verdict
            .clone()
    };
    assert_eq!(decide_with(0.02), Verdict::Resize);
    assert!(matches!(decide_with(0.25), Verdict::WithinNoise { .. }));
}

#[test]
fn after_a_change_nothing_moves_until_it_was_measured() {
    let s = worthwhile();
    let changed = |ago_ms: u64| {
        let mut history = History::default();
        let change = Change {
            at_ms: s.at_ms - ago_ms,
        };
        history.last_changes.insert("tm-1".to_owned(), change);
        decide_after(&s, &history).task_managers[0].verdict.clone()
    };
    assert!(matches!(
        changed(14_999),
        Verdict::CoolingDown {
            since_ms: 14_999,
            ..
        }
    ));
    assert_eq!(changed(15_000), Verdict::Resize);
}

#[test]
fn stale_reports_freeze_everything() {
    let mut s = worthwhile();
    s.task_managers[0].data_age_ms = 60_000;
    let plan = decide(&s);
    let tm = &plan.task_managers[0];
    assert_eq!(tm.verdict, Verdict::AllFrozen);
    for cache in &tm.caches {
        assert!(
            matches!(cache.reason, CacheReason::Frozen(Freeze::Stale { .. })),
            "{cache}"
        );
    }
}

#[test]
fn a_job_that_does_not_run_freezes_its_caches() {
    let mut s = worthwhile();
    s.jobs = Some(vec![JobState {
        job_id: "a".repeat(32),
        name: "q20".to_owned(),
        state: "RESTARTING".to_owned(),
        restarts: Some(1),
        vertices: Vec::new(),
        edges: Vec::new(),
        restart_seconds: Measured::default(),
    }]);
    assert_eq!(decide(&s).task_managers[0].verdict, Verdict::AllFrozen);
}

#[test]
fn numbers_that_are_none_freeze() {
    let mut s = worthwhile();
    s.task_managers[0].caches[0].miss_seconds = Some(f64::NAN);
    let plan = decide(&s);
    let reason = &plan.task_managers[0].caches[0].reason;
    assert!(
        matches!(reason, CacheReason::Frozen(Freeze::Nonsense { .. })),
        "{reason:?}"
    );
}

#[test]
fn an_agent_that_does_not_manage_is_left_alone() {
    let mut s = worthwhile();
    s.task_managers[0].unmanaged = Some("memory mode is observe".to_owned());
    assert!(matches!(
        decide(&s).task_managers[0].verdict,
        Verdict::Unmanaged { .. }
    ));
}
