//! A recognised build of RocksDB: every vtable slot compared with the symbol it must hold, every layout tried out.
#![allow(
    unsafe_code,
    reason = "reads a C++ object of a library whose layout is verified here"
)]

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

use thiserror::Error;

use super::cache::CacheFunctions;
use super::entry::{self, Entry};
use super::library::Library;

/// `rocksdb::Slice`.
#[repr(C)]
#[derive(Debug)]
pub struct Slice {
    /// First byte.
    pub data: *const u8,
    /// How many.
    pub size: usize,
}

/// `Cache::Lookup(key, statistics)`.
pub type LookupFn =
    unsafe extern "C-unwind" fn(*mut c_void, *const Slice, *mut c_void) -> *mut c_void;

/// `Cache::Insert(key, value, charge, deleter, handle, priority)`. The first argument is where the returned `Status` goes:
/// on x86-64 a non-trivial return value is an ordinary first argument, handed back as the result.
pub type InsertFn = unsafe extern "C-unwind" fn(
    *mut c_void,
    *mut c_void,
    *const Slice,
    *mut c_void,
    usize,
    *const c_void,
    *mut *mut c_void,
    c_int,
) -> *mut c_void;

/// Entries of the vtable of `rocksdb::LRUCache` in FRocksDB 6.20.3.
pub const VTABLE_SLOTS: usize = 25;
/// Two words lie in front of the slots: offset to top and type information.
pub(crate) const VTABLE_HEADER: usize = 2;

const VTABLE: &str = "_ZTVN7rocksdb8LRUCacheE";

/// What every slot must hold, FRocksDB 6.20.3, in order.
const SLOTS: [&str; VTABLE_SLOTS] = [
    "_ZN7rocksdb8LRUCacheD1Ev",
    "_ZN7rocksdb8LRUCacheD0Ev",
    "_ZNK7rocksdb8LRUCache4NameEv",
    "_ZN7rocksdb12ShardedCache6InsertERKNS_5SliceEPvmPFvS3_S4_EPPNS_5Cache6HandleENS7_8PriorityE",
    "_ZN7rocksdb12ShardedCache6LookupERKNS_5SliceEPNS_10StatisticsE",
    "_ZN7rocksdb12ShardedCache3RefEPNS_5Cache6HandleE",
    "_ZN7rocksdb12ShardedCache7ReleaseEPNS_5Cache6HandleEb",
    "_ZN7rocksdb8LRUCache5ValueEPNS_5Cache6HandleE",
    "_ZN7rocksdb12ShardedCache5EraseERKNS_5SliceE",
    "_ZN7rocksdb12ShardedCache5NewIdEv",
    "_ZN7rocksdb12ShardedCache11SetCapacityEm",
    "_ZN7rocksdb12ShardedCache22SetStrictCapacityLimitEb",
    "_ZNK7rocksdb12ShardedCache22HasStrictCapacityLimitEv",
    "_ZNK7rocksdb12ShardedCache11GetCapacityEv",
    "_ZNK7rocksdb12ShardedCache8GetUsageEv",
    "_ZNK7rocksdb12ShardedCache8GetUsageEPNS_5Cache6HandleE",
    "_ZNK7rocksdb12ShardedCache14GetPinnedUsageEv",
    "_ZNK7rocksdb8LRUCache9GetChargeEPNS_5Cache6HandleE",
    "_ZN7rocksdb8LRUCache10DisownDataEv",
    "_ZN7rocksdb12ShardedCache22ApplyToAllCacheEntriesEPFvPvmEb",
    "_ZN7rocksdb12ShardedCache17EraseUnRefEntriesEv",
    "_ZNK7rocksdb12ShardedCache19GetPrintableOptionsEv",
    "_ZN7rocksdb8LRUCache8GetShardEi",
    "_ZNK7rocksdb8LRUCache8GetShardEi",
    "_ZNK7rocksdb8LRUCache7GetHashEPNS_5Cache6HandleE",
];
/// Slot of `Insert`.
pub(crate) const INSERT_SLOT: usize = 3;
/// Slot of `Lookup`.
pub(crate) const LOOKUP_SLOT: usize = 4;
const RELEASE_SLOT: usize = 6;

