//! A recognised build of RocksDB: every vtable slot compared with the symbol it must hold, every layout tried out.
#![allow(
    unsafe_code,
    reason = "reads a C++ object of a library whose layout is verified here"
)]

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;

use super::cache::CacheFunctions;
use super::known::{self, KNOWN, KnownBuild, WRITE_BUFFER_CONTROL_VTABLES};
use super::library::Library;
use super::listener::{Listener, ListenerFunctions};
use super::statistics::StatisticsFunctions;
use super::weak_pointer::control_vtable;
use super::write_buffer_manager::WriteBufferFunctions;
use super::{Interface, trial};
use crate::writes::WriteTotals;

/// Two words lie in front of the slots: offset to top and type information.
pub(crate) const VTABLE_HEADER: usize = 2;

/// A RocksDB build that passed every check.
#[derive(Debug)]
pub struct Build {
    /// `6.20.3`.
    pub version: &'static str,
    /// File it was loaded from.
    pub path: String,
    library: Library,
    pub(crate) known: &'static KnownBuild,
    /// First slot of the class's vtable: what the vptr of an unhooked cache holds.
    pub(crate) vtable: usize,
    /// The whole vtable, header included, as the library has it.
    pub(crate) words: Vec<usize>,
    pub(crate) functions: CacheFunctions,
    pub(crate) statistics: StatisticsFunctions,
    /// `None`: write buffer managers of this library cannot be read, and are left alone.
    pub(crate) write_buffers: Option<WriteBufferFunctions>,
    /// `None`: listeners of this library are not as expected, and databases go without one.
    pub(crate) listeners: Option<ListenerFunctions>,
    /// C++'s `operator delete`, as the library would find it.
    pub(crate) delete: Option<usize>,
    /// Vtable of the control block behind the cache's `shared_ptr`.
    pub(crate) control_vtable: usize,
    /// The same for write buffer managers: whichever of the known ones are exported.
    pub(crate) write_buffer_control_vtables: Vec<usize>,
}

/// Why a build was refused. The job runs on without the agent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RefusedBuild {
    /// No file named `*rocksdbjni*` is loaded.
    #[error("no RocksDB JNI library is loaded in this process")]
    NoLibrary,
    /// The cache's class belongs to none of the loaded libraries.
    #[error("the block cache is not a rocksdb::LRUCache of {0}, or is already hooked by another")]
    UnknownClass(String),
    /// The class is known, its vtable is of another size.
    #[error(
        "{path}: vtable of rocksdb::LRUCache has {found} bytes, FRocksDB {version} has {expected}"
    )]
    VtableSize {
        /// The library.
        path: String,
        /// The build it says it is.
        version: &'static str,
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
    #[error(
        "{path}: is RocksDB {found}; this agent knows {}",
        known::describe_known()
    )]
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

