//! RocksDB's human-readable block cache trace: 21 columns parted by commas, no header.
//!
//! `block_cache_trace_analyzer -human_readable_trace_file_path=F` writes it from what `DB::StartBlockCacheTrace` recorded. Codes and
//! order of the columns: `trace_replay/block_cache_tracer.cc`, `include/rocksdb/table_reader_caller.h` and
//! `include/rocksdb/trace_record.h` of RocksDB.
//!
//! Read are time (1, microseconds), block (2), type (3), size (4), caller (9), whether it does not insert (10) and whether the real
//! cache had it (14); of the others it is only checked that they are there.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use super::lines::{Lines, fields, number};
use super::{BlockRole, Caller, TraceAccess, TraceError, TraceFault, checked_size};
use crate::Outcome;

const COLUMNS: usize = 21;
/// Block types (`TraceType`): what the access is for. The first are older records of other kinds, which have no block.
const INDEX: u64 = 7;
const FILTER: u64 = 8;
const DATA: u64 = 9;
const COMPRESSION_DICTIONARY: u64 = 10;
const RANGE_DELETION: u64 = 11;
/// Callers (`TableReaderCaller`).
const USER_GET: u64 = 1;
const LAST_USER: u64 = 5;
const AFTER_USER: u64 = 6;
const COMPACTION: u64 = 10;
const COMPACTION_REFILL: u64 = 11;
const AFTER_COMPACTION: u64 = 12;
const UNCATEGORIZED: u64 = 14;

/// Reads a human-readable block cache trace.
#[derive(Debug)]
pub struct RocksdbReader<R> {
    lines: Lines<R>,
}

/// Writes a human-readable block cache trace; what an access does not know is written as 0.
#[derive(Debug)]
pub struct RocksdbWriter<W> {
    output: W,
}

// === impl RocksdbReader ===

impl<R: BufRead> RocksdbReader<R> {
    /// Reads nothing yet. `trace` names the trace in errors.
    pub fn new(trace: impl Into<String>, input: R) -> Self {
        Self {
            lines: Lines::new(trace.into(), input),
        }
    }
}

impl<R: BufRead> Iterator for RocksdbReader<R> {
    type Item = Result<TraceAccess, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.lines.next_access(parse)
    }
}

// === impl RocksdbWriter ===

impl<W: Write> RocksdbWriter<W> {
    /// Writes to `output`, nothing yet.
    pub fn new(output: W) -> Self {
        Self { output }
    }

    /// Writes an access. An unknown outcome is written as a miss, an unknown time as 0.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn write(&mut self, access: &TraceAccess) -> io::Result<()> {
        let micros = access.time.unwrap_or_default().as_micros();
        let block_type = match access.role {
            BlockRole::Index => INDEX,
            BlockRole::Filter => FILTER,
            BlockRole::Data => DATA,
            BlockRole::Other => COMPRESSION_DICTIONARY,
        };
        let caller = match access.caller {
            Caller::User => USER_GET,
            Caller::Compaction => COMPACTION,
            Caller::Other => UNCATEGORIZED,
        };
        let no_insert = u8::from(!access.inserts);
        let hit = u8::from(access.outcome == Some(Outcome::Hit));
        let (key, size) = (access.key, access.size_bytes);
        writeln!(
            self.output,
            "{micros},{key},{block_type},{size},0,default,0,0,{caller},{no_insert},0,0,0,{hit},0,0,0,0,0,0,0"
        )
    }

    /// The output, for flushing.
    pub fn into_inner(self) -> W {
        self.output
    }
}

