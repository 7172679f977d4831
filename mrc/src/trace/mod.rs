//! Traces of block look-ups: readers of four formats, and writers of three.
//!
//! | format | what it is |
//! |---|---|
//! | [`csv`] | text with a header: `key,size`, and optionally `role`, `caller`, `time`, `hit` |
//! | [`oracle_general`] | libCacheSim's packed records of 24 bytes |
//! | [`kia`] | Kia Shakiba's packed records of 25 bytes, which `online_mrc` reads; no writer |
//! | [`rocksdb`] | the 21-column, human-readable block cache trace of RocksDB's `block_cache_trace_analyzer` |
//!
//! A reader takes any [`std::io::BufRead`] that the caller has opened, and is an iterator over [`TraceAccess`]es. It holds one record
//! at a time, whatever the length of the trace. What it cannot read is a [`TraceError`] that says where and what would be right; an
//! error is the last thing an iterator yields. Nothing in here panics, whatever the bytes.
//!
//! ```
//! use weir_mrc::trace::csv::CsvReader;
//!
//! let trace = "key,size,role\n17,4096,data\n3,900000,index\n17,4096,data\n";
//! let mut accesses = CsvReader::new("example.csv", trace.as_bytes())?;
//! assert_eq!(accesses.next().unwrap()?.key, 17);
//!
//! let broken = CsvReader::new("example.csv", &b"key,size\n17,0\n"[..])?;
//! let error = broken.last().unwrap().unwrap_err();
//! assert_eq!(error.to_string(), "example.csv, line 2: size 0; a block has 1 to 1073741824 bytes");
//! # Ok::<(), weir_mrc::trace::TraceError>(())
//! ```

pub mod csv;
mod error;
pub mod kia;
mod lines;
pub mod oracle_general;
mod records;
pub mod rocksdb;

use std::time::Duration;

pub use error::{Position, TraceError, TraceFault};

use crate::Outcome;

/// Largest block that is taken for one: 1 GiB. RocksDB's own limit is 4 GiB, but real blocks end three orders of magnitude
/// below that, and a size of this order is a negative or torn number.
pub const LARGEST_BLOCK_BYTES: u64 = 1 << 30;

/// One look-up of a block in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceAccess {
    /// Tells blocks apart: the number that the trace gives the block, or a hash of its name where that is no number.
    pub key: u64,
    /// Size of the block, in `1..=LARGEST_BLOCK_BYTES`.
    pub size_bytes: u64,
    /// What the block holds; [`BlockRole::Data`] where the trace does not say.
    pub role: BlockRole,
    /// Who asked; [`Caller::User`] where the trace does not say.
    pub caller: Caller,
    /// Whether a miss was followed by an insert.
    pub inserts: bool,
    /// What the real cache answered, where the trace says.
    pub outcome: Option<Outcome>,
    /// Time of the look-up since any fixed moment, where the trace says. It may run backwards.
    pub time: Option<Duration>,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockRole {
    /// Keys and values.
    Data,
    /// Index or a partition of one.
    Index,
    /// Bloom filter or a partition of one.
    Filter,
    /// Anything else: compression dictionary, range deletions.
    Other,
}

/// Who looked a block up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A user's request, which waits for the answer: get, multi-get, iterator.
    User,
    /// A compaction: reads whole files, and does not insert.
    Compaction,
    /// Anything else: flush, prefetch, ingestion, repair.
    Other,
}

// === impl TraceAccess ===

impl TraceAccess {
    /// A user's look-up of a data block, of which nothing else is known.
    #[must_use]
    pub fn new(key: u64, size_bytes: u64) -> Self {
        Self {
            key,
            size_bytes,
            role: BlockRole::Data,
            caller: Caller::User,
            inserts: true,
            outcome: None,
            time: None,
        }
    }
}

// === impl BlockRole ===

impl BlockRole {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Data, Self::Index, Self::Filter, Self::Other];

    /// Its name in traces and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Index => "index",
            Self::Filter => "filter",
            Self::Other => "other",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

// === impl Caller ===

impl Caller {
    /// All callers.
    pub const ALL: [Self; 3] = [Self::User, Self::Compaction, Self::Other];

    /// Its name in traces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Compaction => "compaction",
            Self::Other => "other",
        }
    }

    /// The caller of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|caller| caller.name() == name)
    }
}

/// A block's size, if it is one.
fn checked_size(size: u64) -> Result<u64, TraceFault> {
    if (1..=LARGEST_BLOCK_BYTES).contains(&size) {
        Ok(size)
    } else {
        Err(TraceFault::Size { size })
    }
}
