//! One line of RocksDB's LOG: what it says, if it says anything of the LSM tree.
//!
//! ```text
//! 2026/11/28-20:32:25.155337 7f4796dff6c0 [/compaction/compaction_job.cc:1916] [default] [JOB 8] Compacting 4@0 files to L1, score 1.00
//! 2026/11/28-20:32:25.155352 7f4796dff6c0 EVENT_LOG_v1 {"time_micros": 1795897945155344, "job": 8, "event": "compaction_started", ...}
//! ```
//!
//! Lines that go through RocksDB's log buffer have a second time in brackets. Most lines say nothing of the tree: options, statistics,
//! messages of other parts; they are not an error. Seen on RocksDB 6.20.3 and 8.10.0.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

/// RocksDB has 7 levels by default; a number beyond this is none of a level.
pub(super) const MOST_LEVELS: usize = 64;
const EVENT: &str = "EVENT_LOG_v1 ";

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// Nothing that is needed here; with the time at its head, if it has one.
    Other,
    Version(String),
    /// Another one than before: the database was opened again, and numbers of jobs begin anew.
    Session(String),
    /// A flush job takes a memtable of this column family; its `flush_started` follows.
    FlushOf {
        job: u64,
        family: String,
    },
    /// Its `compaction_started` follows.
    CompactionOf {
        job: u64,
        family: String,
        output_level: usize,
    },
    /// A file goes down without being rewritten.
    Moved {
        family: String,
        file: u64,
        level: usize,
    },
    Stall(Stall),
    /// Time for which writers were held up since the database was opened; no time of its own.
    CumulativeStall(Duration),
    Event(Event),
}

/// Writers are held up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stall {
    pub(super) family: String,
    /// Stopped; else slowed down.
    pub(super) stop: bool,
    /// In RocksDB's words, such as `we have 2 immutable memtables (waiting for flush)`.
    pub(super) reason: String,
}

/// A line and its time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// The time at its head as microseconds since 1970, as if the log's clock were UTC.
    pub(super) local_micros: Option<u64>,
    pub(super) said: Said,
}

/// An event: a line of JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// Microseconds since 1970, UTC.
    pub(super) at_micros: u64,
    pub(super) job: u64,
    pub(super) kind: EventKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum EventKind {
    FlushStarted {
        /// Keys and values in the memtables.
        data_bytes: u64,
        entries: u64,
        reason: String,
    },
    FlushFinished {
        files_by_level: Vec<u64>,
    },
    CompactionStarted {
        reason: String,
        /// Level and number of each file.
        inputs: Vec<(usize, u64)>,
        input_bytes: u64,
    },
    CompactionFinished {
        output_level: usize,
        output_bytes: u64,
        cpu_micros: u64,
        input_records: u64,
        output_records: u64,
        files_by_level: Vec<u64>,
    },
    FileCreated {
        family: String,
        file: u64,
        bytes: u64,
    },
    FileDeleted {
        file: u64,
    },
    Other,
}

/// The members of all events that are read here.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Members<'a> {
    time_micros: u64,
    job: u64,
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    cf_name: Cow<'a, str>,
    file_number: u64,
    file_size: u64,
    total_data_size: u64,
    num_entries: u64,
    #[serde(borrow)]
    flush_reason: Cow<'a, str>,
    #[serde(borrow)]
    compaction_reason: Cow<'a, str>,
    input_data_size: u64,
    output_level: usize,
    total_output_size: u64,
    compaction_time_cpu_micros: u64,
    num_input_records: u64,
    num_output_records: u64,
    lsm_state: Vec<u64>,
}

impl Default for Members<'_> {
    fn default() -> Self {
        Self {
            time_micros: 0,
            job: 0,
            event: Cow::Borrowed(""),
            cf_name: Cow::Borrowed(""),
            file_number: 0,
            file_size: 0,
            total_data_size: 0,
            num_entries: 0,
            flush_reason: Cow::Borrowed(""),
            compaction_reason: Cow::Borrowed(""),
            input_data_size: 0,
            output_level: 0,
            total_output_size: 0,
            compaction_time_cpu_micros: 0,
            num_input_records: 0,
            num_output_records: 0,
            lsm_state: Vec::new(),
        }
    }
}

// === impl Line ===

