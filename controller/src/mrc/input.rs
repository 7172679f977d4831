//! The trace's file: opened, its format found out, and how far it has been read.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, anyhow, bail};
use clap::ValueEnum;
use weir_mrc::trace::csv::CsvReader;
use weir_mrc::trace::kia::KiaReader;
use weir_mrc::trace::oracle_general::OracleGeneralReader;
use weir_mrc::trace::rocksdb::RocksdbReader;
use weir_mrc::trace::{TraceAccess, TraceError};

/// Bytes read at once.
const BUFFER: usize = 1 << 20;
/// Columns of RocksDB's human-readable trace.
const ROCKSDB_COLUMNS: usize = 21;
/// First bytes of files that are to be unpacked first.
const PACKED: [(&[u8], &str); 3] = [
    (b"\x28\xb5\x2f\xfd", "zstd -dc"),
    (b"\x1f\x8b", "gzip -dc"),
    (b"\xfd7zXZ", "xz -dc"),
];

/// Formats of traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TraceFormat {
    /// Header with `key,size` and optionally `role,caller,time,hit`.
    Csv,
    /// libCacheSim's packed records of 24 bytes.
    OracleGeneral,
    /// Kia Shakiba's packed records of 25 bytes, which online_mrc reads; gets are look-ups. It must be named.
    Kia,
    /// RocksDB's human-readable block cache trace, 21 columns.
    RocksdbTrace,
}

/// An opened trace.
pub struct Input {
    name: String,
    buffer: BufReader<Counted>,
    /// Its length, where it is a file.
    pub total_bytes: Option<u64>,
    /// Bytes read so far.
    pub read_bytes: Rc<Cell<u64>>,
}

/// Counts what is read.
struct Counted {
    input: Box<dyn Read>,
    bytes: Rc<Cell<u64>>,
}

// === impl TraceFormat ===

impl TraceFormat {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::OracleGeneral => "oracle-general",
            Self::Kia => "kia",
            Self::RocksdbTrace => "rocksdb-trace",
        }
    }

    /// What a file that begins like this is.
    fn by_content(start: &[u8]) -> Option<Self> {
        let line = start.split(|byte| *byte == b'\n').next()?;
        if start.contains(&0) {
            return Some(Self::OracleGeneral);
        }
        let line = std::str::from_utf8(line).ok()?.to_ascii_lowercase();
        let fields: Vec<&str> = line
            .trim_start_matches('\u{feff}')
            .split(',')
            .map(|f| f.trim().trim_matches('"'))
            .collect();
        if fields.contains(&"key") && fields.contains(&"size") {
            return Some(Self::Csv);
        }
        let numeric = fields[0].bytes().all(|byte| byte.is_ascii_digit());
        (fields.len() == ROCKSDB_COLUMNS && numeric).then_some(Self::RocksdbTrace)
    }

    fn by_extension(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        if name.ends_with(".csv") {
            Some(Self::Csv)
        } else if name.ends_with(".bin") || name.ends_with(".oraclegeneral") {
            Some(Self::OracleGeneral)
        } else if name.ends_with(".trace") {
            Some(Self::RocksdbTrace)
        } else {
            None
        }
    }
}

// === impl Input ===

impl Input {
    /// Opens a trace; `-` is standard input.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let stdin = path == Path::new("-");
        let (name, input, total_bytes): (_, Box<dyn Read>, _) = if stdin {
            ("standard input".to_owned(), Box::new(io::stdin()), None)
        } else {
            let name = path.display().to_string();
            let file = File::open(path).with_context(|| format!("cannot open trace {name}"))?;
            let metadata = file
                .metadata()
                .with_context(|| format!("cannot look at trace {name}"))?;
            if metadata.is_dir() {
                bail!("cannot open trace {name}: it is a directory");
            }
            let length = metadata.is_file().then_some(metadata.len());
            (name, Box::new(file), length)
        };
        let read_bytes = Rc::new(Cell::new(0));
        let counted = Counted {
            input,
            bytes: Rc::clone(&read_bytes),
        };
        Ok(Self {
            name,
            buffer: BufReader::with_capacity(BUFFER, counted),
            total_bytes,
            read_bytes,
        })
    }

    /// Name of the trace in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The format, found out from how the trace begins, else from its name.
    pub fn guess_format(&mut self) -> anyhow::Result<TraceFormat> {
        let start = self
            .buffer
            .fill_buf()
            .with_context(|| format!("cannot read trace {}", self.name))?;
        let packed = PACKED.iter().find(|(magic, _)| start.starts_with(magic));
        if let Some((_, unpack)) = packed {
            bail!(
                "{name} is compressed; unpack it on the way: `{unpack} {name} | weir mrc - --format ...`",
                name = self.name
            );
        }
        if start.is_empty() {
            bail!("{}: no access in it; a trace has one at least", self.name);
        }
        TraceFormat::by_content(&start[..start.len().min(64 << 10)])
            .or_else(|| TraceFormat::by_extension(&self.name))
            .ok_or_else(|| {
                anyhow!(
                    "{}: neither a CSV header with `key` and `size`, nor packed records, nor RocksDB's 21 columns; \
                     say which with --format csv, oracle-general, kia or rocksdb-trace",
                    self.name
                )
            })
    }

    /// Gives every access of the trace to `take`, until either fails.
    pub fn for_each<E>(
        self,
        format: TraceFormat,
        take: impl FnMut(TraceAccess) -> Result<(), E>,
    ) -> Result<(), E>
    where
        E: From<TraceError>,
    {
        // Each reader gets a loop of its own: what it yields never goes through a pointer.
        match format {
            TraceFormat::Csv => drain(CsvReader::new(self.name, self.buffer)?, take),
            TraceFormat::OracleGeneral => {
                drain(OracleGeneralReader::new(self.name, self.buffer), take)
            }
            TraceFormat::Kia => drain(KiaReader::new(self.name, self.buffer), take),
            TraceFormat::RocksdbTrace => drain(RocksdbReader::new(self.name, self.buffer), take),
        }
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.input.read(buffer)?;
        self.bytes.set(self.bytes.get() + bytes as u64);
        Ok(bytes)
    }
}

fn drain<E: From<TraceError>>(
    reader: impl Iterator<Item = Result<TraceAccess, TraceError>>,
    mut take: impl FnMut(TraceAccess) -> Result<(), E>,
) -> Result<(), E> {
    for access in reader {
        take(access?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_how_a_file_begins() {
        let rocksdb = format!("15,42,9,4120{}\n", ",0".repeat(17));
        for (start, format) in [
            (&b"key,size\n1,2\n"[..], Some(TraceFormat::Csv)),
            (b"time, Size, \"key\"\r\n", Some(TraceFormat::Csv)),
            (b"\x01\0\0\0abc", Some(TraceFormat::OracleGeneral)),
            (rocksdb.as_bytes(), Some(TraceFormat::RocksdbTrace)),
            (b"1,2\n3,4\n", None),
            (b"\xff\xfe", None),
        ] {
            assert_eq!(TraceFormat::by_content(start), format, "{start:?}");
        }
        assert_eq!(TraceFormat::by_extension("a/B.CSV"), Some(TraceFormat::Csv));
        let binary = TraceFormat::by_extension("x.oracleGeneral.bin");
        assert_eq!(binary, Some(TraceFormat::OracleGeneral));
        assert_eq!(TraceFormat::by_extension("csv"), None);
    }
}