/// Verified so far; one for each library, which are few and stay loaded.
static BUILDS: Mutex<Vec<&'static Build>> = Mutex::new(Vec::new());

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
        let mut builds = BUILDS.lock();
        if let Some(build) = builds.iter().find(|build| build.vtable == vtable) {
            return Ok(build);
        }
        let libraries = Library::loaded();
        let library = libraries
            .iter()
            .find(|library| {
                KNOWN
                    .iter()
                    .any(|known| class_vtable(library, known) == Some(vtable))
            })
            .ok_or_else(|| {
                let paths: Vec<_> = libraries.iter().map(Library::path).collect();
                if paths.is_empty() {
                    RefusedBuild::NoLibrary
                } else {
                    RefusedBuild::UnknownClass(paths.join(", "))
                }
            })?;
        let build: &'static Self = Box::leak(Box::new(Self::verify(library)?));
        builds.push(build);
        Ok(build)
    }

    /// The build seen first, or else that of the first library in this process that passes every check.
    #[must_use]
    pub fn any_loaded() -> Option<&'static Self> {
        if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
            return None;
        }
        let mut builds = BUILDS.lock();
        if builds.is_empty() {
            let verified = Library::loaded()
                .iter()
                .find_map(|library| Self::verify(library).ok())?;
            builds.push(Box::leak(Box::new(verified)));
        }
        builds.first().copied()
    }

    /// What was recognised and hooked, for the log.
    #[must_use]
    pub fn describe(&self) -> String {
        format!(
            "RocksDB {}, hooked Insert (slot {}) and Lookup (slot {})",
            self.version, self.known.insert, self.known.lookup
        )
    }

    /// Checks a library against all that the agent relies on.
    pub fn verify(library: &Library) -> Result<Self, RefusedBuild> {
        let found = version(library).ok_or_else(|| RefusedBuild::MissingSymbol {
            path: library.path().to_owned(),
            symbol: VERSION,
        })?;
        match KNOWN.iter().find(|known| known.version == found) {
            Some(known) => Self::verify_as(library, known),
            None => Err(RefusedBuild::Version {
                path: library.path().to_owned(),
                found,
            }),
        }
    }

    pub(crate) fn verify_as(
        library: &Library,
        known: &'static KnownBuild,
    ) -> Result<Self, RefusedBuild> {
        let path = library.path().to_owned();
        let missing = |symbol| RefusedBuild::MissingSymbol {
            path: library.path().to_owned(),
            symbol,
        };
        let symbol = library
            .symbol(known.vtable)
            .ok_or_else(|| missing(known.vtable))?;
        let expected = (VTABLE_HEADER + known.slots.len()) * size_of::<usize>();
        if symbol.size != expected {
            return Err(RefusedBuild::VtableSize {
                path,
                version: known.version,
                found: symbol.size,
                expected,
            });
        }
        // SAFETY: the symbol table says that so many bytes lie there; the library stays loaded.
        let words = unsafe {
            std::slice::from_raw_parts(
                symbol.address as *const usize,
                VTABLE_HEADER + known.slots.len(),
            )
        }
        .to_vec();
        for (slot, name) in known.slots.iter().enumerate() {
            if library.address(name) != Some(words[VTABLE_HEADER + slot]) {
                return Err(RefusedBuild::Slot {
                    path,
                    slot,
                    symbol: name,
                });
            }
        }
        let build = Self {
            version: known.version,
            known,
            vtable: symbol.address + VTABLE_HEADER * size_of::<usize>(),
            words,
            functions: CacheFunctions::of(library).map_err(missing)?,
            statistics: StatisticsFunctions::of(library, known).map_err(missing)?,
            write_buffers: WriteBufferFunctions::of(library, known),
            listeners: ListenerFunctions::of(library, known),
            delete: library.address("_ZdlPv"),
            control_vtable: control_vtable(library, known.control_vtable)
                .ok_or_else(|| missing(known.control_vtable))?,
            write_buffer_control_vtables: WRITE_BUFFER_CONTROL_VTABLES
                .iter()
                .filter_map(|symbol| control_vtable(library, symbol))
                .collect(),
            library: library.clone(),
            path,
        };
        trial::insert_and_read_back(&build).map_err(|what| RefusedBuild::Layout {
            path: build.path.clone(),
            what,
        })?;
        Ok(build)
    }

    /// A listener that counts what a database writes; `None` if listeners of this library are not as expected.
    #[must_use]
    pub fn listener(&'static self, totals: Arc<WriteTotals>) -> Option<Listener> {
        let functions = self.listeners.as_ref()?;
        Some(Listener::new(functions, totals))
    }

    /// What a slot holds.
    pub(crate) fn slot(&self, slot: usize) -> usize {
        self.words[VTABLE_HEADER + slot]
    }

    /// Where its other functions are.
    #[must_use]
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// How its functions are called.
    #[must_use]
    pub fn interface(&self) -> Interface {
        self.known.interface
    }
}

const VERSION: &str = "Java_org_rocksdb_RocksDB_version";

/// Address point of the class's vtable in a library.
fn class_vtable(library: &Library, known: &KnownBuild) -> Option<usize> {
    Some(library.address(known.vtable)? + VTABLE_HEADER * size_of::<usize>())
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
