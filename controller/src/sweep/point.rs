//! What one size came to, and the file of them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// A line of the results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Line {
    /// A sweep began; these sizes are to be put back.
    Start {
        /// Milliseconds since the Unix epoch.
        at_ms: u64,
        /// Every cache as it was found.
        found: Vec<FoundSize>,
    },
    /// A size was measured.
    Point(Point),
    /// The sizes were put back.
    PutBack {
        /// Milliseconds since the Unix epoch.
        at_ms: u64,
    },
}

/// The size of a cache before the sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundSize {
    /// The agent's URL.
    pub agent: String,
    /// The TaskManager's process: after its restart the cache is another one.
    pub pid: u32,
    /// Number of the cache.
    pub cache: u64,
    /// Its capacity.
    pub bytes: u64,
}

/// One size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When it was measured, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Capacity of each chosen cache.
    pub bytes: u64,
    /// Whether usage and miss ratio were steady before it was measured.
    pub settled: bool,
    /// How long that took.
    pub settle_seconds: f64,
    /// How long was measured.
    pub window_seconds: f64,
    /// Every chosen operator.
    pub operators: Vec<OperatorPoint>,
}

/// One operator at one size, all subtasks together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorPoint {
    /// Its job.
    pub job_id: String,
    /// Its name.
    pub operator: String,
    /// How many caches it has.
    pub caches: usize,
    /// Miss ratio of its task threads that the curves at the start gave for this size.
    pub predicted: f64,
    /// Lower end of the 90 % band.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Exact hits of its task threads in the window.
    pub hits: u64,
    /// Exact misses.
    pub misses: u64,
    /// Miss ratio that the curves gave for this size at the end of the window: far from `predicted` where the job's work has changed meanwhile.
    #[serde(default)]
    pub curve_after: Option<f64>,
    /// Records per second that its task read, where Flink says.
    #[serde(default)]
    pub records_per_second: Option<f64>,
    /// Records per second that the sources of its job read, where Flink says.
    #[serde(default)]
    pub source_records_per_second: Option<f64>,
}

// === impl OperatorPoint ===

impl OperatorPoint {
    /// Miss ratio by the exact counts; `None` without look-ups.
    #[must_use]
    pub fn measured(&self) -> Option<f64> {
        let lookups = self.hits + self.misses;
        (lookups > 0).then(|| self.misses as f64 / lookups as f64)
    }

    /// Measured less predicted.
    #[must_use]
    pub fn error(&self) -> Option<f64> {
        Some(self.measured()? - self.predicted)
    }
}

/// All lines of a file; none if there is no file yet.
pub fn read(path: &Path) -> anyhow::Result<Vec<Line>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read results {}", path.display()));
        }
    };
    let mut lines = Vec::new();
    let count = text.lines().count();
    for (line, number) in text.lines().zip(1..) {
        match serde_json::from_str(line) {
            Ok(line) => lines.push(line),
            // The last one may have been cut off with the power.
            Err(_) if number == count && !text.ends_with('\n') => {}
            Err(error) => bail!(
                "results {}:{number}: {error}; name another file in the plan",
                path.display()
            ),
        }
    }
    Ok(lines)
}

/// Appends a line.
pub fn append(path: &Path, line: &Line) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        // After a line that was cut off, a new one begins.
        let cut = fs::read(path).is_ok_and(|old| old.last().is_some_and(|b| *b != b'\n'));
        let mut text = if cut { "\n".to_owned() } else { String::new() };
        text.push_str(&serde_json::to_string(line)?);
        text.push('\n');
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        Ok(())
    };
    write().with_context(|| format!("cannot append to results {}", path.display()))
}

/// Sizes that a sweep found and did not put back: it was killed.
#[must_use]
pub fn left_behind(lines: &[Line]) -> Option<&[FoundSize]> {
    lines.iter().rev().find_map(|line| match line {
        Line::PutBack { .. } => Some(None),
        Line::Start { found, .. } => Some(Some(found.as_slice())),
        Line::Point(_) => None,
    })?
}

/// Points that were measured.
pub fn points(lines: &[Line]) -> impl Iterator<Item = &Point> {
    lines.iter().filter_map(|line| match line {
        Line::Point(point) => Some(point),
        _ => None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_and_a_cut_one_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("r.jsonl");
        assert_eq!(read(&path).unwrap(), []);
        let found = FoundSize {
            agent: "http://a:1".to_owned(),
            pid: 7,
            cache: 1,
            bytes: 5,
        };
        let start = Line::Start {
            at_ms: 1,
            found: vec![found.clone()],
        };
        append(&path, &start).unwrap();
        fs::write(
            &path,
            fs::read_to_string(&path).unwrap() + "{\"kind\":\"poi",
        )
        .unwrap();
        assert_eq!(read(&path).unwrap(), std::slice::from_ref(&start));
        assert_eq!(
            left_behind(std::slice::from_ref(&start)),
            Some(&[found][..])
        );
        assert_eq!(left_behind(&[start, Line::PutBack { at_ms: 2 }]), None);
        fs::write(&path, "{\"kind\":\"poi\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("r.jsonl:1:"));
    }
}
