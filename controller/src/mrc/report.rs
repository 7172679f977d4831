//! What `weir mrc` prints: a table, or JSON.

use serde::Serialize;
use weir_scaling::{Bytes, Percent};

use crate::table;

/// A measured curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// The trace's name.
    pub trace: String,
    /// Its format.
    pub format: &'static str,
    /// Accesses that the curve is about.
    pub accesses: u64,
    /// All accesses in the trace.
    pub accesses_read: u64,
    /// Bytes of all blocks in the cache's reach: estimated, or exact if that was asked for.
    pub working_set_bytes: u64,
    /// Blocks in the sample at most.
    pub samples: usize,
    /// What chose the sampled blocks.
    pub seed: u64,
    /// Shards of the cache.
    pub shards: u32,
    /// Share of its high-priority pool.
    pub high_pri_ratio: f64,
    /// What the first use of a block is.
    pub cold: &'static str,
    /// Memory of the estimator.
    pub estimator_memory_bytes: usize,
    /// The curve at the sizes of the grid.
    pub points: Vec<Point>,
    /// The curve at the marked size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Point>,
}

/// The curve at one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Size of the cache.
    pub bytes: u64,
    /// Estimated miss ratio.
    pub miss_ratio: f64,
    /// Lower end of its 90 % band.
    pub low: f64,
    /// Upper end of its 90 % band.
    pub high: f64,
    /// The exact miss ratio, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<f64>,
    /// The miss ratio of another program's curve, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<f64>,
}

/// As a table, with a line above that says what it is about.
#[must_use]
pub fn text(measured: &Measured) -> String {
    let mut text = format!(
        "{}: {} accesses, working set {}, {}\n",
        measured.trace,
        measured.accesses,
        Bytes(measured.working_set_bytes),
        cache(measured)
    );
    let mut header = vec!["cache", "missed", "90 % band"];
    header.extend(
        measured
            .points
            .iter()
            .find_map(|p| p.exact)
            .map(|_| "exact"),
    );
    let first = measured.points.iter().find_map(|p| p.beside);
    header.extend(first.map(|_| "beside"));
    let mut rows = table::new_table(&header);
    let marked = measured.capacity.iter().map(|p| (p, " *"));
    let points = measured.points.iter().map(|p| (p, ""));
    for (point, mark) in points.chain(marked) {
        let share = |ratio: f64| format!("{:.2} %", ratio * 100.0);
        let mut row = vec![
            format!("{}{mark}", Bytes(point.bytes)),
            share(point.miss_ratio),
            format!("{} to {}", share(point.low), share(point.high)),
        ];
        row.extend(point.exact.map(share));
        row.extend(point.beside.map(share));
        rows.add_row(row);
    }
    text.push_str(&table::render(rows, 0..header.len()));
    if measured.capacity.is_some() {
        text.push_str(" * the size given with --capacity\n");
    }
    if let Some((mean, largest)) = apart(measured) {
        text.push_str(&format!(
            " the curve beside is {:.2} points from {} on average, {:.2} at most\n",
            mean * 100.0,
            match measured.points.iter().find_map(|p| p.exact) {
                Some(_) => "the exact one",
                None => "the estimate",
            },
            largest * 100.0
        ));
    }
    text
}

/// How far the other curve is from the exact one, or from the estimate: on average over the sizes, and at most.
fn apart(measured: &Measured) -> Option<(f64, f64)> {
    let of_point = |p: &Point| Some((p.beside? - p.exact.unwrap_or(p.miss_ratio)).abs());
    let apart: Vec<f64> = measured.points.iter().filter_map(of_point).collect();
    let largest = apart.iter().copied().reduce(f64::max)?;
    Some((apart.iter().sum::<f64>() / apart.len() as f64, largest))
}

/// The cache in words.
#[must_use]
pub fn cache(measured: &Measured) -> String {
    let shards = match measured.shards {
        1 => "one LRU list".to_owned(),
        shards => format!("{shards} shards"),
    };
    if measured.high_pri_ratio > 0.0 {
        let pool = Percent(measured.high_pri_ratio);
        format!("{shards}, high-priority pool {pool}")
    } else {
        shards
    }
}
