//! What a policy gets to see: the snapshot that agents and Flink would report, with noise. Nothing of the plant leaks through.
//!
//! Every instrument has its own error. The rates of one pipeline share one, since a slow minute upstream is a slow minute
//! downstream; busy time, lookups, times and the level of the curve have one per subtask. Two things are exact: what arrives at a
//! source is counted outside of the job, and a saturated thread shows 100 %.

use weir_mrc::{CurvePoint, MissRatioCurve};

use super::noise::Noise;
use super::plant::{Shape, Truth};
use super::scenario::{Feed, Operator, Scenario};
use crate::{
    BudgetState, CacheState, Edge, JobState, Load, Measured, OperatorKey, SlotState, Snapshot,
    SourceState, SubtaskState, TaskManagerState, Terms, VertexState, Window, WritePath,
};

/// Flink's id of the simulated job.
pub(crate) const JOB_ID: &str = "00000000000000000000000000000001";
const TASK_MANAGER: &str = "simulated";
/// Share of the time a source works: reading is cheap beside state.
const SOURCE_BUSY: f64 = 0.05;

/// What happened since the last snapshot, per operator in the order of the scenario.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Length, seconds.
    pub seconds: u64,
    /// Records processed.
    pub processed: Vec<f64>,
    /// Records taken from the operator's own source.
    pub consumed: Vec<f64>,
    /// Seconds of work of the busiest subtask.
    pub busy_seconds: Vec<f64>,
    /// Seconds of waiting for room downstream.
    pub backpressured_seconds: Vec<f64>,
}

/// The job at the moment of the snapshot.
pub(crate) struct JobNow<'a> {
    pub at_s: u64,
    pub running_since_s: u64,
    pub restarts: u64,
    pub shapes: &'a [Shape],
    /// Since when each operator has its bytes.
    pub sized_at_s: &'a [u64],
    pub pending: &'a [f64],
    pub arriving_per_s: &'a [f64],
}

/// The snapshot of the job.
pub(crate) fn snapshot(
    scenario: &Scenario,
    pipelines: &[usize],
    tally: &Tally,
    now: &JobNow<'_>,
    noise: &mut Noise,
) -> Snapshot {
    // One factor a pipeline, drawn for every operator index so that the draws do not depend on how pipelines are numbered.
    let factors: Vec<f64> = scenario.operators.iter().map(|_| noise.factor()).collect();
    let rate = |at: usize| tally.processed[at] / tally.seconds as f64 * factors[pipelines[at]];
    let consumed = |at: usize| tally.consumed[at] / tally.seconds as f64 * factors[pipelines[at]];
    let mut vertices = Vec::new();
    let mut edges = Vec::new();
    let mut caches = Vec::new();
    for (at, operator) in scenario.operators.iter().enumerate() {
        match &operator.feed {
            Feed::Source(_) => {
                let source = source_name(operator);
                let mut vertex = bare_vertex(&source, operator, 1, tally, now);
                vertex.subtasks = vec![SubtaskState {
                    records_in_per_second: Measured::of(consumed(at)),
                    records_out_per_second: Measured::of(consumed(at)),
                    busy: Measured::of(SOURCE_BUSY),
                    ..SubtaskState::default()
                }];
                vertex.source = Some(SourceState {
                    target_records_per_second: Measured::of(now.arriving_per_s[at]),
                    pending_records: Measured::of(now.pending[at]),
                });
                vertices.push(vertex);
                edges.push(edge(source, operator, consumed(at)));
            }
            Feed::Operators(inputs) => edges.extend(inputs.iter().map(|input| {
                let from = scenario.operators[input.operator].name.clone();
                edge(from, operator, rate(input.operator) * input.ratio)
            })),
        }
        let truths = operator.plant.truth(&now.shapes[at]);
        let out = outgoing(scenario, at).map(|ratio| rate(at) * ratio).sum();
        let mut vertex = bare_vertex(
            &operator.name,
            operator,
            now.shapes[at].parallelism,
            tally,
            now,
        );
        let busiest = tally.busy_seconds[at] / tally.seconds as f64;
        let waits = tally.backpressured_seconds[at] / tally.seconds as f64;
        vertex.subtasks = subtasks(&truths, rate(at), out, busiest, waits, noise);
        vertices.push(vertex);
        for (index, truth) in truths.iter().enumerate() {
            let seen = Seen {
                id: caches.len() as u64 + 1,
                index: index as u32,
                records: rate(at) * truth.share * tally.seconds as f64,
            };
            caches.push(cache(operator, at, truth, &seen, tally, now, noise));
        }
    }
    let job = JobState {
        job_id: JOB_ID.to_owned(),
        name: "simulated".to_owned(),
        state: "RUNNING".to_owned(),
        restarts: Some(now.restarts),
        vertices,
        edges,
        restart_seconds: match now.restarts {
            0 => Measured::default(),
            _ => Measured::of(scenario.restart_s as f64),
        },
    };
    let used: u32 = now.shapes.iter().map(|s| s.parallelism).sum();
    let total = scenario.budget.slots;
    Snapshot {
        at_ms: now.at_s * 1000,
        jobs: Some(vec![job]),
        slots: Some(SlotState {
            total,
            free: total.saturating_sub(used),
        }),
        terms: terms(scenario),
        task_managers: vec![TaskManagerState {
            tm_id: TASK_MANAGER.to_owned(),
            pid: 1,
            generation: 0,
            data_age_ms: 0,
            unmanaged: None,
            slots: Some(total),
            budget: BudgetState {
                cache_bytes: scenario.budget.bytes,
                allocated_bytes: now.shapes.iter().map(Shape::total_bytes).sum(),
                write_buffer_cost_percent: 100,
                min_cache_bytes: scenario
                    .operators
                    .iter()
                    .map(|o| o.plant.min_cache_bytes())
                    .max()
                    .unwrap_or(0),
            },
            caches,
        }],
    }
}

