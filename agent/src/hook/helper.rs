//! The hooks for RocksDB 8.x, where every access comes with a `CacheItemHelper` that names the block's role.
#![allow(unsafe_code, reason = "stands in for two C++ functions")]

use std::ffi::{c_int, c_void};

use weir_protocol::BlockRole;

use super::{bytes, context_of, timed};
use crate::frocksdb::call::{HelperInsert, HelperLookup, ItemHelper, Slice};
use crate::frocksdb::{Entry, block_role};
use crate::operator::OperatorContext;
use crate::recorder;

/// `CacheEntryRole::kMisc`: with no object, the placeholder of a block that was read without filling the cache.
const MISC: c_int = 13;

/// The role of a block; `None` for what is no block of a file.
///
/// # Safety
///
/// `helper` must be null or point to a `CacheItemHelper`.
#[inline]
unsafe fn role_of(helper: *const ItemHelper, key: &[u8]) -> Option<BlockRole> {
    // A block's key starts with the number of its file, which is never 0; that of a reservation and the like does.
    if key.get(..8)? == [0; 8] {
        return None;
    }
    // SAFETY: the caller vouches for it; helpers are constants of RocksDB.
    let helper = unsafe { helper.as_ref() }?;
    block_role(helper.role)
}

/// Stands in for `Cache::Lookup`.
pub(super) unsafe extern "C-unwind" fn lookup(
    cache: *mut c_void,
    key: *const Slice,
    helper: *const ItemHelper,
    create_context: *mut c_void,
    priority: c_int,
    statistics: *mut c_void,
) -> *mut c_void {
    // SAFETY: this function is only reachable through an installed copy of a vtable of this interface; arguments are passed on
    // as they came.
    unsafe {
        let context = context_of(cache);
        // What is rare goes on elsewhere with the arguments alone, so that here few of them have to be kept.
        let Some(operator) = context.operator_at_hand(statistics as usize) else {
            return displaced_lookup(cache, key, helper, create_context, priority, statistics);
        };
        if operator.is_timing_due() {
            return timed_lookup(cache, key, helper, create_context, priority, statistics);
        }
        let original: HelperLookup = std::mem::transmute(context.original_lookup());
        let handle = original(cache, key, helper, create_context, priority, statistics);
        record(operator, key, helper, handle);
        handle
    }
}

/// The look-up of an operator that has to be searched for.
#[cold]
unsafe extern "C-unwind" fn displaced_lookup(
    cache: *mut c_void,
    key: *const Slice,
    helper: *const ItemHelper,
    create_context: *mut c_void,
    priority: c_int,
    statistics: *mut c_void,
) -> *mut c_void {
    // SAFETY: as in `lookup`.
    unsafe {
        let context = context_of(cache);
        let operator = context.operator(statistics as usize);
        let original: HelperLookup = std::mem::transmute(context.original_lookup());
        let handle = original(cache, key, helper, create_context, priority, statistics);
        record(operator, key, helper, handle);
        handle
    }
}

#[cold]
unsafe extern "C-unwind" fn timed_lookup(
    cache: *mut c_void,
    key: *const Slice,
    helper: *const ItemHelper,
    create_context: *mut c_void,
    priority: c_int,
    statistics: *mut c_void,
) -> *mut c_void {
    // SAFETY: as in `lookup`.
    unsafe {
        let context = context_of(cache);
        let operator = context.operator(statistics as usize);
        let original: HelperLookup = std::mem::transmute(context.original_lookup());
        timed(
            operator,
            || original(cache, key, helper, create_context, priority, statistics),
            |handle| record(operator, key, helper, handle),
        )
    }
}

/// After RocksDB's own `Lookup`; true if it hit a block.
///
/// # Safety
///
/// Key and helper must be the look-up's, and `handle` what it returned to a caller that has not released it.
#[inline(always)]
unsafe fn record(
    operator: &'static OperatorContext,
    key: *const Slice,
    helper: *const ItemHelper,
    handle: *mut c_void,
) -> bool {
    // SAFETY: the caller vouches for both.
    let (key, role) = unsafe {
        let key = bytes(key);
        (key, role_of(helper, key))
    };
    let Some(role) = role else {
        return false;
    };
    // SAFETY: asked for only if it hit; the caller is about to receive this reference.
    let entry = move || unsafe { Entry::at(handle) };
    let is_hit = !handle.is_null();
    let is_small = move || entry().is_small();
    recorder::looked_up(operator, key, role, is_hit, is_small, move || {
        entry().total_charge()
    });
    is_hit
}

/// Stands in for `Cache::Insert`.
pub(super) unsafe extern "C-unwind" fn insert(
    status: *mut c_void,
    cache: *mut c_void,
    key: *const Slice,
    object: *mut c_void,
    helper: *const ItemHelper,
    charge: usize,
    handle: *mut *mut c_void,
    priority: c_int,
    compressed: *const Slice,
    compression: u8,
) -> *mut c_void {
    // SAFETY: as in `lookup`; arguments are passed on as they came.
    let returned = unsafe {
        let original: HelperInsert = std::mem::transmute(context_of(cache).original_insert());
        original(
            status,
            cache,
            key,
            object,
            helper,
            charge,
            handle,
            priority,
            compressed,
            compression,
        )
    };
    // SAFETY: key and helper are the caller's, and still there.
    let (key, misc) = unsafe {
        let misc = helper.as_ref().is_some_and(|helper| helper.role == MISC);
        (bytes(key), misc)
    };
    if object.is_null() {
        if misc {
            recorder::placeholder_inserted(charge);
        }
        return returned;
    }
    // SAFETY: as above.
    if let Some(role) = unsafe { role_of(helper, key) } {
        recorder::inserted(key, role, || {
            // SAFETY: the caller's out parameter: null, or a pointer that the call above has set.
            let entry = unsafe { handle.as_ref() }.filter(|handle| !handle.is_null());
            entry.map_or(charge, |&handle| {
                // SAFETY: the caller has just received this reference.
                let entry = unsafe { Entry::at(handle) };
                entry.total_charge()
            })
        });
    }
    returned
}
