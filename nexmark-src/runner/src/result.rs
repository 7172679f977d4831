//! What was measured, as a table and as JSON, and two of them side by side.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};

/// One run of some queries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    /// Where it ran, for people; older files do not say.
    #[serde(default)]
    pub(crate) cluster: String,
    /// The arguments that all queries share.
    pub(crate) arguments: Vec<String>,
    pub(crate) queries: Vec<QueryResult>,
}

/// What became of one query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct QueryResult {
    pub(crate) query: String,
    pub(crate) status: Status,
    /// Why it is not finished; empty if it is.
    pub(crate) reason: String,
    /// Of a query that is finished.
    pub(crate) measured: Option<Measured>,
}

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Finished,
    /// Flink SQL cannot express it.
    Unsupported,
    /// The job failed or was cancelled.
    Failed,
    /// It read nothing for too long.
    Stalled,
    /// It ended and had written no row.
    Empty,
}

/// Figures of a finished query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) events: u64,
    pub(crate) seconds: f64,
    pub(crate) events_per_second: f64,
    /// Processor time of all TaskManagers by wall time.
    pub(crate) cores_used: f64,
    /// What the last checkpoint stands for; none if there was no checkpoint.
    pub(crate) state_bytes: Option<u64>,
    /// What had to be written for it.
    pub(crate) checkpoint_bytes: Option<u64>,
    /// Between tasks.
    pub(crate) bytes_read: u64,
    /// Rows of the answer, those that replace others included; none if the sink does not count.
    pub(crate) rows: Option<u64>,
}

// === impl Results ===

impl Results {
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        fs::write(file, json + "\n").with_context(|| format!("cannot write {}", file.display()))
    }

    fn read(file: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is no result of `nexmark run`", file.display()))
    }

    pub(crate) fn table(&self) -> Table {
        let mut table = table(&[
            "query",
            "status",
            "events",
            "seconds",
            "events/s",
            "cores",
            "events/s/core",
            "state",
            "checkpoint",
            "read",
            "rows",
        ]);
        for query in &self.queries {
            let mut row = vec![query.query.clone(), query.status_text()];
            if let Some(m) = &query.measured {
                row.extend([
                    m.events.to_string(),
                    format!("{:.1}", m.seconds),
                    format!("{:.0}", m.events_per_second),
                    m.cores_shown(),
                    m.events_per_second_and_core_shown(),
                    mebibytes(m.state_bytes),
                    mebibytes(m.checkpoint_bytes),
                    mebibytes(Some(m.bytes_read)),
                    m.rows
                        .map_or_else(|| "-".to_owned(), |rows| rows.to_string()),
                ]);
            }
            table.add_row(row);
        }
        table
    }

    /// Whether nothing failed, stalled or stayed empty.
    pub(crate) fn all_well(&self) -> bool {
        self.queries
            .iter()
            .all(|query| matches!(query.status, Status::Finished | Status::Unsupported))
    }
}

// === impl Measured ===

impl Measured {
    /// A job may end before Flink has read the processor time of its processes a second time: then nothing is known of it.
    fn cores_shown(&self) -> String {
        if self.cores_used > 0.0 {
            format!("{:.2}", self.cores_used)
        } else {
            "-".to_owned()
        }
    }

    fn events_per_second_and_core_shown(&self) -> String {
        if self.cores_used > 0.0 {
            format!("{:.0}", self.events_per_second / self.cores_used)
        } else {
            "-".to_owned()
        }
    }
}

// === impl QueryResult ===

impl QueryResult {
    pub(crate) fn without_figures(query: &str, status: Status, reason: &str) -> Self {
        Self {
            query: query.to_owned(),
            status,
            reason: reason.to_owned(),
            measured: None,
        }
    }

    fn status_text(&self) -> String {
        let status = format!("{:?}", self.status).to_lowercase();
        match in_short(&self.reason) {
            Some(reason) => format!("{status}: {reason}"),
            None => status,
        }
    }
}

/// What fits into a table of a reason, which the file has whole: of a Java exception, inside an answer of Flink's too, its first cause.
fn in_short(reason: &str) -> Option<String> {
    const LONGEST: usize = 240;
    let lines = reason.replace("\\n", "\n");
    let cause = lines
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("Caused by: "))
        .next_back();
    let short = cause.or_else(|| lines.lines().next())?;
    let mut text: String = short.chars().take(LONGEST).collect();
    if text.len() < short.len() {
        text.push_str(" ...");
    }
    Some(text)
}

/// Prints two result files side by side, and the arguments where the files are of different ones.
pub(crate) fn compare(before: &Path, after: &Path) -> Result<()> {
    let (before, after) = (Results::read(before)?, Results::read(after)?);
    println!("{}", side_by_side(&before, &after));
    if let Some(differences) = differences(&before, &after) {
        println!("\n{differences}");
    }
    Ok(())
}

/// What else than time is between two runs; none if nothing is.
fn differences(before: &Results, after: &Results) -> Option<String> {
    let conditions = |run: &Results| format!("{}: {}", run.cluster, run.arguments.join(" "));
    let (before, after) = (conditions(before), conditions(after));
    (before != after)
        .then(|| format!("The runs were not alike:\nbefore  {before}\nafter   {after}"))
}

