//! One thing the doctor looked at.

use std::fmt;

use serde::Serialize;

/// What was found, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at: `flink`, `controller`, or an agent's URL.
    pub subject: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do; absent where nothing has to be done.
    pub remedy: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// It works, but something cannot be done this way.
    Limit,
    /// Something does not work.
    Fault,
}

// === impl Finding ===

impl Finding {
    /// Nothing to do.
    pub fn fine(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            verdict: Verdict::Fine,
            found: found.into(),
            remedy: None,
        }
    }

    /// Works, within limits.
    pub fn limit(
        subject: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Limit,
            remedy: Some(remedy.into()),
            ..Self::fine(subject, found)
        }
    }

    /// Does not work.
    pub fn fault(
        subject: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Fault,
            remedy: Some(remedy.into()),
            ..Self::fine(subject, found)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Fine => "fine ",
            Verdict::Limit => "limit",
            Verdict::Fault => "FAULT",
        };
        writeln!(f, "{mark} {}: {}", self.subject, self.found)?;
        if let Some(remedy) = &self.remedy {
            writeln!(f, "      {remedy}")?;
        }
        Ok(())
    }
}
