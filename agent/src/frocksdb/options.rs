//! Has RocksDB itself put options by name onto the option objects that Java prepared, and tell what they are then.
//!
//! RocksJava parses options by name only into new objects, which would lose what Flink has set. The functions behind it take
//! a base: they are C++, but every object they are given stays opaque here, except `std::string` and `rocksdb::Status`.
#![allow(
    unsafe_code,
    reason = "C++ functions of a library found at run time, called with its own objects"
)]

use std::ffi::{CStr, c_char, c_void};

use thiserror::Error;

use super::library::Library;

/// A `rocksdb::Status`: its code in the first byte, and a C string that is null where there is nothing to say.
#[repr(C)]
#[derive(Debug)]
struct Status {
    codes: u64,
    message: *const c_char,
}

type Object = *const c_void;
/// Returns its `Status` through the first argument, as C++ does with what is not trivially copied.
type Parse =
    unsafe extern "C-unwind" fn(*mut Status, Object, Object, *const CxxString, *mut c_void);
type Print = unsafe extern "C-unwind" fn(*mut Status, Object, Object, *mut CxxString);
type Construct =
    unsafe extern "C-unwind" fn(*mut CxxString, *const u8, usize, *const u8) -> *mut CxxString;
type Destroy = unsafe extern "C-unwind" fn(*mut CxxString);

/// A `std::string` of the ABI before C++11, which both builds have: a pointer to the text, whose length lies three words before it.
#[repr(C)]
#[derive(Debug)]
struct CxxString(*const u8);

/// Which of RocksDB's option objects a handle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionObject {
    /// `rocksdb::DBOptions`.
    Database,
    /// `rocksdb::ColumnFamilyOptions`, table options included.
    State,
}

/// Options that were not applied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RefusedOptions {
    /// Java passed a null handle.
    #[error("a handle of options is null")]
    NullHandle,
    /// The library has no such function.
    #[error("{path}: {symbol} is not exported")]
    MissingSymbol {
        /// The library.
        path: String,
        /// The symbol.
        symbol: &'static str,
    },
    /// RocksDB says no.
    #[error("RocksDB does not take the options '{text}': {reason}")]
    Refused {
        /// What it was given.
        text: String,
        /// What it says.
        reason: String,
    },
}

const CONSTRUCT: &str = "_ZNSsC1EPKcmRKSaIcE";
const DESTROY: &str = "_ZNSsD1Ev";

impl OptionObject {
    fn parse(self) -> &'static str {
        match self {
            Self::Database => {
                "_ZN7rocksdb22GetDBOptionsFromStringERKNS_13ConfigOptionsERKNS_9DBOptionsERKSsPS3_"
            }
            Self::State => {
                "_ZN7rocksdb32GetColumnFamilyOptionsFromStringERKNS_13ConfigOptionsERKNS_19ColumnFamilyOptionsERKSsPS3_"
            }
        }
    }

    fn print(self) -> &'static str {
        match self {
            Self::Database => {
                "_ZN7rocksdb22GetStringFromDBOptionsERKNS_13ConfigOptionsERKNS_9DBOptionsEPSs"
            }
            Self::State => {
                "_ZN7rocksdb32GetStringFromColumnFamilyOptionsERKNS_13ConfigOptionsERKNS_19ColumnFamilyOptionsEPSs"
            }
        }
    }

    /// Lays `text` (`name=value;name=value`) over the options behind `options`; all of it or nothing.
    ///
    /// # Safety
    ///
    /// `parsing` and `options` must be null or RocksJava's handles, of `library`, of live `ConfigOptions` and of live options of this
    /// kind; no other thread may use the latter meanwhile.
    pub unsafe fn apply(
        self,
        library: &Library,
        parsing: *const c_void,
        options: *mut c_void,
        text: &str,
    ) -> Result<(), RefusedOptions> {
        let strings = Strings::of(library)?;
        // SAFETY: an exported function of this signature.
        let parse: Parse = unsafe { std::mem::transmute(address(library, self.parse())?) };
        if parsing.is_null() || options.is_null() {
            return Err(RefusedOptions::NullHandle);
        }
        let string = strings.make(text);
        let mut status = Status::unset();
        // SAFETY: the caller vouches for the handles. RocksDB parses into a copy of the base and assigns that only when all went well, so
        // base and result may be one object.
        unsafe {
            parse(
                &raw mut status,
                parsing,
                options,
                &raw const string,
                options,
            );
        }
        strings.drop(string);
        status.into_result(text)
    }

    /// Every option behind `options` in the form that `apply` takes.
    ///
    /// # Safety
    ///
    /// As for [`Self::apply`].
    pub unsafe fn text(
        self,
        library: &Library,
        parsing: *const c_void,
        options: *const c_void,
    ) -> Result<String, RefusedOptions> {
        let strings = Strings::of(library)?;
        // SAFETY: an exported function of this signature.
        let print: Print = unsafe { std::mem::transmute(address(library, self.print())?) };
        if parsing.is_null() || options.is_null() {
            return Err(RefusedOptions::NullHandle);
        }
        let mut string = strings.make("");
        let mut status = Status::unset();
        // SAFETY: the caller vouches for the handles.
        unsafe { print(&raw mut status, parsing, options, &raw mut string) };
        let text = string.to_text();
        strings.drop(string);
        status.into_result("").map(|()| text)
    }
}

