//! How long policy `weir` takes to decide, over the number of operators: 32 subtasks each, ten to a pipeline.
//!
//! `ample` budgets do not bind; `tight` ones allow all vertices together a tenth more than they have, while half of them need more.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use weir_scaling::{
    BudgetState, CacheState, Edge, History, JobState, Load, Measured, Name, OperatorKey, Policy,
    Snapshot, SourceState, SubtaskState, TaskManagerState, Terms, VertexState, WeirPolicy, Window,
};

const SUBTASKS: u32 = 32;
const PER_PIPELINE: usize = 10;
const CACHE_BYTES: u64 = 64 << 20;
const RECORDS_PER_S: f64 = 32_000.0;

fn bench(c: &mut Criterion) {
    for (name, tight) in [("ample", false), ("tight", true)] {
        let mut group = c.benchmark_group(format!("weir decides, {name} budgets"));
        group.sample_size(10).warm_up_time(Duration::from_secs(1));
        for operators in [1_000, 2_000, 5_000, 10_000] {
            let snapshot = snapshot(operators, tight);
            let mut history = History::default();
            history.observe(&snapshot);
            let policy = WeirPolicy::default();
            group.throughput(Throughput::Elements(operators as u64));
            group.bench_function(BenchmarkId::from_parameter(operators), |b| {
                // The plan names every cache; to drop it is not part of the decision.
                b.iter_with_large_drop(|| policy.decide(black_box(&snapshot), &history));
            });
        }
        group.finish();
    }
    let mut group = c.benchmark_group("models learn from a snapshot");
    group.sample_size(10).warm_up_time(Duration::from_secs(1));
    for operators in [1_000, 10_000] {
        let snapshot = snapshot(operators, false);
        group.throughput(Throughput::Elements(operators as u64));
        group.bench_function(BenchmarkId::from_parameter(operators), |b| {
            b.iter_batched(
                History::default,
                |mut history| {
                    history.observe(black_box(&snapshot));
                    history
                },
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// One job of pipelines; every second operator works all of its time at half of what it should process.
fn snapshot(operators: usize, tight: bool) -> Snapshot {
    let mut vertices = Vec::new();
    let mut edges = Vec::new();
    let mut caches = Vec::new();
    // As the controller builds it: every name is there once.
    let job = Name::from("a".repeat(32));
    for at in 0..operators {
        let group = Some(format!("group-{at}"));
        let name = Name::from(format!("operator-{at}"));
        let upstream = if at % PER_PIPELINE == 0 {
            let source = source(&format!("source-{at}"), group.clone());
            vertices.push(source);
            format!("source-{at}")
        } else {
            format!("operator-{}", at - 1)
        };
        edges.push(Edge {
            from: upstream,
            to: name.to_string(),
            records_per_second: Measured::of(RECORDS_PER_S),
        });
        let busy = if at % 2 == 0 { 1.0 } else { 0.4 };
        vertices.push(vertex(&name, group, SUBTASKS, busy));
        let first = caches.len() as u64;
        caches.extend((0..SUBTASKS).map(|i| cache(&job, &name, i, first + u64::from(i), busy)));
    }
    let used = operators as u32 * SUBTASKS;
    let bytes = u64::from(used) * CACHE_BYTES;
    let factor = |of: u64| if tight { of + of / 10 } else { of * 8 };
    Snapshot {
        at_ms: 1_000_000,
        jobs: Some(vec![JobState {
            job_id: job.to_string(),
            name: "bench".to_owned(),
            state: "RUNNING".to_owned(),
            restarts: Some(0),
            vertices,
            edges,
            restart_seconds: Measured::default(),
        }]),
        slots: None,
        terms: Terms {
            slot_budget: Some(factor(u64::from(used)) as u32),
            memory_budget_bytes: Some(factor(bytes)),
            ..Terms::default()
        },
        task_managers: vec![TaskManagerState {
            tm_id: "all".to_owned(),
            pid: 1,
            generation: 1,
            data_age_ms: 0,
            unmanaged: None,
            slots: None,
            budget: BudgetState {
                cache_bytes: factor(bytes),
                allocated_bytes: bytes,
                min_cache_bytes: 1 << 20,
                write_buffer_cost_percent: 100,
            },
            caches,
        }],
    }
}

fn source(name: &str, group: Option<String>) -> VertexState {
    VertexState {
        source: Some(SourceState {
            target_records_per_second: Measured::of(2.0 * RECORDS_PER_S),
            pending_records: Measured::of(0.0),
        }),
        ..vertex(name, group, 1, 0.1)
    }
}

fn vertex(name: &str, group: Option<String>, parallelism: u32, busy: f64) -> VertexState {
    let each = RECORDS_PER_S / f64::from(parallelism);
    let subtask = |index: u32| SubtaskState {
        index,
        records_in_per_second: Measured::of(each),
        records_out_per_second: Measured::of(each),
        busy: Measured::of(busy),
        ..SubtaskState::default()
    };
    VertexState {
        id: name.to_owned(),
        name: name.to_owned(),
        parallelism,
        state: "RUNNING".to_owned(),
        max_parallelism: Some(128),
        slot_sharing_group: group,
        running_for_ms: Some(600_000),
        window_ms: 60_000,
        subtasks: (0..parallelism).map(subtask).collect(),
        ..VertexState::default()
    }
}

fn cache(job: &Name, task: &Name, subtask_index: u32, id: u64, busy: f64) -> CacheState {
    let lookups = (RECORDS_PER_S / f64::from(SUBTASKS)) as u64 * 60;
    let point = |mib: u64, miss_ratio: f64| weir_mrc::CurvePoint {
        bytes: mib << 20,
        miss_ratio,
        low: miss_ratio * 0.97,
        high: (miss_ratio * 1.03).min(1.0),
    };
    let curve = (0..=16).map(|step| point(step * 16, 0.85_f64.powi(step as i32)));
    CacheState {
        id,
        operator: OperatorKey {
            job_id: job.clone(),
            operator_name: task.clone(),
            subtask_index,
        },
        task_name: task.clone(),
        parallelism: SUBTASKS,
        attempt: 0,
        capacity_bytes: CACHE_BYTES,
        usage_bytes: CACHE_BYTES,
        pinned_bytes: 0,
        age_ms: 600_000,
        load: Some(Load {
            millis: 60_000,
            lookups,
        }),
        window: Some(Window {
            millis: 60_000,
            lookups,
            misses: lookups / 2,
        }),
        curve: weir_mrc::MissRatioCurve::new(curve.collect()).ok(),
        miss_seconds: Some(busy * 1e-3),
        hit_seconds: Some(1e-6),
        write_path: None,
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
