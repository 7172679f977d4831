//! The functions that stand in for `Lookup` and `Insert` of one cache: call the original first, then record.
//!
//! Each hooked cache gets a copy of its class's vtable, with two slots replaced and the cache's [`CacheContext`] in front of
//! it, so that a hook finds its context without searching. Copying per object leaves alone the other caches of the
//! same class (RocksDB's table cache is one). A hook is never taken out again: other threads may be on their way through
//! it. It is switched off by the context instead, and goes with the cache, whose destructor restores the class's vtable.
//!
//! There is one pair of hooks for each [`Interface`] that RocksDB's caches have had.
#![allow(unsafe_code, reason = "stands in for C++ functions")]

mod deleter;
mod helper;

use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::context::CacheContext;
use crate::frocksdb::call::Slice;
use crate::frocksdb::{Build, Interface, MAX_SLOTS, VTABLE_HEADER};
use crate::operator::OperatorContext;
use crate::recorder;

/// A vtable copy and, in front of it, what the hooks need.
#[repr(C)]
#[derive(Debug)]
pub struct HookedVtable {
    context: CacheContext,
    build: &'static Build,
    /// Offset to top and type information.
    header: [usize; VTABLE_HEADER],
    /// Those beyond what the class has are never read.
    slots: [usize; MAX_SLOTS],
}

impl HookedVtable {
    /// A copy of the vtable of `build` with both hooks in it. Never freed: caches may point to it until the process ends.
    #[must_use]
    pub fn leak(build: &'static Build) -> &'static Self {
        let mut slots = [0; MAX_SLOTS];
        let own = &build.words[VTABLE_HEADER..];
        slots[..own.len()].copy_from_slice(own);
        let (lookup, insert) = match build.interface() {
            Interface::Deleter => (
                deleter::lookup as *const c_void,
                deleter::insert as *const c_void,
            ),
            Interface::Helper => (
                helper::lookup as *const c_void,
                helper::insert as *const c_void,
            ),
        };
        slots[build.known.lookup] = lookup as usize;
        slots[build.known.insert] = insert as usize;
        let copy = Self {
            context: CacheContext::default(),
            build,
            header: [build.words[0], build.words[1]],
            slots,
        };
        copy.context.set_original(
            build.slot(build.known.lookup),
            build.slot(build.known.insert),
        );
        Box::leak(Box::new(copy))
    }

    /// What the hooks of this copy record into.
    #[must_use]
    pub fn context(&'static self) -> &'static CacheContext {
        &self.context
    }

    /// The build this copy was made from.
    #[must_use]
    pub fn build(&self) -> &'static Build {
        self.build
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

    /// Whether a cache uses this copy.
    ///
    /// # Safety
    ///
    /// `cache` must be a live object with virtual functions.
    #[must_use]
    pub unsafe fn is_installed_in(&self, cache: *const c_void) -> bool {
        // SAFETY: an object starts with its vptr.
        std::ptr::eq(
            unsafe { *cache.cast::<*const usize>() },
            self.slots.as_ptr(),
        )
    }
}

/// The context of a hooked cache.
///
/// # Safety
///
/// `cache` must be a live cache on which [`HookedVtable::install`] was called.
#[inline]
unsafe fn context_of(cache: *mut c_void) -> &'static CacheContext {
    // SAFETY: its vptr points at the first slot of a leaked `HookedVtable`.
    unsafe {
        let slots = *cache.cast::<*const u8>();
        let copy = slots
            .sub(std::mem::offset_of!(HookedVtable, slots))
            .cast::<HookedVtable>();
        &(*copy).context
    }
}

/// Takes the time of a look-up and of its recording; both are told if it hit a block.
///
/// Not part of the look-up that is not timed: values that a closure borrows have to be written to memory, which is more work
/// than the rest of the hook.
fn timed(
    operator: &'static OperatorContext,
    call: impl FnOnce() -> *mut c_void,
    record: impl FnOnce(*mut c_void) -> bool,
) -> *mut c_void {
    operator.begin_timing();
    let started = recorder::monotonic_nanos();
    let handle = call();
    let returned = recorder::monotonic_nanos();
    if record(handle) {
        let recorded = recorder::monotonic_nanos();
        recorder::timed_hit(operator, returned - started, recorded - returned);
    }
    handle
}

/// # Safety
///
/// `slice` must be a valid `rocksdb::Slice` for `'a`.
#[inline]
unsafe fn bytes<'a>(slice: *const Slice) -> &'a [u8] {
    // SAFETY: the caller vouches for it; an empty slice may have any address, but RocksDB's keys are never empty.
    unsafe { std::slice::from_raw_parts((*slice).data, (*slice).size) }
}
