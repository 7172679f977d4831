//! The independent engine: a process of its own that has the events in DuckDB and is asked about one answer after the other.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use weir_testbed::artefacts;

use crate::check_report::Outcome;

/// See the [module](self). Ends with its input.
pub(crate) struct Expected {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What `check.py --serve` answers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Verdict {
    Equal { rows: u64 },
    Differs { differs: String },
}

// === impl Expected ===

impl Expected {
    /// Of the events in a folder, as exported.
    pub(crate) fn of(events: &Path) -> Result<Self> {
        let script = artefacts::root().join("nexmark-src/answers/check.sh");
        let mut process = Command::new(&script)
            .args([events.as_os_str(), "--serve".as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", script.display()))?;
        let questions = process.stdin.take();
        let answers = process.stdout.take().context("no pipe to DuckDB")?;
        Ok(Self {
            process,
            questions,
            answers: BufReader::new(answers),
        })
    }

    /// Holds the changelogs in a folder against the query's right answer.
    pub(crate) fn compare(&mut self, query: &str, changelogs: &Path) -> Result<Outcome> {
        let questions = self.questions.as_mut().context("DuckDB is not running")?;
        writeln!(questions, "{query} {}", changelogs.display())?;
        questions.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(!line.is_empty(), "check.py ended; its last words are above");
        Ok(match serde_json::from_str(&line)? {
            Verdict::Equal { rows } => Outcome::Equal { rows },
            Verdict::Differs { differs } => Outcome::Differs(differs),
        })
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.questions = None;
        // It ends at the end of its input; that it does so without being waited for is no concern of the report.
        let _ = self.process.wait();
    }
}
