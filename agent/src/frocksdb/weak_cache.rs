//! A weak reference to a cache: tells when RocksDB has destroyed it, without keeping it alive.
#![allow(unsafe_code, reason = "counts in libstdc++'s shared_ptr control block")]

use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, Ordering};

use super::cache::SharedCache;
use super::library::Library;

/// libstdc++'s `_Sp_counted_base`. The weak count starts at one, held by all strong references together.
#[repr(C)]
struct ControlBlock {
    vtable: *const ControlVtable,
    use_count: AtomicI32,
    weak_count: AtomicI32,
}

#[repr(C)]
struct ControlVtable {
    destructors: [usize; 2],
    dispose: unsafe extern "C" fn(*mut ControlBlock),
    destroy: unsafe extern "C" fn(*mut ControlBlock),
}

/// Address point of the control block's vtable in a library.
pub(super) fn control_vtable(library: &Library, symbol: &str) -> Option<usize> {
    Some(library.address(symbol)? + 2 * size_of::<usize>())
}

/// Tells when a cache is gone.
#[derive(Debug)]
pub struct WeakCache(*mut ControlBlock);

// SAFETY: both counts are atomic; the block lives as long as this reference.
unsafe impl Send for WeakCache {}

impl WeakCache {
    /// A weak reference to a live cache; `None` if its control block is not of the known class.
    ///
    /// # Safety
    ///
    /// `shared` must be a live `std::shared_ptr`.
    pub(crate) unsafe fn of(
        shared: *const SharedCache,
        known_vtable: Option<usize>,
    ) -> Option<Self> {
        // SAFETY: the caller vouches for the pointer; a control block starts with its vptr.
        let control = unsafe { (*shared).control }.cast::<ControlBlock>();
        if control.is_null() {
            return None;
        }
        // SAFETY: as above, and the block lives while `shared` does.
        let block = unsafe { &*control };
        if Some(block.vtable as usize) != known_vtable
            || block.use_count.load(Ordering::Relaxed) < 1
        {
            return None;
        }
        block.weak_count.fetch_add(1, Ordering::Relaxed);
        Some(Self(control))
    }

    /// Whether RocksDB has destroyed the cache. Once true, no thread is inside any of its functions, nor will be.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        // SAFETY: the weak count this reference holds keeps the block.
        // Acquire: what other threads did with the cache before they let it go is visible now.
        unsafe { &*self.0 }.use_count.load(Ordering::Acquire) == 0
    }
}

impl Drop for WeakCache {
    fn drop(&mut self) {
        // SAFETY: as in `is_gone`; whoever takes the weak count to zero destroys the block, as libstdc++ does.
        unsafe {
            if (*self.0).weak_count.fetch_sub(1, Ordering::AcqRel) == 1 {
                ((*(*self.0).vtable).destroy)(self.0);
            }
        }
    }
}

const _: () = assert!(size_of::<*const c_void>() == 8);
