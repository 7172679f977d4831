//! What the hook keeps per thread: its ring, its kind, and the miss that waits for its insert.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use weir_protocol::Caller;

use crate::context::CacheContext;
use crate::ring::Ring;
use crate::sample::Sample;

/// Rings there may be at once. A TaskManager has a task thread per subtask and RocksDB a handful of its own; beyond
/// this a thread still counts, but does not sample.
const MAX_RINGS: usize = 1024;

static NEXT_THREAD: AtomicU64 = AtomicU64::new(1);
static RINGS: Mutex<Vec<Arc<Ring>>> = Mutex::new(Vec::new());

thread_local! {
    static THREAD: ThreadSlot = const { ThreadSlot::new() };
}

/// A failed look-up whose insert has not come yet.
#[derive(Debug, Clone, Copy)]
pub struct PendingMiss {
    /// Where it failed.
    pub context: &'static CacheContext,
    /// Number of the cache then.
    pub cache_id: u32,
    /// Hash of the key.
    pub hash: u64,
    /// Monotonic nanoseconds of the failure; 0 if the access is not sampled.
    pub started_nanos: u64,
}

/// State of one thread that was seen in a hook.
#[derive(Debug)]
pub struct ThreadSlot {
    /// 0 until first used.
    number: Cell<u64>,
    caller: Cell<Caller>,
    pending: Cell<Option<PendingMiss>>,
    ring: OnceCell<Arc<Ring>>,
}

/// Runs `use_thread` with the state of this thread; `None` while the thread is being torn down.
#[inline]
pub fn with_current<T>(use_thread: impl FnOnce(&ThreadSlot) -> T) -> Option<T> {
    THREAD.try_with(use_thread).ok()
}

/// Rings of all threads.
pub fn rings() -> Vec<Arc<Ring>> {
    RINGS.lock().clone()
}

/// Lets go of the rings of ended threads that have been read to the end; returns how many samples those had lost.
pub fn forget_finished() -> u64 {
    let mut dropped = 0;
    RINGS.lock().retain(|ring| {
        let is_finished = ring.is_finished();
        if is_finished {
            dropped += ring.dropped();
        }
        !is_finished
    });
    dropped
}

// === impl ThreadSlot ===

impl ThreadSlot {
    const fn new() -> Self {
        Self {
            number: Cell::new(0),
            caller: Cell::new(Caller::Other),
            pending: Cell::new(None),
            ring: OnceCell::new(),
        }
    }

    /// Number of this thread, from 1; never given twice.
    #[inline]
    pub fn number(&self) -> u64 {
        match self.number.get() {
            0 => self.introduce(),
            number => number,
        }
    }

    /// First contact: number and kind of the thread.
    #[cold]
    fn introduce(&self) -> u64 {
        let number = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
        self.caller.set(caller_by_name(&thread_name()));
        self.number.set(number);
        number
    }

    /// As whom this thread counts when it looks something up in the cache of `context`.
    #[inline]
    pub fn caller(&self, context: &CacheContext) -> Caller {
        if self.number() == context.owner() {
            Caller::Task
        } else {
            self.caller.get()
        }
    }

    /// The miss that waits for its insert, which afterwards waits no more.
    #[inline]
    pub fn take_pending(&self) -> Option<PendingMiss> {
        self.pending.take()
    }

    /// Remembers a miss until its insert.
    #[inline]
    pub fn set_pending(&self, miss: PendingMiss) {
        self.pending.set(Some(miss));
    }

    /// Hands a sample to the collector; false if it was lost.
    pub fn push(&self, sample: Sample) -> bool {
        match self.ring.get().or_else(|| self.make_ring()) {
            Some(ring) => ring.push(sample),
            None => false,
        }
    }

    #[cold]
    fn make_ring(&self) -> Option<&Arc<Ring>> {
        // Not `lock`: a thread in a look-up does not wait. The next sample tries again.
        let mut rings = RINGS.try_lock()?;
        if rings.len() >= MAX_RINGS {
            return None;
        }
        let ring = self.ring.get_or_init(Arc::default);
        rings.push(ring.clone());
        Some(ring)
    }
}

impl Drop for ThreadSlot {
    fn drop(&mut self) {
        if let Some(ring) = self.ring.get() {
            ring.retire();
        }
    }
}

/// RocksDB names its pools `rocksdb:low`, `rocksdb:high`, `rocksdb:bottom`, older versions with a number behind.
fn caller_by_name(name: &str) -> Caller {
    if name.starts_with("rocksdb:high") {
        Caller::Flush
    } else if name.starts_with("rocksdb:low") || name.starts_with("rocksdb:bottom") {
        Caller::Compaction
    } else {
        Caller::Other
    }
}

/// Name of this thread as the kernel has it (15 characters), which is where RocksDB puts its own.
fn thread_name() -> String {
    std::fs::read_to_string("/proc/thread-self/comm")
        .map(|name| name.trim_end().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_told_by_their_names() {
        for (name, caller) in [
            ("rocksdb:low0", Caller::Compaction),
            ("rocksdb:low", Caller::Compaction),
            ("rocksdb:bottom1", Caller::Compaction),
            ("rocksdb:high0", Caller::Flush),
            ("Join[7] -> Calc", Caller::Other),
            ("", Caller::Other),
        ] {
            assert_eq!(caller_by_name(name), caller, "{name}");
        }
    }

    #[test]
    fn a_thread_is_the_task_thread_of_its_own_cache_only() {
        let mine = CacheContext::default();
        let others = CacheContext::default();
        with_current(|thread| {
            mine.switch_on(1, thread.number());
            others.switch_on(2, thread.number() + 1);
            assert_eq!(thread.caller(&mine), Caller::Task);
            assert_eq!(thread.caller(&others), Caller::Other);
        })
        .unwrap();
        std::thread::Builder::new()
            .name("rocksdb:low3".into())
            .spawn(move || {
                let caller = with_current(|thread| {
                    thread.number();
                    thread.caller(&mine)
                });
                assert_eq!(caller, Some(Caller::Compaction));
            })
            .unwrap()
            .join()
            .unwrap();
    }
}
