//! The LOG files: found, put in order, read line by line.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use super::line::Line;
use super::timeline::Timeline;
use crate::Failure;
use crate::mrc::progress::Progress;

/// A line of a compaction lists its input files, which may be thousands.
const LONGEST_LINE: usize = 16 << 20;
/// Folders within folders at most: state directories of Flink have four.
const DEEPEST: usize = 12;
/// Lines that are told of each log; more are counted.
const MOST_WARNINGS: usize = 5;

/// The log of one database: one file, or several that RocksDB began one after the other.
#[derive(Debug)]
pub(super) struct Log {
    /// The path of the newest file.
    pub(super) name: String,
    /// In the order in which they were written.
    pub(super) files: Vec<PathBuf>,
}

/// A log that was read.
#[derive(Debug)]
pub(super) struct ReadLog {
    pub(super) name: String,
    pub(super) files: Vec<String>,
    pub(super) timeline: Timeline,
    /// Events that could not be read, with file and line; the first few.
    pub(super) warnings: Vec<String>,
    pub(super) broken_lines: u64,
}

/// The logs among these files and folders.
pub(super) fn find(places: &[PathBuf]) -> Result<Vec<Log>, Failure> {
    let mut by_log: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for place in places {
        let metadata = fs::metadata(place)
            .with_context(|| format!("cannot open log {}", place.display()))
            .map_err(Failure::Failed)?;
        let mut files = Vec::new();
        if metadata.is_dir() {
            walk(place, DEEPEST, &mut files)?;
            if files.is_empty() {
                return Err(Failure::Failed(anyhow!(
                    "{}: no file named LOG, LOG.old.*, *_LOG or *_LOG.old.* in it",
                    place.display()
                )));
            }
        } else {
            files.push(place.clone());
        }
        for file in files {
            let of_log = by_log.entry(newest(&file)).or_default();
            if !of_log.contains(&file) {
                of_log.push(file);
            }
        }
    }
    let logs = by_log.into_iter().map(|(newest, mut files)| {
        files.sort_by_key(|file| retired(file).unwrap_or(u64::MAX));
        let name = newest.display().to_string();
        Log { name, files }
    });
    Ok(logs.collect())
}

/// Reads all files of a log.
pub(super) fn read(log: Log) -> Result<ReadLog, Failure> {
    let mut read = ReadLog {
        name: log.name,
        files: log.files.iter().map(|f| f.display().to_string()).collect(),
        timeline: Timeline::default(),
        warnings: Vec::new(),
        broken_lines: 0,
    };
    for path in &log.files {
        read.file(path)?;
    }
    Ok(read)
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let context = || format!("cannot look into {}", folder.display());
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let kind = entry.file_type().with_context(context)?;
        if kind.is_dir() && depth > 0 {
            walk(&entry.path(), depth - 1, files)?;
        } else if kind.is_file() && is_log(&entry.file_name().to_string_lossy()) {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// RocksDB's own names: `LOG` beside the files, or the database's path with underscores in a folder of logs.
fn is_log(name: &str) -> bool {
    let name = match name.split_once("LOG.old.") {
        Some((before, retired)) if retired.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{before}LOG")
        }
        _ => name.to_owned(),
    };
    name == "LOG" || name.ends_with("_LOG")
}

/// When a file was put aside, in microseconds; the newest was not.
fn retired(file: &Path) -> Option<u64> {
    let name = file.file_name()?.to_str()?;
    name.rsplit_once(".old.")?.1.parse().ok()
}

/// The newest file of the log that this one belongs to.
fn newest(file: &Path) -> PathBuf {
    if retired(file).is_none() {
        return file.to_owned();
    }
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let (name, _) = name.rsplit_once(".old.").unwrap_or((&name, ""));
    file.with_file_name(name)
}

// === impl ReadLog ===

impl ReadLog {
    fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let name = path.display().to_string();
        let context = || format!("cannot read log {name}");
        let file = File::open(path).with_context(context)?;
        let total = file.metadata().with_context(context)?.len();
        let mut input = BufReader::with_capacity(1 << 20, file);
        let mut progress = Progress::new(format!("reading {name}"));
        let (mut number, mut done) = (0_u64, 0_u64);
        let mut recognised = false;
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let length = (&mut input)
                .take(LONGEST_LINE as u64)
                .read_until(b'\n', &mut bytes)
                .with_context(|| format!("cannot read log {name}, after line {number}"))?;
            if length == 0 {
                break;
            }
            number += 1;
            done += length as u64;
            progress.update(done, Some(total), || format!("line {number}"));
            let whole = bytes.last() == Some(&b'\n');
            if !whole && length == LONGEST_LINE {
                self.broken(format!(
                    "{name}, line {number}: longer than 16 MiB; skipped"
                ));
                done += input.skip_until(b'\n').with_context(context)? as u64;
                continue;
            }
            let text = String::from_utf8_lossy(&bytes);
            match Line::parse(text.trim_end_matches(['\n', '\r'])) {
                Ok(line) => {
                    recognised |= line.local_micros.is_some();
                    self.timeline.take(line);
                }
                // RocksDB was writing it, or was killed.
                Err(_) if !whole => recognised = true,
                Err(error) => {
                    recognised = true;
                    let event = format!("{name}, line {number}: an event that cannot be read");
                    self.broken(format!("{event}: {error}"));
                }
            }
        }
        if number > 0 && !recognised {
            return Err(Failure::Failed(anyhow!(
                "{name}, line 1: not RocksDB's LOG; none of its {number} lines begins with a time such as 2026/11/28-20:32:24.841818"
            )));
        }
        Ok(())
    }

    fn broken(&mut self, warning: String) {
        self.broken_lines += 1;
        if self.warnings.len() < MOST_WARNINGS {
            self.warnings.push(warning);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retired_files_belong_to_the_newest_and_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("db");
        fs::create_dir(&db).unwrap();
        for name in [
            "LOG",
            "LOG.old.20",
            "LOG.old.3",
            "LOG.old.x",
            "CATALOG",
            "MANIFEST-1",
        ] {
            fs::write(db.join(name), "").unwrap();
        }
        fs::write(folder.path().join("tmp_db_LOG"), "").unwrap();
        let found = find(&[folder.path().to_owned(), db.join("LOG")]).unwrap();
        let names: Vec<Vec<_>> = found
            .iter()
            .map(|log| log.files.iter().map(|f| f.file_name().unwrap()).collect())
            .collect();
        assert_eq!(
            names,
            [vec!["LOG.old.3", "LOG.old.20", "LOG"], vec!["tmp_db_LOG"]]
        );
        let error = find(&[folder.path().join("nowhere")]).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
