//! What happened to the LSM trees of one database, out of its LOG line by line.
//!
//! Files are followed by number: created by a job, moved, deleted. How many a level has is what RocksDB itself says (`lsm_state`); how
//! many bytes comes from the files that were seen to be created, so a tree that was there before its log began has bytes that are not
//! known until compactions have rewritten it. Memory grows with the flushes and compactions, not with the file.

use std::collections::HashMap;

use serde::Serialize;

use super::line::{Event, EventKind, Line, MOST_LEVELS, Said, Stall};

/// A database's history.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    pub(super) version: Option<String>,
    /// Names of the column families, in the order in which they appeared.
    pub(super) families: Vec<String>,
    pub(super) flushes: Vec<Flush>,
    pub(super) compactions: Vec<Compaction>,
    pub(super) stalls: Vec<StallAt>,
    /// The tree of a column family each time that it changed.
    pub(super) shapes: Vec<Shape>,
    pub(super) files_created: u64,
    pub(super) created_bytes: u64,
    pub(super) files_deleted: u64,
    pub(super) files_moved: u64,
    /// Microseconds since 1970 of the first and the last line that has a time.
    pub(super) span: Option<(u64, u64)>,
    /// Time for which writers were held up, as RocksDB's statistics have it; zero if the log has none.
    pub(super) stalled_micros: u64,
    session: Option<String>,
    /// Of the present session.
    session_stalled_micros: u64,
    /// How far the log's clock is before UTC.
    clock_ahead_micros: i64,
    trees: Vec<Tree>,
    files: HashMap<u64, File>,
    /// Column families of memtables that a job takes.
    taken: HashMap<u64, usize>,
    /// Column family and output level of compactions that begin.
    beginning: HashMap<u64, (usize, usize)>,
    /// Flushes that have not ended, by job: places in `flushes`.
    flushing: HashMap<u64, Vec<usize>>,
    compacting: HashMap<u64, Running>,
}

/// Memtables written to level 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Flush {
    pub(super) family: String,
    pub(super) started_micros: u64,
    /// Not if the log ends before.
    pub(super) finished_micros: Option<u64>,
    pub(super) reason: String,
    pub(super) entries: u64,
    /// Keys and values in the memtables.
    pub(super) data_bytes: u64,
    /// Of the files written.
    pub(super) written_bytes: u64,
}

/// Files merged into files of a level.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Compaction {
    pub(super) family: String,
    pub(super) started_micros: u64,
    pub(super) finished_micros: Option<u64>,
    pub(super) reason: String,
    /// Input files of each level.
    pub(super) input_files_by_level: Vec<u64>,
    pub(super) output_level: usize,
    pub(super) read_bytes: u64,
    pub(super) output_files: u64,
    pub(super) written_bytes: u64,
    pub(super) cpu_micros: u64,
    pub(super) input_records: u64,
    pub(super) output_records: u64,
}

/// Writers held up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct StallAt {
    pub(super) at_micros: u64,
    pub(super) family: String,
    /// `true` stopped, `false` slowed down.
    pub(super) stop: bool,
    pub(super) reason: String,
}

/// The tree of a column family at a moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    pub(super) at_micros: u64,
    /// Place of the column family in [`Timeline::families`].
    pub(super) family: usize,
    pub(super) levels: Levels,
}

/// Files and bytes of each level, as far down as there are any.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Levels {
    pub(super) files: Vec<u64>,
    /// Of the files whose size is known.
    pub(super) bytes: Vec<u64>,
    /// Files whose size is not known: they are older than the log.
    pub(super) files_of_unknown_size: u64,
}

