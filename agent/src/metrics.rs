//! The agent's metrics in Prometheus's text form.
//!
//! They are built anew for every scrape from what the agent knows anyway, so a cache that is gone leaves no series behind.
//! Labels are those of Flink's own reporter; a cache has as many series as its operator subtask has, whatever the job does.

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};
use prometheus::{Encoder, TextEncoder};
use weir_mrc::ReuseDistanceHistogram;
use weir_protocol::{
    BlockRole, CacheReport, Caller, HookState, LookupResult, MemoryMode, OperatorSubtask, Report,
};

use crate::agent::Agent;

/// Upper bounds of `weir_block_miss_seconds`: from a page cache to a disk that is in trouble.
const MISS_SECONDS: [f64; 14] = [
    1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1.0,
];

/// Everything in Prometheus's text form.
pub fn render(agent: &Agent) -> prometheus::Result<String> {
    let report = agent.report();
    let mut families = per_cache(&report);
    families.extend(distributions(agent, &report));
    families.extend(per_agent(&report));
    families.retain(|family| !family.get_metric().is_empty());
    let mut text = Vec::new();
    TextEncoder::new().encode(&families, &mut text)?;
    String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
}

fn per_cache(report: &Report) -> Vec<MetricFamily> {
    let gauges = |value: fn(&CacheReport) -> u64| -> Vec<Metric> {
        report
            .caches
            .iter()
            .map(|cache| gauge(of_operator(report, &cache.operator), value(cache) as f64))
            .collect()
    };
    let lookups = report
        .caches
        .iter()
        .flat_map(|cache| {
            cache.lookups.iter().map(|count| {
                let mut labels = of_operator(report, &cache.operator);
                labels.push(label("role", role(count.role)));
                labels.push(label("caller", caller(count.caller)));
                labels.push(label("result", result(count.result)));
                counter(labels, count.count as f64)
            })
        })
        .collect();
    let write_buffers = report
        .caches
        .iter()
        .filter_map(|cache| Some((cache, cache.write_buffers?)))
        .flat_map(|(cache, buffers)| {
            [
                ("capacity", buffers.capacity_bytes),
                ("used", buffers.used_bytes),
                ("active", buffers.active_bytes),
            ]
            .map(|(state, bytes)| {
                let mut labels = of_operator(report, &cache.operator);
                labels.push(label("state", state));
                gauge(labels, bytes as f64)
            })
        })
        .collect();
    vec![
        family(
            "weir_block_cache_lookups_total",
            "Block cache lookups, exact.",
            MetricType::COUNTER,
            lookups,
        ),
        family(
            "weir_block_cache_capacity_bytes",
            "Capacity of the block cache in force.",
            MetricType::GAUGE,
            gauges(|cache| cache.capacity_bytes),
        ),
        family(
            "weir_block_cache_usage_bytes",
            "Bytes held by the block cache.",
            MetricType::GAUGE,
            gauges(|cache| cache.usage_bytes),
        ),
        family(
            "weir_block_cache_pinned_bytes",
            "Bytes of the block cache that cannot be evicted now.",
            MetricType::GAUGE,
            gauges(|cache| cache.pinned_bytes),
        ),
        family(
            "weir_write_buffer_bytes",
            "Write buffer manager behind the operator: size, memory in all memtables, memory in active ones. Operators of one slot share one.",
            MetricType::GAUGE,
            write_buffers,
        ),
    ]
}

fn distributions(agent: &Agent, report: &Report) -> Vec<MetricFamily> {
    let mut reuse = Vec::new();
    let mut misses = Vec::new();
    let caches = agent.caches.lock();
    for entry in caches.entries.values() {
        let sampling = entry.sampling.lock();
        let labels = of_operator(report, &entry.operator);
        reuse.push(histogram(
            labels.clone(),
            reuse_distance(&sampling.estimator.histogram()),
        ));
        misses.push(histogram(labels, {
            let mut times = Histogram::default();
            times.set_sample_count(sampling.miss_nanos.len());
            times.set_sample_sum(sampling.miss_nanos_sum as f64 / 1e9);
            let buckets = MISS_SECONDS
                .iter()
                .map(|&seconds| {
                    let count = sampling.miss_nanos.count_between(0, (seconds * 1e9) as u64);
                    bucket(seconds, count)
                })
                .collect();
            times.set_bucket(buckets);
            times
        }));
    }
    vec![
        family(
            "weir_block_reuse_distance_bytes",
            "Reuse distances of task threads' lookups, estimated from a sample: 1 - bucket{le=C} / count is the miss ratio at capacity C.",
            MetricType::HISTOGRAM,
            reuse,
        ),
        family(
            "weir_block_miss_seconds",
            "Time from a failed lookup to the insert of the block, of sampled misses of task threads.",
            MetricType::HISTOGRAM,
            misses,
        ),
    ]
}

