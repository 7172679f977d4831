//! RocksDB's `Statistics`: the identity of a database behind a shared cache, and how to make one cost nothing.
#![allow(
    unsafe_code,
    reason = "reads and writes one byte whose place was just proved"
)]

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU8, Ordering};

use thiserror::Error;

use super::build::Build;
use super::known::KnownBuild;
use super::library::Library;

/// RocksJava's native setter. It uses neither of its first two arguments.
type SetLevel = unsafe extern "C" fn(*mut c_void, *mut c_void, *const *mut u8, c_int);

const SET_LEVEL: &str = "Java_org_rocksdb_Statistics_setStatsLevel";

/// Java's `EXCEPT_DETAILED_TIMERS` and `EXCEPT_TIME_FOR_MUTEX`, and what RocksDB calls them: `StatsLevel` of `statistics.h`.
const TRIED: [(c_int, u8); 2] = [(1, 4), (0, 3)];
/// `StatsLevel::kDisableAll`: no tickers, no histograms, no timers. Java has no name for it.
const DISABLE_ALL: u8 = 0;

/// What the agent needs to know of a build's statistics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StatisticsFunctions {
    set_level: SetLevel,
    level_offset: usize,
}

/// Statistics that do not look as expected. They go on counting, which costs a little and harms nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnknownStatistics {
    /// Java passed a null handle.
    #[error("the statistics handle is null")]
    NullHandle,
    /// No cache of a known build was seen yet, or the platform is not supported.
    #[error("no known RocksDB is loaded")]
    NoBuild,
    /// The level is not where this build keeps it.
    #[error("the level of the statistics is not where RocksDB {0} keeps it")]
    Layout(&'static str),
}

/// Switches all counting off in statistics that serve only to tell a database apart.
///
/// # Safety
///
/// `handle` must be null or RocksJava's handle of live statistics that nobody else sets the level of.
pub unsafe fn silence(handle: *const c_void) -> Result<(), UnknownStatistics> {
    if handle.is_null() {
        return Err(UnknownStatistics::NullHandle);
    }
    let handle = handle.cast::<*mut u8>();
    let build = Build::any_loaded().ok_or(UnknownStatistics::NoBuild)?;
    // SAFETY: the caller vouches for the handle.
    if unsafe { build.statistics.silence(handle) } {
        Ok(())
    } else {
        Err(UnknownStatistics::Layout(build.version))
    }
}

impl StatisticsFunctions {
    pub(super) fn of(library: &Library, known: &KnownBuild) -> Result<Self, &'static str> {
        let address = library.address(SET_LEVEL).ok_or(SET_LEVEL)?;
        Ok(Self {
            // SAFETY: an exported JNI function of this signature.
            set_level: unsafe { std::mem::transmute::<usize, SetLevel>(address) },
            level_offset: known.statistics_level,
        })
    }

    /// Switches all counting off in the statistics behind a Java handle. True if that worked.
    ///
    /// The place of the level is proved first: it must follow what RocksJava's own setter does.
    ///
    /// # Safety
    ///
    /// `handle` must be RocksJava's handle (a `std::shared_ptr`) of live statistics that nobody else sets the level of.
    pub(crate) unsafe fn silence(self, handle: *const *mut u8) -> bool {
        for (java_level, level) in TRIED {
            // SAFETY: the caller vouches for the handle. The byte lies within the object, which is larger in every build.
            let found = unsafe {
                (self.set_level)(
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                    handle,
                    java_level,
                );
                AtomicU8::from_ptr((*handle).add(self.level_offset)).load(Ordering::Relaxed)
            };
            if found != level {
                return false;
            }
        }
        // SAFETY: as above; an atomic in C++, too.
        unsafe {
            AtomicU8::from_ptr((*handle).add(self.level_offset))
                .store(DISABLE_ALL, Ordering::Relaxed);
        }
        true
    }
}
