//! The C header is what the code says, and a C program that uses it sees what its RocksDB does.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::path::{Path, PathBuf};
use std::process::Command;

use weir_protocol::{BlockRole, LookupResult, Report};

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

fn header() -> PathBuf {
    Path::new(CRATE).join("include/weir_agent.h")
}

/// Output of a command that must succeed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{error}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_header_is_what_the_code_says() {
    let config = cbindgen::Config::from_file(Path::new(CRATE).join("cbindgen.toml")).unwrap();
    let mut made = Vec::new();
    cbindgen::Builder::new()
        .with_config(config)
        .with_src(Path::new(CRATE).join("src/c_exports.rs"))
        .generate()
        .unwrap()
        .write(&mut made);
    let made = String::from_utf8(made).unwrap();
    if std::env::var_os("WRITE_HEADER").is_some() {
        std::fs::write(header(), &made).unwrap();
    }
    let checked_in = std::fs::read_to_string(header()).unwrap();
    assert_eq!(
        checked_in, made,
        "make it anew with WRITE_HEADER=1, as agent/cbindgen.toml says"
    );
}

/// The agent as a shared library, which cargo builds next to this test.
fn agent_library() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let library = own.ancestors().nth(2).unwrap().join("libweir_agent.so");
    let beside = own.with_file_name("libweir_agent.so");
    // The one just built for this test; the other may be of an earlier build.
    [beside, library]
        .into_iter()
        .find(|library| library.exists())
        .expect("libweir_agent.so is built with the tests")
}

#[test]
fn a_c_program_sees_what_its_rocksdb_does_on_both_builds() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("lab");
    run(Command::new("cc")
        .args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(Path::new(CRATE).join("include"))
        .arg(Path::new(CRATE).join("tests/c/lab.c"))
        .arg("-o")
        .arg(&program)
        .arg("-ldl"));
    for version in ["6.20.3", "8.10.0"] {
        let script = Path::new(CRATE).join("../scripts/get_rocksdbjni.sh");
        let rocksdb = run(Command::new(script).arg(version));
        let output = run(Command::new(&program)
            .arg(rocksdb.trim())
            .arg(agent_library())
            .arg(directory.path().join(version)));
        let report: Report = serde_json::from_str(&output).unwrap();
        assert_eq!(report.agent.rocksdb_version, version);
        let [cache] = &report.caches[..] else {
            panic!("one cache: {:?}", report.caches);
        };
        assert_eq!(cache.operator.operator_name, "Join[3]");
        assert_eq!(
            (cache.operator.subtask_index, cache.operator.attempt),
            (1, 1)
        );
        let data = |result| cache.count(|c| c.role == BlockRole::Data && c.result == result);
        let (hits, misses) = (data(LookupResult::Hit), data(LookupResult::Miss));
        // Each read looks one data block up; a block of 4 KiB holds some twenty values.
        assert_eq!(hits + misses, 20_000);
        assert!((800..2_000).contains(&misses), "{misses} misses");
    }
}