/// A RocksDB build that passed every check.
#[derive(Debug)]
pub struct Build {
    /// `6.20.3`.
    pub version: String,
    /// File it was loaded from.
    pub path: String,
    /// First slot of the class's vtable: what the vptr of an unhooked cache holds.
    pub(crate) vtable: usize,
    /// The whole vtable, header included, as the library has it.
    pub(crate) words: [usize; VTABLE_HEADER + VTABLE_SLOTS],
    pub(crate) lookup: LookupFn,
    pub(crate) insert: InsertFn,
    pub(crate) functions: CacheFunctions,
    /// Vtable of the control block behind the cache's `shared_ptr`, if exported.
    pub(crate) control_vtable: Option<usize>,
}

/// Why a build was refused. The job runs on without the agent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RefusedBuild {
    /// No file named `*rocksdbjni*` is loaded.
    #[error("no RocksDB JNI library is loaded in this process")]
    NoLibrary,
    /// The cache's class belongs to none of the loaded libraries.
    #[error("the block cache is not a rocksdb::LRUCache of {0}, or is already hooked")]
    UnknownClass(String),
    /// The class is known, its vtable is of another size.
    #[error(
        "{path}: vtable of rocksdb::LRUCache has {found} bytes, FRocksDB 6.20.3 has {expected}"
    )]
    VtableSize {
        /// The library.
        path: String,
        /// Bytes found.
        found: usize,
        /// Bytes of the known build.
        expected: usize,
    },
    /// A slot does not hold the function it must.
    #[error("{path}: vtable slot {slot} does not hold {symbol}")]
    Slot {
        /// The library.
        path: String,
        /// Slot number.
        slot: usize,
        /// The symbol expected there.
        symbol: &'static str,
    },
    /// A function of the C API is missing.
    #[error("{path}: {symbol} is not exported")]
    MissingSymbol {
        /// The library.
        path: String,
        /// The symbol.
        symbol: &'static str,
    },
    /// It calls itself another version.
    #[error("{path}: is RocksDB {found}; this agent knows FRocksDB 6.20.3 (Flink 1.14 to 1.20)")]
    Version {
        /// The library.
        path: String,
        /// Version found.
        found: String,
    },
    /// A trial insert did not leave the entry as expected.
    #[error("{path}: a trial entry in a scratch cache reads back wrong: {what}")]
    Layout {
        /// The library.
        path: String,
        /// What differs.
        what: String,
    },
    /// The calling convention of this machine is not built.
    #[error("the hook is built for x86-64 Linux, this is {0}")]
    Platform(&'static str),
}

static BUILD: OnceLock<Build> = OnceLock::new();