fn reuse_distance(distances: &ReuseDistanceHistogram) -> Histogram {
    let mut histogram = Histogram::default();
    histogram.set_sample_count(distances.count);
    histogram.set_sample_sum(distances.sum_bytes);
    let buckets = ReuseDistanceHistogram::bounds()
        .into_iter()
        .zip(distances.cumulative)
        .map(|(bytes, count)| bucket(bytes as f64, count))
        .collect();
    histogram.set_bucket(buckets);
    histogram
}

fn per_agent(report: &Report) -> Vec<MetricFamily> {
    let tm = || vec![label("tm_id", &report.agent.tm_id)];
    let (hooked, reason) = match &report.agent.hook {
        HookState::Hooked => ("yes", String::new()),
        HookState::Waiting => ("waiting", String::new()),
        HookState::Refused { reason } => ("no", reason.clone()),
    };
    let mut info = tm();
    info.extend([
        label("version", &report.agent.version),
        label("rocksdb", &report.agent.rocksdb_version),
        label(
            "mode",
            match report.agent.mode {
                MemoryMode::Observe => "observe",
                MemoryMode::Shared => "shared",
                MemoryMode::PerOperator => "per-operator",
            },
        ),
        label("hooked", hooked),
        label("reason", &reason),
    ]);
    let budget = [
        ("total", report.budget.total_bytes),
        ("write-buffer", report.budget.write_buffer_bytes),
        ("cache", report.budget.cache_bytes),
    ]
    .map(|(part, bytes)| {
        let mut labels = tm();
        labels.push(label("part", part));
        gauge(labels, bytes as f64)
    });
    let one_counter = |name, help, value: u64| {
        family(
            name,
            help,
            MetricType::COUNTER,
            vec![counter(tm(), value as f64)],
        )
    };
    vec![
        family(
            "weir_agent_info",
            "What the agent is and whether it sees the caches; always 1.",
            MetricType::GAUGE,
            vec![gauge(info, 1.0)],
        ),
        family(
            "weir_memory_budget_bytes",
            "What the TaskManager's caches and write buffers may reach.",
            MetricType::GAUGE,
            budget.into(),
        ),
        one_counter(
            "weir_samples_dropped_total",
            "Samples lost because a thread's ring was full.",
            report.health.samples_dropped,
        ),
        one_counter(
            "weir_samples_taken_total",
            "Samples that reached the collector.",
            report.health.samples_taken,
        ),
        one_counter(
            "weir_panics_caught_total",
            "Failures of the agent that it survived.",
            report.health.panics_caught,
        ),
    ]
}

fn of_operator(report: &Report, operator: &OperatorSubtask) -> Vec<LabelPair> {
    vec![
        label("tm_id", &report.agent.tm_id),
        label("job_id", &operator.job_id),
        label("task_name", &operator.task_name),
        label("operator_name", &operator.operator_name),
        label("subtask_index", &operator.subtask_index.to_string()),
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

fn label(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn gauge(labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = Metric::from_label(labels);
    metric.set_gauge(gauge);
    metric
}

fn counter(labels: Vec<LabelPair>, value: f64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut metric = Metric::from_label(labels);
    metric.set_counter(counter);
    metric
}

fn histogram(labels: Vec<LabelPair>, histogram: Histogram) -> Metric {
    let mut metric = Metric::from_label(labels);
    metric.set_histogram(histogram);
    metric
}

fn bucket(upper_bound: f64, cumulative_count: u64) -> Bucket {
    let mut bucket = Bucket::default();
    bucket.set_upper_bound(upper_bound);
    bucket.set_cumulative_count(cumulative_count);
    bucket
}

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}
