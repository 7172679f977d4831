//! Plants of a scenario's file: formulas, or measured points of a CSV file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::field::{ScenarioError, error, not_negative};
use crate::sim::analytic::{AnalyticPlant, Bursts, WritePath};
use crate::sim::measured::MeasuredPlant;
use crate::sim::measured_file::points;
use crate::sim::plant::{MIB, Plant};

/// Both kinds of plant; which one it is says the presence of `csv`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlant {
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

/// The plant; `of` names a field of its operator, `load` gives the text of a file.
pub(super) fn plant(
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
