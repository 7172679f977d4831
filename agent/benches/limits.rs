//! What the agent takes and how long its acts take: resizes, pauses of a task thread, lost samples, memory. Figures, no verdicts.
//!
//! Each build of RocksDB has a process of its own.
#![allow(unsafe_code, reason = "calls C++ functions through their vtable")]
#![allow(missing_docs, reason = "a benchmark")]
#![allow(clippy::unwrap_used, reason = "in a benchmark a panic is the verdict")]

mod blocks;
#[path = "../tests/lab/mod.rs"]
mod lab;

use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use blocks::Target;
use weir_agent::agent::Agent;
use weir_agent::ring;
use weir_agent::settings::Settings;
use weir_mrc::Estimator;
use weir_protocol::AgentHealth;

const MODE: &str = "per-operator";
const SAMPLES: usize = 8192;
const MIB: u64 = 1 << 20;
const BLOCK_BYTES: usize = 4096;

/// Which build this process is about.
fn rocksdb() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| std::env::args().nth(1).unwrap());
    &VERSION
}

/// Key of the n-th block: one file, ascending offsets.
fn key(n: u64) -> [u8; 16] {
    let mut key = [0x5a; 16];
    key[8..].copy_from_slice(&n.to_be_bytes());
    key
}

fn quantile(sorted: &[Duration], quantile: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * quantile) as usize]
}

/// A full cache of 512 MiB under look-ups of a task thread: grown, and shrunk by half.
fn resizes() {
    let pairs = [("mode", MODE), ("budget-bytes", "2147483648")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let agent = Agent::new(Settings::parse(&pairs).unwrap(), Box::new(|_, _| {}));
    lab::library();
    let cache = lab::Cache::new(1 << 20);
    let id = cache.register(&agent, "Bench (1/1)#0");
    let target = Target::new(cache);
    let resize = |mib: u64| {
        let started = Instant::now();
        lab::allocate(&agent, &[(id, mib * MIB)], &[]).unwrap();
        started.elapsed()
    };
    let blocks = 512 * MIB / BLOCK_BYTES as u64;
    let (stop, longest, lookups) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 1_u64;
            let mut last = Instant::now();
            while !stop.load(Ordering::Relaxed) {
                n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                target.hit(&key((n >> 33) % blocks));
                let now = Instant::now();
                let took = now.duration_since(last);
                longest.fetch_max(took.as_nanos() as u64, Ordering::Relaxed);
                lookups.fetch_add(1, Ordering::Relaxed);
                last = now;
            }
        });
        let (mut shrinks, mut grows, mut pauses) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..8 {
            resize(512);
            for n in 0..blocks {
                target.insert(&key(n), BLOCK_BYTES);
            }
            longest.store(0, Ordering::Relaxed);
            shrinks.push(resize(256));
            pauses.push(Duration::from_nanos(longest.load(Ordering::Relaxed)));
            for _ in 0..50 {
                grows.push(resize(384));
                resize(256);
            }
        }
        stop.store(true, Ordering::Relaxed);
        for times in [&mut shrinks, &mut grows, &mut pauses] {
            times.sort_unstable();
        }
        println!(
            "RocksDB {}: growth p50 {:?}, p99 {:?}; full 512 MiB shrunk by half: median {:?}, longest {:?}; longest pause of the task thread meanwhile: median {:?}, longest {:?}",
            rocksdb(),
            quantile(&grows, 0.5),
            quantile(&grows, 0.99),
            quantile(&shrinks, 0.5),
            quantile(&shrinks, 1.0),
            quantile(&pauses, 0.5),
            quantile(&pauses, 1.0),
        );
    });
    agent.caches.lock().release(u32::try_from(id.0).unwrap());
}

/// Two operators with 1.5 million look-ups a second each, from their first moment on.
fn lost_samples() {
    const RUN: Duration = Duration::from_secs(10);
    const A_SECOND: u64 = 1_500_000;
    const BLOCKS: u64 = 40_000;
    let (agent, _turn) = lab::agent();
    let health = agent.health();
    let started = Instant::now();
    let lost_since = |before: &AgentHealth| {
        let after = agent.health();
        let taken = after.samples_taken - before.samples_taken;
        let dropped = after.samples_dropped - before.samples_dropped;
        let share = 100.0 * dropped as f64 / (taken + dropped).max(1) as f64;
        format!("{taken} samples taken, {dropped} dropped ({share:.2} %)")
    };
    let mut after_first_second = None;
    let lookups: u64 = std::thread::scope(|scope| {
        let threads = [0, 1].map(|_| {
            scope.spawn(|| {
                let cache = lab::Cache::new(1 << 20);
                let id = cache.register(&agent, "Bench (1/1)#0");
                lab::allocate(&agent, &[(id, 100 * MIB)], &[]).unwrap();
                let target = Target::new(cache);
                let mut n = 1_u64;
                let mut lookups = 0;
                let started = Instant::now();
                while started.elapsed() < RUN {
                    let due = (started.elapsed().as_secs_f64() * A_SECOND as f64) as u64;
                    while lookups < due {
                        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let key = key((n >> 33) % BLOCKS);
                        if !target.hit(&key) {
                            target.insert(&key, 512);
                        }
                        lookups += 1;
                    }
                }
                lab::release(&agent, id);
                lookups
            })
        });
        std::thread::sleep(Duration::from_secs(1));
        after_first_second = Some(agent.health());
        threads.map(|thread| thread.join().unwrap()).iter().sum()
    });
    let seconds = started.elapsed().as_secs_f64();
    // The last samples are on their way.
    std::thread::sleep(Duration::from_millis(100));
    println!(
        "RocksDB {}: {:.2} million look-ups a second on two threads: {}; after the first second: {}",
        rocksdb(),
        lookups as f64 / seconds / 1e6,
        lost_since(&health),
        lost_since(&after_first_second.unwrap()),
    );
}

fn memory() {
    let (agent, _turn) = lab::agent();
    let estimator = Estimator::new(agent.estimator_config());
    println!(
        "an estimator takes {} KiB, a thread's ring {} KiB",
        estimator.memory_bytes() / 1024,
        ring::SLOTS * 24 / 1024,
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["6.20.3" | "8.10.0"] => {
            memory();
            lost_samples();
            resizes();
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
