//! What the hook costs a look-up, on both builds of RocksDB that Flink ships.
//!
//! The same calls go to a cache without and to one with a hook, in turns of some microseconds, in one process; the medians are
//! printed. `rejected` is the path nearly every look-up takes: counted, hashed, not sampled. Each build has a process of its own.
//!
//! `hook VERSION count plain|hooked hit|miss N` makes N calls and nothing else, to count instructions under
//! `valgrind --tool=callgrind`.
#![allow(unsafe_code, reason = "calls C++ functions through their vtable")]
#![allow(missing_docs, reason = "a benchmark")]
#![allow(clippy::unwrap_used, reason = "in a benchmark a panic is the verdict")]

#[path = "../tests/lab/mod.rs"]
mod lab;

use std::ffi::c_void;
use std::hint::black_box;
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use weir_agent::frocksdb::call::{
    DeleterInsert, DeleterLookup, HelperInsert, HelperLookup, ItemHelper, Release, Slice,
};

/// Which build this process is about.
fn rocksdb() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| std::env::args().nth(1).unwrap());
    &VERSION
}

const MODE: &str = "per-operator";

const CALLS_A_TURN: u32 = 500;
const TURNS: usize = 4_000;

// A key of each build's form. Of 8.x: file and offset, 16 bytes.
const KEY: &[u8] = b"\x80\xfc\x03\xed\xc1\xf0\x04\xfe\x89\xb7\x42\xd6\x83\x0b\x01\x02";
const OTHER_KEY: &[u8] = b"\x80\xfc\x03\xed\xc1\xf0\x04\xfe\x89\xb7\x42\xd6\x83\x0b\x01\x03";

extern "C" fn keep(_key: *const c_void, _value: *mut c_void) {}

static mut VALUE: u64 = 0;
static DATA_BLOCK: LazyLock<ItemHelperAddress> = LazyLock::new(|| {
    ItemHelperAddress(Box::into_raw(Box::new(ItemHelper {
        functions: [keep as *const c_void as usize, 0, 0, 0],
        role: 0,
        without_secondary: std::ptr::null(),
    })))
});

struct ItemHelperAddress(*const ItemHelper);
// SAFETY: never changed.
unsafe impl Send for ItemHelperAddress {}
// SAFETY: as above.
unsafe impl Sync for ItemHelperAddress {}

/// A cache with one block in it, called the way RocksDB calls it.
struct Target {
    object: *mut c_void,
    is_eight: bool,
    _cache: lab::Cache,
}

impl Target {
    fn new(cache: lab::Cache) -> Self {
        let target = Self {
            object: cache.shared[0] as *mut c_void,
            is_eight: rocksdb().starts_with('8'),
            _cache: cache,
        };
        let key = slice(KEY);
        let mut status = [0_u64; 2];
        let status = status.as_mut_ptr().cast();
        let none = std::ptr::null_mut();
        // SAFETY: slot 3 is `Insert` in both; the deleter does nothing with the value.
        unsafe {
            let value = (&raw mut VALUE).cast();
            if target.is_eight {
                let insert: HelperInsert = std::mem::transmute(target.slot(3));
                let empty = slice(&[]);
                insert(
                    status,
                    target.object,
                    &raw const key,
                    value,
                    DATA_BLOCK.0,
                    4096,
                    none,
                    1,
                    &raw const empty,
                    0,
                );
            } else {
                let insert: DeleterInsert = std::mem::transmute(target.slot(3));
                let deleter = keep as *const c_void;
                insert(
                    status,
                    target.object,
                    &raw const key,
                    value,
                    4096,
                    deleter,
                    none,
                    1,
                );
            }
        }
        target
    }

    fn slot(&self, slot: usize) -> usize {
        // SAFETY: the object starts with its vptr.
        unsafe { *(*self.object.cast::<*const usize>()).add(slot) }
    }

    #[inline]
    fn lookup(&self, key: &[u8]) -> *mut c_void {
        let key = slice(key);
        let key = black_box(&raw const key);
        let none = std::ptr::null_mut();
        // SAFETY: slots 5 and 4 are `Lookup`.
        unsafe {
            if self.is_eight {
                let lookup: HelperLookup = std::mem::transmute(self.slot(5));
                lookup(self.object, key, DATA_BLOCK.0, none, 1, none)
            } else {
                let lookup: DeleterLookup = std::mem::transmute(self.slot(4));
                lookup(self.object, key, none)
            }
        }
    }

    fn hit(&self) {
        let handle = self.lookup(KEY);
        // SAFETY: slots 7 and 6 are `Release`; the handle came from `Lookup`.
        unsafe {
            let release: Release =
                std::mem::transmute(self.slot(if self.is_eight { 7 } else { 6 }));
            release(self.object, handle, false);
        }
    }

    fn miss(&self) {
        black_box(self.lookup(OTHER_KEY));
    }
}

fn slice(bytes: &[u8]) -> Slice {
    Slice {
        data: bytes.as_ptr(),
        size: bytes.len(),
    }
}

/// A cache without a hook, and one whose every look-up is rejected.
fn targets() -> (Target, Target) {
    let (agent, _turn) = lab::agent();
    let plain = Target::new(lab::Cache::new(1 << 20));
    let cache = lab::Cache::new(1 << 20);
    let id = cache.register(&agent, "Bench (1/1)#0");
    let hooked = Target::new(cache);
    let caches = agent.caches.lock();
    let operators = caches.entries[&id].operators.values();
    let contexts: Vec<_> = operators.map(|operator| operator.sampled.context).collect();
    drop(caches);
    // The collector would set the threshold anew every few milliseconds.
    weir_agent::operator::stop_sampling(contexts.into_iter());
    (plain, hooked)
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
            for _ in 0..calls.parse::<u32>().unwrap() {
                match what {
                    "hit" => target.hit(),
                    _ => target.miss(),
                }
            }
        }
        ["6.20.3" | "8.10.0"] => {
            let (plain, hooked) = targets();
            compare("hit, rejected", || plain.hit(), || hooked.hit());
            compare("miss, rejected", || plain.miss(), || hooked.miss());
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
