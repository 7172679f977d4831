//! What holds for every snapshot.

mod build;

use build::{MIB, cache, curve, decide, flat, snapshot, task_manager};
use proptest::prelude::*;
use weir_scaling::{CacheState, Limits, Snapshot, Verdict};

/// A curve that starts anywhere and never rises.
fn any_curve() -> impl Strategy<Value = weir_mrc::MissRatioCurve> {
    let falls = prop::collection::vec((1u64..40, 0.0f64..0.4), 1..12);
    (0.2f64..1.0, falls, 0.0f64..0.03).prop_map(|(start, falls, half_band)| {
        let mut points = vec![(0, start)];
        for (mib, share) in falls {
            let (at, ratio) = points[points.len() - 1];
            points.push((at + mib, ratio * (1.0 - share)));
        }
        curve(&points, half_band)
    })
}

fn any_cache() -> impl Strategy<Value = CacheState> {
    let data = (any::<bool>(), any::<bool>(), 0u64..200_000);
    (1u64..64, 0u64..20_000, any_curve(), 0u64..4, data).prop_map(
        |(mib, rate, curve, pinned_mib, (windowed, curved, age_ms))| {
            let mut c = cache(0, mib, rate, curve);
            c.pinned_bytes = pinned_mib * MIB;
            c.age_ms = age_ms;
            c.load = c.load.filter(|_| windowed || age_ms % 3 > 0);
            c.curve = c.curve.filter(|_| curved || age_ms % 3 > 0);
            c
        },
    )
}

fn numbered(mut caches: Vec<CacheState>) -> Vec<CacheState> {
    for (id, c) in (1..).zip(&mut caches) {
        c.id = id;
        c.operator = build::key(&format!("Join[{id}]"), 0);
    }
    caches
}

fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let caches = prop::collection::vec(any_cache(), 1..9).prop_map(numbered);
    (caches, 0u64..128).prop_map(|(caches, free_mib)| {
        let allocated: u64 = caches.iter().map(|c| c.capacity_bytes / MIB).sum();
        snapshot(task_manager(allocated + free_mib, caches))
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn budget_minimum_step_and_frozen_caches_are_respected(s in any_snapshot()) {
        let plan = decide(&s);
        let (tm, plan) = (&s.task_managers[0], &plan.task_managers[0]);
        prop_assert!(!matches!(plan.verdict, Verdict::Vetoed { .. }), "the policy broke a rule: {plan}");
        prop_assert!(plan.planned_bytes() <= tm.budget.cache_bytes);
        prop_assert_eq!(plan.caches.len(), tm.caches.len());
        for change in plan.changes() {
            let from = tm.cache(change.id).unwrap();
            prop_assert!(change.to_bytes >= tm.budget.min_cache_bytes);
            prop_assert!(change.to_bytes * 2 >= from.capacity_bytes);
            prop_assert!(Limits::default().freeze(&s, tm, from).is_none());
        }
    }

    #[test]
    fn what_moves_saves_misses(s in any_snapshot()) {
        let plan = decide(&s);
        let plan = &plan.task_managers[0];
        if plan.verdict == Verdict::Resize {
            let effect = plan.effect.unwrap();
            prop_assert!(effect.after < effect.before);
            prop_assert!(effect.relative_gain() >= Limits::default().min_relative_gain);
            prop_assert!(effect.gain() > effect.noise);
            let grows = plan.changes().any(|c| c.to_bytes > c.from_bytes);
            prop_assert!(grows, "no cache shrinks unless another grows");
        }
    }

    #[test]
    fn same_snapshot_same_plan(s in any_snapshot()) {
        prop_assert_eq!(decide(&s), decide(&s));
    }

    #[test]
    fn the_order_of_caches_does_not_matter(s in any_snapshot(), rotate in 0usize..8) {
        let mut turned = s.clone();
        let caches = &mut turned.task_managers[0].caches;
        caches.reverse();
        let by = rotate % caches.len();
        caches.rotate_left(by);
        prop_assert_eq!(decide(&s), decide(&turned));
    }

    #[test]
    fn flat_curves_move_nothing(sizes in prop::collection::vec((1u64..64, 0u64..20_000, 0.0f64..1.0), 1..9)) {
        let caches = sizes.iter().map(|&(mib, rate, ratio)| cache(0, mib, rate, flat(ratio)));
        let caches = numbered(caches.collect());
        let s = snapshot(task_manager(1024, caches));
        prop_assert_eq!(decide(&s).task_managers[0].changes().count(), 0);
    }

    /// Applying plan after plan to unchanged curves never raises the predicted misses, and comes to rest.
    #[test]
    fn repeated_steps_descend_and_come_to_rest(s in any_snapshot()) {
        let mut s = s;
        let mut last = f64::INFINITY;
        for _ in 0..64 {
            let plan = decide(&s);
            let plan = &plan.task_managers[0];
            if plan.verdict != Verdict::Resize {
                return Ok(());
            }
            let effect = plan.effect.unwrap();
            prop_assert!(effect.before <= last * (1.0 + 1e-9), "{} after {last}", effect.before);
            last = effect.after;
            for c in &mut s.task_managers[0].caches {
                c.capacity_bytes = plan.caches.iter().find(|p| p.id == c.id).unwrap().to_bytes;
            }
        }
        prop_assert!(false, "still moving after 64 steps");
    }

    #[test]
    fn snapshots_and_plans_survive_json(s in any_snapshot()) {
        let plan = decide(&s);
        let again: Snapshot = serde_json::from_str(&serde_json::to_string(&s).unwrap()).unwrap();
        prop_assert_eq!(&decide(&again), &plan);
        let read: weir_scaling::Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        prop_assert_eq!(read.task_managers[0].verdict.name(), plan.task_managers[0].verdict.name());
    }
}
