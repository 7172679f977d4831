//! Any bytes as an `oracleGeneral` trace: read or refused; what was read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_mrc::trace::TraceAccess;
use weir_mrc::trace::oracle_general::{OracleGeneralReader, OracleGeneralWriter};

fuzz_target!(|bytes: &[u8]| {
    let read = OracleGeneralReader::new("fuzz", bytes).collect::<Result<Vec<TraceAccess>, _>>();
    let Ok(accesses) = read else {
        return;
    };
    assert_eq!(accesses.len() * 24, bytes.len());
    let mut writer = OracleGeneralWriter::new(Vec::new());
    for access in &accesses {
        writer.write(access).expect("what was read can be written");
    }
    let written = writer.into_inner();
    let again: Result<Vec<TraceAccess>, _> = OracleGeneralReader::new("again", &written[..]).collect();
    assert_eq!(again.expect("it was written by us"), accesses);
});
