//! The joint half of policy `weir`: the defects of its ancestors by name, and what holds for every snapshot.

#![allow(clippy::unwrap_used)]

mod build;

use build::job::{chain, snapshot_of, source, vertex};
use build::{MIB, cache, curve, task_manager};
use proptest::prelude::*;
use weir_scaling::{
    CacheState, History, JobPlan, JobVerdict, Measured, Missing, Policy, Snapshot, VertexPlan,
    VertexReason, VertexState, WeirPolicy, WritePath,
};

/// How a vertex does: instances, cache of each in MiB, records per second through it, load.
#[derive(Debug, Clone, Copy)]
struct Doing {
    instances: u32,
    mib: u64,
    records_per_s: f64,
    busy: f64,
    /// Whether more bytes help.
    by_memory: bool,
}

/// One lookup a record, which misses half of the time with the bytes there are and one time in ten with four times as many; or half of the time with any
/// bytes.
fn caches(task: &str, id: u64, doing: &Doing) -> Vec<CacheState> {
    let each = doing.records_per_s / f64::from(doing.instances);
    let best = if doing.by_memory { 0.1 } else { 0.5 };
    let least = if doing.by_memory { 1.0 } else { 0.5 };
    let falls = curve(&[(0, least), (doing.mib, 0.5), (doing.mib * 4, best)], 0.01);
    let of_subtask = |index: u32| {
        let mut cache = cache(id + u64::from(index), doing.mib, each as u64, falls.clone());
        cache.operator.operator_name = task.into();
        cache.operator.subtask_index = index;
        cache.task_name = task.into();
        cache.parallelism = doing.instances;
        cache.miss_seconds = Some(0.5 * doing.busy / each);
        cache.hit_seconds = Some(0.0);
        cache
    };
    (0..doing.instances).map(of_subtask).collect()
}

/// A source and a chain of stateful vertices `v0`, `v1`, ..., each in slots of its own, under budgets.
fn job(target: f64, doing: &[Doing], slots: u32, budget_mib: u64) -> Snapshot {
    let mut vertices = vec![source("source", doing[0].records_per_s, target, 0.0)];
    let mut all = Vec::new();
    for (at, d) in doing.iter().enumerate() {
        let name = format!("v{at}");
        let mut v = vertex(&name, d.instances, d.records_per_s, d.busy);
        v.slot_sharing_group = Some(name.clone());
        vertices.push(v);
        all.extend(caches(&name, 1 + 100 * at as u64, d));
    }
    vertices[0].slot_sharing_group = Some("v0".to_owned());
    let mut snapshot = snapshot_of(chain(vertices));
    snapshot.task_managers = vec![task_manager(budget_mib, all)];
    snapshot.terms.slot_budget = Some(slots);
    snapshot.terms.memory_budget_bytes = Some(budget_mib * MIB);
    snapshot
}

/// What the policy makes of a job that has looked like this for a while.
fn decide(snapshot: &Snapshot) -> JobPlan {
    let mut snapshot = snapshot.clone();
    let mut history = History::default();
    for _ in 0..6 {
        snapshot.at_ms += 60_000;
        history.observe(&snapshot);
    }
    let plan = WeirPolicy::default().decide(&snapshot, &history);
    plan.jobs.into_iter().next().unwrap()
}

fn of<'a>(plan: &'a JobPlan, name: &str) -> &'a VertexPlan {
    plan.vertex(&format!("id-{name}")).unwrap()
}

fn state<'a>(snapshot: &'a mut Snapshot, name: &str) -> &'a mut VertexState {
    let job = &mut snapshot.jobs.as_mut().unwrap()[0];
    job.vertices.iter_mut().find(|v| v.name == name).unwrap()
}

fn doing(instances: u32, records_per_s: f64, busy: f64) -> Doing {
    Doing {
        instances,
        mib: 64,
        records_per_s,
        busy,
        by_memory: true,
    }
}

fn by_cpu(instances: u32, records_per_s: f64, busy: f64) -> Doing {
    Doing {
        by_memory: false,
        ..doing(instances, records_per_s, busy)
    }
}

#[test]
fn idle_operator_keeps_its_instances() {
    let mut s = job(
        900.0,
        &[doing(2, 900.0, 0.5), doing(3, 900.0, 0.5)],
        32,
        4096,
    );
    let idle = state(&mut s, "v1");
    for subtask in &mut idle.subtasks {
        subtask.records_in_per_second = Measured::of(0.0);
        subtask.busy = Measured::of(0.0);
    }
    let plan = decide(&s);
    let kept = of(&plan, "v1");
    assert_eq!(
        (kept.to_parallelism, kept.changes_memory()),
        (3, false),
        "{plan:?}"
    );
}