fn side_by_side(before: &Results, after: &Results) -> Table {
    let mut table = table(&[
        "query",
        "events/s before",
        "after",
        "change",
        "cores before",
        "after",
        "state before",
        "after",
    ]);
    let mut names: Vec<&str> = before
        .queries
        .iter()
        .map(|query| query.query.as_str())
        .collect();
    for query in &after.queries {
        if !names.contains(&query.query.as_str()) {
            names.push(&query.query);
        }
    }
    for name in names {
        let of = |results: &Results| {
            results
                .queries
                .iter()
                .find(|query| query.query == name)
                .cloned()
        };
        let (before, after) = (of(before), of(after));
        let figures =
            |query: &Option<QueryResult>| query.as_ref().and_then(|query| query.measured.clone());
        let status = |query: &Option<QueryResult>| match query {
            None => "not run".to_owned(),
            Some(query) => query.status_text(),
        };
        let rate = |query: &Option<QueryResult>| {
            figures(query).map_or_else(|| status(query), |m| format!("{:.0}", m.events_per_second))
        };
        let cores = |query| figures(query).map_or_else(String::new, |m| m.cores_shown());
        let state = |query| figures(query).map_or_else(String::new, |m| mebibytes(m.state_bytes));
        let change =
            figures(&before)
                .zip(figures(&after))
                .map_or_else(String::new, |(before, after)| {
                    format!(
                        "{:+.1} %",
                        (after.events_per_second / before.events_per_second - 1.0) * 100.0
                    )
                });
        table.add_row([
            name.to_owned(),
            rate(&before),
            rate(&after),
            change,
            cores(&before),
            cores(&after),
            state(&before),
            state(&after),
        ]);
    }
    table
}

/// Columns but the first two are aligned right.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.to_vec());
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(
        || "-".to_owned(),
        |bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    )
}

#[cfg(test)]
mod tests {
    use super::{Measured, QueryResult, Results, Status, differences, in_short, side_by_side};

    fn finished(query: &str, events_per_second: f64) -> QueryResult {
        QueryResult {
            measured: Some(Measured {
                events: 1_000,
                seconds: 1_000.0 / events_per_second,
                events_per_second,
                cores_used: 1.5,
                state_bytes: Some(3 << 20),
                checkpoint_bytes: None,
                bytes_read: 7,
                rows: Some(5),
            }),
            ..QueryResult::without_figures(query, Status::Finished, "")
        }
    }

    fn results(queries: Vec<QueryResult>) -> Results {
        Results {
            cluster: "Flink 1.20.5, --mode none".to_owned(),
            arguments: vec!["--events".to_owned(), "1000".to_owned()],
            queries,
        }
    }

    #[test]
    fn the_table_has_the_first_cause_of_an_exception() {
        let thrown =
            "Outer: x\n\tat a.B\nCaused by: Middle: y\n\tat a.C\nCaused by: Inner: z\n\tat a.D\n";
        assert_eq!(in_short(thrown).unwrap(), "Inner: z");
        let answered = thrown.replace('\n', "\\n").replace('\t', "\\t");
        let answered = format!("{{\"errors\":[\"{answered}\"]}}");
        assert_eq!(in_short(&answered).unwrap(), "Inner: z");
        assert_eq!(in_short("only 1 ran\nmore").unwrap(), "only 1 ran");
        assert_eq!(in_short(""), None);
        assert!(in_short(&"ä".repeat(1000)).unwrap().len() < 600);
    }

    #[test]
    fn a_result_file_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        let written = results(vec![
            finished("q1", 250.0),
            QueryResult::without_figures("q6", Status::Unsupported, "why"),
        ]);
        written.write(&file).unwrap();
        assert_eq!(Results::read(&file).unwrap(), written);
        let text = written.table().to_string();
        assert!(text.contains("unsupported: why"), "{text}");
        assert!(text.contains("3.0 MiB"), "{text}");
        assert!(written.all_well());
    }

    #[test]
    fn differences_and_what_did_not_finish_are_shown() {
        let before = results(vec![finished("q1", 200.0), finished("q2", 10.0)]);
        let after = results(vec![
            finished("q1", 250.0),
            QueryResult::without_figures("q2", Status::Stalled, ""),
        ]);
        assert!(!after.all_well());
        let text = side_by_side(&before, &after).to_string();
        assert!(text.contains("+25.0 %"), "{text}");
        assert!(text.contains("stalled"), "{text}");
    }

    #[test]
    fn processor_time_that_is_not_known_is_not_shown_as_none() {
        let mut short = finished("q1", 200.0);
        let measured = short.measured.as_mut().unwrap();
        measured.cores_used = 0.0;
        let text = results(vec![short]).table().to_string();
        assert!(!text.contains("inf") && !text.contains("0.00"), "{text}");
    }

    #[test]
    fn runs_under_other_conditions_are_told_apart() {
        let before = results(vec![finished("q1", 200.0)]);
        assert_eq!(differences(&before, &before.clone()), None);
        let mut after = before.clone();
        after.cluster = "Flink 2.3.0, --mode observe".to_owned();
        let text = differences(&before, &after).unwrap();
        assert!(
            text.contains("Flink 1.20.5, --mode none: --events 1000"),
            "{text}"
        );
        assert!(
            text.contains("Flink 2.3.0, --mode observe: --events 1000"),
            "{text}"
        );
        after = before.clone();
        after.arguments.push("--seed".to_owned());
        assert!(differences(&before, &after).unwrap().contains("--seed"));
    }
}