impl Line {
    /// Reads a line without its end. The error says what is wrong with an event's JSON; anything else is some line or other.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let other = |local_micros| Self {
            local_micros,
            said: Said::Other,
        };
        let Some((head, rest)) = head(line) else {
            let said = cumulative_stall(line).map_or(Said::Other, Said::CumulativeStall);
            return Ok(Self {
                local_micros: None,
                said,
            });
        };
        // The thread.
        let Some((_, rest)) = rest.split_once(' ') else {
            return Ok(other(Some(head)));
        };
        let (local_micros, rest) = original_time(rest).unwrap_or((head, rest));
        let said = match rest.strip_prefix(EVENT) {
            Some(json) => Said::Event(Event::parse(json)?),
            None => message(rest).unwrap_or(Said::Other),
        };
        Ok(Self {
            local_micros: Some(local_micros),
            said,
        })
    }
}

// === impl Event ===

impl Event {
    fn parse(json: &str) -> Result<Self, String> {
        let repaired = repaired(json);
        let json = &*repaired;
        let members: Members<'_> = serde_json::from_str(json).map_err(|e| e.to_string())?;
        if members.time_micros == 0 {
            return Err("no time_micros in it".to_owned());
        }
        let kind = match &*members.event {
            "flush_started" => EventKind::FlushStarted {
                data_bytes: members.total_data_size,
                entries: members.num_entries,
                reason: members.flush_reason.into_owned(),
            },
            "flush_finished" => EventKind::FlushFinished {
                files_by_level: levels(members.lsm_state),
            },
            "compaction_started" => EventKind::CompactionStarted {
                reason: members.compaction_reason.into_owned(),
                inputs: inputs(json)?,
                input_bytes: members.input_data_size,
            },
            "compaction_finished" => EventKind::CompactionFinished {
                output_level: members.output_level.min(MOST_LEVELS - 1),
                output_bytes: members.total_output_size,
                cpu_micros: members.compaction_time_cpu_micros,
                input_records: members.num_input_records,
                output_records: members.num_output_records,
                files_by_level: levels(members.lsm_state),
            },
            "table_file_creation" => EventKind::FileCreated {
                family: members.cf_name.into_owned(),
                file: members.file_number,
                bytes: members.file_size,
            },
            "table_file_deletion" => EventKind::FileDeleted {
                file: members.file_number,
            },
            _ => EventKind::Other,
        };
        Ok(Self {
            at_micros: members.time_micros,
            job: members.job,
            kind,
        })
    }
}

/// RocksDB writes names of column families, which are a user's names of states, as they are: a quotation mark or a backslash in them makes
/// JSON that is none. A text ends where another member or the object's end follows.
fn repaired(json: &str) -> Cow<'_, str> {
    const BEGINS: &str = ": \"";
    let mut repaired = String::new();
    let mut rest = json;
    while let Some(at) = rest.find(BEGINS) {
        let (before, text) = rest.split_at(at + BEGINS.len());
        let mut quotes = text.match_indices('"').map(|(at, _)| at);
        let end = quotes.find(|at| follows_a_text(&text[at + 1..]));
        let (text, after) = text.split_at(end.unwrap_or(text.len()));
        repaired.push_str(before);
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                repaired.push('\\');
            }
            repaired.push(c);
        }
        rest = after;
    }
    if repaired.len() + rest.len() == json.len() {
        return Cow::Borrowed(json);
    }
    repaired.push_str(rest);
    Cow::Owned(repaired)
}

/// The end of an object, or `, "member": `.
fn follows_a_text(rest: &str) -> bool {
    if let Some(rest) = rest.trim_start().strip_prefix('}') {
        return rest.trim_start().is_empty() || rest.starts_with([',', '}']);
    }
    let member = rest.strip_prefix(", \"").and_then(|r| r.split_once("\": "));
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    member.is_some_and(|(name, _)| is_name(name))
}

fn levels(mut files: Vec<u64>) -> Vec<u64> {
    files.truncate(MOST_LEVELS);
    files
}

/// Input files of a compaction: a member for each level, such as `"files_L0": [15, 13]`.
fn inputs(json: &str) -> Result<Vec<(usize, u64)>, String> {
    let members: Map<String, Value> = serde_json::from_str(json).map_err(|e| e.to_string())?;
    let mut inputs = Vec::new();
    for (name, files) in &members {
        let level = name.strip_prefix("files_L").and_then(|l| level(l).ok());
        if let (Some(level), Some(files)) = (level, files.as_array()) {
            inputs.extend(files.iter().filter_map(Value::as_u64).map(|f| (level, f)));
        }
    }
    Ok(inputs)
}

fn level(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(level) if level < MOST_LEVELS => Ok(level),
        _ => Err(format!("`{text}` is no level")),
    }
}

