//! The trace readers: what was written is read, and no bytes whatever make them panic, hang or go on after an error.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::time::Duration;

use proptest::prelude::*;
use weir_mrc::Outcome;
use weir_mrc::trace::csv::{CsvReader, CsvWriter};
use weir_mrc::trace::kia::KiaReader;
use weir_mrc::trace::oracle_general::{OracleGeneralReader, OracleGeneralWriter};
use weir_mrc::trace::rocksdb::{RocksdbReader, RocksdbWriter};
use weir_mrc::trace::{BlockRole, Caller, LARGEST_BLOCK_BYTES, Position, TraceAccess, TraceError};

type Read = Result<Vec<TraceAccess>, TraceError>;

fn csv(input: impl BufRead) -> Read {
    CsvReader::new("t", input)?.collect()
}

fn oracle_general(input: impl BufRead) -> Read {
    OracleGeneralReader::new("t", input).collect()
}

fn kia(input: impl BufRead) -> Read {
    KiaReader::new("t", input).collect()
}

fn rocksdb(input: impl BufRead) -> Read {
    RocksdbReader::new("t", input).collect()
}

fn written_csv(accesses: &[TraceAccess]) -> Vec<u8> {
    let mut writer = CsvWriter::new(Vec::new());
    accesses.iter().for_each(|a| writer.write(a).unwrap());
    writer.into_inner()
}

fn written_oracle_general(accesses: &[TraceAccess]) -> Vec<u8> {
    let mut writer = OracleGeneralWriter::new(Vec::new());
    accesses.iter().for_each(|a| writer.write(a).unwrap());
    writer.into_inner()
}

/// There is no writer of these: every second record is a set.
fn written_kia(accesses: &[TraceAccess]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for access in accesses {
        for command in [0_u8, 1] {
            let time = access.time.unwrap_or_default().as_millis() as u64;
            bytes.extend(time.to_le_bytes());
            bytes.push(command);
            bytes.extend(access.key.to_le_bytes());
            bytes.extend((access.size_bytes as u32).to_le_bytes());
            bytes.extend(7_u32.to_le_bytes());
        }
    }
    bytes
}

fn written_rocksdb(accesses: &[TraceAccess]) -> Vec<u8> {
    let mut writer = RocksdbWriter::new(Vec::new());
    accesses.iter().for_each(|a| writer.write(a).unwrap());
    writer.into_inner()
}

/// Accesses that all three formats can say, as far as they say it.
fn any_access() -> impl Strategy<Value = TraceAccess> {
    (
        any::<u64>(),
        1..=LARGEST_BLOCK_BYTES,
        prop::sample::select(BlockRole::ALL.to_vec()),
        prop::sample::select(Caller::ALL.to_vec()),
        any::<bool>(),
        any::<u32>(),
    )
        .prop_map(
            |(key, size_bytes, role, caller, hit, seconds)| TraceAccess {
                role,
                caller,
                inserts: caller != Caller::Compaction,
                outcome: Some(if hit { Outcome::Hit } else { Outcome::Miss }),
                time: Some(Duration::from_secs(seconds.into())),
                ..TraceAccess::new(key, size_bytes)
            },
        )
}

fn any_trace() -> impl Strategy<Value = Vec<TraceAccess>> {
    prop::collection::vec(any_access(), 1..40)
}

/// One change of a trace's bytes: another byte, one more, a byte less, an end.
fn mutate(bytes: &mut Vec<u8>, kind: u8, at: prop::sample::Index, byte: u8) {
    if bytes.is_empty() {
        return;
    }
    let at = at.index(bytes.len());
    match kind % 4 {
        0 => bytes[at] = byte,
        1 => bytes.insert(at, byte),
        2 => {
            bytes.remove(at);
        }
        _ => bytes.truncate(at),
    }
}