/// What is known of a tree's files.
#[derive(Debug, Default)]
struct Tree {
    /// As RocksDB said last.
    said: Vec<u64>,
    files: Vec<u64>,
    bytes: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct File {
    tree: usize,
    level: usize,
    bytes: u64,
}

/// A compaction under way.
#[derive(Debug)]
struct Running {
    place: usize,
    inputs: Vec<u64>,
    /// Created by it.
    outputs: Vec<(u64, u64)>,
}

// === impl Timeline ===

impl Timeline {
    /// Takes the next line.
    pub(super) fn take(&mut self, line: Line) {
        let at = line.local_micros.map(|local| self.utc(local));
        match line.said {
            Said::Other => {}
            Said::Version(version) => self.version = Some(version),
            Said::Session(session) => self.open(session),
            Said::FlushOf { job, family } => {
                let family = self.family(&family);
                self.taken.insert(job, family);
            }
            Said::CompactionOf {
                job,
                family,
                output_level,
            } => {
                let family = self.family(&family);
                self.beginning.insert(job, (family, output_level));
            }
            Said::Moved {
                family,
                file,
                level,
            } => {
                let family = self.family(&family);
                self.moved(family, file, level);
                self.files_moved += 1;
                if let Some(at) = at {
                    self.remember(at, family);
                }
            }
            Said::Stall(Stall {
                family,
                stop,
                reason,
            }) => self.stalls.push(StallAt {
                at_micros: at.unwrap_or_default(),
                family,
                stop,
                reason,
            }),
            Said::CumulativeStall(time) => {
                let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                let more = micros.saturating_sub(self.session_stalled_micros);
                self.stalled_micros = self.stalled_micros.saturating_add(more);
                self.session_stalled_micros = self.session_stalled_micros.max(micros);
            }
            Said::Event(event) => {
                if let Some(local) = line.local_micros {
                    self.set_clock(local, event.at_micros);
                }
                self.see(event.at_micros);
                self.event(event);
                return;
            }
        }
        if let Some(at) = at {
            self.see(at);
        }
    }

    /// Flushes and compactions that did not end in the log.
    pub(super) fn unfinished(&self) -> usize {
        let flushes = self.flushes.iter().map(|f| f.finished_micros);
        let compactions = self.compactions.iter().map(|c| c.finished_micros);
        flushes.chain(compactions).filter(Option::is_none).count()
    }

    /// The trees at the end of the log.
    pub(super) fn last_levels(&self, family: usize) -> Levels {
        let of_family = |shape: &&Shape| shape.family == family;
        let last = self.shapes.iter().rev().find(of_family);
        last.map(|shape| shape.levels.clone()).unwrap_or_default()
    }

    fn open(&mut self, session: String) {
        if self.session.as_ref() != Some(&session) {
            // Jobs of the former session have ended with it, and numbers begin anew. The files are still there.
            self.taken.clear();
            self.beginning.clear();
            self.flushing.clear();
            self.compacting.clear();
            self.session_stalled_micros = 0;
            self.session = Some(session);
        }
    }

    fn event(&mut self, event: Event) {
        let (at, job) = (event.at_micros, event.job);
        match event.kind {
            EventKind::FlushStarted {
                data_bytes,
                entries,
                reason,
            } => {
                let family = self.taken.remove(&job);
                let name = family.map(|family| self.families[family].clone());
                self.flushing
                    .entry(job)
                    .or_default()
                    .push(self.flushes.len());
                self.flushes.push(Flush {
                    family: name.unwrap_or_default(),
                    started_micros: at,
                    finished_micros: None,
                    reason,
                    entries,
                    data_bytes,
                    written_bytes: 0,
                });
            }
            EventKind::FlushFinished { files_by_level } => self.flushed(at, job, files_by_level),
            EventKind::CompactionStarted {
                reason,
                inputs,
                input_bytes,
            } => {
                let (family, output_level) = match self.beginning.remove(&job) {
                    Some((family, level)) => (self.families[family].clone(), level),
                    None => (String::new(), 0),
                };
                let mut input_files_by_level = Vec::new();
                for (level, _) in &inputs {
                    *at_level(&mut input_files_by_level, *level) += 1;
                }
                let running = Running {
                    place: self.compactions.len(),
                    inputs: inputs.into_iter().map(|(_, file)| file).collect(),
                    outputs: Vec::new(),
                };
                self.compacting.insert(job, running);
                self.compactions.push(Compaction {
                    family,
                    started_micros: at,
                    finished_micros: None,
                    reason,
                    input_files_by_level,
                    output_level,
                    read_bytes: input_bytes,
                    output_files: 0,
                    written_bytes: 0,
                    cpu_micros: 0,
                    input_records: 0,
                    output_records: 0,
                });
            }
            EventKind::CompactionFinished {
                output_level,
                output_bytes,
                cpu_micros,
                input_records,
                output_records,
                files_by_level,
            } => {
                let Some(running) = self.compacting.remove(&job) else {
                    return;
                };
                let compaction = &mut self.compactions[running.place];
                compaction.finished_micros = Some(at);
                compaction.output_level = output_level;
                compaction.output_files = running.outputs.len() as u64;
                compaction.written_bytes = output_bytes;
                compaction.cpu_micros = cpu_micros;
                compaction.input_records = input_records;
                compaction.output_records = output_records;
                let family = compaction.family.clone();
                let family = self.family(&family);
                self.compacted(family, &running, output_level, files_by_level);
                self.remember(at, family);
            }
            EventKind::FileCreated {
                family,
                file,
                bytes,
            } => self.created(job, &family, file, bytes),
            EventKind::FileDeleted { file } => {
                self.files_deleted += 1;
                // Still in a tree: no compaction took it; its column family was dropped, or its range deleted.
                if let Some(known) = self.files.get(&file).copied() {
                    self.forget(file);
                    let said = at_level(&mut self.trees[known.tree].said, known.level);
                    *said = said.saturating_sub(1);
                    self.remember(at, known.tree);
                }
            }
            EventKind::Other => {}
        }
    }