#[test]
fn zero_misses_are_a_perfect_cache_and_not_statelessness() {
    let mut s = job(2000.0, &[doing(1, 500.0, 1.0)], 32, 4096);
    for cache in &mut s.task_managers[0].caches {
        // All fits into a quarter of what there is.
        cache.curve = Some(curve(&[(0, 1.0), (16, 0.0), (64, 0.0)], 0.0));
        cache.window.as_mut().unwrap().misses = 0;
    }
    let plan = decide(&s);
    let v0 = of(&plan, "v0");
    assert!(v0.to_parallelism >= 4, "{plan:?}");
    let each = v0.memory[0].to_cache_bytes;
    assert!(
        each * u64::from(v0.to_parallelism) >= 15 * MIB,
        "the bytes that keep it from missing stay: {plan:?}"
    );
}

#[test]
fn nan_busy_time_freezes_the_vertex_and_not_the_others() {
    let both = [by_cpu(1, 500.0, 1.0), by_cpu(1, 500.0, 1.0)];
    let mut s = job(2000.0, &both, 32, 4096);
    state(&mut s, "v0").subtasks[0].busy = Measured::of(f64::NAN);
    let plan = decide(&s);
    assert!(
        matches!(of(&plan, "v0").reason, VertexReason::Frozen { .. }),
        "{plan:?}"
    );
    assert_eq!(of(&plan, "v0").to_parallelism, 1);
    assert!(of(&plan, "v1").to_parallelism > 1, "{plan:?}");
}

#[test]
fn missing_metric_is_never_zero() {
    let mut s = job(2000.0, &[doing(1, 500.0, 1.0)], 32, 4096);
    for cache in &mut s.task_managers[0].caches {
        cache.miss_seconds = None;
    }
    let plan = decide(&s);
    let v0 = of(&plan, "v0");
    assert!(
        v0.to_parallelism >= 4,
        "parallelism can be told without it: {plan:?}"
    );
    let together = v0.memory[0].to_cache_bytes * u64::from(v0.to_parallelism);
    assert!(
        together.abs_diff(64 * MIB) < MIB,
        "bytes nobody can judge stay as many: {together}"
    );
    let source = &mut state(&mut s, "source").source.as_mut().unwrap();
    source.target_records_per_second = Measured::Missing(Missing::NotReported);
    let plan = decide(&s);
    assert!(
        matches!(of(&plan, "v0").reason, VertexReason::Frozen { .. }),
        "{plan:?}"
    );
}

#[test]
fn unchanged_vertex_keeps_its_memory_and_is_in_the_plan() {
    let both = [doing(1, 500.0, 1.0), doing(2, 500.0, 0.5)];
    let plan = decide(&job(500.0 * 1.8, &both, 32, 4096));
    assert!(plan.changes().any(|v| v.name == "v0"), "{plan:?}");
    let names: Vec<&str> = plan.vertices.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["source", "v0", "v1"]);
    let v1 = of(&plan, "v1");
    assert_eq!(v1.to_parallelism, 2);
    assert!(
        v1.memory.iter().all(|m| m.to_cache_bytes >= 64 * MIB),
        "{plan:?}"
    );
}

#[test]
fn one_lost_report_freezes_one_decision_and_the_next_is_made() {
    let whole = job(4000.0, &[by_cpu(2, 1000.0, 1.0)], 32, 4096);
    let mut lost = whole.clone();
    state(&mut lost, "v0").subtasks.pop();
    let plan = decide(&lost);
    assert!(
        matches!(of(&plan, "v0").reason, VertexReason::Frozen { .. }),
        "{plan:?}"
    );
    assert!(of(&decide(&whole), "v0").to_parallelism > 2);
}

#[test]
fn bottleneck_downstream_is_scaled_in_the_same_step() {
    // v1 works 80 % of its time at the 500 that v0 lets through; at 2000 it needs more too.
    let both = [by_cpu(1, 500.0, 1.0), by_cpu(1, 500.0, 0.8)];
    let plan = decide(&job(2000.0, &both, 32, 1024));
    assert_eq!(plan.verdict, JobVerdict::Rescale, "{plan:?}");
    for name in ["v0", "v1"] {
        let v = of(&plan, name);
        assert!(v.to_parallelism >= 2, "{plan:?}");
        assert!(v.predicted.unwrap().value >= 2000.0, "{plan:?}");
    }
}

