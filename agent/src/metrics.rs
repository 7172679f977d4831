//! The agent's metrics in Prometheus's text form.
//!
//! They are built anew for every scrape from what the agent knows anyway, so a cache that is gone leaves no series behind.
//! Series that would have the same labels are added up: several keyed operators chained into one task, which Flink's names do
//! not tell apart, or the caches of the states of one operator.

mod family;
mod labels;
pub mod options;

use prometheus::proto::MetricFamily;
use prometheus::{Encoder, TextEncoder};
use weir_mrc::ReuseDistanceHistogram;
use weir_protocol::{
    BlockRole, CacheReport, Caller, HookState, LookupCount, LookupResult, MemoryMode,
    OperatorSubtask, Report, WriteCounts,
};

use crate::agent::Agent;
use crate::latency::LatencyHistogram;
use crate::options_in_force;
use family::{Distribution, Distributions, Labels, Series};
use labels::Naming;

/// Upper bounds of `weir_block_miss_seconds`: from a page cache to a disk that is in trouble.
const MISS_SECONDS: [f64; 14] = [
    1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0,
];
/// Upper bounds of `weir_block_hit_seconds` and `weir_hook_seconds`.
const HIT_SECONDS: [f64; 12] = [
    2e-8, 5e-8, 1e-7, 2e-7, 5e-7, 1e-6, 2e-6, 5e-6, 1e-5, 1e-4, 1e-3, 1e-2,
];

/// Everything in Prometheus's text form.
pub fn render(agent: &Agent) -> prometheus::Result<String> {
    let report = agent.report();
    let naming = Naming::new(
        &report.agent.tm_id,
        operators(&report).map(|(name, _)| name),
    );
    let mut families = of_caches(&report, &naming);
    families.extend(of_writes(&report, &naming));
    families.extend(distributions(agent, &naming));
    families.extend(of_agent(&report, &naming));
    families.extend(options::families(
        &options_in_force::of_this_process(),
        &naming,
    ));
    families.retain(|family| !family.get_metric().is_empty());
    let mut text = Vec::new();
    TextEncoder::new().encode(&families, &mut text)?;
    String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
}

/// An operator subtask's exact counts.
struct Counts<'a> {
    lookups: &'a [LookupCount],
    writes: Option<WriteCounts>,
}

/// Every operator subtask with its exact counts, those behind shared caches included.
fn operators(report: &Report) -> impl Iterator<Item = (&OperatorSubtask, Counts<'_>)> {
    report.caches.iter().flat_map(|cache| {
        let sole = cache.operators.is_empty().then_some((
            &cache.operator,
            Counts {
                lookups: &cache.lookups,
                writes: cache.write_counts,
            },
        ));
        let shared = cache.operators.iter().map(|one| {
            let counts = Counts {
                lookups: &one.lookups,
                writes: one.write_counts,
            };
            (&one.operator, counts)
        });
        sole.into_iter().chain(shared)
    })
}

/// A shared cache is the TaskManager's; any other is its operator's.
fn owner(cache: &CacheReport, naming: &Naming) -> Labels {
    if cache.operators.is_empty() {
        naming.of_operator(&cache.operator)
    } else {
        naming.of_task_manager()
    }
}

