//! A job of pipelines as large as it is asked for.

use weir_scaling::{
    BudgetState, CacheState, Edge, JobState, Load, Measured, Name, OperatorKey, Snapshot,
    SourceState, SubtaskState, TaskManagerState, Terms, VertexState, Window,
};

const SUBTASKS: u32 = 32;
const PER_PIPELINE: usize = 10;
const CACHE_BYTES: u64 = 64 << 20;
const RECORDS_PER_S: f64 = 32_000.0;

/// What all vertices together may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Budgets {
    /// Eight times what they have.
    Ample,
    /// A tenth more than they have.
    Tight,
}

/// One job of pipelines; every second operator works all of its time at half of what it should process.
pub fn snapshot(operators: usize, budgets: Budgets, task_managers: usize) -> Snapshot {
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
    let factor = |of: u64| match budgets {
        Budgets::Ample => of * 8,
        Budgets::Tight => of + of / 10,
    };
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
        task_managers: deal(caches, task_managers)
            .into_iter()
            .enumerate()
            .map(|(at, caches)| TaskManagerState {
                tm_id: format!("tm-{at}"),
                pid: 1,
                generation: 1,
                data_age_ms: 0,
                unmanaged: None,
                slots: None,
                budget: BudgetState {
                    cache_bytes: factor(caches.len() as u64 * CACHE_BYTES),
                    allocated_bytes: caches.len() as u64 * CACHE_BYTES,
                    min_cache_bytes: 1 << 20,
                    write_buffer_cost_percent: 100,
                },
                caches,
            })
            .collect(),
    }
}

/// Deals caches out at random, for a TaskManager each.
fn deal(mut caches: Vec<CacheState>, task_managers: usize) -> Vec<Vec<CacheState>> {
    if task_managers == 1 {
        return vec![caches];
    }
    // Fisher and Yates, with a linear congruential generator (Knuth, MMIX).
    let mut state = 1_u64;
    for last in (1..caches.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        caches.swap(last, (state >> 33) as usize % (last + 1));
    }
    let each = caches.len().div_ceil(task_managers);
    let mut dealt = Vec::with_capacity(task_managers);
    while !caches.is_empty() {
        dealt.push(caches.split_off(caches.len().saturating_sub(each)));
    }
    dealt
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
