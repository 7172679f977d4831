//! What the guard cuts and withholds of plans for jobs, whatever a policy wants.
#![allow(clippy::unwrap_used)]

mod build;

use build::job::{chain, snapshot_of, source, vertex};
use build::{MIB, cache, falling, task_manager};
use proptest::prelude::*;
use weir_scaling::{
    Blackout, Ds2Policy, Guard, History, JobLimits, JobPlan, JobVerdict, Limits, Measured,
    OperatorMemory, Plan, Policy, ShapeChange, SlotState, Snapshot, VertexReason, observe_job,
    policy_by_name,
};

/// A saturated map of `instances`, which read 500 records a second each, and what it has to read.
fn map(instances: u32, target: f64) -> Snapshot {
    let rate = 500.0 * f64::from(instances);
    snapshot_of(chain(vec![
        source("source", rate, target, 0.0),
        vertex("map", instances, rate, 1.0),
    ]))
}

fn review_with(limits: JobLimits, snapshot: &Snapshot, history: &History) -> JobPlan {
    let plan = Ds2Policy::default().decide(snapshot, history);
    let guard = Guard::new(Limits::default()).with_job_limits(limits);
    guard.review(plan, snapshot, history).jobs.remove(0)
}

fn review(snapshot: &Snapshot) -> JobPlan {
    review_with(JobLimits::default(), snapshot, &History::default())
}

fn instances(plan: &JobPlan) -> u32 {
    plan.vertex("id-map").unwrap().to_parallelism
}

#[test]
fn overshoot_is_limited_to_one_step() {
    let plan = review(&map(2, 1e6));
    assert_eq!(plan.verdict, JobVerdict::Rescale);
    assert_eq!(instances(&plan), 8);
    let reason = &plan.vertex("id-map").unwrap().reason;
    assert!(
        matches!(reason, VertexReason::Limited { wanted: 2000, .. }),
        "{reason}"
    );
    assert_eq!(
        instances(&review(&map(10, 1.0))),
        4,
        "and 60 % fewer at most"
    );
}

#[test]
fn unreachable_target_stops_at_the_bounds_and_then_holds() {
    let limits = || JobLimits {
        max_parallelism: 6,
        ..JobLimits::default()
    };
    let history = History::default();
    assert_eq!(instances(&review_with(limits(), &map(2, 1e6), &history)), 6);
    let plan = review_with(limits(), &map(6, 1e6), &history);
    assert_eq!(plan.verdict, JobVerdict::Steady);
    assert_eq!(plan.changes().count(), 0);
    let mut few_keys = map(2, 1e6);
    few_keys.jobs.as_mut().unwrap()[0].vertices[1].max_parallelism = Some(3);
    assert_eq!(instances(&review(&few_keys)), 3);
}

#[test]
fn slots_that_are_not_there_are_not_asked_for() {
    let mut s = map(2, 3000.0);
    s.slots = Some(SlotState { total: 6, free: 4 });
    assert_eq!(instances(&review(&s)), 6);
    s.slots = Some(SlotState { total: 6, free: 2 });
    assert_eq!(instances(&review(&s)), 4);
    s.terms.slot_budget = Some(3);
    assert_eq!(instances(&review(&s)), 3);
    s.slots = Some(SlotState { total: 2, free: 0 });
    let plan = review(&s);
    let none = JobVerdict::NoSlots {
        needed: 6,
        available: 2,
    };
    assert_eq!((plan.verdict.clone(), plan.changes().count()), (none, 0));
}

#[test]
fn groups_share_what_is_to_be_had() {
    let mut s = snapshot_of(chain(vec![
        source("source", 500.0, 2000.0, 0.0),
        vertex("map", 1, 500.0, 1.0),
        vertex("sink", 1, 500.0, 0.5),
    ]));
    let job = &mut s.jobs.as_mut().unwrap()[0];
    job.vertices[2].slot_sharing_group = Some("sink".to_owned());
    s.slots = Some(SlotState { total: 6, free: 4 });
    let plan = review(&s);
    let shape: Vec<u32> = plan.vertices.iter().map(|v| v.to_parallelism).collect();
    assert_eq!(shape, [1, 4, 2]);
    s.slots = Some(SlotState { total: 4, free: 2 });
    let plan = review(&s);
    let shape: Vec<u32> = plan.vertices.iter().map(|v| v.to_parallelism).collect();
    assert_eq!(
        shape,
        [1, 2, 1],
        "two more, in the proportion of what was wanted"
    );
}