    fn flushed(&mut self, at: u64, job: u64, files_by_level: Vec<u64>) {
        // Flushes of a job end in the order in which they began.
        let Some(places) = self.flushing.get_mut(&job) else {
            return;
        };
        let place = places.remove(0);
        if places.is_empty() {
            self.flushing.remove(&job);
        }
        let flush = &mut self.flushes[place];
        flush.finished_micros = Some(at);
        let family = flush.family.clone();
        let family = self.family(&family);
        self.trees[family].said = files_by_level;
        self.remember(at, family);
    }

    fn created(&mut self, job: u64, family: &str, file: u64, bytes: u64) {
        self.files_created += 1;
        self.created_bytes = self.created_bytes.saturating_add(bytes);
        let tree = self.family(family);
        if let Some(running) = self.compacting.get_mut(&job) {
            let compaction = &mut self.compactions[running.place];
            compaction.written_bytes = compaction.written_bytes.saturating_add(bytes);
            if compaction.family.is_empty() {
                family.clone_into(&mut compaction.family);
            }
            // Part of the tree only when the compaction ends.
            running.outputs.push((file, bytes));
            return;
        }
        for place in self.flushing.get(&job).into_iter().flatten() {
            let flush = &mut self.flushes[*place];
            if flush.family.is_empty() {
                family.clone_into(&mut flush.family);
            }
            if flush.family == family {
                flush.written_bytes = flush.written_bytes.saturating_add(bytes);
            }
        }
        self.add(
            file,
            File {
                tree,
                level: 0,
                bytes,
            },
        );
    }

    /// Puts the files of a compaction in place, unless RocksDB's own count says that it came to nothing.
    fn compacted(
        &mut self,
        tree: usize,
        running: &Running,
        output_level: usize,
        files_by_level: Vec<u64>,
    ) {
        let same = |files: &[u64], other: &[u64]| {
            let levels = files.len().max(other.len());
            (0..levels).all(|l| files.get(l).unwrap_or(&0) == other.get(l).unwrap_or(&0))
        };
        let before = &self.trees[tree].files;
        let mut after = before.clone();
        for file in &running.inputs {
            if let Some(known) = self.files.get(file) {
                let files = at_level(&mut after, known.level);
                *files = files.saturating_sub(1);
            }
        }
        *at_level(&mut after, output_level) += running.outputs.len() as u64;
        let nothing_changed = !same(&after, &files_by_level) && same(before, &files_by_level);
        if !nothing_changed {
            for file in &running.inputs {
                self.forget(*file);
            }
            for (file, bytes) in &running.outputs {
                let (level, bytes) = (output_level, *bytes);
                self.add(*file, File { tree, level, bytes });
            }
        }
        self.trees[tree].said = files_by_level;
    }

