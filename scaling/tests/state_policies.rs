//! Policies `justin` and `a4s`: what they do, and the defects of their artifacts, kept or mended.
#![allow(clippy::unwrap_used)]

mod build;

use build::job::{chain, snapshot_of, source, vertex};
use build::{MIB, cache, curve, falling, task_manager};
use weir_mrc::MissRatioCurve;
use weir_scaling::{
    A4sPolicy, History, JobPlan, JobVerdict, JustinPolicy, Measured, Missing, Policy, ShapeChange,
    Snapshot, VertexPlan, VertexReason, Window,
};

/// A source that offers `target` records a second to a join of two instances, which are saturated at 1000, with `mib` of cache
/// each and 1000 lookups a second each.
fn join(target: f64, mib: u64, curve: MissRatioCurve) -> Snapshot {
    let mut snapshot = snapshot_of(chain(vec![
        source("source", 1000.0, target, 0.0),
        vertex("join", 2, 1000.0, 1.0),
    ]));
    let cache = |index: u32| {
        let mut cache = cache(u64::from(index) + 1, mib, 1_000, curve.clone());
        cache.operator.operator_name = "Join".into();
        cache.operator.subtask_index = index;
        cache.task_name = "join".into();
        cache
    };
    let mut tm = task_manager(1024, vec![cache(0), cache(1)]);
    tm.slots = Some(4);
    snapshot.task_managers = vec![tm];
    snapshot
}

fn missing(snapshot: &mut Snapshot, misses: u64) {
    for cache in &mut snapshot.task_managers[0].caches {
        cache.window = Some(Window {
            millis: 10_000,
            lookups: 10_000,
            misses,
        });
    }
}

fn decide(policy: &impl Policy, snapshot: &Snapshot, history: &History) -> JobPlan {
    let mut plan = policy.decide(snapshot, history);
    assert_eq!(
        plan,
        policy.decide(snapshot, history),
        "same snapshot, same plan"
    );
    plan.jobs.remove(0)
}

fn of_join(plan: &JobPlan) -> &VertexPlan {
    plan.vertex("id-join").unwrap()
}

/// Mebibytes of each subtask, as planned.
fn mib(plan: &JobPlan) -> u64 {
    of_join(plan).memory[0].to_cache_bytes / MIB
}

/// What carrying the plan out leaves in the history.
fn carried_out(
    policy: &impl Policy,
    snapshot: &Snapshot,
    plan: &JobPlan,
    mut past: History,
) -> History {
    let observed = weir_scaling::observe_job(snapshot, &snapshot.jobs.as_ref().unwrap()[0]);
    let change = ShapeChange::of(snapshot.at_ms, policy.name(), plan, |id| {
        observed.get(id).cloned().unwrap_or_default()
    });
    past.jobs
        .entry(plan.job_id.clone())
        .or_default()
        .push(change);
    past
}

#[test]
fn justin_gives_memory_before_instances_and_takes_a_step_back_that_did_not_help() {
    let policy = JustinPolicy::paper();
    let mut s = join(2000.0, 64, falling(256, 0.0));
    missing(&mut s, 5_000);
    let first = decide(&policy, &s, &History::default());
    assert_eq!(
        first.verdict,
        JobVerdict::Resize,
        "no restart for memory alone"
    );
    assert!(matches!(
        of_join(&first).reason,
        VertexReason::MemoryUp { .. }
    ));
    assert_eq!((of_join(&first).to_parallelism, mib(&first)), (2, 128));

    let history = carried_out(&policy, &s, &first, History::default());
    for (misses, rate, expected) in [
        // It helped, and throughput rose: another step.
        (3_000, 0.8, (2, 256)),
        // It helped, but throughput did not rise: instances, and the memory stays.
        (3_000, 1.0, (6, 128)),
        // It did not help: back, and instances.
        (4_900, 1.0, (6, 64)),
    ] {
        let mut s = join(2000.0, 128, falling(256, 0.0));
        missing(&mut s, misses);
        let job = &mut s.jobs.as_mut().unwrap()[0];
        for subtask in &mut job.vertices[1].subtasks {
            subtask.busy = Measured::of(rate);
        }
        let second = decide(&policy, &s, &history);
        let found = (of_join(&second).to_parallelism, mib(&second));
        assert_eq!(
            found,
            expected,
            "{misses} misses: {}",
            of_join(&second).reason
        );
    }
}

