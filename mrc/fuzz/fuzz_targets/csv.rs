//! Any bytes as a CSV trace: read or refused; what was read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_mrc::trace::TraceAccess;
use weir_mrc::trace::csv::{CsvReader, CsvWriter};

fuzz_target!(|bytes: &[u8]| {
    let Ok(reader) = CsvReader::new("fuzz", bytes) else {
        return;
    };
    let Ok(accesses) = reader.collect::<Result<Vec<TraceAccess>, _>>() else {
        return;
    };
    let mut writer = CsvWriter::new(Vec::new());
    for access in &accesses {
        writer.write(access).expect("what was read can be written");
    }
    let text = writer.into_inner();
    let again: Result<Vec<TraceAccess>, _> = CsvReader::new("again", &text[..])
        .expect("a header was written")
        .collect();
    assert_eq!(again.expect("it was written by us"), accesses);
});
