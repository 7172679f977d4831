//! The hooks for RocksDB 6.x, where a block is known by its deleter and priority.
#![allow(unsafe_code, reason = "stands in for two C++ functions")]

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_protocol::BlockRole;

use super::{bytes, context_of, timed};
use crate::frocksdb::call::{DeleterInsert, DeleterLookup, Slice};
use crate::frocksdb::{BlockKind, Entry};
use crate::operator::OperatorContext;
use crate::recorder;

/// What the write buffer manager charges to the cache at a time. Nothing else inserts an entry without a value of this size.
const RESERVATION_BYTES: usize = 256 * 1024;

/// Address of the deleter of data and index blocks. RocksDB keeps it in no symbol table, so it is learned at first sight:
/// only blocks of that type are inserted with low priority.
static BLOCK_DELETER: AtomicUsize = AtomicUsize::new(0);

#[inline]
fn role_of(kind: BlockKind) -> BlockRole {
    let block_deleter = BLOCK_DELETER.load(Ordering::Relaxed);
    match (kind.high_priority, block_deleter == kind.deleter) {
        (false, true) => BlockRole::Data,
        (true, true) => BlockRole::Index,
        (true, false) if block_deleter != 0 => BlockRole::Filter,
        _ => BlockRole::Other,
    }
}

/// Stands in for `Cache::Lookup`.
pub(super) unsafe extern "C-unwind" fn lookup(
    cache: *mut c_void,
    key: *const Slice,
    statistics: *mut c_void,
) -> *mut c_void {
    // SAFETY: this function is only reachable through an installed copy of a vtable of this interface; arguments are passed on
    // as they came.
    unsafe {
        let context = context_of(cache);
        // What is rare goes on elsewhere with the arguments alone, so that here few of them have to be kept.
        let Some(operator) = context.operator_at_hand(statistics as usize) else {
            return displaced_lookup(cache, key, statistics);
        };
        if operator.is_timing_due() {
            return timed_lookup(cache, key, statistics);
        }
        let original: DeleterLookup = std::mem::transmute(context.original_lookup());
        let handle = original(cache, key, statistics);
        record(operator, key, handle);
        handle
    }
}

/// The look-up of an operator that has to be searched for.
#[cold]
unsafe extern "C-unwind" fn displaced_lookup(
    cache: *mut c_void,
    key: *const Slice,
    statistics: *mut c_void,
) -> *mut c_void {
    // SAFETY: as in `lookup`.
    unsafe {
        let context = context_of(cache);
        let operator = context.operator(statistics as usize);
        let original: DeleterLookup = std::mem::transmute(context.original_lookup());
        let handle = original(cache, key, statistics);
        record(operator, key, handle);
        handle
    }
}

#[cold]
unsafe extern "C-unwind" fn timed_lookup(
    cache: *mut c_void,
    key: *const Slice,
    statistics: *mut c_void,
) -> *mut c_void {
    // SAFETY: as in `lookup`.
    unsafe {
        let context = context_of(cache);
        let operator = context.operator(statistics as usize);
        let original: DeleterLookup = std::mem::transmute(context.original_lookup());
        timed(
            operator,
            || original(cache, key, statistics),
            |handle| record(operator, key, handle),
        )
    }
}

/// After RocksDB's own `Lookup`; true if it hit a block.
///
/// # Safety
///
/// The key must be the look-up's, and `handle` what it returned to a caller that has not released it.
#[inline(always)]
unsafe fn record(
    operator: &'static OperatorContext,
    key: *const Slice,
    handle: *mut c_void,
) -> bool {
    // SAFETY: the caller vouches for the key.
    let key = unsafe { bytes(key) };
    if handle.is_null() {
        recorder::missed_unknown(operator, key);
        return false;
    }
    // SAFETY: the caller is about to receive this reference.
    let entry = unsafe { Entry::at(handle) };
    let role = role_of(entry.kind());
    let charge = move || entry.charge_with_entry();
    recorder::looked_up(operator, key, role, true, move || entry.is_small(), charge);
    true
}

/// Stands in for `Cache::Insert`.
pub(super) unsafe extern "C-unwind" fn insert(
    status: *mut c_void,
    cache: *mut c_void,
    key: *const Slice,
    value: *mut c_void,
    charge: usize,
    deleter: *const c_void,
    handle: *mut *mut c_void,
    priority: c_int,
) -> *mut c_void {
    // SAFETY: as in `lookup`; arguments are passed on as they came.
    let returned = unsafe {
        let original: DeleterInsert = std::mem::transmute(context_of(cache).original_insert());
        original(status, cache, key, value, charge, deleter, handle, priority)
    };
    if value.is_null() {
        if charge != RESERVATION_BYTES {
            recorder::placeholder_inserted(charge);
        }
        return returned;
    }
    let kind = BlockKind {
        deleter: deleter as usize,
        high_priority: priority == 0,
    };
    if !kind.high_priority && BLOCK_DELETER.load(Ordering::Relaxed) == 0 {
        BLOCK_DELETER.store(kind.deleter, Ordering::Relaxed);
    }
    // SAFETY: the key is the caller's, and still there.
    let key = unsafe { bytes(key) };
    recorder::inserted(key, role_of(kind), || {
        // SAFETY: the caller's out parameter: null, or a pointer that the call above has set.
        let entry = unsafe { handle.as_ref() }.filter(|handle| !handle.is_null());
        entry.map_or(charge, |&handle| {
            // SAFETY: the caller has just received this reference.
            let entry = unsafe { Entry::at(handle) };
            entry.charge_with_entry()
        })
    });
    returned
}
