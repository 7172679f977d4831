//! `weir lsm` as a user calls it, on what real RocksDBs wrote: two column families under a load that makes writers wait.
//!
//! The logs are shortened: options, and messages that nothing is read from. RocksDB's own statistics are still in them, so that they can
//! say what is right.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::tempdir;

const BUILDS: [&str; 2] = ["6.20.3", "8.10.0"];

struct Answer {
    code: Option<i32>,
    out: String,
    error: String,
}

fn lsm(arguments: &[&str]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_weir"))
        .arg("lsm")
        .args(arguments)
        .output()
        .unwrap();
    Answer {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

fn json(arguments: &[&str]) -> Value {
    let answer = lsm(&[arguments, &["--json"]].concat());
    assert_eq!(answer.code, Some(0), "{}", answer.error);
    serde_json::from_str(&answer.out).unwrap()
}

fn log(build: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/lsm/rocksdb-{build}.log.txt"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `L0` and so on of RocksDB's last table for this column family: files and KiB, and flushes and compactions that made them.
fn said_by_rocksdb(log: &str, family: &str) -> Vec<(usize, u64, f64, u64)> {
    let table = log
        .rsplit(&format!("** Compaction Stats [{family}] **"))
        .find(|part| part.trim_start().starts_with("Level"))
        .unwrap();
    let rows = table
        .lines()
        .skip_while(|line| !line.starts_with("---"))
        .skip(1);
    rows.map_while(|line| {
        let mut fields = line.split_whitespace();
        let level = fields.next()?.strip_prefix('L')?.parse().ok()?;
        let fields: Vec<&str> = fields.collect();
        let kib = match fields[2] {
            "KB" => 1.0,
            "MB" => 1024.0,
            unit => panic!("{unit}"),
        };
        Some((
            level,
            fields[0].split('/').next()?.parse().ok()?,
            fields[1].parse::<f64>().ok()? * kib,
            // After size and unit: score, six of bytes, amplification, two speeds, two times.
            fields[15].parse().ok()?,
        ))
    })
    .collect()
}

#[test]
fn trees_are_as_rocksdb_itself_says() {
    for build in BUILDS {
        let whole = std::fs::read_to_string(log(build)).unwrap();
        // Up to its last statistics, which come before what the shutdown flushes.
        let end = whole.rfind("** DB Stats **").unwrap();
        let end = whole[..end].rfind("** DB Stats **").map_or(end, |_| end);
        let folder = tempdir().unwrap();
        let cut = folder.path().join("LOG");
        std::fs::write(&cut, &whole[..end]).unwrap();
        let report = json(&[text(&cut)]);
        for family in ["default", "auction/bids [1]"] {
            let families = report["logs"][0]["column_families"].as_array().unwrap();
            let found = families.iter().find(|f| f["name"] == family).unwrap();
            let levels = &found["levels"];
            assert_eq!(levels["files_of_unknown_size"], 0);
            let rows = said_by_rocksdb(&whole, family);
            let mut jobs = 0;
            for (level, files, kib, of_level) in rows {
                jobs += of_level;
                assert_eq!(
                    levels["files"][level], files,
                    "{build} {family} L{level}: {levels}"
                );
                let bytes = levels["bytes"][level].as_f64().unwrap();
                assert!(
                    (bytes / 1024.0 - kib).abs() < 0.01 * kib + 0.02,
                    "{build} {family} L{level}: {bytes}, {kib} KiB"
                );
            }
            let found = found["flushes"].as_u64().unwrap() + found["compactions"].as_u64().unwrap();
            assert_eq!(found, jobs, "{build} {family}: flushes and compactions");
        }
    }
}

#[test]
fn totals_are_the_sums_of_the_events() {
    for (build, wanted) in [("6.20.3", (34, 8, 8)), ("8.10.0", (30, 6, 10))] {
        let whole = std::fs::read_to_string(log(build)).unwrap();
        let count = |text: &str| whole.matches(text).count() as u64;
        let report = json(&[text(&log(build)), "--interval", "100ms"]);
        let one = &report["logs"][0];
        assert_eq!(one["rocksdb"], build);
        let stalls =
            one["write_stops"].as_u64().unwrap() + one["write_slowdowns"].as_u64().unwrap();
        let of = |name: &str| one[name].as_u64().unwrap();
        assert_eq!((of("flushes"), of("compactions"), stalls), wanted);
        assert_eq!(of("flushes"), count("\"flush_finished\""));
        assert_eq!(of("compactions"), count("\"compaction_finished\""));
        assert_eq!(stalls, count("Stopping writes") + count("Stalling writes"));
        assert_eq!(of("files_created"), count("\"table_file_creation\""));
        assert_eq!(of("files_deleted"), count("\"table_file_deletion\""));
        assert_eq!((of("unfinished"), of("broken_lines")), (0, 0));
        assert!(one["stalled_seconds"].as_f64().unwrap() > 0.1);
        // A compaction that the shutdown cancelled has written, but no file came of it.
        let compactions = one["compactions_one_by_one"].as_array().unwrap();
        let kept = compactions.iter().filter(|c| c["output_files"] != 0);
        let kept: u64 = kept.map(|c| c["written_bytes"].as_u64().unwrap()).sum();
        assert_eq!(of("created_bytes"), of("flushed_bytes") + kept, "{build}");
        let written = of("flushed_bytes") + of("written_bytes");
        let rows = one["intervals"].as_array().unwrap();
        for name in [
            "flushes",
            "compactions",
            "flushed_bytes",
            "read_bytes",
            "written_bytes",
            "write_stops",
        ] {
            let sum: u64 = rows.iter().map(|row| row[name].as_u64().unwrap()).sum();
            assert_eq!(sum, of(name), "{build} {name}");
        }
        assert_eq!(rows.last().unwrap()["levels"], one["levels"]);
        let amplification = written as f64 / of("flushed_bytes") as f64;
        assert!((one["write_amplification"].as_f64().unwrap() - amplification).abs() < 1e-9);
        // Compactions into L1, or with levels sized by the last one, into L6.
        let last_level = if build == "6.20.3" { 1 } else { 6 };
        for compaction in compactions {
            assert_eq!(compaction["output_level"], last_level);
            assert!(compaction["finished_micros"].as_u64() > compaction["started_micros"].as_u64());
        }
    }
}

#[test]
fn parts_of_a_log_are_read_as_one() {
    let whole = std::fs::read_to_string(log("8.10.0")).unwrap();
    let middle = whole[..whole.len() / 2].rfind('\n').unwrap() + 1;
    let folder = tempdir().unwrap();
    let db = folder.path().join("job/op/db");
    std::fs::create_dir_all(&db).unwrap();
    std::fs::write(db.join("LOG.old.1795897948642364"), &whole[..middle]).unwrap();
    std::fs::write(db.join("LOG"), &whole[middle..]).unwrap();
    let mut parts = json(&[text(folder.path())]);
    let mut one = json(&[text(&log("8.10.0"))]);
    for report in [&mut parts, &mut one] {
        let log = report["logs"][0].as_object_mut().unwrap();
        log.remove("log");
        log.remove("files");
    }
    assert_eq!(parts, one);

    std::fs::copy(log("6.20.3"), folder.path().join("other_LOG")).unwrap();
    let both = lsm(&[text(folder.path())]);
    assert_eq!(both.code, Some(0), "{}", both.error);
    let rows = both
        .out
        .lines()
        .filter(|l| l.contains("job/op/db/LOG") || l.contains("other_LOG"));
    // A table of both, then a headline each.
    assert_eq!(rows.count(), 4, "{}", both.out);
}

#[test]
fn torn_and_foreign_lines_are_no_reason_to_fail() {
    let whole = std::fs::read_to_string(log("8.10.0")).unwrap();
    let folder = tempdir().unwrap();
    let path = folder.path().join("LOG");
    let torn = whole.rfind("EVENT_LOG_v1").unwrap() + 30;
    std::fs::write(
        &path,
        format!(
            "java.lang.Exception: foreign\n\tat x.y(Z.java:1)\n{}",
            &whole[..torn]
        ),
    )
    .unwrap();
    let report = json(&[text(&path)]);
    assert_eq!(report["logs"][0]["broken_lines"], 0);
    assert_eq!(report["logs"][0]["compactions"], 6);

    // The same line, but more follow: that is no end that was cut off.
    std::fs::write(&path, format!("{}\n{whole}", &whole[..torn])).unwrap();
    let answer = lsm(&[text(&path)]);
    assert_eq!(answer.code, Some(0));
    let number = whole[..torn].lines().count();
    let place = format!(
        "{}, line {number}: an event that cannot be read",
        path.display()
    );
    assert!(answer.error.contains(&place), "{}", answer.error);
    assert!(answer.out.contains("1 broken lines"), "{}", answer.out);
}

#[test]
fn what_is_no_log_is_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("LOG");
    for (content, says) in [
        (
            "key,size\n1,2\n",
            "line 1: not RocksDB's LOG; none of its 2 lines",
        ),
        ("\u{1f}\u{8b}\0\0", "line 1: not RocksDB's LOG"),
    ] {
        std::fs::write(&path, content).unwrap();
        let answer = lsm(&[text(&path)]);
        assert_eq!(answer.code, Some(1));
        assert!(
            answer.error.contains(says) && answer.error.contains(text(&path)),
            "{}",
            answer.error
        );
    }
    let empty = tempdir().unwrap();
    let answer = lsm(&[text(empty.path())]);
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.error.contains("no file named LOG"),
        "{}",
        answer.error
    );
    for interval in ["0s", "1", "0.0001ms"] {
        let answer = lsm(&[text(&log("6.20.3")), "--interval", interval]);
        assert_eq!(answer.code, Some(64), "{interval}");
        assert!(answer.error.contains("interval: "), "{}", answer.error);
    }
    assert_eq!(lsm(&[]).code, Some(64));
}

#[test]
fn pictures_are_drawn() {
    let folder = tempdir().unwrap();
    for (name, begins) in [("a.svg", &b"<svg"[..]), ("a.png", b"\x89PNG")] {
        let file = folder.path().join(name);
        let answer = lsm(&[
            text(&log("6.20.3")),
            text(&log("8.10.0")),
            "--plot",
            text(&file),
        ]);
        assert_eq!(answer.code, Some(0), "{}", answer.error);
        assert!(std::fs::read(&file).unwrap().starts_with(begins));
    }
    let svg = std::fs::read_to_string(folder.path().join("a.svg")).unwrap();
    for word in ["2 logs", "L6", "files by level", "to L1", "flush"] {
        assert!(svg.contains(word), "{word}");
    }
}

#[test]
fn a_state_whose_name_has_a_quotation_mark_is_read() {
    for build in BUILDS {
        let log =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/lsm/quoted-{build}.log.txt"));
        let answer = lsm(&[text(&log), "--json"]);
        assert_eq!((answer.code, answer.error.as_str()), (Some(0), ""));
        let read: Value = serde_json::from_str(&answer.out).unwrap();
        let read = read.to_string();
        assert!(read.contains(r#"bids \"hot\", by\\day"#), "{build}: {read}");
    }
}
