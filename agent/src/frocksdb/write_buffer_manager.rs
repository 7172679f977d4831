//! Reads and resizes RocksDB's write buffer manager: by its C functions where a build has them, else by fields tried out first.
#![allow(
    unsafe_code,
    reason = "C functions found at run time, and atomics at known offsets of a C++ object"
)]

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_protocol::WriteBufferReport;

use super::build::Build;
use super::known::{Interface, KnownBuild};
use super::library::Library;
use super::weak_pointer::{SharedPointer, StrongPointer, WeakPointer};

type Getter = unsafe extern "C" fn(*mut SharedPointer) -> usize;
type Setter = unsafe extern "C" fn(*mut SharedPointer, usize);

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
        reserved: Getter,
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

/// The write buffer manager behind an operator, as long as it lives.
#[derive(Debug)]
pub struct WriteBufferManager {
    weak: WeakPointer,
    functions: WriteBufferFunctions,
}

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
                reserved: std::mem::transmute::<usize, Getter>(address(
                    "dummy_entries_in_cache_usage",
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
    /// The manager behind a Java handle; `None` if it is null, is not made as RocksDB's are, or its fields contradict each other.
    ///
    /// # Safety
    ///
    /// `handle` must be null or RocksJava's handle of a live `WriteBufferManager` of this build.
    #[must_use]
    pub unsafe fn bind(handle: *const c_void, build: &Build) -> Option<Self> {
        let functions = build.write_buffers?;
        let handle = handle.cast::<SharedPointer>();
        if handle.is_null() {
            return None;
        }
        // SAFETY: the caller vouches for the handle; all that is done with a manager is atomic, here or in RocksDB.
        let weak = unsafe { WeakPointer::of(handle, &build.write_buffer_control_vtables)? };
        let bound = Self { weak, functions };
        if let WriteBufferFunctions::Fields = functions {
            let strong = bound.weak.lock()?;
            let head = head(&strong);
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
        self.weak.object() as usize
    }

    /// Whether RocksDB has destroyed it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.weak.is_gone()
    }

    /// Size at which memtables are flushed; `None` once the manager is gone.
    #[must_use]
    pub fn capacity_bytes(&self) -> Option<u64> {
        self.report(0).map(|report| report.capacity_bytes)
    }

    /// Its state now, under a number that tells managers apart; `None` once it is gone.
    #[must_use]
    pub fn report(&self, manager: u64) -> Option<WriteBufferReport> {
        let strong = self.weak.lock()?;
        let (capacity, used, active, reserved) = match self.functions {
            WriteBufferFunctions::Fields => {
                let head = head(&strong);
                (
                    head.buffer_size.load(Ordering::Relaxed),
                    head.memory_used.load(Ordering::Relaxed),
                    head.memory_active.load(Ordering::Relaxed),
                    None,
                )
            }
            WriteBufferFunctions::Functions {
                capacity,
                used,
                active,
                reserved,
                ..
            } => {
                // SAFETY: a live manager of the build whose functions these are.
                let read = |get: Getter| unsafe { get(strong.handle()) };
                (
                    read(capacity),
                    read(used),
                    read(active),
                    Some(read(reserved) as u64),
                )
            }
        };
        Some(WriteBufferReport {
            manager,
            capacity_bytes: capacity as u64,
            used_bytes: used as u64,
            active_bytes: active as u64,
            reserved_bytes: reserved,
        })
    }

    /// Changes the size at which memtables are flushed. A smaller one frees nothing by itself: the next writes flush earlier.
    /// Zero would switch the manager off and leave its counts wrong for ever; it is taken for one byte.
    pub fn set_capacity(&self, bytes: u64) {
        let Some(strong) = self.weak.lock() else {
            return;
        };
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).max(1);
        match self.functions {
            WriteBufferFunctions::Fields => {
                // What `WriteBufferManager::SetBufferSize` does, which is inline and has no symbol: two relaxed stores.
                let head = head(&strong);
                head.buffer_size.store(bytes, Ordering::Relaxed);
                head.mutable_limit
                    .store(mutable_limit(bytes), Ordering::Relaxed);
            }
            // SAFETY: as in `report`.
            WriteBufferFunctions::Functions { set_capacity, .. } => unsafe {
                set_capacity(strong.handle(), bytes);
            },
        }
    }
}

/// The fields of a live manager of a build where they were tried out.
fn head<'a>(strong: &'a StrongPointer<'_>) -> &'a Head {
    // SAFETY: the strong reference keeps the object; only atomics are reached through the result.
    unsafe { &*(*strong.handle()).object.cast::<Head>() }
}
