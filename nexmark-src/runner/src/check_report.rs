//! What came out of a check: a line for each query, a table, and a file with which a check that was interrupted goes on.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use comfy_table::Table;
use serde::{Deserialize, Serialize};

use crate::cli::{CheckOptions, Line, Mode, Tables};
use crate::result::table;

/// One query on one combination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) line: Line,
    pub(crate) mode: Mode,
    pub(crate) tables: Tables,
    pub(crate) query: String,
}

/// How an answer compares with the right one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// So many rows, all as expected.
    Equal { rows: u64 },
    /// How, with the first rows that do.
    Differs(String),
    /// Flink SQL cannot express the query: why.
    Unsupported(String),
    /// There is no answer: why.
    Failed(String),
}

/// A case that was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checked {
    #[serde(flatten)]
    pub(crate) case: Case,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
    /// Planning and comparing included.
    pub(crate) seconds: f64,
}

/// All that were run on the same events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    events: u64,
    seed: u64,
    rate: u64,
    checked: Vec<Checked>,
}

// === impl Case ===

impl Case {
    /// A folder's name.
    pub(crate) fn folder(&self) -> String {
        self.to_string().replace([',', ' '], "-")
    }
}

impl Display for Case {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Flink {}, {}, {}: {}",
            self.line.name(),
            self.mode.title(),
            self.tables.name(),
            self.query
        )
    }
}

// === impl Checked ===

impl Display for Checked {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.case)?;
        match &self.outcome {
            Outcome::Equal { rows } => write!(f, "equal, {rows} rows")?,
            Outcome::Differs(how) => write!(f, "DIFFERS: {how}")?,
            Outcome::Unsupported(why) => return write!(f, "unsupported: {why}"),
            Outcome::Failed(why) => write!(f, "FAILED: {why}")?,
        }
        write!(f, " ({:.1} s)", self.seconds)
    }
}

// === impl Report ===

impl Report {
    /// A new one, or with `--resume` the one in the file.
    pub(crate) fn open(options: &CheckOptions) -> Result<Self> {
        let mut report = Self {
            events: options.events,
            seed: options.seed,
            rate: options.rate,
            checked: Vec::new(),
        };
        if let Some(file) = options
            .json
            .as_deref()
            .filter(|file| options.resume && file.exists())
        {
            let of = |report: &Self| (report.events, report.seed, report.rate);
            let text = fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let before: Self = serde_json::from_str(&text)
                .with_context(|| format!("{} is no report of `nexmark check`", file.display()))?;
            ensure!(
                of(&before) == of(&report),
                "{} is of {} events at {}/s with seed {}; that is not what is to be checked now",
                file.display(),
                before.events,
                before.rate,
                before.seed
            );
            report.checked = before.checked;
        }
        Ok(report)
    }

    /// Whether a case needs not be run.
    pub(crate) fn has(&self, case: &Case) -> bool {
        let mut of_it = self.checked.iter().filter(|checked| checked.case == *case);
        of_it.any(|checked| checked.outcome.is_well())
    }

    /// In place of what was there of the same case.
    pub(crate) fn add(&mut self, checked: Checked) {
        self.checked.retain(|other| other.case != checked.case);
        self.checked.push(checked);
    }

    pub(crate) fn last(&self) -> Option<&Checked> {
        self.checked.last()
    }

