//! Reads a scenario from TOML. Every refusal names the field and says what would be right.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::analytic::{AnalyticPlant, Bursts, WritePath};
use super::measured::MeasuredPlant;
use super::measured_file::points;
use super::plant::{MIB, Plant, Shape};
use super::scenario::{Budget, Feed, Input, Operator, Price, Scenario, TargetStep};
use crate::JobLimits;

/// Why a scenario is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scenario: {field}: {problem}")]
pub struct ScenarioError {
    /// Which field.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    #[serde(default = "default_interval")]
    policy_interval_s: u64,
    #[serde(default = "default_restart")]
    restart_s: u64,
    horizon_s: u64,
    #[serde(default)]
    noise: f64,
    #[serde(default = "default_seed")]
    seed: u64,
    #[serde(default)]
    price: RawPrice,
    #[serde(default)]
    budget: RawBudget,
    guard: Option<JobLimits>,
    #[serde(default)]
    operator: Vec<RawOperator>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawPrice {
    slot_second: f64,
    gib_second: f64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawBudget {
    slots: Option<u32>,
    cache_mib: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOperator {
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

/// Both kinds of plant; which one it is says the presence of `csv`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlant {
    csv: Option<String>,
    #[serde(default, rename = "where")]
    filter: BTreeMap<String, toml::Value>,
    cpu_us: Option<f64>,
    lookups: Option<f64>,
    hit_us: Option<f64>,
    miss_us: Option<f64>,
    curve: Option<Vec<(f64, f64)>>,
    key_skew: Option<f64>,
    contention: Option<f64>,
    compaction: Option<RawBursts>,
    write: Option<RawWrite>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBursts {
    every_s: u64,
    lasts_s: u64,
    slowdown: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWrite {
    bytes_per_record: f64,
    data_mib: f64,
    insert_us: f64,
    stall_us_per_mib: f64,
}

fn default_interval() -> u64 {
    60
}

fn default_restart() -> u64 {
    30
}

fn default_seed() -> u64 {
    1
}

fn default_ratio() -> f64 {
    1.0
}

impl Default for RawPrice {
    fn default() -> Self {
        Self {
            slot_second: 1.0,
            gib_second: 0.25,
        }
    }
}

// === impl Scenario ===

impl Scenario {
    /// Reads a scenario; `load` gives the text of a CSV file that a plant names.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`] names the field and says what would be right.
    pub fn parse(
        text: &str,
        load: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Self, ScenarioError> {
        let raw: RawScenario =
            toml::from_str(text).map_err(|e| error("file", e.to_string().trim_end()))?;
        let RawScenario {
            policy_interval_s,
            restart_s,
            horizon_s,
            noise,
            seed,
            ..
        } = raw;
        if policy_interval_s == 0 {
            return Err(error("policy_interval_s", "is 0; give at least 1 second"));
        }
        if horizon_s < policy_interval_s {
            let problem = format!(
                "is {horizon_s}; give at least one policy_interval_s ({policy_interval_s})"
            );
            return Err(error("horizon_s", &problem));
        }
        if horizon_s > MAX_HORIZON_S {
            let problem = format!("is {horizon_s}; give at most {MAX_HORIZON_S}, a month");
            return Err(error("horizon_s", &problem));
        }
        if !(0.0..=0.5).contains(&noise) {
            let problem = format!("is {noise}; give a share from 0 to 0.5, such as 0.1");
            return Err(error("noise", &problem));
        }
        not_negative("price.slot_second", raw.price.slot_second)?;
        not_negative("price.gib_second", raw.price.gib_second)?;
        let bytes = match raw.budget.cache_mib {
            Some(mib) => {
                positive("budget.cache_mib", mib)?;
                bytes_of(mib)
            }
            None => u64::MAX,
        };
        if raw.budget.slots == Some(0) {
            return Err(error("budget.slots", "is 0; give at least 1"));
        }
        let scenario = Self {
            policy_interval_s,
            restart_s,
            horizon_s,
            noise,
            seed,
            price: Price {
                slot_second: raw.price.slot_second,
                gib_second: raw.price.gib_second,
            },
            budget: Budget {
                slots: raw.budget.slots.unwrap_or(u32::MAX),
                bytes,
            },
            limits: raw.guard.unwrap_or_else(unlimited),
            operators: operators(raw.operator, &load)?,
        };
        scenario.check_start()?;
        Ok(scenario)
    }

    fn check_start(&self) -> Result<(), ScenarioError> {
        let shapes = || self.operators.iter().map(|o| &o.start);
        let slots: u64 = shapes().map(|s| u64::from(s.parallelism)).sum();
        if slots > u64::from(self.budget.slots) {
            let problem = format!(
                "is {}, but the operators start with {slots} instances; raise it or start smaller",
                self.budget.slots
            );
            return Err(error("budget.slots", &problem));
        }
        let bytes: u64 = shapes().map(Shape::total_bytes).sum();
        if bytes > self.budget.bytes {
            let problem = format!(
                "is {:.1}, but the operators start with {:.1} MiB together (cache and write buffers of all instances); \
                 raise it or start smaller",
                self.budget.bytes as f64 / MIB,
                bytes as f64 / MIB
            );
            return Err(error("budget.cache_mib", &problem));
        }
        Ok(())
    }
}

/// A guard that keeps budgets and minima alone: what is compared are policies.
fn unlimited() -> JobLimits {
    JobLimits {
        max_growth: f64::MAX,
        max_shrink: 1.0,
        min_change: 0.0,
        cooldown_ms: 0,
        roll_back_below: 0.0,
        ..JobLimits::default()
    }
}

const MAX_HORIZON_S: u64 = 31 * 24 * 3600;

fn operators(
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

fn plant(
    raw: RawPlant,
    of: &impl Fn(&str) -> String,
    load: &impl Fn(&str) -> Result<String, String>,
) -> Result<Plant, ScenarioError> {
    let analytic = [raw.cpu_us, raw.lookups, raw.hit_us, raw.miss_us];
    let Some(file) = raw.csv else {
        if !raw.filter.is_empty() {
            return Err(error(
                &of("plant.where"),
                "filters rows of a file; name it with `csv`",
            ));
        }
        return analytic_plant(raw, of).map(Plant::Analytic);
    };
    let others = [raw.key_skew, raw.contention];
    if analytic.iter().chain(&others).any(Option::is_some)
        || raw.curve.is_some()
        || raw.compaction.is_some()
        || raw.write.is_some()
    {
        let problem = "a plant is either `csv` with `where`, or `cpu_us`, `lookups`, ...; remove one of the two";
        return Err(error(&of("plant"), problem));
    }
    let text = load(&file).map_err(|e| error(&of("plant.csv"), &e))?;
    let filter = raw.filter.iter().map(|(column, value)| {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (column.clone(), text)
    });
    let measured = points(&text, &filter.collect()).and_then(|rows| MeasuredPlant::new(&rows));
    let measured = measured.map_err(|e| error(&of("plant.csv"), &format!("{file}: {e}")))?;
    Ok(Plant::Measured(measured))
}

fn analytic_plant(
    raw: RawPlant,
    of: &impl Fn(&str) -> String,
) -> Result<AnalyticPlant, ScenarioError> {
    let micros = |name: &str, value: Option<f64>| {
        let field = of(&format!("plant.{name}"));
        let value =
            value.ok_or_else(|| error(&field, "is missing; give it, or name a file with `csv`"))?;
        not_negative(&field, value)?;
        Ok(value)
    };
    let cpu_us = micros("cpu_us", raw.cpu_us)?;
    let lookups = micros("lookups", raw.lookups.or(Some(0.0)))?;
    let hit_us = micros("hit_us", raw.hit_us.or(Some(0.0)))?;
    let miss_us = micros("miss_us", raw.miss_us.or(Some(hit_us)))?;
    if cpu_us + lookups * hit_us <= 0.0 {
        return Err(error(
            &of("plant.cpu_us"),
            "a record must take some time; give more than 0",
        ));
    }
    if miss_us < hit_us {
        return Err(error(
            &of("plant.miss_us"),
            "a miss cannot be faster than a hit",
        ));
    }
    let curve = raw.curve.unwrap_or_default();
    for pair in curve.windows(2) {
        if pair[1].0 <= pair[0].0 || pair[1].1 > pair[0].1 {
            let problem = "points are [MiB, miss ratio]; MiB must rise and the ratio must not";
            return Err(error(&of("plant.curve"), problem));
        }
    }
    if curve
        .iter()
        .any(|p| !((0.0..=1.0).contains(&p.1) && p.0 >= 0.0 && p.0.is_finite()))
    {
        let problem = "points are [MiB, miss ratio] with MiB from 0 and a ratio from 0 to 1";
        return Err(error(&of("plant.curve"), problem));
    }
    let key_skew = raw.key_skew.unwrap_or(0.0);
    not_negative(&of("plant.key_skew"), key_skew)?;
    let contention = raw.contention.unwrap_or(0.0);
    not_negative(&of("plant.contention"), contention)?;
    Ok(AnalyticPlant {
        cpu_seconds: cpu_us * 1e-6,
        lookups_per_record: lookups,
        hit_seconds: hit_us * 1e-6,
        miss_seconds: miss_us * 1e-6,
        curve: curve
            .into_iter()
            .map(|(mib, ratio)| (mib * MIB, ratio))
            .collect(),
        key_skew,
        contention,
        compaction: raw.compaction.map(|b| bursts(&b, of)).transpose()?,
        write: raw.write.map(|w| write_path(&w, of)).transpose()?,
    })
}

fn bursts(raw: &RawBursts, of: &impl Fn(&str) -> String) -> Result<Bursts, ScenarioError> {
    if raw.lasts_s > raw.every_s || raw.every_s == 0 {
        let problem = "`every_s` must be above 0 and at least `lasts_s`";
        return Err(error(&of("plant.compaction"), problem));
    }
    if !(0.0..1.0).contains(&raw.slowdown) {
        let problem = "is the share of the speed that is lost; give 0 or more and less than 1";
        return Err(error(&of("plant.compaction.slowdown"), problem));
    }
    Ok(Bursts {
        every_s: raw.every_s,
        lasts_s: raw.lasts_s,
        slowdown: raw.slowdown,
    })
}

fn write_path(raw: &RawWrite, of: &impl Fn(&str) -> String) -> Result<WritePath, ScenarioError> {
    let fields = [
        ("bytes_per_record", raw.bytes_per_record),
        ("data_mib", raw.data_mib),
        ("insert_us", raw.insert_us),
        ("stall_us_per_mib", raw.stall_us_per_mib),
    ];
    for (name, value) in fields {
        not_negative(&of(&format!("plant.write.{name}")), value)?;
    }
    Ok(WritePath {
        bytes_per_record: raw.bytes_per_record,
        data_bytes: raw.data_mib * MIB,
        insert_seconds: raw.insert_us * 1e-6,
        stall_seconds_per_mib: raw.stall_us_per_mib * 1e-6,
    })
}

fn bytes_of(mib: f64) -> u64 {
    (mib * MIB).round() as u64
}

fn positive(field: &str, value: f64) -> Result<(), ScenarioError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(error(field, &format!("is {value}; give a number above 0")))
}

fn not_negative(field: &str, value: f64) -> Result<(), ScenarioError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(error(field, &format!("is {value}; give 0 or more")))
}

fn error(field: &str, problem: &str) -> ScenarioError {
    ScenarioError {
        field: field.to_owned(),
        problem: problem.to_owned(),
    }
}
