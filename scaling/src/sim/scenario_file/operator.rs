//! Operators of a scenario's file: start, and where records come from.

use serde::Deserialize;

use super::field::{ScenarioError, bytes_of, error, not_negative, positive};
use super::plant::{RawPlant, plant};
use crate::sim::plant::{MIB, Shape};
use crate::sim::scenario::{Feed, Input, Operator, TargetStep};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOperator {
    name: String,
    plant: RawPlant,
    start: RawStart,
    target: Option<Vec<RawTarget>>,
    inputs: Option<Vec<RawInput>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStart {
    parallelism: u32,
    cache_mib: f64,
    #[serde(default)]
    write_buffer_mib: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTarget {
    at_s: u64,
    rate_kps: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInput {
    from: String,
    #[serde(default = "default_ratio")]
    ratio: f64,
}

fn default_ratio() -> f64 {
    1.0
}

/// The operators, upstream first.
pub(super) fn operators(
    raw: Vec<RawOperator>,
    load: &impl Fn(&str) -> Result<String, String>,
) -> Result<Vec<Operator>, ScenarioError> {
    if raw.is_empty() {
        return Err(error(
            "operator",
            "there is none; add a [[operator]] section",
        ));
    }
    let mut names: Vec<String> = Vec::new();
    for operator in &raw {
        if names.contains(&operator.name) {
            let problem = format!("\"{}\" is used twice; names must differ", operator.name);
            return Err(error("operator.name", &problem));
        }
        names.push(operator.name.clone());
    }
    // Upstream first, whatever the order in the file.
    let mut waiting: Vec<RawOperator> = raw;
    let mut placed: Vec<Operator> = Vec::new();
    while !waiting.is_empty() {
        let is_placed = |name: &str| placed.iter().any(|p| p.name == name);
        let ready = |o: &RawOperator| {
            let mut inputs = o.inputs.iter().flatten();
            inputs.all(|i| is_placed(&i.from) || !names.contains(&i.from))
        };
        let Some(next) = waiting.iter().position(ready) else {
            let field = format!("operator \"{}\": inputs", waiting[0].name);
            return Err(error(
                &field,
                "lead back to the operator itself; remove one edge of the cycle",
            ));
        };
        let operator = operator(waiting.remove(next), &placed, load)?;
        placed.push(operator);
    }
    Ok(placed)
}

fn operator(
    raw: RawOperator,
    placed: &[Operator],
    load: &impl Fn(&str) -> Result<String, String>,
) -> Result<Operator, ScenarioError> {
    let of = |field: &str| format!("operator \"{}\": {field}", raw.name);
    let plant = plant(raw.plant, &of, load)?;
    if raw.start.parallelism == 0 {
        return Err(error(&of("start.parallelism"), "is 0; give at least 1"));
    }
    positive(&of("start.cache_mib"), raw.start.cache_mib)?;
    not_negative(&of("start.write_buffer_mib"), raw.start.write_buffer_mib)?;
    let start = Shape {
        parallelism: raw.start.parallelism,
        cache_bytes: bytes_of(raw.start.cache_mib),
        write_buffer_bytes: bytes_of(raw.start.write_buffer_mib),
    };
    if let (Some(known), Shape { parallelism, .. }) = (plant.parallelisms(), start)
        && !known.contains(&parallelism)
    {
        let problem = format!("is {parallelism}; the file has measurements for {known:?}");
        return Err(error(&of("start.parallelism"), &problem));
    }
    if start.cache_bytes < plant.min_cache_bytes() {
        let problem = format!(
            "is {}; the least this plant knows is {}",
            raw.start.cache_mib,
            plant.min_cache_bytes() as f64 / MIB
        );
        return Err(error(&of("start.cache_mib"), &problem));
    }
    let feed = match (raw.target, raw.inputs) {
        (Some(steps), None) => Feed::Source(target_steps(steps, &of)?),
        (None, Some(edges)) => Feed::Operators(inputs(edges, placed, &of)?),
        _ => {
            let problem = "give exactly one of `target` (records from a source) and `inputs` (records from operators)";
            return Err(error(&of("target"), problem));
        }
    };
    Ok(Operator {
        start: plant.feasible(start),
        name: raw.name,
        plant,
        feed,
    })
}

fn target_steps(
    steps: Vec<RawTarget>,
    of: &impl Fn(&str) -> String,
) -> Result<Vec<TargetStep>, ScenarioError> {
    if steps.first().is_none_or(|s| s.at_s != 0) {
        return Err(error(
            &of("target"),
            "the first step must be { at_s = 0, rate_kps = ... }",
        ));
    }
    if steps.windows(2).any(|pair| pair[1].at_s <= pair[0].at_s) {
        return Err(error(&of("target"), "`at_s` must rise from step to step"));
    }
    for step in &steps {
        not_negative(&of("target.rate_kps"), step.rate_kps)?;
    }
    let step = |s: &RawTarget| TargetStep {
        at_s: s.at_s,
        rate_per_s: s.rate_kps * 1000.0,
    };
    Ok(steps.iter().map(step).collect())
}

fn inputs(
    edges: Vec<RawInput>,
    placed: &[Operator],
    of: &impl Fn(&str) -> String,
) -> Result<Vec<Input>, ScenarioError> {
    if edges.is_empty() {
        return Err(error(
            &of("inputs"),
            "is empty; name an operator, or give a `target`",
        ));
    }
    let input = |edge: &RawInput| {
        let Some(operator) = placed.iter().position(|p| p.name == edge.from) else {
            let problem = format!("\"{}\" is no operator of this scenario", edge.from);
            return Err(error(&of("inputs.from"), &problem));
        };
        not_negative(&of("inputs.ratio"), edge.ratio)?;
        Ok(Input {
            operator,
            ratio: edge.ratio,
        })
    };
    edges.iter().map(input).collect()
}