#[test]
fn noisy_rates_are_no_reason_to_restart() {
    for noise in [0.97, 0.99, 1.0, 1.01, 1.02] {
        let plan = review(&map(40, 20_000.0 * noise));
        assert_eq!(plan.changes().count(), 0, "{noise}: {}", plan.verdict);
    }
    let plan = review(&map(40, 20_000.0 * 1.02));
    assert!(
        matches!(plan.verdict, JobVerdict::TooSmall { .. }),
        "{}",
        plan.verdict
    );
}

#[test]
fn after_a_start_and_after_a_change_fresh_counters_are_waited_for() {
    let mut young = map(2, 3000.0);
    young.jobs.as_mut().unwrap()[0].vertices[1].running_for_ms = Some(20_000);
    assert!(matches!(
        review(&young).verdict,
        JobVerdict::CoolingDown {
            since_ms: 20_000,
            ..
        }
    ));
    let mut restarting = map(2, 3000.0);
    restarting.jobs.as_mut().unwrap()[0].state = "RESTARTING".to_owned();
    assert!(matches!(
        review(&restarting).verdict,
        JobVerdict::Frozen { .. }
    ));
}

#[test]
fn blackouts_and_exclusions_hold() {
    let limits = |blackout: &str| JobLimits {
        blackouts: vec![Blackout::try_from(blackout.to_owned()).unwrap()],
        ..JobLimits::default()
    };
    let mut s = map(2, 3000.0);
    // 23:30 UTC.
    s.at_ms = 20_000 * 86_400_000 + (23 * 60 + 30) * 60_000;
    let history = History::default();
    let held = |b: &str| review_with(limits(b), &s, &history).verdict;
    assert!(matches!(held("22:00-06:00"), JobVerdict::Blackout { .. }));
    assert!(matches!(held("23:30-23:31"), JobVerdict::Blackout { .. }));
    assert_eq!(held("06:00-23:30"), JobVerdict::Rescale);
    assert!(Blackout::try_from("25:00-06:00".to_owned()).is_err());
    let excluded = JobLimits {
        excluded: vec!["map".to_owned()],
        ..JobLimits::default()
    };
    let plan = review_with(excluded, &s, &history);
    assert_eq!(
        plan.vertex("id-map").unwrap().reason,
        VertexReason::Excluded
    );
    assert_eq!(plan.verdict, JobVerdict::Steady);
}

/// A history in which the map went from one instance to two, which was to bring 1000 records/s and brought `after`.
fn changed(after: f64, s: &Snapshot) -> History {
    let before = map(1, 1000.0);
    let plan = review(&before);
    assert_eq!(instances(&plan), 2);
    let job = &before.jobs.as_ref().unwrap()[0];
    let observed = observe_job(&before, job);
    let at_ms = s.at_ms - 600_000;
    let mut change = ShapeChange::of(at_ms, "ds2", &plan, |id| observed[id].clone());
    change.vertices.get_mut("id-map").unwrap().after.true_rate = Measured::of(after);
    let mut history = History::default();
    history.jobs.entry(plan.job_id).or_default().push(change);
    history
}

#[test]
fn a_change_that_made_things_worse_is_taken_back_and_not_tried_again_soon() {
    let s = map(2, 1000.0);
    for fine in [450.0, 600.0] {
        // Less than predicted, but not less than half of it or more than before.
        let history = changed(if fine < 500.0 { 501.0 } else { fine }, &s);
        let plan = review_with(JobLimits::default(), &s, &history);
        assert!(
            !matches!(plan.verdict, JobVerdict::RollBack { .. }),
            "{fine}"
        );
    }
    let mut history = changed(300.0, &s);
    let plan = review_with(JobLimits::default(), &s, &history);
    assert!(
        matches!(plan.verdict, JobVerdict::RollBack { realised } if realised < 0.5),
        "{}",
        plan.verdict
    );
    assert_eq!(instances(&plan), 1);
    let change = ShapeChange::of(s.at_ms, "guard", &plan, |_| Default::default());
    history.jobs.get_mut(&plan.job_id).unwrap().push(change);
    let mut later = map(1, 1000.0);
    later.at_ms = s.at_ms + 600_000;
    let plan = review_with(JobLimits::default(), &later, &history);
    assert!(
        matches!(&plan.verdict, JobVerdict::Vetoed { rule } if rule.contains("taken back")),
        "{}",
        plan.verdict
    );
    later.at_ms = s.at_ms + 3_600_000;
    assert_eq!(
        review_with(JobLimits::default(), &later, &history).verdict,
        JobVerdict::Rescale
    );
}

