//! The points of a sweep as table, CSV and JSON.

use serde_json::{Value, json};
use weir_scaling::Bytes;

use super::point::{OperatorPoint, Point};
use crate::table::{new_table, render};

const UNKNOWN: &str = "-";

/// For people.
#[must_use]
pub fn table(points: &[Point]) -> String {
    if points.is_empty() {
        return "no size has been measured\n".to_owned();
    }
    let mut table = new_table(&[
        "operator",
        "size",
        "predicted",
        "band",
        "measured",
        "off by",
        "curve after",
        "look-ups",
        "records/s",
        "source/s",
        "",
    ]);
    for (point, one) in rows(points) {
        let points_of = |ratio: Option<f64>, signed: bool| match ratio {
            Some(ratio) if signed => format!("{:+.2}", ratio * 100.0),
            Some(ratio) => format!("{:.2} %", ratio * 100.0),
            None => UNKNOWN.to_owned(),
        };
        let rate = |rate: Option<f64>| rate.map_or(UNKNOWN.to_owned(), |r| format!("{r:.0}"));
        table.add_row([
            one.operator.clone(),
            Bytes(point.bytes).to_string(),
            points_of(Some(one.predicted), false),
            format!("{:.2} - {:.2} %", one.low * 100.0, one.high * 100.0),
            points_of(one.measured(), false),
            points_of(one.error(), true),
            points_of(one.curve_after, false),
            (one.hits + one.misses).to_string(),
            rate(one.records_per_second),
            rate(one.source_records_per_second),
            if point.settled { "" } else { "not settled" }.to_owned(),
        ]);
    }
    let errors: Vec<f64> = rows(points)
        .filter_map(|(_, one)| one.error())
        .map(f64::abs)
        .collect();
    let mut text = render(table, 1..10);
    if !errors.is_empty() {
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let most = errors.iter().copied().fold(0.0, f64::max);
        text.push_str(&format!(
            "prediction off by {:.2} points on average, {:.2} at most\n",
            mean * 100.0,
            most * 100.0
        ));
    }
    text
}

/// For programs: a line each size and operator.
#[must_use]
pub fn csv(points: &[Point]) -> String {
    let mut text = String::from(
        "operator,job_id,bytes,predicted,low,high,measured,hits,misses,records_per_second,source_records_per_second,settled,window_seconds,curve_after\n",
    );
    for (point, one) in rows(points) {
        let number = |n: Option<f64>| n.map(|n| n.to_string()).unwrap_or_default();
        text.push_str(&format!(
            "\"{}\",{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
            one.operator.replace('"', "\"\""),
            one.job_id,
            point.bytes,
            one.predicted,
            one.low,
            one.high,
            number(one.measured()),
            one.hits,
            one.misses,
            number(one.records_per_second),
            number(one.source_records_per_second),
            point.settled,
            point.window_seconds,
            number(one.curve_after)
        ));
    }
    text
}

/// For programs: every point with measured ratio and error.
#[must_use]
pub fn json(points: &[Point]) -> Value {
    let points = points.iter().map(|point| {
        let mut value = json!(point);
        for (one, into) in point
            .operators
            .iter()
            .zip(value["operators"].as_array_mut().into_iter().flatten())
        {
            into["measured"] = json!(one.measured());
            into["error"] = json!(one.error());
        }
        value
    });
    json!({ "points": points.collect::<Vec<_>>() })
}

/// By operator, then by size.
fn rows(points: &[Point]) -> impl Iterator<Item = (&Point, &OperatorPoint)> {
    let mut rows: Vec<_> = points
        .iter()
        .flat_map(|point| point.operators.iter().map(move |one| (point, one)))
        .collect();
    rows.sort_by(|(a, x), (b, y)| {
        (&x.job_id, &x.operator, a.bytes).cmp(&(&y.job_id, &y.operator, b.bytes))
    });
    rows.into_iter()
}
