//! What the hook costs a look-up, on the RocksDB that Flink ships: the same call on a cache without and with a hook.
//!
//! `rejected` is the path nearly every look-up takes: counted, hashed, not sampled.
#![allow(unsafe_code, reason = "calls a C++ function through its vtable")]
#![allow(missing_docs, reason = "a benchmark")]

#[path = "../tests/lab/mod.rs"]
mod lab;

use std::ffi::c_void;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use weir_agent::frocksdb::{Build, InsertFn, LookupFn, Slice};

type ReleaseFn = unsafe extern "C-unwind" fn(*mut c_void, *mut c_void, bool) -> bool;

/// A cache with one block in it, called the way RocksDB calls it.
struct Target {
    object: *mut c_void,
    _cache: lab::Cache,
}

const KEY: &[u8] = b"\x80\xfc\x03\xed\xc1\xf0\x04\xfe\x89\xb7\x42\xd6\x83\x0b";
const OTHER_KEY: &[u8] = b"\x80\xfc\x03\xed\xc1\xf0\x04\xfe\x89\xb7\x42\xd6\x83\x0c";

extern "C" fn keep(_key: *const c_void, _value: *mut c_void) {}

impl Target {
    fn new(cache: lab::Cache) -> Self {
        let target = Self {
            object: cache.shared[0] as *mut c_void,
            _cache: cache,
        };
        let key = slice(KEY);
        let mut status = [0_u64; 2];
        static mut VALUE: u64 = 0;
        // SAFETY: slot 3 is `Insert`; the deleter does nothing with the value.
        unsafe {
            let insert: InsertFn = std::mem::transmute(target.slot(3));
            insert(
                status.as_mut_ptr().cast(),
                target.object,
                &raw const key,
                (&raw mut VALUE).cast(),
                4096,
                keep as *const c_void,
                std::ptr::null_mut(),
                1,
            );
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
        // SAFETY: slot 4 is `Lookup`.
        unsafe {
            let lookup: LookupFn = std::mem::transmute(self.slot(4));
            lookup(self.object, black_box(&raw const key), std::ptr::null_mut())
        }
    }

    #[inline]
    fn hit(&self) {
        let handle = self.lookup(KEY);
        // SAFETY: slot 6 is `Release`; the handle came from `Lookup`.
        unsafe {
            let release: ReleaseFn = std::mem::transmute(self.slot(6));
            release(self.object, handle, false);
        }
    }

    #[inline]
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

fn hook(criterion: &mut Criterion) {
    let (agent, _turn) = lab::agent();
    let plain = Target::new(lab::Cache::new(1 << 20));
    let cache = lab::Cache::new(1 << 20);
    let id = cache.register(&agent, "Bench (1/1)#0");
    let hooked = Target::new(cache);
    assert!(Build::known().is_some());
    let reject = || {
        // The collector sets the threshold anew every few milliseconds; on a released cache it leaves it alone.
        let caches = agent.caches.lock();
        let context = caches.entries[&id].context;
        drop(caches);
        agent.caches.lock().release(id);
        context.switch_on(
            u32::MAX,
            weir_agent::thread::with_current(|t| t.number()).unwrap_or(0),
        );
        std::thread::sleep(std::time::Duration::from_millis(300));
        context.set_threshold(0);
    };
    reject();
    let mut group = criterion.benchmark_group("lookup");
    group.bench_function("hit, no hook", |b| b.iter(|| plain.hit()));
    group.bench_function("hit, hook, rejected", |b| b.iter(|| hooked.hit()));
    group.bench_function("miss, no hook", |b| b.iter(|| plain.miss()));
    group.bench_function("miss, hook, rejected", |b| b.iter(|| hooked.miss()));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(60);
    targets = hook
}
criterion_main!(benches);
