//! libCacheSim's `oracleGeneral`: packed little-endian records of 24 bytes, nothing else in the file.
//!
//! | bytes | type | what it says |
//! |---|---|---|
//! | 0-3 | u32 | time in seconds |
//! | 4-11 | u64 | the object |
//! | 12-15 | u32 | its size in bytes |
//! | 16-23 | i64 | position of its next access, which is of no use here; written as -1, "never" |
//!
//! Layout: `traceReader/customizedReader/oracle/oracleGeneralBin.h` of libCacheSim.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use super::records::Records;
use super::{TraceAccess, TraceError, TraceFault, checked_size};

const RECORD: usize = 24;

/// Reads an `oracleGeneral` trace.
#[derive(Debug)]
pub struct OracleGeneralReader<R> {
    records: Records<R, RECORD>,
}

/// Writes an `oracleGeneral` trace.
#[derive(Debug)]
pub struct OracleGeneralWriter<W> {
    output: W,
}

// === impl OracleGeneralReader ===

impl<R: BufRead> OracleGeneralReader<R> {
    /// Reads nothing yet. `trace` names the trace in errors. A large buffer behind `input` makes it faster.
    pub fn new(trace: impl Into<String>, input: R) -> Self {
        Self {
            records: Records::new(trace.into(), input),
        }
    }

    #[inline]
    fn access(&mut self) -> Result<Option<TraceAccess>, TraceFault> {
        let Some(record) = self.records.next()? else {
            return Ok(None);
        };
        let [
            t0,
            t1,
            t2,
            t3,
            key @ ..,
            s0,
            s1,
            s2,
            s3,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
        ] = record;
        let size = u32::from_le_bytes([s0, s1, s2, s3]);
        let access = TraceAccess {
            time: Some(Duration::from_secs(
                u32::from_le_bytes([t0, t1, t2, t3]).into(),
            )),
            ..TraceAccess::new(u64::from_le_bytes(key), checked_size(size.into())?)
        };
        self.records.taken();
        Ok(Some(access))
    }
}

impl<R: BufRead> Iterator for OracleGeneralReader<R> {
    type Item = Result<TraceAccess, TraceError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.records.have_ended() {
            return None;
        }
        let access = self.access();
        self.records.item(access)
    }
}

// === impl OracleGeneralWriter ===

impl<W: Write> OracleGeneralWriter<W> {
    /// Writes to `output`, nothing yet.
    pub fn new(output: W) -> Self {
        Self { output }
    }

    /// Writes an access: its time in whole seconds (0 if unknown), key and size. Role, caller and outcome have no place here.
    ///
    /// # Errors
    ///
    /// Those of the output; and [`io::ErrorKind::InvalidInput`] if time or size do not fit into 32 bits.
    pub fn write(&mut self, access: &TraceAccess) -> io::Result<()> {
        let too_large = |_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "time in seconds and size in bytes must fit into 32 bits",
            )
        };
        let seconds = access.time.unwrap_or_default().as_secs();
        let time = u32::try_from(seconds).map_err(too_large)?;
        let size = u32::try_from(access.size_bytes).map_err(too_large)?;
        let mut record = [0; RECORD];
        record[..4].copy_from_slice(&time.to_le_bytes());
        record[4..12].copy_from_slice(&access.key.to_le_bytes());
        record[12..16].copy_from_slice(&size.to_le_bytes());
        record[16..].copy_from_slice(&(-1_i64).to_le_bytes());
        self.output.write_all(&record)
    }

    /// The output, for flushing.
    pub fn into_inner(self) -> W {
        self.output
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn record(time: u32, key: u64, size: u32) -> Vec<u8> {
        let next = i64::MAX.to_le_bytes();
        [
            &time.to_le_bytes()[..],
            &key.to_le_bytes(),
            &size.to_le_bytes(),
            &next,
        ]
        .concat()
    }

    fn read(bytes: &[u8]) -> Result<Vec<TraceAccess>, TraceError> {
        // A buffer that tears most records.
        OracleGeneralReader::new("t.bin", BufReader::with_capacity(37, bytes)).collect()
    }

    #[test]
    fn records_are_packed_and_little_endian() {
        let bytes = [
            record(9, u64::MAX - 1, 4096),
            record(10, 3, 1),
            record(4, 5, 6),
        ]
        .concat();
        let accesses = read(&bytes).unwrap();
        assert_eq!(accesses.len(), 3);
        let first = TraceAccess {
            time: Some(Duration::from_secs(9)),
            ..TraceAccess::new(u64::MAX - 1, 4096)
        };
        assert_eq!(accesses[0], first);
        assert_eq!(accesses[2].key, 5);
    }

    #[test]
    fn errors_say_which_record_and_where() {
        let error = |bytes: &[u8]| read(bytes).expect_err("broken").to_string();
        assert_eq!(
            error(&[]),
            "t.bin: no access in it; a trace has one at least"
        );
        let one = record(1, 2, 3);
        assert_eq!(
            error(&[&one[..], &one[..7]].concat()),
            "t.bin, record 2 at byte 24: ends after 7 of a record's 24 bytes; is the file truncated, or of another format?"
        );
        assert!(
            error(&record(1, 2, 0)).starts_with("t.bin, record 1 at byte 0: size 0; a block has")
        );
        let absurd = [one.clone(), one, record(1, 2, u32::MAX)].concat();
        assert!(error(&absurd).starts_with("t.bin, record 3 at byte 48: size 4294967295"));
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let mut writer = OracleGeneralWriter::new(Vec::new());
        let mut access = TraceAccess::new(7, 4096);
        writer.write(&access).unwrap();
        access.size_bytes = 1 << 33;
        assert!(writer.write(&access).is_err());
        access.size_bytes = 1;
        access.time = Some(Duration::from_secs(1 << 40));
        assert!(writer.write(&access).is_err());
        assert_eq!(writer.into_inner().len(), RECORD);
    }
}
