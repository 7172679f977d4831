//! What the demo ends with: per operator subtask, memory and misses at the start and at the end; what the controller did and how well it foresaw it.

use std::fmt;

use weir_testbed::{CacheWindow, ReportWindow};

/// The figures of one demo.
pub struct Summary {
    rows: Vec<Row>,
    /// Measured at the start, measured at the end, and at the end by the curves had all caches kept their size.
    misses_per_second: [f64; 3],
    decisions: Vec<(String, f64)>,
    prediction_error: Vec<(String, f64)>,
}

struct Row {
    name: String,
    capacity_bytes: [u64; 2],
    miss_ratio: [Option<f64>; 2],
    lookups_per_second: [f64; 2],
}

impl Summary {
    /// Compares two windows of the same agent; `metrics` is the controller's page.
    pub fn new(start: &ReportWindow, end: &ReportWindow, metrics: &str) -> Self {
        let misses = |w: &ReportWindow| {
            w.caches()
                .map(|c| c.hits_and_misses().1 as f64 / w.seconds())
                .sum()
        };
        let unmoved = end.caches().map(|c| misses_at_size_of(start, &c)).sum();
        let mut rows: Vec<_> = end
            .caches()
            .filter_map(|after| row(start, &after))
            .collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            rows,
            misses_per_second: [misses(start), misses(end), unmoved],
            decisions: samples(metrics, "weir_decisions_total"),
            prediction_error: mean(metrics, "weir_prediction_error_ratio"),
        }
    }
}

/// Misses a second that a cache would have now at the size it had at the start, or has where there is no curve.
fn misses_at_size_of(start: &ReportWindow, now: &CacheWindow<'_>) -> f64 {
    let predicted = start
        .cache(now.after.id)
        .filter(|before| before.after.capacity_bytes != now.after.capacity_bytes)
        .and_then(|before| now.after.predicted_miss_ratio(before.after.capacity_bytes));
    let ratio = predicted.or(now.miss_ratio()).unwrap_or_default();
    ratio * now.lookups_per_second()
}

fn row(start: &ReportWindow, after: &CacheWindow<'_>) -> Option<Row> {
    let before = start.cache(after.after.id)?;
    Some(Row {
        name: after.name(),
        capacity_bytes: [before.after.capacity_bytes, after.after.capacity_bytes],
        miss_ratio: [before.miss_ratio(), after.miss_ratio()],
        lookups_per_second: [before.lookups_per_second(), after.lookups_per_second()],
    })
}

/// The samples of a metric that are not zero, with their labels as text.
fn samples(metrics: &str, name: &str) -> Vec<(String, f64)> {
    metrics
        .lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter_map(|rest| rest.rsplit_once(' '))
        .filter_map(|(labels, value)| Some((labels.to_owned(), value.parse().ok()?)))
        .filter(|(_, value)| *value != 0.0)
        .collect()
}

/// Means of a histogram, by labels.
fn mean(metrics: &str, name: &str) -> Vec<(String, f64)> {
    let counts = samples(metrics, &format!("{name}_count"));
    samples(metrics, &format!("{name}_sum"))
        .into_iter()
        .filter_map(|(labels, sum)| {
            let (_, count) = counts.iter().find(|(l, _)| *l == labels)?;
            Some((labels, sum / count))
        })
        .collect()
}

// === impl Display ===

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<44} {:>19} {:>19} {:>19}",
            "operator subtask", "capacity MiB", "miss ratio %", "lookups/s"
        )?;
        for row in &self.rows {
            let capacity = row
                .capacity_bytes
                .map(|b| format!("{:.1}", b as f64 / f64::from(1 << 20)));
            let misses = row
                .miss_ratio
                .map(|m| m.map_or("-".to_owned(), |m| format!("{:.1}", 100.0 * m)));
            let rate = row.lookups_per_second.map(|r| format!("{r:.0}"));
            let name: String = row.name.chars().take(44).collect();
            writeln!(
                f,
                "{name:<44} {} {} {}",
                arrow(&capacity),
                arrow(&misses),
                arrow(&rate)
            )?;
        }
        let [before, after, unmoved] = self.misses_per_second;
        writeln!(
            f,
            "\nDisk reads for task threads: {before:.0}/s at the start; {after:.0}/s at the end, when there is more state, \
             and {unmoved:.0}/s by the curves, had memory not moved."
        )?;
        if self.decisions.is_empty() {
            writeln!(f, "The controller took no decision.")?;
        }
        for (labels, count) in &self.decisions {
            writeln!(f, "Decisions {labels}: {count}")?;
        }
        for (labels, error) in &self.prediction_error {
            writeln!(
                f,
                "Mean prediction error {labels}: {:.2} points",
                100.0 * error
            )?;
        }
        Ok(())
    }
}

fn arrow([before, after]: &[String; 2]) -> String {
    format!("{before:>8} -> {after:>7}")
}
