//! What `weir lsm` prints: tables, or JSON.

use serde::Serialize;
use weir_scaling::Bytes;

use super::interval::{Intervals, Row, write_amplification};
use super::logs::ReadLog;
use super::timeline::{Compaction, Flush, Levels, StallAt, Timeline};
use crate::table;

/// What stands for a value that is not known.
const UNKNOWN: &str = "-";

/// All logs.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    /// Microseconds since 1970 of the first line of all logs.
    pub(super) start_micros: u64,
    pub(super) end_micros: u64,
    pub(super) interval_seconds: f64,
    pub(super) logs: Vec<LogReport<'a>>,
}

/// One database.
#[derive(Debug, Serialize)]
pub(super) struct LogReport<'a> {
    pub(super) log: &'a str,
    pub(super) files: &'a [String],
    pub(super) rocksdb: Option<&'a str>,
    #[serde(flatten)]
    pub(super) total: Total,
    pub(super) files_created: u64,
    pub(super) created_bytes: u64,
    pub(super) files_deleted: u64,
    pub(super) files_moved: u64,
    /// Time for which writers were held up, as RocksDB's statistics had it last; zero where the log has none.
    pub(super) stalled_seconds: f64,
    /// Flushes and compactions whose end is not in the log.
    pub(super) unfinished: usize,
    pub(super) broken_lines: u64,
    pub(super) column_families: Vec<FamilyReport<'a>>,
    pub(super) intervals: Vec<Row>,
    pub(super) flushes_one_by_one: &'a [Flush],
    pub(super) compactions_one_by_one: &'a [Compaction],
    pub(super) stalls_one_by_one: &'a [StallAt],
}

/// One column family: one state of an operator.
#[derive(Debug, Serialize)]
pub(super) struct FamilyReport<'a> {
    pub(super) name: &'a str,
    #[serde(flatten)]
    pub(super) total: Total,
}

/// Sums over the whole log; the levels at its end.
#[derive(Debug, Default, Serialize)]
pub(super) struct Total {
    pub(super) flushes: u64,
    pub(super) flushed_bytes: u64,
    pub(super) compactions: u64,
    pub(super) read_bytes: u64,
    pub(super) written_bytes: u64,
    pub(super) write_amplification: Option<f64>,
    pub(super) write_stops: u64,
    pub(super) write_slowdowns: u64,
    pub(super) levels: Levels,
}

/// Gathers what is printed.
pub(super) fn of(logs: &[ReadLog], intervals: Intervals) -> Report<'_> {
    Report {
        start_micros: intervals.start_micros,
        end_micros: intervals.end_micros,
        interval_seconds: intervals.width_micros as f64 / 1e6,
        logs: logs.iter().map(|log| of_log(log, intervals)).collect(),
    }
}

fn of_log(log: &ReadLog, intervals: Intervals) -> LogReport<'_> {
    let timeline = &log.timeline;
    let families: Vec<_> = timeline
        .families
        .iter()
        .enumerate()
        .map(|(place, name)| FamilyReport {
            name,
            total: Total::of(timeline, Some(place)),
        })
        .collect();
    LogReport {
        log: &log.name,
        files: &log.files,
        rocksdb: timeline.version.as_deref(),
        total: Total::of(timeline, None),
        files_created: timeline.files_created,
        created_bytes: timeline.created_bytes,
        files_deleted: timeline.files_deleted,
        files_moved: timeline.files_moved,
        stalled_seconds: timeline.stalled_micros as f64 / 1e6,
        unfinished: timeline.unfinished(),
        broken_lines: log.broken_lines,
        column_families: families,
        intervals: intervals.cut(timeline),
        flushes_one_by_one: &timeline.flushes,
        compactions_one_by_one: &timeline.compactions,
        stalls_one_by_one: &timeline.stalls,
    }
}

/// As tables.
pub(super) fn text(report: &Report<'_>) -> String {
    let mut text = String::new();
    if report.logs.len() > 1 {
        let totals = report.logs.iter().map(|log| (log.log, &log.total));
        text.push_str(&totals_table("log", totals));
    }
    for log in &report.logs {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&headline(log));
        text.push_str(&intervals_table(&log.intervals));
        if log.column_families.len() > 1 {
            let families = log.column_families.iter().map(|f| (f.name, &f.total));
            text.push_str(&totals_table("column family", families));
        }
    }
    text
}

fn headline(log: &LogReport<'_>) -> String {
    let mut facts = vec![match log.rocksdb {
        Some(version) => format!("RocksDB {version}"),
        None => "RocksDB of unknown version".to_owned(),
    }];
    facts.push(format!("{} flushes", log.total.flushes));
    facts.push(format!("{} compactions", log.total.compactions));
    if log.files_moved > 0 {
        facts.push(format!("{} files moved down as they are", log.files_moved));
    }
    facts.push(format!(
        "write amplification {}",
        amplification(log.total.write_amplification)
    ));
    if log.stalled_seconds > 0.0 {
        facts.push(format!("writers held up {:.1} s", log.stalled_seconds));
    }
    if log.unfinished > 0 {
        facts.push(format!("{} without an end in the log", log.unfinished));
    }
    if log.broken_lines > 0 {
        facts.push(format!("{} broken lines", log.broken_lines));
    }
    format!("{}: {}\n", log.log, facts.join(", "))
}

