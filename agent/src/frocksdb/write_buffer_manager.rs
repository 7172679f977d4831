//! Reads and resizes RocksDB's write buffer manager: by its C functions where a build has them, else by fields tried out first.
#![allow(
    unsafe_code,
    reason = "C functions found at run time, and atomics at known offsets of a C++ object"
)]

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_protocol::WriteBufferReport;

use super::known::{Interface, KnownBuild};
use super::library::Library;

/// `rocksdb_write_buffer_manager_t`, and equally RocksJava's handle: a `std::shared_ptr<WriteBufferManager>`.
type Handle = *const *mut c_void;
type Getter = unsafe extern "C" fn(Handle) -> usize;
type Setter = unsafe extern "C" fn(Handle, usize);

/// How the write buffer managers of a build are read and resized.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WriteBufferFunctions {
    /// 6.20.3 has no functions for it: the fields of [`Head`].
    Fields,
    /// 8.10.0 has.
    Functions {
        capacity: Getter,
        used: Getter,
        active: Getter,
        set_capacity: Setter,
    },
}

/// The head of `rocksdb::WriteBufferManager` in 6.20.3.
#[repr(C)]
#[derive(Debug)]
struct Head {
    buffer_size: AtomicUsize,
    mutable_limit: AtomicUsize,
    memory_used: AtomicUsize,
    memory_active: AtomicUsize,
    /// Size of its reservations in a cache, and the pointer to what holds them.
    rest: [usize; 2],
}

const CONSTRUCTOR: &str = "_ZN7rocksdb18WriteBufferManagerC1EmSt10shared_ptrINS_5CacheEE";
const DESTRUCTOR: &str = "_ZN7rocksdb18WriteBufferManagerD1Ev";

/// The write buffer manager behind an operator. Borrowed like a [`super::BoundCache`]: dropped before Java closes it.
#[derive(Debug)]
pub struct WriteBufferManager {
    handle: Handle,
    functions: WriteBufferFunctions,
}

// SAFETY: only atomics are read and written, here or by the functions.
unsafe impl Send for WriteBufferManager {}

// === impl WriteBufferFunctions ===

impl WriteBufferFunctions {
    /// What a library offers; `None` if that is not what its build should offer.
    pub(super) fn of(library: &Library, known: &KnownBuild) -> Option<Self> {
        match known.interface {
            Interface::Deleter => fields_are_known(library).then_some(Self::Fields),
            Interface::Helper => Self::from_c_api(library),
        }
    }

    fn from_c_api(library: &Library) -> Option<Self> {
        let address = |name: &str| library.address(&format!("rocksdb_write_buffer_manager_{name}"));
        // SAFETY: signatures as RocksDB's `c.h` declares them.
        unsafe {
            Some(Self::Functions {
                capacity: std::mem::transmute::<usize, Getter>(address("buffer_size")?),
                used: std::mem::transmute::<usize, Getter>(address("memory_usage")?),
                active: std::mem::transmute::<usize, Getter>(address(
                    "mutable_memtable_memory_usage",
                )?),
                set_capacity: std::mem::transmute::<usize, Setter>(address("set_buffer_size")?),
            })
        }
    }
}

/// Makes a manager of the agent's own and looks where its constructor puts what.
fn fields_are_known(library: &Library) -> bool {
    const TRIAL_BYTES: usize = 12_345_679;
    let (Some(constructor), Some(destructor)) =
        (library.address(CONSTRUCTOR), library.address(DESTRUCTOR))
    else {
        return false;
    };
    // Twice what the object takes; what the constructor leaves alone stays recognisable.
    let mut memory = [usize::MAX; 2 * size_of::<Head>() / size_of::<usize>()];
    let no_cache = [0_usize; 2];
    // SAFETY: exported functions of these types; a `shared_ptr` argument goes by address.
    let head = unsafe {
        let construct: unsafe extern "C" fn(*mut usize, usize, *const [usize; 2]) =
            std::mem::transmute(constructor);
        let destroy: unsafe extern "C" fn(*mut usize) = std::mem::transmute(destructor);
        construct(memory.as_mut_ptr(), TRIAL_BYTES, &raw const no_cache);
        let head = memory;
        destroy(memory.as_mut_ptr());
        head
    };
    let mut expected = [usize::MAX; 12];
    expected[..6].copy_from_slice(&[TRIAL_BYTES, mutable_limit(TRIAL_BYTES), 0, 0, 0, 0]);
    head == expected
}

