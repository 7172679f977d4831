//! Sizes and shape of a live cache, through RocksDB's C API and a verified slot.
#![allow(unsafe_code, reason = "calls C functions found at run time")]

use std::ffi::c_void;

use weir_mrc::CacheShape;

use super::build::Build;
use super::library::Library;
use super::printable;
use super::weak_pointer::{SharedPointer, WeakPointer};

/// RocksDB holds a shard's lock while it unlinks what has to go, and look-ups wait for it. In steps of this size, some two thousand
/// blocks, they wait a fraction of a millisecond each time.
const SHRINK_STEP_BYTES: usize = 8 << 20;

type Getter = unsafe extern "C" fn(*mut SharedPointer) -> usize;
type Setter = unsafe extern "C" fn(*mut SharedPointer, usize);

/// The C functions, taken from the library that made the cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheFunctions {
    create: unsafe extern "C" fn(usize) -> *mut SharedPointer,
    destroy: unsafe extern "C" fn(*mut SharedPointer),
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

/// A cache of the JVM that the agent may call as long as it lives, whoever closes it and when.
#[derive(Debug)]
pub struct BoundCache {
    weak: WeakPointer,
    build: &'static Build,
}

impl CacheFunctions {
    pub(super) fn of(library: &Library) -> Result<Self, &'static str> {
        let address = |name: &'static str| library.address(name).ok_or(name);
        // SAFETY: signatures as RocksDB's `c.h` declares them.
        unsafe {
            Ok(Self {
                create: std::mem::transmute::<
                    usize,
                    unsafe extern "C" fn(usize) -> *mut SharedPointer,
                >(address("rocksdb_cache_create_lru")?),
                destroy: std::mem::transmute::<usize, unsafe extern "C" fn(*mut SharedPointer)>(
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
    shared: *mut SharedPointer,
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
    /// Binds to a cache; `None` if its handle is not made as RocksDB's are, so that nobody could tell when it is gone.
    ///
    /// # Safety
    ///
    /// `handle` must point to a live `std::shared_ptr` to a cache of this build.
    pub(crate) unsafe fn bind(handle: *const SharedPointer, build: &'static Build) -> Option<Self> {
        // SAFETY: the caller vouches for the handle; RocksDB's caches are thread-safe.
        let weak = unsafe { WeakPointer::of(handle, &[build.control_vtable])? };
        Some(Self { weak, build })
    }

    /// Which object it is, or was.
    #[must_use]
    pub fn object(&self) -> *mut c_void {
        self.weak.object()
    }

    /// The build that made it.
    #[must_use]
    pub fn build(&self) -> &'static Build {
        self.build
    }

    /// Whether RocksDB has destroyed it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.weak.is_gone()
    }

    /// Changes the capacity, if the cache is there still. A shrink evicts in the calling thread, [`SHRINK_STEP_BYTES`] at a time.
    pub fn set_capacity(&self, bytes: u64) {
        let Some(strong) = self.weak.lock() else {
            return;
        };
        let functions = &self.build.functions;
        let wanted = usize::try_from(bytes).unwrap_or(usize::MAX);
        // SAFETY: a live cache of the build whose functions these are.
        let (capacity, usage) = unsafe {
            (
                (functions.capacity)(strong.handle()),
                (functions.usage)(strong.handle()),
            )
        };
        // What is not in use is given up at once.
        let mut next = capacity.min(usage);
        while next > wanted.saturating_add(SHRINK_STEP_BYTES) {
            next -= SHRINK_STEP_BYTES;
            // SAFETY: as above.
            unsafe { (functions.set_capacity)(strong.handle(), next) };
        }
        // SAFETY: as above.
        unsafe { (functions.set_capacity)(strong.handle(), wanted) };
    }

    /// Sizes now; all zero once the cache is gone.
    #[must_use]
    pub fn usage(&self) -> CacheUsage {
        let Some(strong) = self.weak.lock() else {
            return CacheUsage::default();
        };
        let functions = &self.build.functions;
        // SAFETY: as in `set_capacity`.
        let read = |get: Getter| unsafe { get(strong.handle()) as u64 };
        CacheUsage {
            capacity_bytes: read(functions.capacity),
            usage_bytes: read(functions.usage),
            pinned_bytes: read(functions.pinned),
        }
    }

    /// How the cache divides its capacity, as it says itself; one ideal list where that cannot be read.
    #[must_use]
    pub fn shape(&self) -> CacheShape {
        let options = self.weak.lock().and_then(|_strong| {
            // SAFETY: a live cache of this build, kept by the strong reference.
            unsafe { printable::options(self.object(), self.build) }
        });
        options
            .and_then(|options| printable::shape(&options))
            .unwrap_or(CacheShape::IDEAL)
    }
}
