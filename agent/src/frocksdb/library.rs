//! Finds the RocksDB libraries this process has loaded, and symbols in them.
#![allow(unsafe_code, reason = "dynamic linker calls have no safe form")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;

/// A RocksDB library that was already in the process; it stays loaded for ever.
#[derive(Debug, Clone)]
pub struct Library {
    handle: *mut c_void,
    path: String,
}

// SAFETY: a handle of `dlopen` may be used from any thread; it is never closed.
unsafe impl Send for Library {}
// SAFETY: as above; `dlsym` is thread-safe.
unsafe impl Sync for Library {}

/// A symbol's address and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symbol {
    /// Where it is.
    pub address: usize,
    /// Its size in bytes according to the symbol table.
    pub size: usize,
}

/// `Elf64_Sym`, as `dladdr1` hands it out.
#[repr(C)]
struct ElfSymbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    size: u64,
}

/// `RTLD_DL_SYMENT` of `dlfcn.h`.
const RTLD_DL_SYMENT: c_int = 1;

unsafe extern "C" {
    fn dladdr1(
        address: *const c_void,
        info: *mut libc::Dl_info,
        extra: *mut *mut c_void,
        flags: c_int,
    ) -> c_int;
}

impl Library {
    /// Every loaded library whose file name says that it is RocksDB's JNI library.
    #[must_use]
    pub fn loaded() -> Vec<Self> {
        let mut paths: Vec<CString> = Vec::new();
        // SAFETY: the callback matches the signature and gets the vector it expects.
        unsafe { libc::dl_iterate_phdr(Some(collect_path), (&raw mut paths).cast()) };
        paths
            .into_iter()
            .filter_map(|path| {
                // SAFETY: the path is NUL-terminated. NOLOAD: nothing is loaded, only a reference taken; NODELETE keeps it.
                let handle = unsafe {
                    libc::dlopen(
                        path.as_ptr(),
                        libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE,
                    )
                };
                (!handle.is_null()).then(|| Self {
                    handle,
                    path: path.to_string_lossy().into_owned(),
                })
            })
            .collect()
    }

    /// Loads a library for a test or bench that has no JVM to do so.
    ///
    /// # Safety
    ///
    /// Runs the library's initialisers: `path` must be a RocksDB JNI library.
    pub unsafe fn open(path: &str) -> Result<Self, String> {
        let c_path = CString::new(path).map_err(|e| e.to_string())?;
        // SAFETY: the caller vouches for the file.
        let handle = unsafe { libc::dlopen(c_path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            // SAFETY: after a failure `dlerror` is a C string.
            let reason = unsafe { CStr::from_ptr(libc::dlerror()) };
            return Err(format!("{path}: {}", reason.to_string_lossy()));
        }
        Ok(Self {
            handle,
            path: path.to_owned(),
        })
    }

    /// File the library was loaded from.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Address of an exported symbol.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<usize> {
        let name = CString::new(name).ok()?;
        // SAFETY: handle and name are valid.
        let address = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        (!address.is_null()).then_some(address as usize)
    }

    /// Address and size of an exported symbol.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<Symbol> {
        let address = self.address(name)?;
        let mut info = MaybeUninit::<libc::Dl_info>::uninit();
        let mut entry: *mut c_void = ptr::null_mut();
        // SAFETY: both out parameters are valid; with RTLD_DL_SYMENT the second receives an ElfW(Sym)*.
        let found = unsafe {
            dladdr1(
                address as *const c_void,
                info.as_mut_ptr(),
                &raw mut entry,
                RTLD_DL_SYMENT,
            )
        };
        if found == 0 || entry.is_null() {
            return None;
        }
        // SAFETY: see above; the symbol table of a library that stays loaded.
        let size = unsafe { (*entry.cast::<ElfSymbol>()).size };
        Some(Symbol {
            address,
            size: usize::try_from(size).ok()?,
        })
    }
}

/// Keeps the agent's own code in the process: vtables will point into it until the end.
pub fn pin_own_library() -> bool {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    let own: fn() -> bool = pin_own_library;
    // SAFETY: any address may be asked for; on success `info` is filled in.
    let info = unsafe {
        if libc::dladdr(own as *const c_void, info.as_mut_ptr()) == 0 {
            return false;
        }
        info.assume_init()
    };
    // SAFETY: `dli_fname` is the C string under which the linker knows this library; nothing new is loaded.
    let handle = unsafe {
        libc::dlopen(
            info.dli_fname,
            libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE,
        )
    };
    !handle.is_null()
}

unsafe extern "C" fn collect_path(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    paths: *mut c_void,
) -> c_int {
    // SAFETY: the linker passes a valid record whose name is a C string or null.
    let name: *const c_char = unsafe { (*info).dlpi_name };
    if !name.is_null() {
        // SAFETY: as above.
        let name = unsafe { CStr::from_ptr(name) };
        let text = name.to_string_lossy();
        let file = text.rsplit('/').next().unwrap_or_default();
        if file.contains("rocksdbjni") {
            // SAFETY: `loaded` passes its vector and waits for the iteration to end.
            unsafe { (*paths.cast::<Vec<CString>>()).push(name.to_owned()) };
        }
    }
    0
}