/// Memory in active memtables at which one is flushed although the whole is not full: seven eighths.
fn mutable_limit(buffer_size: usize) -> usize {
    (u128::from(buffer_size as u64) * 7 / 8) as usize
}

// === impl WriteBufferManager ===

impl WriteBufferManager {
    /// The manager behind a Java handle; `None` if it is null or its fields contradict each other.
    ///
    /// # Safety
    ///
    /// `handle` must be RocksJava's handle of a `WriteBufferManager` of the build that `functions` belong to, valid as long
    /// as the result lives.
    #[must_use]
    pub(crate) unsafe fn bind(
        handle: *const *mut c_void,
        functions: WriteBufferFunctions,
    ) -> Option<Self> {
        // SAFETY: a shared_ptr starts with the object's address.
        if handle.is_null() || unsafe { *handle }.is_null() {
            return None;
        }
        let bound = Self { handle, functions };
        if let WriteBufferFunctions::Fields = functions {
            let head = bound.head();
            let size = head.buffer_size.load(Ordering::Relaxed);
            if head.mutable_limit.load(Ordering::Relaxed) != mutable_limit(size) {
                return None;
            }
        }
        Some(bound)
    }

    /// Which manager it is: equal for all handles of one.
    #[must_use]
    pub fn object(&self) -> usize {
        // SAFETY: see `bind`.
        unsafe { *self.handle as usize }
    }

    /// Its state now.
    #[must_use]
    pub fn report(&self) -> WriteBufferReport {
        let (capacity, used, active) = match self.functions {
            WriteBufferFunctions::Fields => {
                let head = self.head();
                (
                    head.buffer_size.load(Ordering::Relaxed),
                    head.memory_used.load(Ordering::Relaxed),
                    head.memory_active.load(Ordering::Relaxed),
                )
            }
            WriteBufferFunctions::Functions {
                capacity,
                used,
                active,
                ..
            } => {
                // SAFETY: see `bind`.
                let read = |get: Getter| unsafe { get(self.handle) };
                (read(capacity), read(used), read(active))
            }
        };
        WriteBufferReport {
            capacity_bytes: capacity as u64,
            used_bytes: used as u64,
            active_bytes: active as u64,
            manager: self.object() as u64,
            reserved_bytes: None,
        }
    }

    /// Changes the size at which memtables are flushed. A smaller one frees nothing by itself: the next writes flush earlier.
    /// Zero would switch the manager off and leave its counts wrong for ever; it is taken for one byte.
    pub fn set_capacity(&self, bytes: u64) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).max(1);
        match self.functions {
            WriteBufferFunctions::Fields => {
                // What `WriteBufferManager::SetBufferSize` does, which is inline and has no symbol: two relaxed stores.
                let head = self.head();
                head.buffer_size.store(bytes, Ordering::Relaxed);
                head.mutable_limit
                    .store(mutable_limit(bytes), Ordering::Relaxed);
            }
            // SAFETY: see `bind`.
            WriteBufferFunctions::Functions { set_capacity, .. } => unsafe {
                set_capacity(self.handle, bytes);
            },
        }
    }

    fn head(&self) -> &Head {
        // SAFETY: see `bind`; the fields were tried out when the build was verified.
        unsafe { &*(*self.handle).cast::<Head>() }
    }
}
