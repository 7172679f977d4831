//! The history file: JSON Lines, appended and synced line by line, so that a kill at any moment loses at most the last one.
//!
//! A plan is written before it is carried out, its outcome after. A torn last line is cut off at the next start. At the size limit
//! the file becomes `FILE.1` and the new one starts with everything that is needed to resume.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use weir_scaling::{History, Plan, ShapeChange, Snapshot};

use crate::act::Outcome;
use crate::effect::RealisedEffect;
use crate::memory::{Memory, RememberedSize};
use crate::rescale::RescaleOutcome;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Line {
    /// A controller started.
    Started {
        /// Milliseconds since the Unix epoch, as in every line.
        at_ms: u64,
        /// Version of the controller.
        version: String,
        /// Name of the policy.
        policy: String,
        /// What it may change.
        act: Vec<String>,
    },
    /// What was known when the file was begun.
    Remembered {
        /// When.
        at_ms: u64,
        /// Sizes in force.
        sizes: Vec<RememberedSize>,
        /// Last changes.
        history: History,
        /// Number of the next decision.
        next_decision: u64,
    },
    /// A decision: written when it acts, or when its verdict is not the last one's.
    Decision {
        /// When.
        at_ms: u64,
        /// Number of the decision.
        decision: u64,
        /// Whether the plan is about to be carried out.
        acting: bool,
        /// What it was based on; replayable.
        snapshot: Snapshot,
        /// What was decided, and why.
        plan: Plan,
    },
    /// What became of a plan for one TaskManager.
    Outcome {
        /// When.
        at_ms: u64,
        /// Number of the decision.
        decision: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// A change of a job's shape, and what became of it.
    Shape {
        /// When.
        at_ms: u64,
        /// Number of the decision.
        decision: u64,
        /// The change.
        change: ShapeChange,
        /// What became of it.
        outcome: RescaleOutcome,
    },
    /// What a change really did.
    Effect {
        /// When.
        at_ms: u64,
        /// Prediction and measurement.
        effect: RealisedEffect,
    },
}

/// The open file.
#[derive(Debug)]
pub struct HistoryFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    max_bytes: u64,
}

// === impl HistoryFile ===

impl HistoryFile {
    /// Opens or begins a history, and replays what it says.
    pub fn open(path: &Path, max_bytes: u64) -> anyhow::Result<(Self, Memory)> {
        let mut memory = Memory::default();
        let rotated = rotated(path);
        if rotated.exists() {
            let file = File::open(&rotated)
                .with_context(|| format!("cannot read the history {}", rotated.display()))?;
            replay(&file, &rotated, &mut memory)?;
        }
        let mut file = begin(path)?;
        let bytes = replay(&file, path, &mut memory)?;
        let length = file.metadata()?.len();
        if bytes < length {
            tracing::warn!(
                "the last line of {} is torn ({} bytes) and cut off: the controller was killed while writing it",
                path.display(),
                length - bytes
            );
            file.set_len(bytes)?;
        }
        file.seek(SeekFrom::End(0))?;
        let history = Self {
            path: path.to_owned(),
            file,
            bytes,
            max_bytes,
        };
        Ok((history, memory))
    }

    /// Appends a line and waits until it is on disk.
    pub fn append(&mut self, line: &Line, memory: &Memory) -> anyhow::Result<()> {
        let written = self.write(line);
        let written = written.and_then(|()| self.rotate_if_full(memory));
        written.with_context(|| format!("cannot write the history {}", self.path.display()))
    }

    fn write(&mut self, line: &Line) -> anyhow::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        if let Err(error) = self
            .file
            .write_all(&text)
            .and_then(|()| self.file.sync_data())
        {
            // Half a line must not be glued to the next one.
            self.file.set_len(self.bytes)?;
            self.file.seek(SeekFrom::End(0))?;
            return Err(error.into());
        }
        self.bytes += text.len() as u64;
        Ok(())
    }

    fn rotate_if_full(&mut self, memory: &Memory) -> anyhow::Result<()> {
        if self.bytes < self.max_bytes {
            return Ok(());
        }
        std::fs::rename(&self.path, rotated(&self.path))?;
        self.file = begin(&self.path)?;
        self.bytes = 0;
        self.write(&memory.line(crate::clock::now_ms()))
    }
}

/// Opens the file, creating it if need be, and takes the lock that keeps a second controller out.
fn begin(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let file = options
        .open(path)
        .with_context(|| format!("cannot open the history {}", path.display()))?;
    if file.try_lock().is_err() {
        bail!(
            "the history {} is in use by another controller; stop it, or give this one a file of its own",
            path.display()
        );
    }
    // The name of a new file must survive a power cut, too.
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(file)
}

fn rotated(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

/// Feeds every whole line to the memory; returns how many bytes they are. A line that cannot be read is reported and skipped.
fn replay(file: &File, path: &Path, memory: &mut Memory) -> anyhow::Result<u64> {
    let mut reader = BufReader::new(file);
    let mut bytes = 0;
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        reader.read_until(b'\n', &mut text)?;
        if text.last() != Some(&b'\n') {
            break;
        }
        bytes += text.len() as u64;
        match serde_json::from_slice::<Line>(&text) {
            Ok(line) => memory.replay(&line),
            Err(error) => tracing::warn!("line {number} of {} is skipped: {error}", path.display()),
        }
    }
    Ok(bytes)
}