#[test]
fn noisy_rates_are_no_reason_to_restart() {
    let mut history = History::default();
    let mut s = job(1000.0, &[doing(2, 1000.0, 0.85)], 32, 4096);
    for at in 0..30 {
        // Busy time off by up to a tenth either way, in turns.
        let busy = 0.85 * (1.0 + 0.1 * f64::from([0, 1, -1, 1, 0, -1][at % 6]));
        for subtask in &mut state(&mut s, "v0").subtasks {
            subtask.busy = Measured::of(busy);
        }
        s.at_ms += 60_000;
        history.observe(&s);
        let plan = WeirPolicy::default().decide(&s, &history);
        assert_eq!(
            plan.jobs[0].vertices[1].to_parallelism, 2,
            "{:?}",
            plan.jobs[0]
        );
    }
}

#[test]
fn unreachable_target_takes_what_the_budgets_allow_and_says_so() {
    let plan = decide(&job(1e6, &[by_cpu(1, 500.0, 1.0)], 8, 1024));
    let v0 = of(&plan, "v0");
    assert_eq!(v0.to_parallelism, 8, "{plan:?}");
    assert!(
        matches!(v0.reason, VertexReason::Unreachable { .. }),
        "{plan:?}"
    );
}

#[test]
fn where_the_budgets_do_not_allow_all_targets_no_vertex_is_left_behind() {
    let both = [by_cpu(1, 500.0, 1.0), by_cpu(1, 500.0, 1.0)];
    let plan = decide(&job(4500.0, &both, 12, 128));
    let rates = ["v0", "v1"].map(|name| of(&plan, name).predicted.unwrap().value);
    assert!(
        rates.iter().all(|r| *r > 1500.0),
        "a pipeline is as fast as its slowest vertex: {rates:?} {plan:?}"
    );
}

#[test]
fn overshoot_is_limited_by_what_the_target_needs() {
    let plan = decide(&job(4000.0, &[by_cpu(1, 500.0, 1.0)], 1000, 65_536));
    let instances = of(&plan, "v0").to_parallelism;
    assert!(
        (3..=11).contains(&instances),
        "8 if all stays as it is: {plan:?}"
    );
}

#[test]
fn skew_is_paid_for_by_the_busiest_instance() {
    let even = job(1500.0, &[doing(4, 1500.0, 0.5)], 64, 4096);
    let mut skewed = even.clone();
    let loads = [0.95, 0.35, 0.35, 0.35];
    for (subtask, load) in state(&mut skewed, "v0").subtasks.iter_mut().zip(loads) {
        subtask.busy = Measured::of(load);
    }
    let rate = |s: &Snapshot| of(&decide(s), "v0").predicted.unwrap();
    let twice = |s: &Snapshot| {
        let mut s = s.clone();
        let source = state(&mut s, "source").source.as_mut().unwrap();
        source.target_records_per_second = Measured::of(2500.0);
        of(&decide(&s), "v0").clone()
    };
    assert!(rate(&skewed).value < rate(&even).value);
    let cost = |v: &VertexPlan| {
        f64::from(v.to_parallelism)
            * (1.0 + 0.25 * v.cache_bytes_per_subtask() as f64 / (1u64 << 30) as f64)
    };
    assert!(
        cost(&twice(&skewed)) > cost(&twice(&even)),
        "{:?} {:?}",
        twice(&skewed),
        twice(&even)
    );
}

#[test]
fn budget_smaller_than_the_minimum_changes_nothing_for_the_worse() {
    // Two instances hold 128 MiB; somebody lowers the budget to less than the least they can have.
    let mut s = job(4000.0, &[doing(2, 1000.0, 1.0)], 32, 4096);
    s.task_managers[0].budget.min_cache_bytes = 8 * MIB;
    s.terms.memory_budget_bytes = Some(7 * MIB);
    let plan = decide(&s);
    let v0 = of(&plan, "v0");
    assert_eq!(v0.to_parallelism, 2, "{plan:?}");
    assert!(
        v0.memory.iter().all(|m| m.to_cache_bytes <= 64 * MIB),
        "{plan:?}"
    );
}