#[test]
fn justins_latency_trigger_works_as_described_and_is_dead_as_published() {
    let mut s = join(2000.0, 64, falling(64, 0.0));
    missing(&mut s, 100);
    let job = &mut s.jobs.as_mut().unwrap()[0];
    for subtask in &mut job.vertices[1].subtasks {
        subtask.state_get_seconds_p90 = Measured::of(0.005);
    }
    let paper = decide(&JustinPolicy::paper(), &s, &History::default());
    assert!(matches!(
        of_join(&paper).reason,
        VertexReason::SlowState { .. }
    ));
    let published = decide(&JustinPolicy::as_published(), &s, &History::default());
    assert!(matches!(
        of_join(&published).reason,
        VertexReason::Rate { .. }
    ));
}

#[test]
fn zero_misses_are_a_perfect_cache_and_not_statelessness() {
    let mut s = join(2000.0, 64, falling(64, 0.0));
    missing(&mut s, 0);
    let paper = decide(&JustinPolicy::paper(), &s, &History::default());
    assert_eq!(mib(&paper), 64);
    let published = decide(&JustinPolicy::as_published(), &s, &History::default());
    assert_eq!(of_join(&published).reason, VertexReason::Stateless);
    assert_eq!(
        mib(&published),
        1,
        "no memory: the least that a live cache can have"
    );
    assert_eq!(of_join(&published).level, Some(-1));
}

#[test]
fn unchanged_vertex_keeps_its_change_of_memory_and_its_level() {
    let mut s = join(2000.0, 64, falling(256, 0.0));
    missing(&mut s, 5_000);
    // As published, the first step of memory sets one instance; start there.
    let job = &mut s.jobs.as_mut().unwrap()[0];
    job.vertices[1] = vertex("join", 1, 1000.0, 1.0);
    s.task_managers[0].caches.truncate(1);
    let paper = decide(&JustinPolicy::paper(), &s, &History::default());
    assert_eq!(
        (paper.verdict.clone(), mib(&paper)),
        (JobVerdict::Resize, 128)
    );
    let published = decide(&JustinPolicy::as_published(), &s, &History::default());
    assert_eq!(published.verdict, JobVerdict::Steady);
    assert_eq!(published.changes().count(), 0, "left out of the request");

    // A vertex that DS2 leaves as it is, while another one changes.
    let policy = JustinPolicy::paper();
    let mut raised = paper;
    raised.vertices[1].to_parallelism = 6;
    let history = carried_out(&policy, &s, &raised, History::default());
    let mut s = join(2000.0, 128, falling(256, 0.0));
    missing(&mut s, 1_000);
    let job = &mut s.jobs.as_mut().unwrap()[0];
    job.vertices[1] = vertex("join", 6, 1000.0, 0.33);
    job.vertices.push(vertex("sink", 1, 1000.0, 1.0));
    job.edges.push(build::job::edge("join", "sink"));
    let plan = decide(&policy, &s, &history);
    assert_eq!(plan.verdict, JobVerdict::Rescale, "the sink needs more");
    assert_eq!(of_join(&plan).level, Some(1), "what was earned is kept");
    assert_eq!(mib(&plan), 128);
}

#[test]
fn missing_metric_freezes_the_vertex_and_not_the_job() {
    let mut s = join(2000.0, 64, falling(64, 0.0));
    s.task_managers[0].caches[1].window = None;
    let plan = decide(&JustinPolicy::paper(), &s, &History::default());
    assert!(matches!(
        of_join(&plan).reason,
        VertexReason::Frozen {
            missing: Missing::OneReport,
            ..
        }
    ));
    assert_eq!(plan.changes().count(), 0);
}