impl Build {
    /// The build that made this cache, verified on first sight and remembered.
    ///
    /// # Safety
    ///
    /// `cache` must point to a live object derived from `rocksdb::Cache`.
    pub unsafe fn of_cache(cache: *const c_void) -> Result<&'static Self, RefusedBuild> {
        if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
            return Err(RefusedBuild::Platform(std::env::consts::ARCH));
        }
        // SAFETY: every object with virtual functions starts with its vptr.
        let vtable = unsafe { *cache.cast::<usize>() };
        if let Some(build) = BUILD.get().filter(|build| build.vtable == vtable) {
            return Ok(build);
        }
        let libraries = Library::loaded();
        let library = libraries
            .iter()
            .find(|library| class_vtable(library) == Some(vtable))
            .ok_or_else(|| {
                let paths: Vec<_> = libraries.iter().map(Library::path).collect();
                if paths.is_empty() {
                    RefusedBuild::NoLibrary
                } else {
                    RefusedBuild::UnknownClass(paths.join(", "))
                }
            })?;
        let build = Self::verify(library)?;
        Ok(BUILD.get_or_init(|| build))
    }

    /// The build found in this process so far.
    #[must_use]
    pub fn known() -> Option<&'static Self> {
        BUILD.get()
    }

    /// What was recognised and hooked, for the log.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "RocksDB {}, hooked Insert (slot {INSERT_SLOT}) and Lookup (slot {LOOKUP_SLOT})",
            self.version
        )
    }

    /// Checks a library against all that the agent relies on.
    pub fn verify(library: &Library) -> Result<Self, RefusedBuild> {
        let path = library.path().to_owned();
        let missing = |symbol| RefusedBuild::MissingSymbol {
            path: library.path().to_owned(),
            symbol,
        };
        let version = version(library).ok_or_else(|| missing(VERSION))?;
        if version != "6.20.3" {
            return Err(RefusedBuild::Version {
                path,
                found: version,
            });
        }
        let symbol = library.symbol(VTABLE).ok_or_else(|| missing(VTABLE))?;
        let expected = (VTABLE_HEADER + VTABLE_SLOTS) * size_of::<usize>();
        if symbol.size != expected {
            return Err(RefusedBuild::VtableSize {
                path,
                found: symbol.size,
                expected,
            });
        }
        // SAFETY: the symbol table says that so many bytes lie there; the library stays loaded.
        let words = unsafe { *(symbol.address as *const [usize; VTABLE_HEADER + VTABLE_SLOTS]) };
        for (slot, name) in SLOTS.into_iter().enumerate() {
            if library.address(name) != Some(words[VTABLE_HEADER + slot]) {
                return Err(RefusedBuild::Slot {
                    path,
                    slot,
                    symbol: name,
                });
            }
        }
        // SAFETY: the slots were just found to hold functions of exactly these types.
        let (lookup, insert) = unsafe {
            (
                std::mem::transmute::<usize, LookupFn>(words[VTABLE_HEADER + LOOKUP_SLOT]),
                std::mem::transmute::<usize, InsertFn>(words[VTABLE_HEADER + INSERT_SLOT]),
            )
        };
        let build = Self {
            version,
            vtable: symbol.address + VTABLE_HEADER * size_of::<usize>(),
            words,
            lookup,
            insert,
            functions: CacheFunctions::of(library).map_err(missing)?,
            control_vtable: super::weak_cache::control_vtable(library),
            path,
        };
        build.try_entry_layout()?;
        Ok(build)
    }

    /// Puts two entries into a scratch cache and compares what [`Entry`] reads with what went in.
    fn try_entry_layout(&self) -> Result<(), RefusedBuild> {
        let wrong = |what: String| RefusedBuild::Layout {
            path: self.path.clone(),
            what,
        };
        let scratch = self.functions.create(1 << 20);
        let cache = scratch.object();
        let mut value = 0_u64;
        for (key, priority) in [(b"weir-trial-high", 0), (b"weir-trial-low!", 1)] {
            let charge = 4_096 + key.len();
            let slice = Slice {
                data: key.as_ptr(),
                size: key.len(),
            };
            let mut status = [0_u64; 2];
            let mut handle: *mut c_void = std::ptr::null_mut();
            // SAFETY: a live cache of this build, arguments as `Insert` takes them; the deleter outlives the cache.
            unsafe {
                (self.insert)(
                    status.as_mut_ptr().cast(),
                    cache,
                    &raw const slice,
                    (&raw mut value).cast(),
                    charge,
                    entry::keep_value as *const c_void,
                    &raw mut handle,
                    priority,
                );
            }
            if handle.is_null() {
                return Err(wrong("no handle was returned".into()));
            }
            // SAFETY: the handle is held until it is released below.
            let found = unsafe { Entry::at(handle) };
            let kind = found.kind();
            let bytes = found.key();
            let result = if kind.deleter != entry::keep_value as *const c_void as usize {
                Err(wrong("deleter".into()))
            } else if kind.high_priority != (priority == 0) {
                Err(wrong(format!("priority {priority}")))
            } else if found.charge_bytes() < charge || found.charge_bytes() > charge + 1024 {
                Err(wrong(format!(
                    "charge {} of {charge}",
                    found.charge_bytes()
                )))
            } else if bytes != key {
                Err(wrong("key".into()))
            } else {
                Ok(())
            };
            // SAFETY: slot 6 was compared with `Release(handle, force_erase)`.
            unsafe {
                let release: unsafe extern "C-unwind" fn(*mut c_void, *mut c_void, bool) -> bool =
                    std::mem::transmute(self.words[VTABLE_HEADER + RELEASE_SLOT]);
                release(cache, handle, true);
            }
            result?;
        }
        Ok(())
    }
}

const VERSION: &str = "Java_org_rocksdb_RocksDB_version";

/// Address point of the class's vtable in a library.
fn class_vtable(library: &Library) -> Option<usize> {
    Some(library.address(VTABLE)? + VTABLE_HEADER * size_of::<usize>())
}

/// The version a library says it is. RocksJava's native method ignores its two arguments and returns
/// `major << 16 | minor << 8 | patch`.
fn version(library: &Library) -> Option<String> {
    let address = library.address(VERSION)?;
    // SAFETY: an exported JNI function of this signature; it touches neither argument.
    let encoded = unsafe {
        let version: extern "C" fn(*mut c_void, *mut c_void) -> c_int =
            std::mem::transmute(address);
        version(std::ptr::null_mut(), std::ptr::null_mut())
    };
    Some(format!(
        "{}.{}.{}",
        encoded >> 16 & 0xff,
        encoded >> 8 & 0xff,
        encoded & 0xff
    ))
}