/// One instance that waits for compaction two fifths of its time, behind write buffers of 8 MiB that take half as much again.
#[test]
fn write_buffers_grow_at_the_expense_of_a_cache_that_does_not_need_its_bytes() {
    let mut s = job(1040.0, &[by_cpu(1, 1000.0, 1.0)], 1, 64);
    s.terms.memory_budget_bytes = Some(1024 * MIB);
    s.task_managers[0].budget.write_buffer_cost_percent = 150;
    let path = WritePath {
        buffer_bytes: 8 * MIB,
        used_bytes: 4 * MIB,
        flushed_bytes_per_second: Measured::of(10e6),
        compacted_bytes_per_second: Measured::of(200e6),
        stalled: Measured::of(0.4),
    };
    s.task_managers[0].caches[0].write_path = Some(path.clone());
    let plan = decide(&s);
    let memory = &of(&plan, "v0").memory[0];
    let buffers = memory.to_write_buffer_bytes.unwrap_or(8 * MIB);
    assert!(buffers > 8 * MIB, "{plan:?}");
    let taken = memory.to_cache_bytes + buffers * 3 / 2;
    assert!(taken <= (64 + 12) * MIB, "{taken}: {plan:?}");

    // Nobody knows what stalls: write buffers stay.
    s.task_managers[0].caches[0].write_path = Some(WritePath {
        stalled: Measured::Missing(Missing::OneReport),
        ..path
    });
    let unknown = decide(&s);
    let kept = of(&unknown, "v0").memory.iter();
    assert!(
        kept.map(|m| m.to_write_buffer_bytes).all(|b| b.is_none()),
        "{unknown:?}"
    );
}

/// Chains of one to four stateful vertices that keep their budgets.
fn any_job() -> impl Strategy<Value = Snapshot> {
    let one = (1_u32..5, 8_u64..128, 0.1_f64..1.0);
    let chain = prop::collection::vec(one, 1..5);
    (
        chain,
        100.0_f64..2_000.0,
        0.3_f64..6.0,
        0_u32..24,
        0_u64..2048,
    )
        .prop_map(|(chain, rate, factor, free, spare_mib)| {
            let doing: Vec<Doing> = chain
                .into_iter()
                .map(|(instances, mib, busy)| Doing {
                    instances,
                    mib,
                    records_per_s: rate,
                    busy,
                    by_memory: true,
                })
                .collect();
            let slots: u32 = doing.iter().map(|d| d.instances).sum();
            let mib: u64 = doing.iter().map(|d| u64::from(d.instances) * d.mib).sum();
            job(rate * factor, &doing, slots + free, mib + spare_mib)
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn never_above_a_budget(s in any_job()) {
        let plan = decide(&s);
        // The source shares the slots of the first vertex.
        let slots: u32 = plan.vertices[1..].iter().map(|v| v.to_parallelism).sum();
        prop_assert!(slots <= s.terms.slot_budget.unwrap(), "{slots} slots: {plan:?}");
        let bytes_of = |v: &VertexPlan| {
            let now = s.task_managers[0].caches.iter().find(|c| c.task_name == v.name);
            let now = now.map_or(0, |c| c.capacity_bytes);
            let each = v.memory.first().map_or(now, |m| m.to_cache_bytes);
            u64::from(v.to_parallelism) * each
        };
        let bytes: u64 = plan.vertices.iter().map(bytes_of).sum();
        prop_assert!(bytes <= s.terms.memory_budget_bytes.unwrap(), "{bytes} bytes: {plan:?}");
    }

    #[test]
    fn same_snapshot_same_plan_in_any_order_of_operators(s in any_job()) {
        let plan = decide(&s);
        prop_assert_eq!(&plan, &decide(&s));
        let mut turned = s.clone();
        let job = &mut turned.jobs.as_mut().unwrap()[0];
        job.vertices.reverse();
        job.edges.reverse();
        turned.task_managers[0].caches.reverse();
        let mut other = decide(&turned);
        other.vertices.reverse();
        prop_assert_eq!(&plan.vertices, &other.vertices);
    }

    /// Of one vertex with room enough: what is asked for more is never given less.
    #[test]
    fn monotone_in_the_target(instances in 1_u32..5, mib in 8_u64..128, busy in 0.3_f64..1.0, factor in 0.3_f64..4.0, more in 1.0_f64..2.0) {
        let doing = Doing { instances, mib, records_per_s: 1_000.0, busy, by_memory: true };
        let at = |factor: f64| {
            let plan = decide(&job(1_000.0 * factor, &[doing], 64, 65_536));
            of(&plan, "v0").clone()
        };
        let (less, more) = (at(factor), at(factor * more));
        // A look at other bytes before a restart is no answer yet, and keeping what there is costs nothing to change.
        let decided = |v: &VertexPlan| {
            !matches!(v.reason, VertexReason::BytesFirst { .. } | VertexReason::Stays)
        };
        if decided(&less) && decided(&more) {
            let cost = |v: &VertexPlan| {
                let gib = v.cache_bytes_per_subtask() as f64 / (1u64 << 30) as f64;
                f64::from(v.to_parallelism) * (1.0 + 0.25 * gib)
            };
            prop_assert!(cost(&less) <= cost(&more) * 1.000_001, "{less:?} {more:?}");
        }
    }
}