/// The map of above with a cache of 64 MiB for each instance.
fn stateful(instances: u32, target: f64, budget_mib: u64) -> Snapshot {
    let mut s = map(instances, target);
    let cache = |index: u32| {
        let mut cache = cache(u64::from(index) + 1, 64, 1_000, falling(128, 0.0));
        cache.operator.operator_name = "Map".into();
        cache.operator.subtask_index = index;
        cache.task_name = "map".into();
        cache
    };
    s.task_managers = vec![task_manager(
        budget_mib,
        (0..instances).map(cache).collect(),
    )];
    s
}

#[test]
fn memory_is_cut_to_the_budget_and_refused_below_the_minimum() {
    let plan = review(&stateful(2, 3000.0, 192));
    let memory = &plan.vertex("id-map").unwrap().memory;
    assert_eq!(
        memory[0].to_cache_bytes / MIB,
        32,
        "six instances now share 192 MiB"
    );
    let plan = review(&stateful(2, 4000.0, 7));
    assert!(
        matches!(&plan.verdict, JobVerdict::Vetoed { rule } if rule.contains("at least")),
        "budget smaller than the minimum: {}",
        plan.verdict
    );
    assert_eq!(plan.changes().count(), 0);
}

#[test]
fn stale_data_freeze_changes_of_memory() {
    let mut s = stateful(2, 900.0, 1024);
    s.task_managers[0].data_age_ms = 60_000;
    let job = &s.jobs.as_ref().unwrap()[0];
    let mut plan = JobPlan::keep(job, JobVerdict::Resize, |_| VertexReason::Stays);
    plan.vertices[1].memory = vec![OperatorMemory {
        operator_name: "Map".to_owned(),
        from_cache_bytes: Some(64 * MIB),
        to_cache_bytes: 96 * MIB,
        to_write_buffer_bytes: None,
    }];
    let wanted = Plan::new("careless", Vec::new()).with_jobs(vec![plan]);
    let review = |s: &Snapshot| {
        let plan = Guard::default().review(wanted.clone(), s, &History::default());
        plan.jobs[0].clone()
    };
    assert_eq!(review(&s).verdict, JobVerdict::Steady);
    assert!(matches!(
        review(&s).vertices[1].reason,
        VertexReason::Frozen { .. }
    ));
    s.task_managers[0].data_age_ms = 100;
    assert_eq!(review(&s).verdict, JobVerdict::Resize);
}

#[test]
fn a_plan_that_does_not_name_every_vertex_is_vetoed() {
    let s = map(2, 3000.0);
    let mut plan = Ds2Policy::default().decide(&s, &History::default());
    plan.jobs[0].vertices.remove(0);
    let plan = Guard::default().review(plan, &s, &History::default());
    assert!(matches!(&plan.jobs[0].verdict, JobVerdict::Vetoed { .. }));
}

/// A random chain with state in its second vertex.
fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let vertex_of = (1_u32..6, 1.0_f64..2000.0, 0.05_f64..1.0);
    let vertices = prop::collection::vec(vertex_of, 1..5);
    (
        vertices,
        1.0_f64..20_000.0,
        1_u32..20,
        64_u64..2048,
        0_u64..10_000,
    )
        .prop_map(|(vertices, target, free, budget_mib, misses)| {
            let mut s = stateful(vertices[0].0, 1.0, budget_mib);
            let mut chained = vec![source("source", 700.0, target, 0.0)];
            for (at, (instances, rate, busy)) in vertices.iter().enumerate() {
                let name = if at == 0 {
                    "map".to_owned()
                } else {
                    format!("v{at}")
                };
                let mut vertex = vertex(&name, *instances, *rate, *busy);
                vertex.slot_sharing_group = (at % 2 == 1).then(|| "odd".to_owned());
                chained.push(vertex);
            }
            for cache in &mut s.task_managers[0].caches {
                if let Some(window) = &mut cache.window {
                    window.misses = misses.min(window.lookups);
                }
                cache.capacity_bytes = MIB.max(budget_mib * MIB / 8);
            }
            s.jobs = Some(vec![chain(chained)]);
            s.slots = Some(SlotState { total: 40, free });
            s
        })
}