fn terms(scenario: &Scenario) -> Terms {
    // A scenario without a budget is one with a boundless one: prices alone decide.
    Terms {
        slot_second: scenario.price.slot_second,
        gib_second: scenario.price.gib_second,
        slot_budget: Some(scenario.budget.slots),
        memory_budget_bytes: Some(scenario.budget.bytes),
        restart_seconds: scenario.restart_s as f64,
        ..Terms::default()
    }
}

fn source_name(operator: &Operator) -> String {
    format!("{}: source", operator.name)
}

fn edge(from: String, to: &Operator, records_per_second: f64) -> Edge {
    Edge {
        from,
        to: to.name.clone(),
        records_per_second: Measured::of(records_per_second),
    }
}

/// Ratios of the edges that leave an operator.
fn outgoing(scenario: &Scenario, from: usize) -> impl Iterator<Item = f64> {
    let inputs = scenario.operators.iter().filter_map(|o| match &o.feed {
        Feed::Operators(inputs) => Some(inputs),
        Feed::Source(_) => None,
    });
    let edges = inputs.flatten().filter(move |i| i.operator == from);
    edges.map(|i| i.ratio)
}

fn bare_vertex(
    name: &str,
    operator: &Operator,
    parallelism: u32,
    tally: &Tally,
    now: &JobNow<'_>,
) -> VertexState {
    let is_source = name != operator.name;
    let known = operator.plant.parallelisms().filter(|_| !is_source);
    VertexState {
        id: name.to_owned(),
        name: name.to_owned(),
        parallelism,
        state: "RUNNING".to_owned(),
        attempts: None,
        max_parallelism: known.as_ref().and_then(|p| p.last().copied()),
        allowed_parallelisms: known,
        // The source goes into the slots of the operator it feeds.
        slot_sharing_group: Some(operator.name.clone()),
        running_for_ms: Some((now.at_s - now.running_since_s) * 1000),
        window_ms: tally.seconds * 1000,
        subtasks: Vec::new(),
        source: None,
    }
}

