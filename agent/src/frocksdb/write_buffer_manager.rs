//! Reads RocksDB's write buffer manager, which exports no getter in 6.20.3.
#![allow(unsafe_code, reason = "reads atomics at known offsets of a C++ object")]

use std::sync::atomic::{AtomicUsize, Ordering};

use weir_protocol::WriteBufferReport;

/// The head of `rocksdb::WriteBufferManager`, FRocksDB 6.20.3: four atomic words, then the charge size of its reservations.
#[repr(C)]
#[derive(Debug)]
struct Head {
    buffer_size: AtomicUsize,
    mutable_limit: AtomicUsize,
    memory_used: AtomicUsize,
    memory_active: AtomicUsize,
}

/// The write buffer manager behind an operator. Borrowed like a [`super::BoundCache`]: dropped before Java closes it.
#[derive(Debug)]
pub struct WriteBufferManager(*const Head);

// SAFETY: only atomics are read.
unsafe impl Send for WriteBufferManager {}

impl WriteBufferManager {
    /// The manager behind a Java handle; `None` if its fields contradict each other.
    ///
    /// # Safety
    ///
    /// `handle` must be RocksJava's handle of a `WriteBufferManager` of FRocksDB 6.20.3 (a `std::shared_ptr`), valid as long
    /// as the result lives.
    #[must_use]
    pub unsafe fn bind(handle: *const *const std::ffi::c_void) -> Option<Self> {
        // SAFETY: a shared_ptr starts with the object's address.
        let head = unsafe { *handle }.cast::<Head>();
        if head.is_null() {
            return None;
        }
        // SAFETY: the caller vouches for the class.
        let fields = unsafe { &*head };
        let size = fields.buffer_size.load(Ordering::Relaxed);
        // The limit at which the active part alone makes it flush is seven eighths of the size.
        (fields.mutable_limit.load(Ordering::Relaxed) == size * 7 / 8).then_some(Self(head))
    }

    /// Its state now.
    #[must_use]
    pub fn report(&self) -> WriteBufferReport {
        // SAFETY: see `bind`.
        let fields = unsafe { &*self.0 };
        WriteBufferReport {
            capacity_bytes: fields.buffer_size.load(Ordering::Relaxed) as u64,
            used_bytes: fields.memory_used.load(Ordering::Relaxed) as u64,
            active_bytes: fields.memory_active.load(Ordering::Relaxed) as u64,
        }
    }
}