/// What a message of a part of RocksDB's says, without its time and thread.
fn message(text: &str) -> Option<Said> {
    if let Some(version) = text.strip_prefix("RocksDB version:") {
        return Some(Said::Version(version.trim().to_owned()));
    }
    if let Some(session) = text.strip_prefix("DB Session ID:") {
        return Some(Said::Session(session.trim().to_owned()));
    }
    let text = text.strip_prefix("[WARN] ").unwrap_or(text);
    // The source file and line.
    let text = text.strip_prefix('[')?.split_once("] ")?.1;
    let named = text.strip_prefix('[')?;
    if let Some((family, rest)) = named.split_once("] [JOB ") {
        let (job, doing) = rest.split_once("] ")?;
        return of_job(family, job.parse().ok()?, doing);
    }
    if let Some((family, rest)) = named.split_once("] Moving #") {
        let (file, rest) = rest.split_once(" to level-")?;
        return Some(Said::Moved {
            family: family.to_owned(),
            file: file.parse().ok()?,
            level: level(rest.split(' ').next()?).ok()?,
        });
    }
    for (begins, stop) in [
        ("] Stopping writes because ", true),
        ("] Stalling writes because ", false),
    ] {
        if let Some((family, reason)) = named.split_once(begins) {
            return Some(Said::Stall(Stall {
                family: family.to_owned(),
                stop,
                // `..., max_write_buffer_number is set to 2`, `... rate 16777216`: settings, no reason.
                reason: reason.split([',', ';']).next()?.trim().to_owned(),
            }));
        }
    }
    None
}

fn of_job(family: &str, job: u64, doing: &str) -> Option<Said> {
    let family = family.to_owned();
    if doing.starts_with("Flushing memtable") {
        return Some(Said::FlushOf { job, family });
    }
    let (_, to) = doing
        .strip_prefix("Compacting ")?
        .split_once(" files to L")?;
    let output_level = level(to.split(',').next()?).ok()?;
    Some(Said::CompactionOf {
        job,
        family,
        output_level,
    })
}

