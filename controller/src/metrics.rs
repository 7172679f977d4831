//! The controller's own metrics, in Prometheus' text form.

use std::time::Duration;

use anyhow::Context;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use weir_scaling::{Snapshot, TaskManagerState};

/// All metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    decisions: IntCounterVec,
    prediction_error: HistogramVec,
    cycle: Histogram,
    target_bytes: IntGaugeVec,
    agents: IntGaugeVec,
    history_errors: prometheus::IntCounter,
}

/// Which prediction was compared with a measurement.
#[derive(Debug, Clone, Copy)]
pub enum PredictionKind {
    /// The curve's value for the size in force.
    InPlace,
    /// The value a plan had predicted for the new size.
    AfterResize,
}

// === impl Metrics ===

impl Metrics {
    /// Registers everything.
    pub fn new() -> anyhow::Result<Self> {
        let metrics = Self {
            registry: Registry::new(),
            decisions: IntCounterVec::new(
                Opts::new(
                    "weir_decisions_total",
                    "Decisions, one per TaskManager and cycle.",
                ),
                &["policy", "action", "outcome"],
            )?,
            prediction_error: HistogramVec::new(
                HistogramOpts::new(
                    "weir_prediction_error_ratio",
                    "Absolute difference between measured and predicted miss ratio.",
                )
                .buckets(vec![0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5]),
                &["kind"],
            )?,
            cycle: Histogram::with_opts(
                HistogramOpts::new(
                    "weir_cycle_seconds",
                    "Time of one cycle: poll, decide, act, record.",
                )
                .buckets(vec![0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0]),
            )?,
            target_bytes: IntGaugeVec::new(
                Opts::new(
                    "weir_target_bytes",
                    "Capacity that the last decision wants for a block cache.",
                ),
                &[
                    "job_id",
                    "job_name",
                    "task_name",
                    "operator_name",
                    "subtask_index",
                    "tm_id",
                ],
            )?,
            agents: IntGaugeVec::new(
                Opts::new("weir_agents", "Agents known, by state of their data."),
                &["state"],
            )?,
            history_errors: prometheus::IntCounter::new(
                "weir_history_errors_total",
                "Lines of the history that could not be written.",
            )?,
        };
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.decisions.clone()))?;
        registry.register(Box::new(metrics.prediction_error.clone()))?;
        registry.register(Box::new(metrics.cycle.clone()))?;
        registry.register(Box::new(metrics.target_bytes.clone()))?;
        registry.register(Box::new(metrics.agents.clone()))?;
        registry.register(Box::new(metrics.history_errors.clone()))?;
        for kind in [PredictionKind::InPlace, PredictionKind::AfterResize] {
            metrics.prediction_error.with_label_values(&[kind.name()]);
        }
        Ok(metrics)
    }

    /// Counts a decision about one TaskManager.
    pub fn count_decision(&self, policy: &str, action: &str, outcome: &str) {
        let labels = [policy, action, outcome];
        self.decisions.with_label_values(&labels).inc();
    }

    /// Notes how far a prediction was off.
    pub fn observe_error(&self, kind: PredictionKind, error: f64) {
        self.prediction_error
            .with_label_values(&[kind.name()])
            .observe(error.abs());
    }

    /// Notes how long a cycle took.
    pub fn observe_cycle(&self, took: Duration) {
        self.cycle.observe(took.as_secs_f64());
    }

    /// Counts a line that was lost.
    pub fn count_history_error(&self) {
        self.history_errors.inc();
    }

    /// Sets how many agents have fresh and stale data.
    pub fn set_agents(&self, up: usize, stale: usize) {
        for (state, count) in [("up", up), ("stale", stale)] {
            let gauge = self.agents.with_label_values(&[state]);
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Replaces all targets, so that caches that are gone leave no series behind.
    pub fn set_targets<'a>(
        &self,
        snapshot: &Snapshot,
        targets: impl Iterator<Item = (&'a TaskManagerState, &'a weir_scaling::CachePlan)>,
    ) {
        self.target_bytes.reset();
        for (tm, plan) in targets {
            let job = snapshot.job(&plan.operator.job_id);
            let task_name = tm.cache(plan.id).map_or("", |c| &c.task_name);
            let labels = [
                plan.operator.job_id.as_str(),
                job.map_or("", |j| &j.name),
                task_name,
                &plan.operator.operator_name,
                &plan.operator.subtask_index.to_string(),
                &tm.tm_id,
            ];
            let gauge = self.target_bytes.with_label_values(&labels);
            gauge.set(i64::try_from(plan.to_bytes).unwrap_or(i64::MAX));
        }
    }

    /// All of it as text.
    pub fn text(&self) -> anyhow::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .context("metrics")?;
        Ok(String::from_utf8(text)?)
    }
}

// === impl PredictionKind ===

impl PredictionKind {
    fn name(self) -> &'static str {
        match self {
            Self::InPlace => "in-place",
            Self::AfterResize => "after-resize",
        }
    }
}
