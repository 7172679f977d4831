//! One entry of the cache, `LRUHandle` in both builds, as far as the agent reads it.
#![allow(
    unsafe_code,
    reason = "reads a C++ struct whose layout is tried out on a scratch cache first"
)]

use std::ffi::c_void;

use weir_mrc::SamplingThresholds;
use weir_protocol::BlockRole;

use super::call::ItemHelper;

/// The fields of `LRUHandle`, in order; [`super::Build::verify`] inserts entries of its own and reads them back through this.
/// Both builds agree up to `refs`, except that 6.x has a deleter where 8.x has a `CacheItemHelper`.
#[repr(C)]
struct LruHandle {
    value: *mut c_void,
    deleter_or_helper: usize,
    next_hash: usize,
    next: usize,
    prev: usize,
    charge: usize,
    key_length: usize,
    hash: u32,
    refs: u32,
    flags: u8,
}

/// More than an entry takes itself: its key has some 20 bytes.
const ENTRY_BYTES: u64 = 256;

/// 6.x: bit of `flags` that says: inserted with high priority.
const IS_HIGH_PRIORITY: u8 = 1 << 1;

/// An entry that the current thread holds a reference to.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a>(&'a LruHandle);

/// What tells the kind of a block of a 6.x build: the function that frees it, and the priority it was inserted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockKind {
    /// Address of the deleter; blocks of one C++ type share one.
    pub deleter: usize,
    /// Inserted with high priority: index, filter or dictionary.
    pub high_priority: bool,
}

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

    /// 6.x: what tells the kind of the block.
    #[inline]
    #[must_use]
    pub fn kind(self) -> BlockKind {
        // SAFETY: a byte inside the entry; volatile because other threads flip its other bits under the shard's lock.
        let flags = unsafe { (&raw const self.0.flags).read_volatile() };
        BlockKind {
            deleter: self.0.deleter_or_helper,
            high_priority: flags & IS_HIGH_PRIORITY != 0,
        }
    }

    /// 8.x: what describes the block.
    #[inline]
    #[must_use]
    pub fn helper(self) -> *const ItemHelper {
        self.0.deleter_or_helper as *const ItemHelper
    }

    /// Whether the block is certain to be a small one, see [`SamplingThresholds::SMALL_BYTES`].
    #[inline]
    #[must_use]
    pub fn is_small(self) -> bool {
        (self.0.charge as u64) < SamplingThresholds::SMALL_BYTES - ENTRY_BYTES
    }

    /// 6.x: what the cache charges for it: the block plus the entry itself, as the allocator rounded it.
    #[must_use]
    pub fn charge_with_entry(self) -> usize {
        let entry: *const LruHandle = self.0;
        // SAFETY: entries are allocated with `new char[]`, whose pointer this is.
        let own = unsafe { libc::malloc_usable_size(entry.cast_mut().cast()) };
        self.0.charge + own
    }

    /// 8.x: the same, which there is what the entry itself says.
    #[must_use]
    pub fn total_charge(self) -> usize {
        self.0.charge
    }

    /// The block's key, which begins `offset` bytes behind the start of the entry.
    pub(super) fn key_at(self, offset: usize) -> &'a [u8] {
        let entry: *const LruHandle = self.0;
        // SAFETY: the key follows inside the same allocation: the entry was allocated with room for it.
        unsafe { std::slice::from_raw_parts(entry.cast::<u8>().add(offset), self.0.key_length) }
    }
}

/// 8.x: the role of a block by RocksDB's `CacheEntryRole`; `None` for what is no block of a file: reservations, and the
/// cache's own book-keeping.
#[inline]
#[must_use]
pub fn block_role(cache_entry_role: i32) -> Option<BlockRole> {
    // Looked up, not matched: on the path of every look-up a load is cheaper than a chain of branches.
    const ROLES: [BlockRole; 6] = [
        BlockRole::Data,
        // Filters, the top of partitioned ones, and those of old files.
        BlockRole::Filter,
        BlockRole::Filter,
        BlockRole::Filter,
        BlockRole::Index,
        // Range deletions and compression dictionaries.
        BlockRole::Other,
    ];
    let role = usize::try_from(cache_entry_role.cast_unsigned()).unwrap_or(usize::MAX);
    ROLES.get(role).copied()
}

/// A deleter for values that belong to somebody else.
pub(super) extern "C" fn keep_value(_key: *const c_void, _value: *mut c_void) {}