/// `Cumulative stall: 00:00:0.402 H:M:S, 20.0 percent`, a line of the statistics.
fn cumulative_stall(line: &str) -> Option<Duration> {
    let time = line.strip_prefix("Cumulative stall: ")?.split(' ').next()?;
    let mut parts = time.split(':');
    let hours: u32 = parts.next()?.parse().ok()?;
    let minutes: u32 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    let seconds = f64::from(hours) * 3600.0 + f64::from(minutes) * 60.0 + seconds;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The time at the head of a line, and what follows it.
fn head(line: &str) -> Option<(u64, &str)> {
    const PATTERN: &[u8] = b"0000/00/00-00:00:00.000000 ";
    let bytes = line.as_bytes();
    let fits = bytes.len() >= PATTERN.len()
        && bytes.iter().zip(PATTERN).all(|(byte, like)| match like {
            b'0' => byte.is_ascii_digit(),
            exactly => byte == exactly,
        });
    if !fits {
        return None;
    }
    let number = |from: usize, to: usize| -> u64 {
        let digits = bytes[from..to].iter();
        digits.fold(0, |n, digit| n * 10 + u64::from(digit - b'0'))
    };
    let days = days_since_1970(number(0, 4), number(5, 7), number(8, 10))?;
    let seconds = ((days * 24 + number(11, 13)) * 60 + number(14, 16)) * 60 + number(17, 19);
    let micros = seconds * 1_000_000 + number(20, 26);
    Some((micros, &line[PATTERN.len()..]))
}

/// `(Original Log Time 2026/11/28-20:32:24.921086) ...`: when a buffered line was written.
fn original_time(text: &str) -> Option<(u64, &str)> {
    let inside = text.strip_prefix("(Original Log Time ")?;
    let (time, rest) = inside.split_once(") ")?;
    Some((head(&format!("{time} "))?.0, rest))
}

/// Days of the Gregorian calendar.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin in March: the leap day is the last of them.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let before = year * 365 + leap_days(year) + (month * 153 + 2) / 5 + day - 1;
    // The first of March of the year 0 to the first of January 1970.
    before.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Said {
        Line::parse(line).unwrap().said
    }

    #[test]
    fn times_are_counted_from_1970() {
        for (date, days) in [
            ((1970, 1, 1), Some(0)),
            ((2000, 2, 29), Some(11_016)),
            ((2000, 3, 1), Some(11_017)),
            ((2026, 11, 28), Some(20_785)),
            ((1969, 12, 31), None),
            ((2026, 13, 1), None),
        ] {
            assert_eq!(days_since_1970(date.0, date.1, date.2), days, "{date:?}");
        }
        let line = Line::parse("2026/11/28-20:32:24.900711 7f47 RocksDB version: 6.20.3").unwrap();
        assert_eq!(line.local_micros, Some(1_795_897_944_900_711));
        assert_eq!(line.said, Said::Version("6.20.3".to_owned()));
    }

    #[test]
    fn a_buffered_line_has_the_time_of_its_event() {
        let line = Line::parse(
            "2026/11/28-20:32:25.000000 140445 (Original Log Time 2026/11/28-20:32:24.921086) EVENT_LOG_v1 \
             {\"time_micros\": 1795897944921078, \"job\": 2, \"event\": \"flush_finished\", \"lsm_state\": [1, 0, 3]}",
        )
        .unwrap();
        assert_eq!(line.local_micros, Some(1_795_897_944_921_086));
        let Said::Event(event) = line.said else {
            panic!("no event")
        };
        assert_eq!((event.at_micros, event.job), (1_795_897_944_921_078, 2));
        let files_by_level = vec![1, 0, 3];
        assert_eq!(event.kind, EventKind::FlushFinished { files_by_level });
    }

    #[test]
    fn names_of_column_families_may_have_brackets() {
        let at = "2026/11/28-20:32:25.155337 7f47";
        assert_eq!(
            said(&format!(
                "{at} [/compaction/compaction_job.cc:1916] [a/b [1]] [JOB 8] Compacting 4@0 + 2@1 files to L6, score 1.00"
            )),
            Said::CompactionOf {
                job: 8,
                family: "a/b [1]".to_owned(),
                output_level: 6
            }
        );
        assert_eq!(
            said(&format!(
                "{at} [/db_impl/db_impl_compaction_flush.cc:3100] [a/b [1]] Moving #12 to level-2 4711 bytes"
            )),
            Said::Moved {
                family: "a/b [1]".to_owned(),
                file: 12,
                level: 2
            }
        );
        assert_eq!(
            said(&format!(
                "{at} [WARN] [/column_family.cc:900] [a/b [1]] Stopping writes because we have 2 immutable memtables (waiting for \
                 flush), max_write_buffer_number is set to 2"
            )),
            Said::Stall(Stall {
                family: "a/b [1]".to_owned(),
                stop: true,
                reason: "we have 2 immutable memtables (waiting for flush)".to_owned()
            })
        );
    }

    #[test]
    fn other_lines_say_nothing() {
        for line in [
            "",
            "** Compaction Stats [default] **",
            "2026/11/28-20:32:25.155337",
            "2026/11/28-20:32:25.155337 ",
            "2026/99/28-20:32:25.155337 7f47 RocksDB version: 6",
            "2026/11/28-20:32:25.155337 7f47 [a] [b",
            "2026/11/28-20:32:25.155337 7f47 [/x.cc:1] [a] [JOB x] Flushing memtable",
            "2026/11/28-20:32:25.155337 7f47 [/x.cc:1] [a] [JOB 1] Compacting 4@0 files to L999, score 1",
            "2026-11-28 20:32:25,155 INFO org.apache.flink.runtime - not RocksDB's",
        ] {
            assert_eq!(said(line), Said::Other, "{line}");
        }
        let stall = said("Cumulative stall: 01:02:3.500 H:M:S, 20.0 percent");
        assert_eq!(
            stall,
            Said::CumulativeStall(Duration::from_millis(3_723_500))
        );
    }

    #[test]
    fn texts_that_rocksdb_does_not_escape_are_read() {
        let valid = r#"{"a": 1, "cf_name": "plain", "t": {"b": "x"}, "lsm_state": [1, 0]}"#;
        assert!(matches!(repaired(valid), Cow::Borrowed(_)));
        for (name, in_json) in [
            (r#"bids "hot", by\day"#, r#"bids \"hot\", by\\day"#),
            (r#"""#, r#"\""#),
            (r#"a": "b"#, r#"a\": \"b"#),
            (r#"x"}"#, r#"x\"}"#),
        ] {
            let json = |name: &str| {
                format!(
                    r#"{{"time_micros": 1, "cf_name": "{name}", "job": 2, "t": {{"b": "x"}}, "c": "{name}"}}"#
                )
            };
            assert_eq!(repaired(&json(name)), json(in_json));
        }
    }

    #[test]
    fn a_torn_event_is_an_error() {
        let torn = "2026/11/28-20:32:24.900711 7f47 EVENT_LOG_v1 {\"time_micros\": 17958979";
        assert!(Line::parse(torn).unwrap_err().contains("EOF"));
        let timeless = "2026/11/28-20:32:24.900711 7f47 EVENT_LOG_v1 {\"job\": 1}";
        assert!(Line::parse(timeless).unwrap_err().contains("time_micros"));
    }
}
