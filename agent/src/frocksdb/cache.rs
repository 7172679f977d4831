//! Sizes of a live cache, through RocksDB's C API.
#![allow(unsafe_code, reason = "calls C functions found at run time")]

use std::ffi::c_void;

use super::library::Library;

/// `rocksdb_cache_t`, and equally what RocksJava's `getNativeHandle` returns: a `std::shared_ptr<Cache>`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct SharedCache {
    pub(crate) object: *mut c_void,
    pub(crate) control: *mut c_void,
}

type Getter = unsafe extern "C" fn(*mut SharedCache) -> usize;
type Setter = unsafe extern "C" fn(*mut SharedCache, usize);

/// The C functions, taken from the library that made the cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheFunctions {
    create: unsafe extern "C" fn(usize) -> *mut SharedCache,
    destroy: unsafe extern "C" fn(*mut SharedCache),
    set_capacity: Setter,
    capacity: Getter,
    usage: Getter,
    pinned: Getter,
}

/// Sizes of a cache as RocksDB says them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheUsage {
    /// Capacity in force.
    pub capacity_bytes: u64,
    /// Bytes held.
    pub usage_bytes: u64,
    /// Bytes that cannot be evicted now.
    pub pinned_bytes: u64,
}

/// A cache of the JVM that the agent may call.
///
/// It borrows the JVM's handle: whoever owns a `BoundCache` must drop it before the handle is closed. The agent's
/// registry does so in `release`, which Java calls first.
#[derive(Debug)]
pub struct BoundCache {
    shared: *mut SharedCache,
    functions: CacheFunctions,
}

// SAFETY: RocksDB's caches are thread-safe, and the handle itself is not changed.
unsafe impl Send for BoundCache {}

impl CacheFunctions {
    pub(super) fn of(library: &Library) -> Result<Self, &'static str> {
        let address = |name: &'static str| library.address(name).ok_or(name);
        // SAFETY: signatures as RocksDB's `c.h` declares them.
        unsafe {
            Ok(Self {
                create: std::mem::transmute::<usize, unsafe extern "C" fn(usize) -> *mut SharedCache>(
                    address("rocksdb_cache_create_lru")?,
                ),
                destroy: std::mem::transmute::<usize, unsafe extern "C" fn(*mut SharedCache)>(
                    address("rocksdb_cache_destroy")?,
                ),
                set_capacity: std::mem::transmute::<usize, Setter>(address(
                    "rocksdb_cache_set_capacity",
                )?),
                capacity: std::mem::transmute::<usize, Getter>(address(
                    "rocksdb_cache_get_capacity",
                )?),
                usage: std::mem::transmute::<usize, Getter>(address("rocksdb_cache_get_usage")?),
                pinned: std::mem::transmute::<usize, Getter>(address(
                    "rocksdb_cache_get_pinned_usage",
                )?),
            })
        }
    }

    /// Makes a cache of the agent's own, for trials.
    pub(super) fn create(self, capacity_bytes: usize) -> ScratchCache {
        // SAFETY: a plain constructor.
        let shared = unsafe { (self.create)(capacity_bytes) };
        ScratchCache {
            shared,
            functions: self,
        }
    }
}

/// A cache that nobody else knows.
pub(super) struct ScratchCache {
    shared: *mut SharedCache,
    functions: CacheFunctions,
}

impl ScratchCache {
    pub(super) fn object(&self) -> *mut c_void {
        // SAFETY: made by `create`, destroyed on drop.
        unsafe { (*self.shared).object }
    }
}

impl Drop for ScratchCache {
    fn drop(&mut self) {
        // SAFETY: the only owner.
        unsafe { (self.functions.destroy)(self.shared) };
    }
}

impl BoundCache {
    /// Binds to a cache handle.
    ///
    /// # Safety
    ///
    /// `handle` must point to a `std::shared_ptr` to a cache of the build `functions` belong to, and stay valid as long
    /// as the result lives.
    pub(crate) unsafe fn bind(handle: *mut SharedCache, functions: CacheFunctions) -> Self {
        Self {
            shared: handle,
            functions,
        }
    }

    /// Changes the capacity. A shrink evicts in the calling thread.
    pub fn set_capacity(&self, bytes: u64) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        // SAFETY: see `bind`.
        unsafe { (self.functions.set_capacity)(self.shared, bytes) };
    }

    /// Sizes now.
    #[must_use]
    pub fn usage(&self) -> CacheUsage {
        // SAFETY: see `bind`.
        unsafe {
            CacheUsage {
                capacity_bytes: (self.functions.capacity)(self.shared) as u64,
                usage_bytes: (self.functions.usage)(self.shared) as u64,
                pinned_bytes: (self.functions.pinned)(self.shared) as u64,
            }
        }
    }
}