fn address(library: &Library, symbol: &'static str) -> Result<usize, RefusedOptions> {
    library
        .address(symbol)
        .ok_or_else(|| RefusedOptions::MissingSymbol {
            path: library.path().to_owned(),
            symbol,
        })
}

// === impl Status ===

impl Status {
    fn unset() -> Self {
        Self {
            codes: 0,
            message: std::ptr::null(),
        }
    }

    /// The few bytes of a message are never freed: only a refusal has one, and it is RocksDB's allocator that it came from.
    fn into_result(self, text: &str) -> Result<(), RefusedOptions> {
        if self.codes & 0xff == 0 {
            return Ok(());
        }
        let reason = if self.message.is_null() {
            "no reason given".to_owned()
        } else {
            // SAFETY: RocksDB ends its messages with a zero.
            let message = unsafe { CStr::from_ptr(self.message) };
            message.to_string_lossy().into_owned()
        };
        Err(RefusedOptions::Refused {
            text: text.to_owned(),
            reason,
        })
    }
}

// === impl Strings ===

/// How the library's `std::string`s are made and given up.
#[derive(Debug)]
struct Strings {
    construct: Construct,
    destroy: Destroy,
}

impl Strings {
    fn of(library: &Library) -> Result<Self, RefusedOptions> {
        // SAFETY: functions of these signatures, which the library links.
        unsafe {
            Ok(Self {
                construct: std::mem::transmute::<usize, Construct>(address(library, CONSTRUCT)?),
                destroy: std::mem::transmute::<usize, Destroy>(address(library, DESTROY)?),
            })
        }
    }

    fn make(&self, text: &str) -> CxxString {
        let mut string = CxxString(std::ptr::null());
        let allocator = 0_u8;
        // SAFETY: text and length are valid; the allocator has no state, and is passed by address all the same.
        unsafe {
            (self.construct)(
                &raw mut string,
                text.as_ptr(),
                text.len(),
                &raw const allocator,
            )
        };
        string
    }

    fn drop(&self, mut string: CxxString) {
        // SAFETY: made by `make`, and destroyed once.
        unsafe { (self.destroy)(&raw mut string) };
    }
}

// === impl CxxString ===

impl CxxString {
    fn to_text(&self) -> String {
        // SAFETY: a constructed string: its length lies three words before its text.
        let bytes = unsafe {
            let length = *self.0.cast::<usize>().sub(3);
            std::slice::from_raw_parts(self.0, length)
        };
        String::from_utf8_lossy(bytes).into_owned()
    }
}