fn of_caches(report: &Report, naming: &Naming) -> Vec<MetricFamily> {
    let mut lookups = Series::default();
    for (operator, counts) in operators(report) {
        for count in counts.lookups {
            let mut labels = naming.of_operator(operator);
            labels.push(("role", role(count.role).to_owned()));
            labels.push(("caller", caller(count.caller).to_owned()));
            labels.push(("result", result(count.result).to_owned()));
            lookups.add(labels, count.count as f64);
        }
    }
    let (mut capacity, mut usage, mut pinned, mut write_buffers) = (
        Series::default(),
        Series::default(),
        Series::default(),
        Series::default(),
    );
    for cache in &report.caches {
        capacity.add(owner(cache, naming), cache.capacity_bytes as f64);
        usage.add(owner(cache, naming), cache.usage_bytes as f64);
        pinned.add(owner(cache, naming), cache.pinned_bytes as f64);
        let Some(buffers) = cache.write_buffers else {
            continue;
        };
        let states = [
            ("capacity", Some(buffers.capacity_bytes)),
            ("used", Some(buffers.used_bytes)),
            ("active", Some(buffers.active_bytes)),
            ("reserved", buffers.reserved_bytes),
        ];
        for (state, bytes) in states.into_iter().filter_map(|(s, b)| Some((s, b?))) {
            let mut labels = owner(cache, naming);
            labels.push(("state", state.to_owned()));
            write_buffers.add(labels, bytes as f64);
        }
    }
    vec![
        lookups.counter(
            "weir_block_cache_lookups_total",
            "Block cache lookups, exact.",
        ),
        capacity.gauge(
            "weir_block_cache_capacity_bytes",
            "Capacity of the block cache in force; a cache that operators share has no operator's labels.",
        ),
        usage.gauge("weir_block_cache_usage_bytes", "Bytes held by the block cache."),
        pinned.gauge(
            "weir_block_cache_pinned_bytes",
            "Bytes of the block cache that cannot be evicted now.",
        ),
        write_buffers.gauge(
            "weir_write_buffer_bytes",
            "Write buffer manager behind the operator: size, memory in all memtables, memory in active ones, what it has reserved in a block cache. Operators of one slot share one.",
        ),
    ]
}

fn of_writes(report: &Report, naming: &Naming) -> Vec<MetricFamily> {
    let (mut flushed, mut compacted, mut stalled, mut live) = (
        Series::default(),
        Series::default(),
        Series::default(),
        Series::default(),
    );
    for (operator, counts) in operators(report) {
        let Some(writes) = counts.writes else {
            continue;
        };
        let labels = naming.of_operator(operator);
        for (direction, bytes) in [
            ("read", writes.compaction_read_bytes),
            ("written", writes.compacted_bytes),
        ] {
            let mut labels = labels.clone();
            labels.push(("direction", direction.to_owned()));
            compacted.add(labels, bytes as f64);
        }
        flushed.add(labels.clone(), writes.flushed_bytes as f64);
        stalled.add(labels.clone(), writes.stalled_micros as f64 / 1e6);
        if let Some(bytes) = writes.live_bytes {
            live.add(labels, bytes as f64);
        }
    }
    vec![
        flushed.counter(
            "weir_flushed_bytes_total",
            "Bytes of files that flushes of the operator's database wrote, exact.",
        ),
        compacted.counter(
            "weir_compacted_bytes_total",
            "Bytes that compactions of the operator's database read and wrote, exact.",
        ),
        stalled.counter(
            "weir_write_stall_seconds_total",
            "Time in which the operator's database delayed or stopped writes.",
        ),
        live.gauge(
            "weir_live_sst_bytes",
            "Bytes in the files of the newest version of the operator's database.",
        ),
    ]
}

fn distributions(agent: &Agent, naming: &Naming) -> Vec<MetricFamily> {
    let (mut reuse, mut misses, mut hits, mut hook) = (
        Distributions::default(),
        Distributions::default(),
        Distributions::default(),
        Distributions::default(),
    );
    let caches = agent.caches.lock();
    for entry in caches.entries.values() {
        for operator in entry.operators.values() {
            let samples = operator.sampled.samples.lock();
            let labels = naming.of_operator(&operator.operator);
            reuse.add(
                labels.clone(),
                reuse_distance(&samples.sampling.estimator.histogram()),
            );
            misses.add(labels.clone(), latency(&samples.miss, &MISS_SECONDS));
            hits.add(labels, latency(&samples.hit, &HIT_SECONDS));
            hook.add(
                naming.of_task_manager(),
                latency(&samples.hook, &HIT_SECONDS),
            );
        }
    }
    vec![
        reuse.histogram(
            "weir_block_reuse_distance_bytes",
            "Reuse distances of task threads' lookups, estimated from a sample: 1 - bucket{le=C} / count is the miss ratio at capacity C.",
        ),
        misses.histogram(
            "weir_block_miss_seconds",
            "Time from a failed lookup to the insert of the block, of sampled misses of task threads.",
        ),
        hits.histogram(
            "weir_block_hit_seconds",
            "Time of lookups that hit, of a sample of the task threads'; some 20 ns of it are the clock's.",
        ),
        hook.histogram(
            "weir_hook_seconds",
            "Time the hook adds to lookups that hit, of the same sample; some 20 ns of it are the clock's.",
        ),
    ]
}

