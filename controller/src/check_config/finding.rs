//! One thing that is wrong with a configuration, or may be.

use std::fmt;

use serde::Serialize;

/// What is wrong, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line, from 1; absent where it is about something that is not there.
    pub line: Option<u64>,
    /// How bad it is.
    pub severity: Severity,
    /// The key it is about.
    pub key: String,
    /// What is wrong.
    pub reason: String,
    /// What would be right.
    pub remedy: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It does not work.
    Error,
    /// It works, but hardly as it was meant.
    Warning,
}

/// Collects the findings of one file.
#[derive(Debug)]
pub struct Findings {
    file: String,
    all: Vec<Finding>,
}

// === impl Findings ===

impl Findings {
    /// None yet.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            all: Vec::new(),
        }
    }

    /// Adds an error.
    pub fn error(
        &mut self,
        key: &str,
        line: Option<u64>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Severity::Error, key, line, reason.into(), remedy.into());
    }

    /// Adds a warning.
    pub fn warning(
        &mut self,
        key: &str,
        line: Option<u64>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Severity::Warning, key, line, reason.into(), remedy.into());
    }

    fn add(
        &mut self,
        severity: Severity,
        key: &str,
        line: Option<u64>,
        reason: String,
        remedy: String,
    ) {
        self.all.push(Finding {
            file: self.file.clone(),
            line,
            severity,
            key: key.to_owned(),
            reason,
            remedy,
        });
    }

    /// All of them, by line.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Finding> {
        self.all.sort();
        self.all
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let line = self.line.map(|l| format!(":{l}")).unwrap_or_default();
        let key = if self.key.is_empty() {
            String::new()
        } else {
            format!(" {}:", self.key)
        };
        write!(
            f,
            "{}{line}: {severity}:{key} {}; {}",
            self.file, self.reason, self.remedy
        )
    }
}