const POLICIES: [&str; 6] = [
    "ds2",
    "justin",
    "justin-as-published",
    "a4s",
    "a4s-as-published",
    "static",
];

fn guarded(name: &str, snapshot: &Snapshot) -> Plan {
    let policy = policy_by_name(name, Limits::default()).unwrap();
    let history = History::default();
    Guard::default().review(policy.decide(snapshot, &history), snapshot, &history)
}

fn slots(snapshot: &Snapshot, shape: impl Fn(usize) -> u32) -> u32 {
    let vertices = &snapshot.jobs.as_ref().unwrap()[0].vertices;
    let mut groups = std::collections::BTreeMap::new();
    for (at, vertex) in vertices.iter().enumerate() {
        let widest = groups.entry(vertex.slot_sharing_group.clone()).or_insert(0);
        *widest = (*widest).max(shape(at));
    }
    groups.values().sum()
}

proptest! {
    #[test]
    fn no_policy_gets_above_a_budget(s in any_snapshot()) {
        let job = &s.jobs.as_ref().unwrap()[0];
        let held = slots(&s, |at| job.vertices[at].parallelism);
        for name in POLICIES {
            let plan = guarded(name, &s);
            let plan = &plan.jobs[0];
            let needed = slots(&s, |at| plan.vertices[at].to_parallelism);
            prop_assert!(needed <= held + s.slots.unwrap().free, "{name}: {needed} slots");
            let map = plan.vertex("id-map").unwrap();
            let now = s.task_managers[0].caches[0].capacity_bytes;
            let each = map.memory.first().map_or(now, |m| m.to_cache_bytes);
            let total = each * u64::from(map.to_parallelism);
            if plan.verdict.changes() && (map.changes_memory() || map.changes_parallelism()) {
                prop_assert!(total <= s.task_managers[0].budget.cache_bytes, "{name}: {total} bytes");
            }
        }
    }

    #[test]
    fn same_snapshot_same_plan_in_any_order_of_operators(s in any_snapshot()) {
        let mut turned = s.clone();
        let job = &mut turned.jobs.as_mut().unwrap()[0];
        job.vertices.reverse();
        job.edges.reverse();
        turned.task_managers[0].caches.reverse();
        for name in POLICIES {
            let plan = guarded(name, &s);
            prop_assert_eq!(&plan, &guarded(name, &s));
            let mut other = guarded(name, &turned).jobs.remove(0);
            other.vertices.reverse();
            prop_assert_eq!(&plan.jobs[0], &other, "{}", name);
        }
    }

    #[test]
    fn a_higher_target_never_takes_instances_away(s in any_snapshot(), more in 1.0_f64..3.0) {
        let mut asked = s.clone();
        let source = &mut asked.jobs.as_mut().unwrap()[0].vertices[0];
        let target = &mut source.source.as_mut().unwrap().target_records_per_second;
        *target = target.map(|t| t * more);
        // Of the policy alone, and where it acts at all: that it leaves a shape alone which is one instance too large is hysteresis.
        let ask = |s: &Snapshot| {
            let plan = Ds2Policy::default().decide(s, &History::default());
            let acts = plan.jobs[0].changes().next().is_some();
            acts.then(|| plan.jobs[0].vertices.iter().map(|v| v.to_parallelism).collect::<Vec<_>>())
        };
        let (Some(fewer), Some(instances)) = (ask(&s), ask(&asked)) else {
            return Ok(());
        };
        for (less, more) in fewer.into_iter().zip(instances) {
            prop_assert!(less <= more);
        }
    }
}
