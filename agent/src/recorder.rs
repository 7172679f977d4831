//! Turns what the hook sees into exact counts and samples. Safe code on the hottest path of the job.

use std::sync::OnceLock;
use std::time::Instant;

use weir_mrc::hash_key;
use weir_protocol::{BlockRole, LookupResult};

use crate::operator::OperatorContext;
use crate::sample::{Sample, SampleKind};
use crate::thread::{self, CurrentThread, PendingMiss};

/// After a look-up of a block whose kind is known. Of a hit it is asked whether the block is small, see
/// [`weir_mrc::SamplingThresholds::SMALL_BYTES`] (in doubt it is not), and only if it may be sampled what it takes.
#[inline(always)]
pub fn looked_up(
    operator: &'static OperatorContext,
    key: &[u8],
    role: BlockRole,
    is_hit: bool,
    is_small: impl FnOnce() -> bool,
    charge_bytes: impl FnOnce() -> usize,
) {
    let result = if is_hit {
        LookupResult::Hit
    } else {
        LookupResult::Miss
    };
    operator.count_mine(role, result);
    let hash = hash_key(key);
    if is_hit {
        if hash < operator.small_limit() || !is_small() {
            hit_to_sample(operator, hash, role, charge_bytes());
        }
    } else if hash < operator.miss_ceiling(role) {
        // Its insert tells how large the block is.
        miss_to_sample(operator, hash);
    }
}

#[cold]
fn hit_to_sample(operator: &OperatorContext, hash: u64, role: BlockRole, charge_bytes: usize) {
    let id = operator.id();
    if id != 0 && hash < operator.limit(charge_bytes) {
        push(
            operator,
            charge_bytes,
            0,
            sample(id, hash, SampleKind::Hit, role),
        );
    }
}

#[cold]
fn miss_to_sample(operator: &'static OperatorContext, hash: u64) {
    let id = operator.id();
    if id != 0 {
        wait_for_insert(operator, id, hash, true);
    }
}

/// After a look-up that did not find the block. Its insert, or the lack of one, tells what kind of block it was.
#[inline]
pub fn missed_unknown(operator: &'static OperatorContext, key: &[u8]) {
    let id = operator.id();
    if id != 0 {
        wait_for_insert(operator, id, hash_key(key), false);
    }
}

#[inline]
fn wait_for_insert(operator: &'static OperatorContext, id: u32, hash: u64, is_counted: bool) {
    let Some(thread) = thread::current() else {
        if !is_counted {
            operator.count(operator.caller(), BlockRole::Other, LookupResult::Miss);
        }
        return;
    };
    settle_orphan(thread);
    // The same share of misses is timed whatever their size, so that the times are those of a typical miss.
    let is_timed = hash < operator.small_limit();
    thread.set_pending(PendingMiss {
        operator,
        operator_id: id,
        hash,
        started_nanos: if is_timed { started_nanos() } else { 0 },
        is_counted,
    });
}

/// Kept out of the hook: nearly no look-up asks for the time.
#[cold]
fn started_nanos() -> u64 {
    monotonic_nanos()
}

/// After a block was inserted.
#[inline]
pub fn inserted(key: &[u8], role: BlockRole, charge_bytes: impl FnOnce() -> usize) {
    let Some(miss) = thread::current().and_then(CurrentThread::take_pending) else {
        return; // a block brought in without a look-up before, or one that is not sampled
    };
    if miss.hash == hash_key(key) {
        settle(miss, role, charge_bytes, SampleKind::MissInserted);
    } else {
        settle(miss, BlockRole::Other, || 0, SampleKind::MissNotInserted);
    }
}

/// After a placeholder was inserted: a block was read with `fill_cache` off and only its memory is charged. Its key is made up.
#[inline]
pub fn placeholder_inserted(charge_bytes: usize) {
    if let Some(miss) = thread::current().and_then(CurrentThread::take_pending) {
        // Only data blocks are read without filling the cache.
        let kind = SampleKind::MissNotInserted;
        settle(miss, BlockRole::Data, || charge_bytes, kind);
    }
}

/// Tells how long a look-up took that hit: in RocksDB's own function, and in the hook around it.
#[cold]
pub fn timed_hit(operator: &OperatorContext, hit_nanos: u64, hook_nanos: u64) {
    let id = operator.id();
    if id != 0 {
        let hook_nanos = usize::try_from(hook_nanos).unwrap_or(usize::MAX);
        let sample = sample(id, 0, SampleKind::TimedHit, BlockRole::Other);
        push(operator, hook_nanos, hit_nanos, sample);
    }
}

/// A miss that never got an insert: a read that failed, or was not allowed to read from disk.
#[inline]
fn settle_orphan(thread: CurrentThread) {
    if thread.has_pending() {
        settle_orphan_of(thread);
    }
}

#[cold]
fn settle_orphan_of(thread: CurrentThread) {
    if let Some(miss) = thread.take_pending()
        && count(&miss, BlockRole::Other)
        && miss.started_nanos != 0
    {
        // Of unknown size: it counts as a small one, and these are timed if they are sampled.
        push_miss(&miss, BlockRole::Other, 0, SampleKind::MissNotInserted);
    }
}

fn settle(
    miss: PendingMiss,
    role: BlockRole,
    charge_bytes: impl FnOnce() -> usize,
    kind: SampleKind,
) {
    if count(&miss, role) {
        let charge_bytes = charge_bytes();
        if miss.hash < miss.operator.limit(charge_bytes) {
            push_miss(&miss, role, charge_bytes, kind);
        }
    }
}

/// Counts a miss whose role was not known before. False if the operator has gone; another may have its place.
#[inline]
fn count(miss: &PendingMiss, role: BlockRole) -> bool {
    let operator = miss.operator;
    if operator.id() != miss.operator_id {
        return false;
    }
    if !miss.is_counted {
        operator.count(operator.caller(), role, LookupResult::Miss);
    }
    true
}

#[cold]
fn push_miss(miss: &PendingMiss, role: BlockRole, charge_bytes: usize, kind: SampleKind) {
    let nanos = match (kind, miss.started_nanos) {
        (SampleKind::MissInserted, 1..) => monotonic_nanos().saturating_sub(miss.started_nanos),
        _ => 0,
    };
    let sample = sample(miss.operator_id, miss.hash, kind, role);
    push(miss.operator, charge_bytes, nanos, sample);
}

fn sample(operator_id: u32, hash: u64, kind: SampleKind, role: BlockRole) -> Sample {
    Sample {
        hash,
        operator_id,
        charge_bytes: 0,
        kind,
        role,
        is_task: false,
        nanos: 0,
    }
}

/// Completes a sample and hands it to the collector.
fn push(operator: &OperatorContext, charge_bytes: usize, nanos: u64, sample: Sample) {
    operator.note_block(sample.role, charge_bytes);
    let is_task = operator.is_task_thread();
    let sample = Sample {
        charge_bytes: u32::try_from(charge_bytes).unwrap_or(u32::MAX),
        is_task,
        nanos: u32::try_from(nanos).unwrap_or(u32::MAX),
        ..sample
    };
    let is_taken = thread::current().is_some_and(|thread| thread.push(sample));
    if !is_taken && is_task && sample.kind != SampleKind::TimedHit {
        operator.note_loss(charge_bytes);
    }
}

/// Nanoseconds since the first call, never 0.
pub fn monotonic_nanos() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX).max(1)
}
