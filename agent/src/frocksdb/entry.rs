//! One entry of the cache, `rocksdb::LRUHandle` of FRocksDB 6.20.3, as far as the agent reads it.
#![allow(
    unsafe_code,
    reason = "reads a C++ struct whose layout is tried out on a scratch cache first"
)]

use std::ffi::c_void;

use crate::recorder::BlockKind;

/// The fields of `LRUHandle`, in order. [`super::Build::verify`] inserts an entry of its own and reads it back through this.
#[repr(C)]
struct LruHandle {
    value: *mut c_void,
    deleter: usize,
    next_hash: usize,
    next: usize,
    prev: usize,
    charge: usize,
    key_length: usize,
    hash: u32,
    refs: u32,
    flags: u8,
    key_data: [u8; 1],
}

/// Bit of `flags` that says: inserted with high priority.
const IS_HIGH_PRIORITY: u8 = 1 << 1;

/// An entry that the current thread holds a reference to.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a>(&'a LruHandle);

impl std::fmt::Debug for LruHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LruHandle")
            .field("charge", &self.charge)
            .finish_non_exhaustive()
    }
}

impl<'a> Entry<'a> {
    /// The entry behind a handle.
    ///
    /// # Safety
    ///
    /// `handle` must come from a cache of a verified build and be referenced for `'a`.
    #[inline]
    pub unsafe fn at(handle: *mut c_void) -> Self {
        // SAFETY: the caller vouches for the handle. The fields read below do not change while it is referenced, except
        // other bits of `flags`, a byte.
        Self(unsafe { &*handle.cast::<LruHandle>() })
    }

    /// What tells the kind of the block.
    #[inline]
    #[must_use]
    pub fn kind(self) -> BlockKind {
        // SAFETY: a byte inside the entry; volatile because other threads flip its other bits under the shard's lock.
        let flags = unsafe { (&raw const self.0.flags).read_volatile() };
        BlockKind {
            deleter: self.0.deleter,
            high_priority: flags & IS_HIGH_PRIORITY != 0,
        }
    }

    /// What the cache charges for it: the block plus the entry itself, as the allocator rounded it.
    #[must_use]
    pub fn charge_bytes(self) -> usize {
        let entry: *const LruHandle = self.0;
        // SAFETY: entries are allocated with `new char[]`, whose pointer this is.
        let own = unsafe { libc::malloc_usable_size(entry.cast_mut().cast()) };
        self.0.charge + own
    }

    /// The block's key.
    #[must_use]
    pub fn key(self) -> &'a [u8] {
        let first = (&raw const self.0.key_data).cast::<u8>();
        // SAFETY: `key_length` bytes follow inside the same allocation.
        unsafe { std::slice::from_raw_parts(first, self.0.key_length) }
    }
}

/// A deleter for values that belong to somebody else.
pub(super) extern "C" fn keep_value(_key: *const c_void, _value: *mut c_void) {}
