//! The two functions that stand in for `Lookup` and `Insert` of one cache: call the original first, then record.
//!
//! Each hooked cache gets a copy of its class's vtable, with two slots replaced and the cache's [`CacheContext`] behind the
//! last slot, so that a hook finds its context without searching. Copying per object leaves alone the other caches of the
//! same class (RocksDB's table cache is one). A hook is never taken out again: other threads may be on their way through
//! it. It is switched off by the context instead, and goes with the cache, whose destructor restores the class's vtable.
#![allow(unsafe_code, reason = "stands in for two C++ functions")]

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::context::CacheContext;
use crate::frocksdb::{Build, Entry, InsertFn, LookupFn, Slice, VTABLE_SLOTS};
use crate::recorder::{self, BlockKind};

/// A vtable copy and, behind it, what the hooks need.
#[repr(C)]
#[derive(Debug)]
pub struct HookedVtable {
    /// Offset to top and type information.
    header: [usize; 2],
    slots: [usize; VTABLE_SLOTS],
    context: CacheContext,
}

/// The functions the hooks call first. One RocksDB build per process, so one pair.
static ORIGINAL: OnceLock<Original> = OnceLock::new();

#[derive(Debug)]
struct Original {
    lookup: LookupFn,
    insert: InsertFn,
}

impl HookedVtable {
    /// A copy of the vtable of `build` with both hooks in it. Never freed: caches may point to it until the process ends.
    #[must_use]
    pub fn leak(build: &'static Build) -> &'static Self {
        ORIGINAL.get_or_init(|| Original {
            lookup: build.lookup,
            insert: build.insert,
        });
        let mut slots = [0; VTABLE_SLOTS];
        slots.copy_from_slice(&build.words[2..]);
        slots[crate::frocksdb::LOOKUP_SLOT] = lookup as *const c_void as usize;
        slots[crate::frocksdb::INSERT_SLOT] = insert as *const c_void as usize;
        Box::leak(Box::new(Self {
            header: [build.words[0], build.words[1]],
            slots,
            context: CacheContext::default(),
        }))
    }

    /// What the hooks of this copy record into.
    #[must_use]
    pub fn context(&'static self) -> &'static CacheContext {
        &self.context
    }

    /// Makes a cache use this copy.
    ///
    /// # Safety
    ///
    /// `cache` must be a live cache of the build this copy was made from, and no other live cache may use the copy.
    pub unsafe fn install(&'static self, cache: *mut c_void) {
        // SAFETY: an object starts with its vptr, aligned; threads that still hold the old vptr run the original.
        let vptr = unsafe { AtomicPtr::from_ptr(cache.cast::<*mut usize>()) };
        // Release: whoever follows the new vptr finds the copy complete.
        vptr.store(self.slots.as_ptr().cast_mut(), Ordering::Release);
    }

    /// The copy a hooked cache uses.
    ///
    /// # Safety
    ///
    /// `cache` must be a live cache on which `install` was called.
    #[inline]
    unsafe fn of(cache: *mut c_void) -> &'static Self {
        // SAFETY: its vptr points at the first slot of a leaked `HookedVtable`.
        unsafe {
            let slots = *cache.cast::<*const u8>();
            &*slots
                .sub(std::mem::offset_of!(HookedVtable, slots))
                .cast::<Self>()
        }
    }
}

/// Stands in for `Cache::Lookup`.
unsafe extern "C-unwind" fn lookup(
    cache: *mut c_void,
    key: *const Slice,
    statistics: *mut c_void,
) -> *mut c_void {
    let Some(original) = ORIGINAL.get() else {
        return std::ptr::null_mut(); // cannot be: set before the first install
    };
    // SAFETY: arguments are passed on as they came.
    let handle = unsafe { (original.lookup)(cache, key, statistics) };
    // SAFETY: this function is only reachable through an installed copy; the key is the caller's, and still there.
    let (context, key) = unsafe { (HookedVtable::of(cache).context(), bytes(key)) };
    if handle.is_null() {
        recorder::missed(context, key);
    } else {
        // SAFETY: the caller is about to receive this reference.
        let entry = unsafe { Entry::at(handle) };
        recorder::hit(context, key, entry.kind(), || entry.charge_bytes());
    }
    handle
}

/// Stands in for `Cache::Insert`.
unsafe extern "C-unwind" fn insert(
    status: *mut c_void,
    cache: *mut c_void,
    key: *const Slice,
    value: *mut c_void,
    charge: usize,
    deleter: *const c_void,
    handle: *mut *mut c_void,
    priority: c_int,
) -> *mut c_void {
    let Some(original) = ORIGINAL.get() else {
        return status; // cannot be: set before the first install
    };
    // SAFETY: arguments are passed on as they came.
    let returned =
        unsafe { (original.insert)(status, cache, key, value, charge, deleter, handle, priority) };
    // SAFETY: as in `lookup`.
    let (context, key) = unsafe { (HookedVtable::of(cache).context(), bytes(key)) };
    if value.is_null() {
        recorder::placeholder_inserted(context, charge);
    } else {
        let kind = BlockKind {
            deleter: deleter as usize,
            high_priority: priority == 0,
        };
        recorder::inserted(context, key, kind, || {
            // SAFETY: the caller's out parameter: null, or a pointer that the call above has set.
            let entry = unsafe { handle.as_ref() }.filter(|handle| !handle.is_null());
            entry.map_or(charge, |&handle| {
                // SAFETY: the caller has just received this reference.
                let entry = unsafe { Entry::at(handle) };
                entry.charge_bytes()
            })
        });
    }
    returned
}

/// # Safety
///
/// `slice` must be a valid `rocksdb::Slice` for `'a`.
#[inline]
unsafe fn bytes<'a>(slice: *const Slice) -> &'a [u8] {
    // SAFETY: the caller vouches for it; an empty slice may have any address, but RocksDB's keys are never empty.
    unsafe { std::slice::from_raw_parts((*slice).data, (*slice).size) }
}
