//! `weir mrc` as a user calls it.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

const WEIR: &str = env!("CARGO_BIN_EXE_weir");

struct Answer {
    code: Option<i32>,
    out: String,
    error: String,
}

fn mrc(arguments: &[&str], input: &[u8]) -> Answer {
    let mut child = Command::new(WEIR)
        .arg("mrc")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that refuses its arguments does not read its input.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Answer {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

fn json(arguments: &[&str], input: &[u8]) -> Value {
    let answer = mrc(&[arguments, &["--json"]].concat(), input);
    assert_eq!(answer.code, Some(0), "{}", answer.error);
    serde_json::from_str(&answer.out).unwrap()
}

/// One number of every point.
fn column(curve: &Value, name: &str) -> Vec<f64> {
    let points = curve["points"].as_array().unwrap();
    points.iter().map(|p| p[name].as_f64().unwrap()).collect()
}

fn file(dir: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Numbers that look random (Steele et al., SplitMix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Key and size of look-ups of which some are far more frequent than others.
fn skewed(accesses: u64) -> Vec<(u64, u64)> {
    let mut state = 7;
    (0..accesses)
        .map(|_| {
            let uniform = (random(&mut state) >> 11) as f64 / (1_u64 << 53) as f64;
            let key = (uniform.powi(3) * 60_000.0) as u64;
            (key, 3_000 + key * 37 % 2_000)
        })
        .collect()
}

fn csv(accesses: &[(u64, u64)]) -> Vec<u8> {
    let mut text = String::from("key,size\n");
    for (key, size) in accesses {
        text.push_str(&format!("{key},{size}\n"));
    }
    text.into_bytes()
}

fn oracle_general(accesses: &[(u64, u64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (time, (key, size)) in accesses.iter().enumerate() {
        bytes.extend((time as u32).to_le_bytes());
        bytes.extend(key.to_le_bytes());
        bytes.extend((*size as u32).to_le_bytes());
        bytes.extend((-1_i64).to_le_bytes());
    }
    bytes
}

fn rocksdb_trace(accesses: &[(u64, u64)]) -> Vec<u8> {
    let mut text = String::new();
    for (time, (key, size)) in accesses.iter().enumerate() {
        text.push_str(&format!(
            "{time},{key},9,{size},0,default,0,5,1,0,0,0,0,0,0,0,0,0,0,0,0\n"
        ));
    }
    text.into_bytes()
}

#[test]
fn a_small_trace_is_answered_exactly() {
    // Distances: b 30; a 10 + 20 + 30, c 30 + 10.
    let trace = b"key,size\nb,20\nb,20\na,10\nc,30\nb,20\na,10\n";
    let curve = json(&["-", "--exact", "--grid", "19,20,59,60,1KiB"], trace);
    assert_eq!(curve["accesses"], 6);
    assert_eq!(curve["working_set_bytes"], 60);
    let ratios = column(&curve, "exact");
    let expected = [6.0, 5.0, 5.0, 3.0, 3.0].map(|misses| misses / 6.0);
    for (ratio, expected) in ratios.iter().zip(expected) {
        assert!((ratio - expected).abs() < 1e-12, "{ratios:?}");
    }
    assert_eq!(column(&curve, "bytes"), [19.0, 20.0, 59.0, 60.0, 1024.0]);
}

#[test]
fn all_formats_give_the_same_curve_and_are_told_apart() {
    let accesses = skewed(100_000);
    let dir = tempdir().unwrap();
    let files = [
        file(&dir, "a.csv", &csv(&accesses)),
        file(&dir, "b.bin", &oracle_general(&accesses)),
        file(&dir, "c", &rocksdb_trace(&accesses)),
    ];
    let grid = ["--grid", "lin:20"];
    let curves: Vec<Value> = files
        .iter()
        .map(|f| json(&[&[text(f)][..], &grid].concat(), b""))
        .collect();
    assert_eq!(curves[0]["format"], "csv");
    assert_eq!(curves[1]["format"], "oracle-general");
    assert_eq!(curves[2]["format"], "rocksdb-trace");
    for curve in &curves {
        assert_eq!(curve["accesses"], 100_000);
        assert_eq!(curve["points"], curves[0]["points"]);
    }
    let named = json(
        &["-", "--format", "oracle-general", "--grid", "lin:20"],
        &oracle_general(&accesses),
    );
    assert_eq!(named["points"], curves[0]["points"]);
    // Milliseconds, command, key, size, validity: nothing tells these from other packed records.
    let mut kia = Vec::new();
    for (time, (key, size)) in accesses.iter().enumerate() {
        kia.extend((time as u64).to_le_bytes());
        kia.push(0);
        kia.extend(key.to_le_bytes());
        kia.extend((*size as u32).to_le_bytes());
        kia.extend(0_u32.to_le_bytes());
    }
    let kia = json(&["-", "--format", "kia", "--grid", "lin:20"], &kia);
    assert_eq!(kia["format"], "kia");
    assert_eq!(kia["points"], curves[0]["points"]);
}

#[test]
fn a_curve_that_was_written_is_held_beside() {
    let mut trace = String::from("key,size\n");
    for access in 0_u64..20_000 {
        trace.push_str(&format!(
            "{},4096\n",
            (access * access) % 977 % (1 + access % 400)
        ));
    }
    let dir = tempdir().unwrap();
    let curve = dir.path().join("mrc.bin");
    let grid = ["-", "--grid", "lin:40", "--block-bytes", "4096"];
    for exact in [&["--samples", "50"][..], &["--exact"]] {
        let arguments = [&grid[..], exact].concat();
        let write = [&arguments[..], &["--write-mrc", text(&curve)]].concat();
        let written = json(&write, trace.as_bytes());
        let read = [&arguments[..], &["--beside", text(&curve)]].concat();
        let read = json(&read, trace.as_bytes());
        let name = if exact.len() == 1 {
            "exact"
        } else {
            "miss_ratio"
        };
        assert_eq!(column(&read, "beside"), column(&written, name), "{name}");
    }
    let without_blocks = mrc(&["-", "--write-mrc", text(&curve)], trace.as_bytes());
    assert_eq!(without_blocks.code, Some(64), "{}", without_blocks.error);
    assert!(without_blocks.error.contains("--block-bytes"));
    let nowhere = [&grid[..], &["--write-mrc", "/nowhere/mrc.bin"]].concat();
    let nowhere = mrc(&nowhere, trace.as_bytes());
    assert_eq!(nowhere.code, Some(1));
    assert!(
        nowhere
            .error
            .contains("cannot write curve /nowhere/mrc.bin")
    );
    assert_eq!(mrc(&grid, trace.as_bytes()).code, Some(64));
}

#[test]
fn a_curve_of_another_program_is_held_beside() {
    // Distances: b 30; a 10 + 20 + 30, c 30 + 10. The other curve counts blocks of 20 bytes.
    let trace = b"key,size\nb,20\nb,20\na,10\nc,30\nb,20\na,10\n";
    let dir = tempdir().unwrap();
    let mut other = Vec::new();
    for (word, ratio) in [(4_u64, f64::from_bits(1)), (0, 1.0), (1, 0.75), (3, 0.5)] {
        other.extend(word.to_le_bytes());
        other.extend(ratio.to_le_bytes());
    }
    let other = file(&dir, "mrc.bin", &other);
    let beside = [
        "-",
        "--exact",
        "--grid",
        "19,20,60",
        "--beside",
        text(&other),
    ];
    let arguments = [&beside[..], &["--block-bytes", "20"]].concat();
    assert_eq!(column(&json(&arguments, trace), "beside"), [1.0, 0.75, 0.5]);
    // Exactly 1, 5 of 6 and 3 of 6.
    let answer = mrc(&arguments, trace);
    let apart = "beside is 2.78 points from the exact one on average, 8.33 at most";
    assert!(answer.out.contains(apart), "{}", answer.out);
    assert_eq!(mrc(&beside, trace).code, Some(64));
    let broken = file(&dir, "broken.bin", b"key,size");
    let answer = mrc(
        &["-", "--beside", text(&broken), "--block-bytes", "1"],
        trace,
    );
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.error.contains("broken.bin: not an mrc.bin"),
        "{}",
        answer.error
    );
}

#[test]
fn the_estimate_is_near_the_exact_curve_and_repeatable() {
    let trace = csv(&skewed(300_000));
    let arguments = [
        "-",
        "--exact",
        "--samples",
        "4096",
        "--seed",
        "3",
        "--grid",
        "lin:50",
    ];
    let curve = json(&arguments, &trace);
    let (estimated, exact) = (column(&curve, "miss_ratio"), column(&curve, "exact"));
    let differences = estimated.iter().zip(&exact).map(|(e, x)| (e - x).abs());
    let mean = differences.sum::<f64>() / 50.0;
    assert!(mean < 0.01, "mean error {mean}");
    assert!(mean > 0.0, "4096 of 60,000 blocks are a sample");
    assert!(estimated.is_sorted_by(|a, b| a >= b));
    for ((low, high), ratio) in column(&curve, "low")
        .iter()
        .zip(column(&curve, "high"))
        .zip(&estimated)
    {
        assert!((0.0..=*ratio).contains(low) && (*ratio..=1.0).contains(&high));
    }
    assert_eq!(json(&arguments, &trace)["points"], curve["points"]);
    let other = json(
        &[
            "-",
            "--exact",
            "--samples",
            "4096",
            "--seed",
            "4",
            "--grid",
            "lin:50",
        ],
        &trace,
    );
    assert_ne!(other["points"], curve["points"]);
    assert_eq!(column(&other, "exact"), exact);
}

#[test]
fn callers_and_roles_are_chosen() {
    // A user's loop over two data blocks and an index, and a compaction that reads ten others in between.
    let mut trace = String::from("key,size,role,caller\n");
    for round in 0..50 {
        for key in 0..2 {
            trace.push_str(&format!("{key},100,data,user\n"));
        }
        trace.push_str("index,1000,index,user\n");
        for key in 0..10 {
            trace.push_str(&format!(
                "{},100,data,compaction\n",
                1_000 + round * 10 + key
            ));
        }
    }
    let curve = |arguments: &[&str]| {
        json(
            &[&["-", "--exact", "--grid", "200,1200"], arguments].concat(),
            trace.as_bytes(),
        )
    };
    let user = curve(&[]);
    assert_eq!(user["accesses"], 150);
    assert_eq!(user["accesses_read"], 650);
    assert_eq!(column(&user, "exact"), [1.0, 3.0 / 150.0]);
    let all = curve(&["--callers", "all"]);
    assert_eq!(all["accesses"], 650);
    assert_eq!(column(&all, "exact"), [1.0, 503.0 / 650.0]);
    let data = curve(&["--roles", "data"]);
    assert_eq!(data["accesses"], 100);
    assert_eq!(column(&data, "exact"), [0.02, 0.02]);
    let both = curve(&["--roles", "data,index"]);
    assert_eq!(both["points"], user["points"]);

    let none = mrc(&["-", "--roles", "filter"], trace.as_bytes());
    assert_eq!(none.code, Some(1));
    assert!(
        none.error.contains("see --callers and --roles"),
        "{}",
        none.error
    );
}

#[test]
fn large_blocks_fit_into_fewer_shards() {
    // A shard of a 64th of the cache holds one block of 60 KB, or none.
    let accesses: Vec<(u64, u64)> = (0..20_000).map(|i| (i * 7 % 100, 60_000)).collect();
    let trace = csv(&accesses);
    let exact = |arguments: &[&str]| {
        let curve = json(
            &[&["-", "--exact", "--grid", "6MB"], arguments].concat(),
            &trace,
        );
        column(&curve, "exact")[0]
    };
    assert_eq!(exact(&[]), 0.005);
    let sharded = exact(&["--shards", "64"]);
    assert!(sharded > 0.3, "{sharded}");
    assert!(exact(&["--high-pri-ratio", "0.5"]) < 0.9);
}

#[test]
fn age_is_told_in_accesses_or_time() {
    // First a loop over few blocks, then one over many: what counts is the second, once the first has aged.
    let mut accesses: Vec<(u64, u64)> = (0..50_000).map(|i| (i % 10, 1_000)).collect();
    accesses.extend((0..20_000).map(|i| (100 + i % 1_000, 1_000)));
    let trace = oracle_general(&accesses);
    let at = |arguments: &[&str]| {
        let always = [
            "-",
            "--format",
            "oracle-general",
            "--exact",
            "--grid",
            "500KB",
        ];
        let curve = json(&[&always[..], arguments].concat(), &trace);
        (column(&curve, "exact")[0], column(&curve, "miss_ratio")[0])
    };
    let (exact, estimated) = at(&[]);
    assert!((exact - 20_010.0 / 70_000.0).abs() < 1e-9, "{exact}");
    assert!((estimated - exact).abs() < 0.02, "{estimated}");
    for age in ["2000", "2000s"] {
        let (exact, estimated) = at(&["--half-life", age]);
        assert!(exact > 0.98 && estimated > 0.95, "{exact} {estimated}");
    }
    let timeless = mrc(&["-", "--half-life", "10min"], b"key,size\n1,2\n");
    assert_eq!(timeless.code, Some(64));
    assert!(
        timeless
            .error
            .contains("the trace has no times; write a number of accesses"),
        "{}",
        timeless.error
    );
}

#[test]
fn tables_and_plots_are_for_people() {
    let dir = tempdir().unwrap();
    let trace = file(&dir, "a.csv", &csv(&skewed(50_000)));
    let (svg, png) = (dir.path().join("a.svg"), dir.path().join("a.png"));
    let answer = mrc(
        &[
            text(&trace),
            "--exact",
            "--capacity",
            "64MiB",
            "--plot",
            text(&svg),
        ],
        b"",
    );
    assert_eq!(answer.code, Some(0), "{}", answer.error);
    assert!(
        answer.error.contains("a.csv looks like csv"),
        "{}",
        answer.error
    );
    for part in [
        "50000 accesses",
        "one LRU list",
        "90 % band",
        "exact",
        "64.0 MiB *",
    ] {
        assert!(
            answer.out.contains(part),
            "{part} is missing in {}",
            answer.out
        );
    }
    let drawn = std::fs::read_to_string(&svg).unwrap();
    for part in ["<svg", "cache size", "MiB", "exact", "64.0 MiB: "] {
        assert!(drawn.contains(part), "{part} is missing in the picture");
    }
    let answer = mrc(&[text(&trace), "--plot", text(&png)], b"");
    assert_eq!(answer.code, Some(0), "{}", answer.error);
    assert!(
        std::fs::read(&png)
            .unwrap()
            .starts_with(b"\x89PNG\r\n\x1a\n")
    );
    let lost = dir.path().join("no/such/place.svg");
    let answer = mrc(&[text(&trace), "--plot", text(&lost)], b"");
    assert_eq!(answer.code, Some(1));
    assert!(
        answer.error.contains("cannot write plot"),
        "{}",
        answer.error
    );
}

#[test]
fn broken_traces_fail_with_their_place() {
    let dir = tempdir().unwrap();
    let mut torn = oracle_general(&skewed(10));
    torn.truncate(torn.len() - 5);
    for (name, content, message) in [
        (
            "a.csv",
            &b"key,size\n1,2\n1,0\n"[..],
            "a.csv, line 3: size 0; a block has",
        ),
        ("b.csv", b"", "b.csv: no access in it"),
        ("c.csv", b"key,size\n", "c.csv: no access in it"),
        ("d.csv", b"1,2\n", "d.csv, line 1: `1,2` is no header"),
        (
            "e.bin",
            &torn,
            "e.bin, record 10 at byte 216: ends after 19 of a record's 24 bytes",
        ),
        ("f.zst", b"\x28\xb5\x2f\xfd\0", "is compressed; unpack it"),
        ("g", b"hello\n", "say which with --format"),
    ] {
        let path = file(&dir, name, content);
        let answer = mrc(&[text(&path), "--json"], b"");
        assert_eq!(answer.code, Some(1), "{name}");
        assert!(answer.error.contains(message), "{}", answer.error);
        assert_eq!(answer.out, "");
    }
    let missing = mrc(&["/no/such/trace"], b"");
    assert_eq!(missing.code, Some(1));
    assert!(
        missing.error.contains("cannot open trace /no/such/trace"),
        "{}",
        missing.error
    );
}

#[test]
fn bad_usage_ends_with_64() {
    for arguments in [
        &["-", "--grid", "lin:0"][..],
        &["-", "--samples", "0"],
        &["-", "--roles", "leaf"],
        &["-", "--callers", "nobody"],
        &["-", "--cold", "warm"],
        &["-", "--shards", "0"],
        &["-", "--high-pri-ratio", "1.5"],
        &["-", "--half-life", "0"],
        &["-", "--capacity", "much"],
        &["-", "--plot", "a.pdf"],
        &["-", "--format", "parquet"],
        &[],
    ] {
        let answer = mrc(arguments, b"key,size\n1,2\n");
        assert_eq!(answer.code, Some(64), "{arguments:?}: {}", answer.error);
    }
}

/// Largest resident memory of a run, in KiB, as the kernel counts it.
#[cfg(target_os = "linux")]
fn peak_kib(trace: impl Iterator<Item = Vec<u8>>) -> u64 {
    let mut child = Command::new(WEIR)
        .args(["mrc", "-", "--format", "oracle-general", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for part in trace {
        stdin.write_all(&part).unwrap();
    }
    // It waits for more, and so is still there to be looked at.
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    let peak = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    peak.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_trace() {
    let part = |start: u64| {
        let accesses: Vec<(u64, u64)> = (start..start + 100_000).map(|i| (i, 4_096)).collect();
        oracle_general(&accesses)
    };
    let short = peak_kib((0..2).map(|i| part(i * 100_000)));
    let long = peak_kib((0..20).map(|i| part(i * 100_000)));
    // Twenty times the distinct blocks; a table of them alone would take 30 MiB.
    assert!(long < short + 4_096, "{short} KiB, then {long} KiB");
}
