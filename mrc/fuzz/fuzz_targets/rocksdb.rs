//! Any bytes as a human-readable block cache trace: read or refused; what was read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_mrc::trace::TraceAccess;
use weir_mrc::trace::rocksdb::{RocksdbReader, RocksdbWriter};

fuzz_target!(|bytes: &[u8]| {
    let read = RocksdbReader::new("fuzz", bytes).collect::<Result<Vec<TraceAccess>, _>>();
    let Ok(accesses) = read else {
        return;
    };
    let mut writer = RocksdbWriter::new(Vec::new());
    for access in &accesses {
        writer.write(access).expect("what was read can be written");
    }
    let text = writer.into_inner();
    let again: Result<Vec<TraceAccess>, _> = RocksdbReader::new("again", &text[..]).collect();
    assert_eq!(again.expect("it was written by us"), accesses);
});