fn reuse_distance(distances: &ReuseDistanceHistogram) -> Distribution {
    Distribution {
        buckets: ReuseDistanceHistogram::bounds()
            .into_iter()
            .map(|bytes| bytes as f64)
            .zip(distances.cumulative)
            .collect(),
        count: distances.count,
        sum: distances.sum_bytes,
    }
}

fn latency(latency: &LatencyHistogram, bounds: &[f64]) -> Distribution {
    Distribution {
        buckets: bounds
            .iter()
            .map(|&seconds| (seconds, latency.count_within(seconds)))
            .collect(),
        count: latency.count(),
        sum: latency.sum_seconds(),
    }
}

fn of_agent(report: &Report, naming: &Naming) -> Vec<MetricFamily> {
    let (hooked, reason) = match &report.agent.hook {
        HookState::Hooked => ("yes", String::new()),
        HookState::Waiting => ("waiting", String::new()),
        HookState::Refused { reason } => ("no", reason.clone()),
    };
    let mode = match report.agent.mode {
        MemoryMode::Observe => "observe",
        MemoryMode::Shared => "shared",
        MemoryMode::PerOperator => "per-operator",
    };
    let mut info = naming.of_task_manager();
    info.extend([
        ("version", report.agent.version.clone()),
        ("rocksdb", report.agent.rocksdb_version.clone()),
        ("mode", mode.to_owned()),
        ("hooked", hooked.to_owned()),
        ("reason", reason),
    ]);
    let mut budget = Series::default();
    for (part, bytes) in [
        ("total", report.budget.total_bytes),
        ("write-buffer", report.budget.write_buffer_bytes),
        ("cache", report.budget.cache_bytes),
    ] {
        let mut labels = naming.of_task_manager();
        labels.push(("part", part.to_owned()));
        budget.add(labels, bytes as f64);
    }
    let counter = |name, help, value: u64| {
        Series::one(naming.of_task_manager(), value as f64).counter(name, help)
    };
    vec![
        Series::one(info, 1.0).gauge(
            "weir_agent_info",
            "What the agent is and whether it sees the caches; always 1.",
        ),
        budget.gauge(
            "weir_memory_budget_bytes",
            "What the TaskManager's caches and write buffers may reach.",
        ),
        counter(
            "weir_samples_dropped_total",
            "Samples lost because a thread's ring was full.",
            report.health.samples_dropped,
        ),
        counter(
            "weir_samples_taken_total",
            "Samples that reached the collector.",
            report.health.samples_taken,
        ),
        counter(
            "weir_lookups_unattributed_total",
            "Lookups in shared caches that could be given to no operator.",
            report.health.unattributed_lookups,
        ),
        counter(
            "weir_panics_caught_total",
            "Failures of the agent that it survived.",
            report.health.panics_caught,
        ),
    ]
}

fn role(role: BlockRole) -> &'static str {
    match role {
        BlockRole::Data => "data",
        BlockRole::Index => "index",
        BlockRole::Filter => "filter",
        BlockRole::Other => "other",
    }
}

fn caller(caller: Caller) -> &'static str {
    match caller {
        Caller::Task => "task",
        Caller::Compaction => "compaction",
        Caller::Flush => "flush",
        Caller::Other => "other",
    }
}

fn result(result: LookupResult) -> &'static str {
    match result {
        LookupResult::Hit => "hit",
        LookupResult::Miss => "miss",
    }
}