    fn moved(&mut self, tree: usize, file: u64, level: usize) {
        let Some(known) = self.files.get(&file).copied() else {
            return;
        };
        self.forget(file);
        self.add(file, File { level, ..known });
        let said = &mut self.trees[tree].said;
        let from = at_level(said, known.level);
        *from = from.saturating_sub(1);
        *at_level(said, level) += 1;
    }

    fn add(&mut self, number: u64, file: File) {
        self.forget(number);
        let tree = &mut self.trees[file.tree];
        *at_level(&mut tree.files, file.level) += 1;
        let bytes = at_level(&mut tree.bytes, file.level);
        *bytes = bytes.saturating_add(file.bytes);
        self.files.insert(number, file);
    }

    fn forget(&mut self, number: u64) {
        if let Some(file) = self.files.remove(&number) {
            let tree = &mut self.trees[file.tree];
            let files = at_level(&mut tree.files, file.level);
            *files = files.saturating_sub(1);
            let bytes = at_level(&mut tree.bytes, file.level);
            *bytes = bytes.saturating_sub(file.bytes);
        }
    }

    fn remember(&mut self, at_micros: u64, family: usize) {
        let tree = &self.trees[family];
        let mut levels = Levels {
            files: tree.said.clone(),
            bytes: tree.bytes.clone(),
            files_of_unknown_size: 0,
        };
        let known = |level: usize| tree.files.get(level).copied().unwrap_or(0);
        let said = levels.files.iter().enumerate();
        levels.files_of_unknown_size = said
            .map(|(level, files)| files.saturating_sub(known(level)))
            .fold(0, u64::saturating_add);
        levels.trim();
        self.shapes.push(Shape {
            at_micros,
            family,
            levels,
        });
    }

    /// Its place.
    fn family(&mut self, name: &str) -> usize {
        let place = self.families.iter().position(|known| known == name);
        place.unwrap_or_else(|| {
            self.families.push(name.to_owned());
            self.trees.push(Tree::default());
            self.families.len() - 1
        })
    }

    fn see(&mut self, at: u64) {
        let (first, last) = self.span.unwrap_or((at, at));
        self.span = Some((first.min(at), last.max(at)));
    }

    /// Learns from an event, which has UTC, how far the log's clock is from it.
    fn set_clock(&mut self, local_micros: u64, utc_micros: u64) {
        const QUARTER: i64 = 15 * 60 * 1_000_000;
        let ahead = (local_micros as i64).saturating_sub(utc_micros as i64);
        // Time zones are whole quarters of an hour apart; the rest is the time that writing takes.
        let quarters = (ahead as f64 / QUARTER as f64).round() as i64;
        if quarters.abs() <= 4 * 24 {
            self.clock_ahead_micros = quarters * QUARTER;
        }
    }

    fn utc(&self, local_micros: u64) -> u64 {
        local_micros.saturating_add_signed(-self.clock_ahead_micros)
    }
}

// === impl Levels ===

impl Levels {
    /// Adds another tree.
    pub(super) fn add(&mut self, other: &Self) {
        for (level, files) in other.files.iter().enumerate() {
            let sum = at_level(&mut self.files, level);
            *sum = sum.saturating_add(*files);
        }
        for (level, bytes) in other.bytes.iter().enumerate() {
            let sum = at_level(&mut self.bytes, level);
            *sum = sum.saturating_add(*bytes);
        }
        let unknown = self.files_of_unknown_size;
        self.files_of_unknown_size = unknown.saturating_add(other.files_of_unknown_size);
    }

    /// Of all levels.
    pub(super) fn total_bytes(&self) -> u64 {
        self.bytes.iter().copied().fold(0, u64::saturating_add)
    }

    fn trim(&mut self) {
        let in_use = |numbers: &[u64]| numbers.iter().rposition(|n| *n > 0).map_or(0, |l| l + 1);
        let levels = in_use(&self.files).max(in_use(&self.bytes));
        self.files.resize(levels, 0);
        self.bytes.resize(levels, 0);
    }
}

/// The number of a level, which may not have been seen yet.
fn at_level(numbers: &mut Vec<u64>, level: usize) -> &mut u64 {
    let level = level.min(MOST_LEVELS - 1);
    if numbers.len() <= level {
        numbers.resize(level + 1, 0);
    }
    &mut numbers[level]
}
