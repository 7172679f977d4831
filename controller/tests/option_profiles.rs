//! `weir options` as a user types it.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod stand;

use std::fs;
use std::process::Output;

use serde_json::Value;
use stand::weir;
use tempfile::tempdir;

fn options(arguments: &[&str]) -> Output {
    weir().arg("options").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_listed_profile_can_be_shown_and_is_sound() {
    let listed = text(&options(&["list"]).stdout);
    let names: Vec<_> = listed
        .lines()
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    assert!(names.contains(&"direct-io-index-bloom-prefix"), "{listed}");
    for name in names {
        for version in ["6.20.3", "8.10.0"] {
            let shown = options(&["show", name, "--rocksdb", version, "--json"]);
            assert!(shown.status.success(), "{}", text(&shown.stderr));
            let _: Value = serde_json::from_slice(&shown.stdout).unwrap();
        }
        assert!(options(&["check", name]).status.success(), "{name}");
    }
}

#[test]
fn memory_is_accounted_for() {
    let shown = options(&[
        "show",
        "direct-io-data-blocks",
        "--task-manager-memory",
        "3g",
        "--slots",
        "4",
    ]);
    let shown = text(&shown.stdout);
    assert!(
        shown.contains("has 1003.5 MiB of managed memory, 250.9 MiB for each slot"),
        "{shown}"
    );
    assert!(shown.contains("outside the budget"), "{shown}");
    assert!(
        shown.contains("use_direct_reads = true  (RocksDB: false)"),
        "{shown}"
    );
}

#[test]
fn a_bad_profile_is_refused_with_file_line_reason_and_remedy() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("mine.options");
    fs::write(&file, "# Mine.\n[BlockBasedTable]\nblok_size = 4 KiB\n").unwrap();
    let file = file.to_str().unwrap();
    let refused = options(&["check", file]);
    assert_eq!(refused.status.code(), Some(64));
    let said = text(&refused.stderr);
    assert!(said.contains(&format!("{file}:3: RocksDB has no option blok_size in [BlockBasedTable]; did you mean block_size?")), "{said}");
    for arguments in [["show", "no-such"], ["check", "no-such"]] {
        let refused = options(&arguments);
        assert_eq!(refused.status.code(), Some(64));
        assert!(
            text(&refused.stderr).contains("known are: flink"),
            "{}",
            text(&refused.stderr)
        );
    }
    for flags in [
        ["--slots", "0"],
        ["--task-manager-memory", "much"],
        ["--rocksdb", "5.0"],
    ] {
        assert_eq!(
            options(&["show", "flink", flags[0], flags[1]])
                .status
                .code(),
            Some(64)
        );
    }
}

/// tmpfs of older kernels and proc know no direct I/O; /proc takes no file at all.
#[test]
fn direct_io_where_there_is_none_is_refused() {
    let refused = options(&["check", "direct-io", "--state-dir", "/proc"]);
    assert_eq!(refused.status.code(), Some(64));
    let said = text(&refused.stderr);
    assert!(
        said.contains("direct-io:3: use_direct_reads needs direct I/O"),
        "{said}"
    );
    assert!(
        options(&["check", "flink", "--state-dir", "/proc"])
            .status
            .success()
    );
}
