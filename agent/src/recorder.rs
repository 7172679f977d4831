//! Turns what the hook sees into exact counts and samples. Safe code on the hottest path of the job.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use weir_mrc::hash_key;
use weir_protocol::{BlockRole, LookupResult};

use crate::context::CacheContext;
use crate::sample::{Sample, SampleKind};
use crate::thread::{self, PendingMiss, ThreadSlot};

/// What tells the kind of a cached block: the function that frees it, and the priority it was inserted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockKind {
    /// Address of the deleter; blocks of one C++ type share one.
    pub deleter: usize,
    /// Inserted with high priority: index, filter or dictionary.
    pub high_priority: bool,
}

/// Address of the deleter of data and index blocks. RocksDB keeps it in no symbol table, so it is learned at first sight:
/// only blocks of that type are inserted with low priority.
static BLOCK_DELETER: AtomicUsize = AtomicUsize::new(0);

impl BlockKind {
    fn role(self) -> BlockRole {
        match (
            self.high_priority,
            BLOCK_DELETER.load(Ordering::Relaxed) == self.deleter,
        ) {
            (false, true) => BlockRole::Data,
            (true, true) => BlockRole::Index,
            (true, false) if BLOCK_DELETER.load(Ordering::Relaxed) != 0 => BlockRole::Filter,
            _ => BlockRole::Other,
        }
    }

    /// Learns from an insert.
    fn learn(self) {
        if !self.high_priority && BLOCK_DELETER.load(Ordering::Relaxed) == 0 {
            BLOCK_DELETER.store(self.deleter, Ordering::Relaxed);
        }
    }
}

/// After a look-up that found the block. `charge_bytes` is asked for only if the access is sampled.
#[inline]
pub fn hit(
    context: &'static CacheContext,
    key: &[u8],
    kind: BlockKind,
    charge_bytes: impl FnOnce() -> usize,
) {
    let cache_id = context.cache_id();
    if cache_id == 0 {
        return;
    }
    thread::with_current(|thread| {
        resolve_orphan(thread);
        let caller = thread.caller(context);
        context.count(caller, kind.role(), LookupResult::Hit);
        let hash = hash_key(key);
        if hash < context.threshold() {
            let charge_bytes = charge_bytes();
            push(
                thread,
                context,
                cache_id,
                hash,
                charge_bytes,
                SampleKind::Hit,
                0,
            );
        }
    });
}

/// After a look-up that did not find the block. It is counted when its insert, or the lack of one, tells more of it.
#[inline]
pub fn missed(context: &'static CacheContext, key: &[u8]) {
    let cache_id = context.cache_id();
    if cache_id == 0 {
        return;
    }
    thread::with_current(|thread| {
        resolve_orphan(thread);
        let hash = hash_key(key);
        let started_nanos = if hash < context.threshold() {
            monotonic_nanos()
        } else {
            0
        };
        thread.set_pending(PendingMiss {
            context,
            cache_id,
            hash,
            started_nanos,
        });
    });
}

/// After a block was inserted.
#[inline]
pub fn inserted(
    context: &'static CacheContext,
    key: &[u8],
    kind: BlockKind,
    charge_bytes: impl FnOnce() -> usize,
) {
    kind.learn();
    thread::with_current(|thread| {
        let Some(miss) = thread.take_pending() else {
            return; // a block brought in without a look-up before
        };
        let same = std::ptr::eq(miss.context, context) && miss.hash == hash_key(key);
        if same {
            settle(
                thread,
                miss,
                kind.role(),
                charge_bytes,
                SampleKind::MissInserted,
            );
        } else {
            settle(
                thread,
                miss,
                BlockRole::Other,
                || 0,
                SampleKind::MissNotInserted,
            );
        }
    });
}

/// After a placeholder was inserted: the block was read with `fill_cache` off and only its memory is charged.
#[inline]
pub fn placeholder_inserted(context: &'static CacheContext, charge_bytes: usize) {
    thread::with_current(|thread| {
        let Some(miss) = thread.take_pending() else {
            return; // a reservation
        };
        let (role, charge_bytes) = if std::ptr::eq(miss.context, context) {
            // Only data blocks are read without filling the cache.
            (BlockRole::Data, charge_bytes)
        } else {
            (BlockRole::Other, 0)
        };
        settle(
            thread,
            miss,
            role,
            || charge_bytes,
            SampleKind::MissNotInserted,
        );
    });
}

/// Counts a miss that never got an insert: a read that failed, or was not allowed to read from disk.
#[inline]
fn resolve_orphan(thread: &ThreadSlot) {
    if let Some(miss) = thread.take_pending() {
        settle(
            thread,
            miss,
            BlockRole::Other,
            || 0,
            SampleKind::MissNotInserted,
        );
    }
}

fn settle(
    thread: &ThreadSlot,
    miss: PendingMiss,
    role: BlockRole,
    charge_bytes: impl FnOnce() -> usize,
    kind: SampleKind,
) {
    if miss.context.cache_id() != miss.cache_id {
        return; // the cache has gone, and another has its place
    }
    miss.context
        .count(thread.caller(miss.context), role, LookupResult::Miss);
    if miss.started_nanos != 0 {
        let nanos = match kind {
            SampleKind::MissInserted => monotonic_nanos().saturating_sub(miss.started_nanos),
            _ => 0,
        };
        push(
            thread,
            miss.context,
            miss.cache_id,
            miss.hash,
            charge_bytes(),
            kind,
            nanos,
        );
    }
}

fn push(
    thread: &ThreadSlot,
    context: &CacheContext,
    cache_id: u32,
    hash: u64,
    charge_bytes: usize,
    kind: SampleKind,
    miss_nanos: u64,
) {
    let is_task = thread.number() == context.owner();
    let sample = Sample {
        hash,
        cache_id,
        charge_bytes: u32::try_from(charge_bytes).unwrap_or(u32::MAX),
        kind,
        is_task,
        miss_nanos: u32::try_from(miss_nanos).unwrap_or(u32::MAX),
    };
    if !thread.push(sample) && is_task {
        context.note_task_drop();
    }
}

/// Nanoseconds since the first call, never 0.
fn monotonic_nanos() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX).max(1)
}