fn parse(line: &[u8]) -> Result<TraceAccess, TraceFault> {
    let mut columns: [&[u8]; COLUMNS] = [&[]; COLUMNS];
    let mut found = 0;
    for field in fields(line) {
        if let Some(column) = columns.get_mut(found) {
            *column = field;
        }
        found += 1;
    }
    if found != COLUMNS {
        return Err(TraceFault::Fields {
            found,
            expected: COLUMNS,
        });
    }
    let code = |index: usize, name, expected| {
        number(columns[index]).ok_or_else(|| TraceFault::field(name, columns[index], expected))
    };
    let flag = |index: usize, name| match columns[index] {
        b"0" => Ok(false),
        b"1" => Ok(true),
        text => Err(TraceFault::field(name, text, "0 or 1")),
    };
    let caller = match code(8, "caller (column 9)", CALLERS)? {
        USER_GET..=LAST_USER => Caller::User,
        COMPACTION | COMPACTION_REFILL => Caller::Compaction,
        AFTER_USER..COMPACTION | AFTER_COMPACTION..=UNCATEGORIZED => Caller::Other,
        _ => return Err(TraceFault::field("caller (column 9)", columns[8], CALLERS)),
    };
    let role = match code(2, "block type (column 3)", TYPES)? {
        INDEX => BlockRole::Index,
        FILTER => BlockRole::Filter,
        DATA => BlockRole::Data,
        COMPRESSION_DICTIONARY | RANGE_DELETION => BlockRole::Other,
        _ => {
            return Err(TraceFault::field(
                "block type (column 3)",
                columns[2],
                TYPES,
            ));
        }
    };
    Ok(TraceAccess {
        key: code(1, "block (column 2)", "a number")?,
        size_bytes: checked_size(code(3, "block size (column 4)", "a number of bytes")?)?,
        role,
        caller,
        inserts: !flag(9, "no insert (column 10)")?,
        outcome: Some(if flag(13, "cache hit (column 14)")? {
            Outcome::Hit
        } else {
            Outcome::Miss
        }),
        time: Some(Duration::from_micros(code(
            0,
            "time (column 1)",
            "microseconds",
        )?)),
    })
}

const CALLERS: &str = "1 to 14, such as 1 (get), 3 (iterator), 10 (compaction)";
const TYPES: &str =
    "7 (index), 8 (filter), 9 (data), 10 (compression dictionary) or 11 (range deletion)";

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str =
        "1576000000000001,42,9,4120,0,default,2,17,1,0,5,9,210,1,1,38,3,77,20,24,8192";
    const COMPACTED: &str =
        "1576000000000009,43,7,65536,0,default,2,17,10,1,0,0,0,0,0,0,0,0,20,0,0";

    fn read(text: &str) -> Result<Vec<TraceAccess>, TraceError> {
        RocksdbReader::new("t.trace", text.as_bytes()).collect()
    }

    #[test]
    fn columns_and_codes_are_those_of_rocksdb() {
        let accesses = read(&format!("{GET}\n{COMPACTED}\n")).unwrap();
        assert_eq!(
            accesses,
            [
                TraceAccess {
                    outcome: Some(Outcome::Hit),
                    time: Some(Duration::from_micros(1_576_000_000_000_001)),
                    ..TraceAccess::new(42, 4120)
                },
                TraceAccess {
                    role: BlockRole::Index,
                    caller: Caller::Compaction,
                    inserts: false,
                    outcome: Some(Outcome::Miss),
                    time: Some(Duration::from_micros(1_576_000_000_000_009)),
                    ..TraceAccess::new(43, 65536)
                }
            ]
        );
    }

    #[test]
    fn every_code_has_its_meaning() {
        let with = |column: usize, code: u64| {
            let mut fields: Vec<String> = GET.split(',').map(str::to_owned).collect();
            fields[column] = code.to_string();
            read(&fields.join(","))
        };
        for (code, role) in [
            (7, BlockRole::Index),
            (8, BlockRole::Filter),
            (9, BlockRole::Data),
            (10, BlockRole::Other),
            (11, BlockRole::Other),
        ] {
            assert_eq!(with(2, code).unwrap()[0].role, role);
        }
        for code in [0, 1, 6, 12] {
            let error = with(2, code).unwrap_err().to_string();
            assert!(error.contains("block type (column 3) is"), "{error}");
        }
        for code in 1..=14 {
            let expected = match code {
                1..=5 => Caller::User,
                10 | 11 => Caller::Compaction,
                _ => Caller::Other,
            };
            assert_eq!(with(8, code).unwrap()[0].caller, expected, "{code}");
        }
        assert!(with(8, 0).is_err() && with(8, 15).is_err());
        assert!(with(9, 2).is_err() && with(13, 2).is_err());
    }

    #[test]
    fn errors_say_which_line_and_column() {
        let error = |text: String| read(&text).expect_err("broken").to_string();
        assert_eq!(
            error(String::new()),
            "t.trace: no access in it; a trace has one at least"
        );
        assert_eq!(
            error(format!("{GET}\n{GET},1\n")),
            "t.trace, line 2: 22 fields; expected 21"
        );
        assert!(
            error(GET.replacen(",4120,", ",0,", 1))
                .starts_with("t.trace, line 1: size 0; a block has")
        );
        assert!(
            error(GET.replacen(",42,", ",x,", 1))
                .starts_with("t.trace, line 1: block (column 2) is `x`; expected a number")
        );
    }
}
