//! The C++ functions that the hooks stand in for, as the two interfaces declare them.
//!
//! On x86-64 a non-trivial return value such as `Status` is an ordinary first argument, handed back as the result.

use std::ffi::{c_int, c_void};

/// `rocksdb::Slice`.
#[repr(C)]
#[derive(Debug)]
pub struct Slice {
    /// First byte.
    pub data: *const u8,
    /// How many.
    pub size: usize,
}

/// 6.x `Cache::Lookup(key, statistics)`.
pub type DeleterLookup =
    unsafe extern "C-unwind" fn(*mut c_void, *const Slice, *mut c_void) -> *mut c_void;

/// 6.x `Cache::Insert(key, value, charge, deleter, handle, priority)`.
pub type DeleterInsert = unsafe extern "C-unwind" fn(
    *mut c_void,
    *mut c_void,
    *const Slice,
    *mut c_void,
    usize,
    *const c_void,
    *mut *mut c_void,
    c_int,
) -> *mut c_void;

/// 8.x `Cache::Lookup(key, helper, create_context, priority, statistics)`.
pub type HelperLookup = unsafe extern "C-unwind" fn(
    *mut c_void,
    *const Slice,
    *const ItemHelper,
    *mut c_void,
    c_int,
    *mut c_void,
) -> *mut c_void;

/// 8.x `Cache::Insert(key, object, helper, charge, handle, priority, compressed, compression_type)`.
pub type HelperInsert = unsafe extern "C-unwind" fn(
    *mut c_void,
    *mut c_void,
    *const Slice,
    *mut c_void,
    *const ItemHelper,
    usize,
    *mut *mut c_void,
    c_int,
    *const Slice,
    u8,
) -> *mut c_void;

/// Both interfaces: `Cache::Release(handle, force_erase)`.
pub type Release = unsafe extern "C-unwind" fn(*mut c_void, *mut c_void, bool) -> bool;

/// 8.x `rocksdb::Cache::CacheItemHelper`: four functions, then the role.
#[repr(C)]
#[derive(Debug)]
pub struct ItemHelper {
    /// `del_cb`, `size_cb`, `saveto_cb`, `create_cb`.
    pub functions: [usize; 4],
    /// `CacheEntryRole`.
    pub role: c_int,
    /// The same helper for caches without a second level.
    pub without_secondary: *const ItemHelper,
}
