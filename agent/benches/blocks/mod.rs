//! Blocks of a cache, put in and looked up the way RocksDB does it: through the vtable of the object.

use std::ffi::c_void;
use std::hint::black_box;
use std::sync::LazyLock;

use weir_agent::frocksdb::call::{
    DeleterInsert, DeleterLookup, HelperInsert, HelperLookup, ItemHelper, Release, Slice,
};

use crate::lab;

/// A cache and how its build is called.
pub struct Target {
    object: *mut c_void,
    is_eight: bool,
    _cache: lab::Cache,
}

// SAFETY: RocksDB's caches are thread-safe.
unsafe impl Sync for Target {}
// SAFETY: as above.
unsafe impl Send for Target {}

/// 6.x: `void (*)(const Slice &, void *)`.
extern "C" fn free_block(_key: *const c_void, block: *mut c_void) {
    // SAFETY: blocks come from `malloc`, below.
    unsafe { libc::free(block) };
}

/// 8.x: `void (*)(void *, MemoryAllocator *)`.
extern "C" fn free_object(block: *mut c_void, _allocator: *mut c_void) {
    // SAFETY: as above.
    unsafe { libc::free(block) };
}

struct HelperAddress(*const ItemHelper);
// SAFETY: never changed.
unsafe impl Send for HelperAddress {}
// SAFETY: as above.
unsafe impl Sync for HelperAddress {}

static DATA_BLOCK: LazyLock<HelperAddress> = LazyLock::new(|| {
    HelperAddress(Box::into_raw(Box::new(ItemHelper {
        functions: [free_object as *const c_void as usize, 0, 0, 0],
        role: 0,
        without_secondary: std::ptr::null(),
    })))
});

impl Target {
    pub fn new(cache: lab::Cache) -> Self {
        Self {
            object: cache.shared[0] as *mut c_void,
            is_eight: crate::rocksdb().starts_with('8'),
            _cache: cache,
        }
    }

    fn slot(&self, slot: usize) -> usize {
        // SAFETY: the object starts with its vptr.
        unsafe { *(*self.object.cast::<*const usize>()).add(slot) }
    }

    /// Puts a data block of so many bytes in, with its memory.
    pub fn insert(&self, key: &[u8; 16], bytes: usize) {
        let key = slice(key);
        let mut status = [0_u64; 2];
        let status = status.as_mut_ptr().cast();
        let none = std::ptr::null_mut();
        // SAFETY: slot 3 is `Insert` in both; the block is the cache's from here on.
        unsafe {
            let block = libc::malloc(bytes);
            std::ptr::write_bytes(block.cast::<u8>(), 7, bytes);
            if self.is_eight {
                let insert: HelperInsert = std::mem::transmute(self.slot(3));
                let empty = slice(&[]);
                let (key, helper) = (&raw const key, DATA_BLOCK.0);
                let empty = &raw const empty;
                insert(
                    status,
                    self.object,
                    key,
                    block,
                    helper,
                    bytes,
                    none,
                    1,
                    empty,
                    0,
                );
            } else {
                let insert: DeleterInsert = std::mem::transmute(self.slot(3));
                let deleter = free_block as *const c_void;
                insert(
                    status,
                    self.object,
                    &raw const key,
                    block,
                    bytes,
                    deleter,
                    none,
                    1,
                );
            }
        }
    }

    #[inline]
    pub fn lookup(&self, key: &[u8; 16]) -> *mut c_void {
        let key = slice(key);
        let key = black_box(&raw const key);
        let none = std::ptr::null_mut();
        // SAFETY: slots 5 and 4 are `Lookup`.
        unsafe {
            if self.is_eight {
                let lookup: HelperLookup = std::mem::transmute(self.slot(5));
                lookup(self.object, key, DATA_BLOCK.0, none, 1, none)
            } else {
                let lookup: DeleterLookup = std::mem::transmute(self.slot(4));
                lookup(self.object, key, none)
            }
        }
    }

    /// Looks a block up and lets it go again; whether it was there.
    #[inline]
    pub fn hit(&self, key: &[u8; 16]) -> bool {
        let handle = self.lookup(key);
        if handle.is_null() {
            return false;
        }
        // SAFETY: slots 7 and 6 are `Release`; the handle came from `Lookup`.
        unsafe {
            let release: Release =
                std::mem::transmute(self.slot(if self.is_eight { 7 } else { 6 }));
            release(self.object, handle, false);
        }
        true
    }
}

fn slice(bytes: &[u8]) -> Slice {
    Slice {
        data: bytes.as_ptr(),
        size: bytes.len(),
    }
}
