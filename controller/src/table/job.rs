//! Plans for jobs as text, one policy or all side by side.

use std::collections::BTreeMap;

use weir_scaling::{Bytes, JobPlan, Plan, VertexPlan};

use super::{UNKNOWN, new_table, render};

/// One job's plan: a table and the sentences behind it.
#[must_use]
pub fn job(plan: &JobPlan) -> String {
    let mut text = format!("{plan}\n");
    let mut table = new_table(&[
        "vertex",
        "instances",
        "cache each",
        "to process/s",
        "can process/s",
    ]);
    for vertex in &plan.vertices {
        let rate = |rate: Option<f64>| rate.map_or(UNKNOWN.to_owned(), |r| format!("{r:.0}"));
        table.add_row(vec![
            shortened(&vertex.name),
            instances(vertex),
            memory(vertex),
            rate(vertex.target_records_per_second.known()),
            rate(vertex.predicted.map(|p| p.value)),
        ]);
    }
    text.push_str(&render(table, 1..5));
    for vertex in &plan.vertices {
        text.push_str(&format!("  {vertex}\n"));
    }
    for rejected in &plan.rejected {
        text.push_str(&format!("  {rejected}\n"));
    }
    text
}

/// The plans of several policies for the jobs they know, vertex by vertex.
#[must_use]
pub fn side_by_side(plans: &[Plan]) -> String {
    // A policy that decides on memory alone has no plan for jobs.
    let all = plans.iter().flat_map(|p| &p.jobs);
    let jobs: BTreeMap<&str, &JobPlan> = all.map(|job| (job.job_id.as_str(), job)).collect();
    let mut text = String::new();
    for job in jobs.into_values() {
        let mut header = vec!["vertex"];
        header.extend(plans.iter().map(|p| p.policy.as_str()));
        let mut table = new_table(&header);
        for vertex in &job.vertices {
            let cell = |plan: &Plan| {
                let vertex = plan
                    .job(&job.job_id)
                    .and_then(|j| j.vertex(&vertex.vertex_id));
                vertex.map_or(UNKNOWN.to_owned(), shape)
            };
            let mut row = vec![shortened(&vertex.name)];
            row.extend(plans.iter().map(cell));
            table.add_row(row);
        }
        let columns = plans.len() + 1;
        text.push_str(&format!(
            "job {}\n{}",
            job.job_id,
            render(table, 1..columns)
        ));
    }
    text
}

fn shape(vertex: &VertexPlan) -> String {
    match memory(vertex).as_str() {
        UNKNOWN => instances(vertex),
        memory => format!("{}, {memory}", instances(vertex)),
    }
}

fn instances(vertex: &VertexPlan) -> String {
    if vertex.changes_parallelism() {
        format!("{} -> {}", vertex.from_parallelism, vertex.to_parallelism)
    } else {
        vertex.from_parallelism.to_string()
    }
}

fn memory(vertex: &VertexPlan) -> String {
    let changes = vertex.memory.iter().filter(|m| m.changes()).map(|m| {
        let from = m
            .from_cache_bytes
            .map_or(UNKNOWN.to_owned(), |b| Bytes(b).to_string());
        format!("{from} -> {}", Bytes(m.to_cache_bytes))
    });
    let changes: Vec<String> = changes.collect();
    if changes.is_empty() {
        UNKNOWN.to_owned()
    } else {
        changes.join(", ")
    }
}

/// Chains have names as long as a query; the beginning says which it is.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 40;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    let begin: String = name.chars().take(LONGEST - 3).collect();
    format!("{begin}...")
}