/// Reads with a buffer that tears records and lines, and in one piece; both must agree.
fn read_twice(read: fn(&mut dyn BufRead) -> Read, bytes: &[u8]) -> Read {
    let torn = read(&mut BufReader::with_capacity(5, bytes));
    let whole = read(&mut &bytes[..]);
    match (&torn, &whole) {
        (Ok(torn), Ok(whole)) => assert_eq!(torn, whole),
        (Err(torn), Err(whole)) => assert_eq!(torn.to_string(), whole.to_string()),
        _ => panic!("{torn:?} in pieces, {whole:?} at once"),
    }
    whole
}

const READERS: [fn(&mut dyn BufRead) -> Read; 4] = [
    |input| csv(input),
    |input| oracle_general(input),
    |input| kia(input),
    |input| rocksdb(input),
];

/// What holds for anything read: no access that is none, or an error with a place and a message that is not long.
fn check(read: Read, bytes: &[u8]) {
    match read {
        Ok(accesses) => {
            assert!(!accesses.is_empty(), "an empty trace is an error");
            for access in accesses {
                assert!((1..=LARGEST_BLOCK_BYTES).contains(&access.size_bytes));
            }
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.starts_with('t') && message.len() < 800, "{message}");
            match error.position {
                Position::Line(line) => {
                    let feeds = bytes.iter().filter(|b| **b == b'\n').count() as u64;
                    assert!((1..=feeds + 1).contains(&line), "{message}");
                }
                Position::Record { byte_offset, .. } => {
                    assert!(byte_offset < bytes.len() as u64, "{message}");
                }
                Position::Whole => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(trace in any_trace()) {
        prop_assert_eq!(&csv(&written_csv(&trace)[..]).unwrap(), &trace);
        prop_assert_eq!(&rocksdb(&written_rocksdb(&trace)[..]).unwrap(), &trace);
        let plain: Vec<TraceAccess> = trace
            .iter()
            .map(|a| TraceAccess { time: a.time, ..TraceAccess::new(a.key, a.size_bytes) })
            .collect();
        prop_assert_eq!(&oracle_general(&written_oracle_general(&trace)[..]).unwrap(), &plain);
        prop_assert_eq!(&kia(&written_kia(&trace)[..]).unwrap(), &plain);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for read in READERS {
            check(read_twice(read, &bytes), &bytes);
        }
    }

    /// Text that is nearly a trace reaches deeper than arbitrary bytes do.
    #[test]
    fn any_text_under_a_header_is_read_or_refused(text in "[0-9a-z,\"\n\r .-]{0,200}") {
        let bytes = format!("key,size,role\n{text}").into_bytes();
        for read in READERS {
            check(read_twice(read, &bytes), &bytes);
        }
    }

    #[test]
    fn a_damaged_trace_is_read_or_refused(
        trace in any_trace(),
        changes in prop::collection::vec((any::<u8>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for (read, mut bytes) in READERS.into_iter().zip([
            written_csv(&trace),
            written_oracle_general(&trace),
            written_kia(&trace),
            written_rocksdb(&trace),
        ]) {
            for (kind, at, byte) in &changes {
                mutate(&mut bytes, *kind, *at, *byte);
            }
            check(read_twice(read, &bytes), &bytes);
        }
    }

    #[test]
    fn a_truncated_record_is_refused(trace in any_trace(), cut in 1_usize..24) {
        let mut bytes = written_oracle_general(&trace);
        bytes.truncate(bytes.len() - cut);
        let error = oracle_general(&bytes[..]).unwrap_err();
        let position = Position::Record { number: trace.len() as u64, byte_offset: 24 * (trace.len() as u64 - 1) };
        prop_assert_eq!(error.position, position);
    }
}

#[test]
fn an_input_that_fails_is_an_error_with_its_place() {
    struct Failing;
    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    for read in READERS {
        let error = read(&mut BufReader::new(Failing)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("cannot be read: the disk is gone"),
            "{error}"
        );
    }
}
