//! A weak reference to an object that C++ shares by `std::shared_ptr`: tells when it is gone, and keeps it while it is used.
//!
//! Java closes its handles when it likes: after the agent was told, as a rule, but also from a failed restore or from code that
//! knows nothing of the agent. So the agent keeps no handle. It counts itself into the control block behind it, and every use
//! first asks for a strong reference, which there is none of once the object is destroyed.
#![allow(unsafe_code, reason = "counts in libstdc++'s shared_ptr control block")]

use std::ffi::c_void;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI32, Ordering};

use super::library::Library;

/// A `std::shared_ptr`. `rocksdb_cache_t`, `rocksdb_write_buffer_manager_t` and what RocksJava's `getNativeHandle` returns for
/// either are pointers to one.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct SharedPointer {
    pub(crate) object: *mut c_void,
    pub(crate) control: *mut c_void,
}

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

/// Address point of a control block's vtable in a library.
pub(super) fn control_vtable(library: &Library, symbol: &str) -> Option<usize> {
    Some(library.address(symbol)? + 2 * size_of::<usize>())
}

/// Tells when an object is gone.
#[derive(Debug)]
pub struct WeakPointer {
    object: *mut c_void,
    control: *mut ControlBlock,
}

// SAFETY: both counts are atomic; the block lives as long as this reference. The object is reached through `lock` only, and is
// thread-safe (see `SharedPointer`).
unsafe impl Send for WeakPointer {}

/// Keeps an object alive.
#[derive(Debug)]
pub(crate) struct StrongPointer<'a> {
    shared: SharedPointer,
    weak: PhantomData<&'a WeakPointer>,
}

// === impl WeakPointer ===

impl WeakPointer {
    /// A weak reference to a live object; `None` if its control block is of none of the known classes.
    ///
    /// # Safety
    ///
    /// `shared` must be a live `std::shared_ptr` to one of RocksDB's thread-safe classes.
    pub(crate) unsafe fn of(shared: *const SharedPointer, known_vtables: &[usize]) -> Option<Self> {
        // SAFETY: the caller vouches for the pointer; a control block starts with its vptr.
        let shared = unsafe { &*shared };
        let control = shared.control.cast::<ControlBlock>();
        if shared.object.is_null() || control.is_null() {
            return None;
        }
        // SAFETY: as above, and the block lives while `shared` does.
        let block = unsafe { &*control };
        if !known_vtables.contains(&(block.vtable as usize))
            || block.use_count.load(Ordering::Relaxed) < 1
        {
            return None;
        }
        block.weak_count.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            object: shared.object,
            control,
        })
    }

    /// Which object it is, or was: only to be compared, and with others only while this one lives.
    #[must_use]
    pub fn object(&self) -> *mut c_void {
        self.object
    }

    /// Whether RocksDB has destroyed the object. Once true, no thread is inside any of its functions, nor will be.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        // SAFETY: the weak count this reference holds keeps the block.
        // Acquire: what other threads did with the object before they let it go is visible now.
        unsafe { &*self.control }.use_count.load(Ordering::Acquire) == 0
    }

    /// Keeps the object for as long as the result lives; `None` if it is gone. What `std::weak_ptr::lock` does.
    pub(crate) fn lock(&self) -> Option<StrongPointer<'_>> {
        // SAFETY: as in `is_gone`.
        let count = unsafe { &(*self.control).use_count };
        let one_more = |count: i32| (count > 0).then(|| count + 1);
        count
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, one_more)
            .ok()?;
        Some(StrongPointer {
            shared: SharedPointer {
                object: self.object,
                control: self.control.cast(),
            },
            weak: PhantomData,
        })
    }
}

impl Drop for WeakPointer {
    fn drop(&mut self) {
        // SAFETY: as in `is_gone`; whoever takes the weak count to zero destroys the block, as libstdc++ does.
        unsafe {
            if (*self.control).weak_count.fetch_sub(1, Ordering::AcqRel) == 1 {
                ((*(*self.control).vtable).destroy)(self.control);
            }
        }
    }
}

// === impl StrongPointer ===

impl StrongPointer<'_> {
    /// The pointer as RocksDB's C API takes it, valid as long as this lives.
    pub(crate) fn handle(&self) -> *mut SharedPointer {
        (&raw const self.shared).cast_mut()
    }
}

impl Drop for StrongPointer<'_> {
    fn drop(&mut self) {
        let control = self.shared.control.cast::<ControlBlock>();
        // SAFETY: the weak reference this one was made from keeps the block. Whoever takes the use count to zero destroys the
        // object, as libstdc++ does, and gives back the weak count that all strong references hold together, which is not the
        // last one.
        unsafe {
            if (*control).use_count.fetch_sub(1, Ordering::AcqRel) == 1 {
                ((*(*control).vtable).dispose)(control);
                (*control).weak_count.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }
}
