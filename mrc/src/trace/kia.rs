//! Kia Shakiba's records, which `online_mrc` and its companions read: packed, little-endian, 25 bytes, nothing else in the file.
//!
//! | bytes | type | what it says |
//! |---|---|---|
//! | 0-7 | u64 | time in milliseconds |
//! | 8 | u8 | 0 get, 1 set |
//! | 9-16 | u64 | the object |
//! | 17-20 | u32 | its size in bytes |
//! | 21-24 | u32 | seconds for which it is valid, which are of no use here |
//!
//! Only gets are look-ups; everything else is passed over, as `online_mrc` does. Layout: `src/lib/trace/reader.c` and
//! `src/analysis/common/trace.py` of <https://github.com/thedavidchu/online_mrc>.

use std::io::BufRead;
use std::time::Duration;

use super::records::Records;
use super::{TraceAccess, TraceError, TraceFault, checked_size};

const RECORD: usize = 25;
const GET: u8 = 0;

/// Reads a trace of Kia's records.
#[derive(Debug)]
pub struct KiaReader<R> {
    records: Records<R, RECORD>,
    /// A get was among them.
    any: bool,
}

// === impl KiaReader ===

impl<R: BufRead> KiaReader<R> {
    /// Reads nothing yet. `trace` names the trace in errors. A large buffer behind `input` makes it faster.
    pub fn new(trace: impl Into<String>, input: R) -> Self {
        Self {
            records: Records::new(trace.into(), input),
            any: false,
        }
    }

    #[inline]
    fn access(&mut self) -> Result<Option<TraceAccess>, TraceFault> {
        while let Some(record) = self.records.next()? {
            let (time, rest) = number::<8>(&record);
            let command = rest[0];
            let (key, rest) = number::<8>(&rest[1..]);
            let (size, _) = number::<4>(rest);
            if command != GET {
                self.records.taken();
                continue;
            }
            let access = TraceAccess {
                time: Some(Duration::from_millis(time)),
                ..TraceAccess::new(key, checked_size(size)?)
            };
            self.records.taken();
            self.any = true;
            return Ok(Some(access));
        }
        if self.any {
            Ok(None)
        } else {
            Err(TraceFault::Empty)
        }
    }
}

/// The number in the first `N` bytes, and the rest.
#[inline]
fn number<const N: usize>(bytes: &[u8]) -> (u64, &[u8]) {
    let (number, rest) = bytes.split_at(N);
    let number = number.iter().rev();
    (number.fold(0, |n, byte| n << 8 | u64::from(*byte)), rest)
}

impl<R: BufRead> Iterator for KiaReader<R> {
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

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn record(time_ms: u64, command: u8, key: u64, size: u32) -> Vec<u8> {
        let valid_s = u32::MAX.to_le_bytes();
        [
            &time_ms.to_le_bytes()[..],
            &[command],
            &key.to_le_bytes(),
            &size.to_le_bytes(),
            &valid_s,
        ]
        .concat()
    }

    fn read(bytes: &[u8]) -> Result<Vec<TraceAccess>, TraceError> {
        // A buffer that tears most records.
        KiaReader::new("t.bin", BufReader::with_capacity(37, bytes)).collect()
    }

    #[test]
    fn gets_are_look_ups() {
        let bytes = [
            record(1_500, 0, u64::MAX - 1, 4096),
            record(1_501, 1, 7, 0),
            record(1_502, 0, 3, 0x0102_0304),
        ]
        .concat();
        let accesses = read(&bytes).unwrap();
        let first = TraceAccess {
            time: Some(Duration::from_millis(1_500)),
            ..TraceAccess::new(u64::MAX - 1, 4096)
        };
        assert_eq!(accesses.len(), 2);
        assert_eq!(accesses[0], first);
        assert_eq!((accesses[1].key, accesses[1].size_bytes), (3, 0x0102_0304));
    }

    #[test]
    fn errors_say_which_record_and_where() {
        let error = |bytes: &[u8]| read(bytes).expect_err("broken").to_string();
        assert_eq!(
            error(&[]),
            "t.bin: no access in it; a trace has one at least"
        );
        assert!(error(&record(1, 1, 2, 3)).contains("no access in it"));
        let one = record(1, 0, 2, 3);
        assert_eq!(
            error(&[&one[..], &one[..7]].concat()),
            "t.bin, record 2 at byte 25: ends after 7 of a record's 25 bytes; is the file truncated, or of another format?"
        );
        let zero = [one, record(1, 1, 2, 3), record(1, 0, 2, 0)].concat();
        assert!(error(&zero).starts_with("t.bin, record 3 at byte 50: size 0"));
    }
}