fn subtasks(
    truths: &[Truth],
    rate_per_s: f64,
    out_per_s: f64,
    busiest: f64,
    backpressured: f64,
    noise: &mut Noise,
) -> Vec<SubtaskState> {
    let work = |t: &Truth| t.share * t.service_seconds;
    let most = truths.iter().map(work).fold(0.0, f64::max);
    let of_one = |(index, t): (usize, &Truth)| {
        let true_busy = busiest * work(t) / most;
        let saturated = true_busy > 0.999;
        let factor = noise.factor();
        let busy = if saturated {
            1.0
        } else {
            (true_busy * factor).min(1.0)
        };
        let waits = backpressured.min(1.0 - busy);
        SubtaskState {
            index: index as u32,
            records_in_per_second: Measured::of(rate_per_s * t.share),
            records_out_per_second: Measured::of(out_per_s * t.share),
            busy: Measured::of(busy),
            idle: Measured::of(1.0 - busy - waits),
            backpressured: Measured::of(waits),
            state_get_seconds_p90: Measured::of(slow_lookup(t)).map(|s| s * factor),
        }
    };
    truths.iter().enumerate().map(of_one).collect()
}

/// Nine of ten lookups are no slower: a miss where more than one in ten misses.
fn slow_lookup(truth: &Truth) -> f64 {
    let now = truth.miss_ratio;
    if now > 0.1 {
        truth.miss_seconds
    } else {
        truth.hit_seconds
    }
}

/// What was counted at one cache.
struct Seen {
    id: u64,
    index: u32,
    records: f64,
}

fn cache(
    operator: &Operator,
    at: usize,
    truth: &Truth,
    seen: &Seen,
    tally: &Tally,
    now: &JobNow<'_>,
    noise: &mut Noise,
) -> CacheState {
    let shape = &now.shapes[at];
    let millis = tally.seconds * 1000;
    let lookups = noise.measure(seen.records * truth.lookups_per_record);
    let misses = lookups * noise.measure(truth.miss_ratio).min(1.0);
    let window = Window {
        millis,
        lookups: lookups as u64,
        misses: misses as u64,
    };
    CacheState {
        id: seen.id,
        operator: OperatorKey {
            job_id: JOB_ID.into(),
            operator_name: operator.name.as_str().into(),
            subtask_index: seen.index,
        },
        task_name: operator.name.as_str().into(),
        parallelism: shape.parallelism,
        attempt: now.restarts as u32,
        capacity_bytes: shape.cache_bytes,
        usage_bytes: shape.cache_bytes,
        pinned_bytes: 0,
        age_ms: (now.at_s - now.sized_at_s[at]) * 1000,
        load: Some(Load {
            millis,
            lookups: window.lookups,
        }),
        window: Some(window),
        curve: (truth.lookups_per_record > 0.0).then(|| measured_curve(&truth.curve, noise)),
        miss_seconds: Some(noise.measure(truth.miss_seconds)),
        hit_seconds: Some(noise.measure(truth.hit_seconds)),
        write_path: truth.write.map(|write| {
            let flushed = seen.records * write.bytes_per_record / tally.seconds as f64;
            let compacted = flushed * write.compaction_bytes_per_flushed_byte;
            let stalled = seen.records * write.stall_seconds_per_record / tally.seconds as f64;
            WritePath {
                buffer_bytes: shape.write_buffer_bytes,
                used_bytes: shape.write_buffer_bytes / 2,
                flushed_bytes_per_second: Measured::of(noise.measure(flushed)),
                compacted_bytes_per_second: Measured::of(noise.measure(compacted)),
                stalled: Measured::of(noise.measure(stalled).min(1.0)),
            }
        }),
    }
}

/// The curve with one error of its level, and the 90 % band that such an error has.
fn measured_curve(truth: &MissRatioCurve, noise: &mut Noise) -> MissRatioCurve {
    const QUANTILE: f64 = 1.645;
    let factor = noise.factor();
    let half = QUANTILE * noise.relative();
    let point = |p: &CurvePoint| {
        let miss_ratio = (p.miss_ratio * factor).min(1.0);
        CurvePoint {
            bytes: p.bytes,
            miss_ratio,
            low: (miss_ratio * (1.0 - half)).max(0.0),
            high: (miss_ratio * (1.0 + half)).min(1.0),
        }
    };
    MissRatioCurve::new(truth.points().iter().map(point).collect()).unwrap_or_default()
}
