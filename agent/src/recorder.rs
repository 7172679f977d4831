//! Turns what the hook sees into exact counts and samples. Safe code on the hottest path of the job.

use std::sync::OnceLock;
use std::time::Instant;

use weir_mrc::hash_key;
use weir_protocol::{BlockRole, LookupResult};

use crate::operator::OperatorContext;
use crate::sample::{Sample, SampleKind};
use crate::thread::{self, CurrentThread, PendingMiss};

/// After a look-up of a block whose kind is known. `charge_bytes` is asked for only if it hit and is sampled.
#[inline(always)]
pub fn looked_up(
    operator: &'static OperatorContext,
    key: &[u8],
    role: BlockRole,
    is_hit: bool,
    charge_bytes: impl FnOnce() -> usize,
) {
    let result = if is_hit {
        LookupResult::Hit
    } else {
        LookupResult::Miss
    };
    operator.count_mine(role, result);
    let hash = hash_key(key);
    if hash < operator.threshold() {
        if is_hit {
            sampled_hit(operator, hash, role, charge_bytes());
        } else {
            sampled_miss(operator, hash);
        }
    }
}

#[cold]
fn sampled_hit(operator: &OperatorContext, hash: u64, role: BlockRole, charge_bytes: usize) {
    let id = operator.id();
    if id != 0 {
        push(
            operator,
            charge_bytes,
            0,
            sample(id, hash, SampleKind::Hit, role),
        );
    }
}

#[cold]
fn sampled_miss(operator: &'static OperatorContext, hash: u64) {
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
    let is_sampled = is_counted || hash < operator.threshold();
    thread.set_pending(PendingMiss {
        operator,
        operator_id: id,
        hash,
        started_nanos: if is_sampled { started_nanos() } else { 0 },
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
    if let Some(miss) = thread.take_pending() {
        settle(miss, BlockRole::Other, || 0, SampleKind::MissNotInserted);
    }
}

fn settle(
    miss: PendingMiss,
    role: BlockRole,
    charge_bytes: impl FnOnce() -> usize,
    kind: SampleKind,
) {
    let operator = miss.operator;
    if operator.id() != miss.operator_id {
        return; // the operator has gone, and another may have its place
    }
    if !miss.is_counted {
        operator.count(operator.caller(), role, LookupResult::Miss);
    }
    if miss.started_nanos != 0 {
        let nanos = match kind {
            SampleKind::MissInserted => monotonic_nanos().saturating_sub(miss.started_nanos),
            _ => 0,
        };
        let sample = sample(miss.operator_id, miss.hash, kind, role);
        push(operator, charge_bytes(), nanos, sample);
    }
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
    let is_task = operator.is_task_thread();
    let sample = Sample {
        charge_bytes: u32::try_from(charge_bytes).unwrap_or(u32::MAX),
        is_task,
        nanos: u32::try_from(nanos).unwrap_or(u32::MAX),
        ..sample
    };
    let is_taken = thread::current().is_some_and(|thread| thread.push(sample));
    if !is_taken && is_task && sample.kind != SampleKind::TimedHit {
        operator.note_task_drop();
    }
}

/// Nanoseconds since the first call, never 0.
pub fn monotonic_nanos() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX).max(1)
}