fn intervals_table(rows: &[Row]) -> String {
    const HEADER: [&str; 11] = [
        "from",
        "flushes",
        "flushed",
        "compactions",
        "read",
        "written",
        "write ampl.",
        "compacting",
        "stops/slowed",
        "files by level",
        "bytes",
    ];
    let mut table = table::new_table(&HEADER);
    let short = rows.iter().any(|row| row.from_seconds.fract() != 0.0);
    for row in rows {
        table.add_row(vec![
            clock(row.from_seconds, short),
            row.flushes.to_string(),
            Bytes(row.flushed_bytes).to_string(),
            row.compactions.to_string(),
            Bytes(row.read_bytes).to_string(),
            Bytes(row.written_bytes).to_string(),
            amplification(row.write_amplification),
            format!("{:.1} s", row.compacting_seconds),
            format!("{}/{}", row.write_stops, row.write_slowdowns),
            files(&row.levels),
            bytes(&row.levels),
        ]);
    }
    table::render(table, 0..HEADER.len())
}

fn totals_table<'a>(of: &str, totals: impl Iterator<Item = (&'a str, &'a Total)>) -> String {
    let header = [
        of,
        "flushes",
        "flushed",
        "compactions",
        "read",
        "written",
        "write ampl.",
        "stops/slowed",
        "files by level",
        "bytes",
    ];
    let mut table = table::new_table(&header);
    for (name, total) in totals {
        table.add_row(vec![
            name.to_owned(),
            total.flushes.to_string(),
            Bytes(total.flushed_bytes).to_string(),
            total.compactions.to_string(),
            Bytes(total.read_bytes).to_string(),
            Bytes(total.written_bytes).to_string(),
            amplification(total.write_amplification),
            format!("{}/{}", total.write_stops, total.write_slowdowns),
            files(&total.levels),
            bytes(&total.levels),
        ]);
    }
    table::render(table, 1..header.len())
}

fn amplification(ratio: Option<f64>) -> String {
    ratio.map_or(UNKNOWN.to_owned(), |ratio| format!("{ratio:.1}"))
}

/// From level 0 down.
fn files(levels: &Levels) -> String {
    if levels.files.is_empty() {
        return "none".to_owned();
    }
    let files: Vec<String> = levels.files.iter().map(u64::to_string).collect();
    files.join(" ")
}

fn bytes(levels: &Levels) -> String {
    let bytes = Bytes(levels.total_bytes());
    match levels.files_of_unknown_size {
        0 => bytes.to_string(),
        // Files that are older than the log.
        _ => format!("over {bytes}"),
    }
}

/// `1:02:03`, with milliseconds where intervals are that short.
fn clock(seconds: f64, short: bool) -> String {
    let millis = (seconds * 1e3).round() as u64;
    let whole = millis / 1000;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    let decimals = if short {
        format!(".{:03}", millis % 1000)
    } else {
        String::new()
    };
    format!("{hours}:{minutes:02}:{rest:02}{decimals}")
}

// === impl Total ===

impl Total {
    /// Of one column family, or of all.
    fn of(timeline: &Timeline, family: Option<usize>) -> Self {
        let name = family.map(|place| timeline.families[place].as_str());
        let is_of = |of: &str| name.is_none_or(|name| name == of);
        let mut total = Self::default();
        for flush in &timeline.flushes {
            if flush.finished_micros.is_some() && is_of(&flush.family) {
                total.flushes += 1;
                total.flushed_bytes = total.flushed_bytes.saturating_add(flush.written_bytes);
            }
        }
        for compaction in &timeline.compactions {
            if compaction.finished_micros.is_some() && is_of(&compaction.family) {
                total.compactions += 1;
                total.read_bytes = total.read_bytes.saturating_add(compaction.read_bytes);
                total.written_bytes = total.written_bytes.saturating_add(compaction.written_bytes);
            }
        }
        for stall in timeline.stalls.iter().filter(|s| is_of(&s.family)) {
            if stall.stop {
                total.write_stops += 1;
            } else {
                total.write_slowdowns += 1;
            }
        }
        for place in 0..timeline.families.len() {
            if family.is_none_or(|family| family == place) {
                total.levels.add(&timeline.last_levels(place));
            }
        }
        total.write_amplification = write_amplification(total.flushed_bytes, total.written_bytes);
        total
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn clocks_are_as_precise_as_needed() {
        assert_eq!(clock(0.0, false), "0:00:00");
        assert_eq!(clock(3723.0, false), "1:02:03");
        assert_eq!(clock(59.9996, true), "0:01:00.000");
    }

    #[test]
    fn bytes_of_files_older_than_the_log_are_a_lower_bound() {
        let mut levels = Levels {
            files: vec![1, 0, 2],
            bytes: vec![2048],
            files_of_unknown_size: 2,
        };
        assert_eq!(files(&levels), "1 0 2");
        assert_eq!(bytes(&levels), "over 2.0 KiB");
        levels.files_of_unknown_size = 0;
        assert_eq!(bytes(&levels), "2.0 KiB");
        assert_eq!(files(&Levels::default()), "none");
    }
}