    pub(crate) fn save(&self, file: Option<&Path>) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        let json = serde_json::to_string_pretty(self)?;
        fs::write(file, json + "\n").with_context(|| format!("cannot write {}", file.display()))
    }

    /// Whether nothing differs and nothing failed.
    pub(crate) fn all_well(&self) -> bool {
        self.checked.iter().all(|checked| checked.outcome.is_well())
    }

    /// A line for each combination, and below it what is not well.
    pub(crate) fn table(&self) -> Table {
        let mut combinations: Vec<(Line, Mode, Tables)> = Vec::new();
        for Checked { case, .. } in &self.checked {
            let combination = (case.line, case.mode, case.tables);
            if !combinations.contains(&combination) {
                combinations.push(combination);
            }
        }
        let mut table = table(&[
            "Flink",
            "mode",
            "tables",
            "equal",
            "rows",
            "unsupported",
            "differ",
            "failed",
            "seconds",
        ]);
        for (line, mode, tables) in combinations {
            let of = |checked: &&Checked| {
                (checked.case.line, checked.case.mode, checked.case.tables) == (line, mode, tables)
            };
            let mut rows = 0;
            let mut seconds = 0.0;
            let [mut equal, mut unsupported, mut differ, mut failed] = [(); 4].map(|()| Vec::new());
            for Checked {
                case,
                outcome,
                seconds: took,
            } in self.checked.iter().filter(of)
            {
                seconds += took;
                match outcome {
                    Outcome::Equal { rows: of } => {
                        rows += of;
                        &mut equal
                    }
                    Outcome::Unsupported(_) => &mut unsupported,
                    Outcome::Differs(_) => &mut differ,
                    Outcome::Failed(_) => &mut failed,
                }
                .push(case.query.as_str());
            }
            table.add_row([
                line.name().to_owned(),
                mode.title().to_owned(),
                tables.name().to_owned(),
                equal.len().to_string(),
                rows.to_string(),
                unsupported.join(" "),
                differ.join(" "),
                failed.join(" "),
                format!("{seconds:.0}"),
            ]);
        }
        table
    }
}

// === impl Outcome ===

impl Outcome {
    fn is_well(&self) -> bool {
        matches!(self, Self::Equal { .. } | Self::Unsupported(_))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Case, Checked, Outcome, Report};
    use crate::cli::{CheckOptions, Command, Line, Mode, Nexmark, Tables};

    fn options(line: &str) -> CheckOptions {
        let Command::Check(options) = Nexmark::parse_from(line.split(' ')).command else {
            panic!("not a check");
        };
        options
    }

    fn checked(query: &str, outcome: Outcome) -> Checked {
        Checked {
            case: Case {
                line: Line::V2,
                mode: Mode::PerOperator,
                tables: Tables::Keyed,
                query: query.to_owned(),
            },
            outcome,
            seconds: 1.5,
        }
    }

    #[test]
    fn a_check_goes_on_where_it_was_and_repeats_what_was_not_well() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        let line = format!(
            "nexmark check --events 2k --json {} --resume",
            file.display()
        );
        let mut report = Report::open(&options(&line)).unwrap();
        let equal = checked("q1", Outcome::Equal { rows: 7 });
        let differs = checked("q2", Outcome::Differs("3 rows".to_owned()));
        let failed = checked("q3", Outcome::Failed("why".to_owned()));
        for checked in [&equal, &differs, &failed] {
            report.add(checked.clone());
        }
        assert!(!report.all_well());
        report.save(Some(&file)).unwrap();
        let mut again = Report::open(&options(&line)).unwrap();
        assert!(again.has(&equal.case));
        assert!(!again.has(&differs.case) && !again.has(&failed.case));
        assert!(!again.all_well());
        for case in [differs.case, failed.case] {
            let outcome = Outcome::Equal { rows: 1 };
            again.add(Checked {
                case,
                outcome,
                seconds: 0.5,
            });
        }
        assert!(again.all_well());
        let other = line.replace("2k", "3k");
        let error = Report::open(&options(&other)).unwrap_err().to_string();
        assert!(error.contains("of 2000 events"), "{error}");
    }

    #[test]
    fn the_table_names_what_is_not_equal() {
        let mut report = Report::open(&options("nexmark check")).unwrap();
        report.add(checked("q1", Outcome::Equal { rows: 7 }));
        report.add(checked("q4", Outcome::Differs("3 rows".to_owned())));
        report.add(checked("q6", Outcome::Unsupported("why".to_owned())));
        let text = report.table().to_string();
        assert!(text.contains("per-operator"), "{text}");
        assert!(text.contains("q4") && text.contains("q6"), "{text}");
        assert!(!text.contains("q1"), "{text}");
    }
}