/// Cache of 64 MiB with half of all lookups missing: a record takes 2 ms, of which misses take 1.
fn io_bound(target: f64) -> Snapshot {
    let halves = curve(&[(0, 1.0), (64, 0.5), (128, 0.25), (256, 0.0)], 0.005);
    let mut s = join(target, 64, halves);
    for cache in &mut s.task_managers[0].caches {
        cache.miss_seconds = Some(1.001e-3);
        cache.hit_seconds = Some(1e-6);
    }
    missing(&mut s, 5_000);
    s
}

#[test]
fn a4s_reads_the_bytes_off_the_curve_of_a_subtask() {
    let policy = A4sPolicy {
        sizing: weir_scaling::Sizing::default(),
        ..A4sPolicy::corrected()
    };
    // Busy 2 ms a record at 2 lookups, half of them 1 ms longer: 1 ms of CPU, 1 ms of misses.
    // 1100/s on DS2's three instances leaves 2.7 ms a record: so many misses are allowed that 27 MiB do.
    let plan = decide(&policy, &io_bound(1100.0), &History::default());
    let join = of_join(&plan);
    assert_eq!(join.to_parallelism, 3);
    let VertexReason::MissBound { allowed, predicted } = join.reason else {
        panic!("{}", join.reason);
    };
    let expected = (3.0 / 1100.0 - 0.998e-3 - 2e-6) / 2e-3;
    assert!((allowed - expected).abs() < 1e-3, "{allowed}");
    assert!(predicted <= allowed);
    let rate = join.predicted.unwrap().value;
    assert!(rate >= 1100.0, "{rate}");
    // The curve has a point at 64 MiB; spread over three instead of two, each needs two thirds of it.
    assert_eq!(mib(&plan), 64 * 2 / 3);
}

#[test]
fn a4s_takes_more_instances_where_the_bytes_do_not_fit_into_a_slot() {
    let mut policy = A4sPolicy::corrected();
    let instances = |cap: u64, policy: &mut A4sPolicy| {
        policy.cap_bytes = Some(cap * MIB);
        let plan = decide(policy, &io_bound(1500.0), &History::default());
        assert!(mib(&plan) <= cap);
        of_join(&plan).to_parallelism
    };
    let roomy = instances(256, &mut policy);
    assert!(instances(8, &mut policy) > roomy);
}

#[test]
fn unreachable_target_ends_the_search_of_a4s_and_throws_as_published() {
    let mut policy = A4sPolicy::corrected();
    policy.max_attempts = 3;
    let mut s = io_bound(3000.0);
    // Twice as slow as DS2 believes: nothing that a cache can do helps.
    for cache in &mut s.task_managers[0].caches {
        cache.curve = Some(build::flat(0.9));
    }
    let plan = decide(&policy, &s, &History::default());
    assert!(plan.verdict.changes(), "{}", plan.verdict);
    assert!(of_join(&plan).memory[0].to_cache_bytes <= 256 * MIB);
    // 5 us a lookup and 400,000 records/s: two instances have no time for a single miss.
    let mut s = join(4e9, 64, falling(64, 0.0));
    missing(&mut s, 0);
    let job = &mut s.jobs.as_mut().unwrap()[0];
    for subtask in &mut job.vertices[1].subtasks {
        subtask.records_in_per_second = Measured::of(1e9);
    }
    let published = decide(&A4sPolicy::as_published(), &s, &History::default());
    assert!(
        matches!(&published.verdict, JobVerdict::Frozen { what } if what.contains("throws")),
        "{}",
        published.verdict
    );
}

#[test]
fn a4s_as_published_asks_for_the_sum_of_subtasks_in_every_slot() {
    let s = io_bound(2000.0);
    let corrected = decide(&A4sPolicy::corrected(), &s, &History::default());
    let published = decide(&A4sPolicy::as_published(), &s, &History::default());
    assert!(mib(&published) > mib(&corrected));
}

#[test]
fn a_missing_curve_freezes_a4s() {
    let mut s = io_bound(2000.0);
    s.task_managers[0].caches[0].curve = None;
    for policy in [A4sPolicy::corrected(), A4sPolicy::as_published()] {
        let plan = decide(&policy, &s, &History::default());
        assert!(matches!(of_join(&plan).reason, VertexReason::Frozen { .. }));
    }
}
