//! Tables for people: the live status and the advice.

mod job;

pub use job::side_by_side;

use comfy_table::{CellAlignment, Table, presets};
use weir_scaling::{
    Bytes, CacheReason, JobPlan, Percent, Plan, PredictedRatio, Seconds, TaskManagerPlan,
};

use crate::status::{AgentStatus, CacheStatus, ShapeStatus, Status, permission};

/// What stands for a value that is not known.
const UNKNOWN: &str = "-";

/// The whole status as text.
#[must_use]
pub fn status(status: &Status) -> String {
    let mut text = headline(status);
    for job in status.jobs.iter().flatten() {
        let restarts = job.restarts.map_or(UNKNOWN.to_owned(), |r| r.to_string());
        text.push_str(&format!(
            "job {} ({}): {}, restarts {restarts}\n",
            job.name, job.job_id, job.state
        ));
        let shapes = status.shapes.iter().filter(|s| s.job_id == job.job_id);
        for shape in shapes {
            text.push_str(&of_shape(shape));
        }
    }
    if let Some(error) = &status.flink_error {
        text.push_str(&format!("Flink: {error}\n"));
    }
    if status.agents.is_empty() {
        text.push_str("no agent has announced itself yet\n");
    }
    for agent in &status.agents {
        text.push('\n');
        text.push_str(&of_agent(agent, status.taken_at_ms));
    }
    text
}

/// What was decided about a job, and what became of the last restart.
fn of_shape(shape: &ShapeStatus) -> String {
    let mut text = format!("  {}\n", shape.sentence);
    for vertex in &shape.vertices {
        text.push_str(&format!("    {vertex}\n"));
    }
    if let Some(last) = &shape.last_rescale {
        let (result, message) = (last.result.name(), &last.message);
        text.push_str(&format!("  last restart: {result}: {message}\n"));
    }
    text
}

fn headline(status: &Status) -> String {
    let act = permission(&status.act);
    let c = &status.counters;
    format!(
        "weir {}, policy {}, {act}; {} cycles: {} applied ({} restored), {} advised, {} held, {} refused, {} failed\n",
        status.version,
        status.policy,
        c.cycles,
        c.applied,
        c.restored,
        c.advised,
        c.held,
        c.refused,
        c.failed + c.stale
    )
}

fn of_agent(agent: &AgentStatus, now_ms: u64) -> String {
    let name = agent.tm_id.as_deref().unwrap_or(UNKNOWN);
    let mut text = format!("TaskManager {name} ({})", agent.url);
    if let Some(report) = &agent.report {
        let budget = &report.budget;
        let age = agent
            .data_age_ms
            .map_or(UNKNOWN.to_owned(), |ms| Seconds(ms).to_string());
        text.push_str(&format!(
            ": caches {} of {}, generation {}, data {age} old",
            Bytes(budget.allocated_bytes),
            Bytes(budget.cache_bytes),
            report.generation
        ));
    }
    text.push('\n');
    if let Some(error) = &agent.error {
        text.push_str(&format!("  {error}\n"));
    }
    if !agent.caches.is_empty() {
        let mut table = new_table(&[
            "operator subtask",
            "capacity",
            "usage",
            "lookups/s",
            "missed",
            "curve",
            "at half",
            "at double",
            "last decision",
        ]);
        for cache in &agent.caches {
            table.add_row(row(cache, agent, now_ms));
        }
        text.push_str(&render(table, 1..8));
    }
    if let Some(decision) = &agent.decision {
        text.push_str(&format!("  {}\n", decision.sentence));
    }
    text
}

