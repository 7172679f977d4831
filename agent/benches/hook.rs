//! What the hook costs a look-up, on both builds of RocksDB that Flink ships.
//!
//! The same calls go to a cache without and to one with a hook, in turns of some microseconds, in one process; the medians are
//! printed. `rejected` is the path nearly every look-up takes: counted, hashed, not sampled. Each build has a process of its own.
//!
//! `hook VERSION count plain|hooked hit|miss N` makes N calls, to count instructions under
//! `valgrind --tool=callgrind --toggle-collect='*count_hits*' --toggle-collect='*count_misses*'`.
#![allow(unsafe_code, reason = "calls C++ functions through their vtable")]
#![allow(missing_docs, reason = "a benchmark")]
#![allow(clippy::unwrap_used, reason = "in a benchmark a panic is the verdict")]

mod blocks;
#[path = "../tests/lab/mod.rs"]
mod lab;

use std::hint::black_box;
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use blocks::Target;
use weir_mrc::{Access, Outcome, hash_key};

/// Which build this process is about.
fn rocksdb() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| std::env::args().nth(1).unwrap());
    &VERSION
}

const MODE: &str = "per-operator";
const SAMPLES: usize = 8192;

const CALLS_A_TURN: u32 = 500;
const TURNS: usize = 4_000;
/// Other blocks seen before: of small ones a few in a thousand are sampled then.
const BLOCKS_BEFORE: u64 = 4_000_000;

const KEY: &[u8; 16] = b"\x80\xfc\x03\xed\xc1\xf0\x04\xfe\x89\xb7\x42\xd6\x83\x0b\x01\x02";
const OTHER_KEY: &[u8; 16] = b"\x80\xfc\x03\xed\xc1\xf0\x04\xfe\x89\xb7\x42\xd6\x83\x0b\x01\x03";

/// A cache without a hook, and one whose look-ups of [`KEY`] and [`OTHER_KEY`] are rejected, as most small blocks are once many have
/// been seen; large ones are still sampled, all of them.
fn targets() -> (Target, Target) {
    let (agent, _turn) = lab::agent();
    let plain = Target::new(lab::Cache::new(1 << 20));
    let cache = lab::Cache::new(1 << 20);
    let id = cache.register(&agent, "Bench (1/1)#0");
    let hooked = Target::new(cache);
    for target in [&plain, &hooked] {
        target.insert(KEY, 4096);
    }
    let caches = agent.caches.lock();
    let operator = caches.entries[&id].operators.values().next().unwrap();
    let (sampled, context) = (operator.sampled.clone(), operator.sampled.context);
    drop(caches);
    for block in 0..BLOCKS_BEFORE {
        let access = Access {
            hash: hash_key(&block.to_le_bytes()),
            charge_bytes: 4096,
            outcome: Outcome::Miss,
            inserts: true,
            counted: true,
            high_priority: false,
        };
        let mut samples = sampled.samples.lock();
        let sampling = &mut samples.sampling;
        sampling.estimator.observe(&access, 0, Duration::ZERO);
    }
    // The collector tells the hook.
    let is_rejected = |key: &[u8; 16]| hash_key(key) >= context.small_limit();
    while !is_rejected(KEY) || !is_rejected(OTHER_KEY) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(context.ceiling(), u64::MAX);
    (plain, hooked)
}

fn hit(target: &Target) {
    assert!(target.hit(KEY));
}

fn miss(target: &Target) {
    black_box(target.lookup(OTHER_KEY));
}

#[inline(never)]
fn count_hits(target: &Target, calls: u32) {
    (0..calls).for_each(|_| hit(target));
}

#[inline(never)]
fn count_misses(target: &Target, calls: u32) {
    (0..calls).for_each(|_| miss(target));
}

fn turn(call: impl Fn()) -> Duration {
    let started = Instant::now();
    for _ in 0..CALLS_A_TURN {
        call();
    }
    started.elapsed()
}

fn median(mut turns: Vec<Duration>) -> f64 {
    turns.sort_unstable();
    turns[turns.len() / 2].as_secs_f64() * 1e9 / f64::from(CALLS_A_TURN)
}

fn compare(name: &str, plain: impl Fn(), hooked: impl Fn()) {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        without.push(turn(&plain));
        with.push(turn(&hooked));
    }
    let (without, with) = (median(without), median(with));
    println!(
        "RocksDB {} {name}: {without:.2} ns without hook, {with:.2} ns with, hook {:.2} ns",
        rocksdb(),
        with - without
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [_, "count", which, what, calls] => {
            let (plain, hooked) = targets();
            let target = if which == "plain" { &plain } else { &hooked };
            let calls = calls.parse().unwrap();
            match what {
                "hit" => count_hits(target, calls),
                _ => count_misses(target, calls),
            }
        }
        ["6.20.3" | "8.10.0"] => {
            let (plain, hooked) = targets();
            compare("hit, rejected", || hit(&plain), || hit(&hooked));
            compare("miss, rejected", || miss(&plain), || miss(&hooked));
        }
        // As cargo starts it.
        _ => {
            for version in ["6.20.3", "8.10.0"] {
                let own = std::env::current_exe().unwrap();
                assert!(Command::new(own).arg(version).status().unwrap().success());
            }
        }
    }
}