fn row(cache: &CacheStatus, agent: &AgentStatus, now_ms: u64) -> Vec<String> {
    let ratio = |p: &Option<PredictedRatio>| p.map(|p| Percent(p.value).to_string());
    let or_unknown = |text: Option<String>| text.unwrap_or_else(|| UNKNOWN.to_owned());
    let held = agent.decision.as_ref().map(|d| d.verdict.clone());
    let last = cache.last_change.as_ref().map(|change| {
        format!(
            "{} to {}: {} {} ago",
            change.action,
            Bytes(change.to_bytes),
            change.result.name(),
            Seconds(now_ms.saturating_sub(change.at_ms))
        )
    });
    vec![
        cache.operator.to_string(),
        Bytes(cache.capacity_bytes).to_string(),
        Bytes(cache.usage_bytes).to_string(),
        or_unknown(cache.lookups_per_second.map(|r| format!("{r:.0}"))),
        or_unknown(cache.measured_miss_ratio.map(|r| Percent(r).to_string())),
        or_unknown(ratio(&cache.curve_miss_ratio)),
        or_unknown(ratio(&cache.curve_at_half)),
        or_unknown(ratio(&cache.curve_at_double)),
        or_unknown(last.or(held)),
    ]
}

/// A plan as text: a table and the sentences behind it.
#[must_use]
pub fn advice(plan: &Plan) -> String {
    if plan.task_managers.is_empty() && plan.jobs.is_empty() {
        return "no agent has reported".to_owned();
    }
    let texts = plan.task_managers.iter().map(advice_for);
    let texts: Vec<String> = texts.chain(plan.jobs.iter().map(job::job)).collect();
    texts.join("\n")
}

/// A plan as sentences.
#[must_use]
pub fn sentences(plan: &Plan) -> Vec<String> {
    let of_tm = |tm: &TaskManagerPlan| {
        let caches: Vec<_> = tm.caches.iter().map(ToString::to_string).collect();
        let rejected: Vec<_> = tm.rejected.iter().map(ToString::to_string).collect();
        [vec![tm.to_string()], caches, rejected].concat()
    };
    let of_job = |job: &JobPlan| {
        let vertices: Vec<_> = job.vertices.iter().map(ToString::to_string).collect();
        let rejected: Vec<_> = job.rejected.iter().map(ToString::to_string).collect();
        [vec![job.to_string()], vertices, rejected].concat()
    };
    let tms = plan.task_managers.iter().flat_map(of_tm);
    tms.chain(plan.jobs.iter().flat_map(of_job)).collect()
}

fn advice_for(tm: &TaskManagerPlan) -> String {
    let mut text = format!("{tm}\n");
    if tm.caches.is_empty() {
        return text;
    }
    let mut table = new_table(&[
        "operator subtask",
        "now",
        "advised",
        "lookups/s",
        "curve now",
        "curve then",
        "misses/s saved",
    ]);
    for cache in &tm.caches {
        let ratio = |p: Option<PredictedRatio>| p.map_or(UNKNOWN.to_owned(), |p| p.to_string());
        let number = |n: Option<f64>, digits: usize| {
            n.map_or(UNKNOWN.to_owned(), |n| format!("{n:.digits$}"))
        };
        table.add_row(vec![
            cache.operator.to_string(),
            Bytes(cache.from_bytes).to_string(),
            Bytes(cache.to_bytes).to_string(),
            number(cache.lookups_per_second, 0),
            ratio(cache.before),
            ratio(cache.after),
            number(cache.misses_saved_per_second, 1),
        ]);
    }
    text.push_str(&render(table, 1..7));
    for cache in tm.caches.iter().filter(|c| c.reason != CacheReason::Stays) {
        text.push_str(&format!("  {cache}\n"));
    }
    for alternative in &tm.rejected {
        text.push_str(&format!("  {alternative}\n"));
    }
    text
}

/// A table without lines around it.
pub(crate) fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.to_vec());
    table
}

/// The table with its numbers to the right, a line each.
pub(crate) fn render(mut table: Table, numbers: std::ops::Range<usize>) -> String {
    for index in numbers {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table
        .lines()
        .map(|l| format!(" {}\n", l.trim_end()))
        .collect();
    lines.concat()
}
