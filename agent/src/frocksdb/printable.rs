//! What a cache says of itself in `GetPrintableOptions`: the only way that all builds have to ask for its shards and its pool.
#![allow(
    unsafe_code,
    reason = "calls a verified slot that returns a C++ string"
)]

use std::ffi::{CStr, c_char, c_void};

use weir_mrc::CacheShape;

use super::build::Build;

/// The number of characters a string of libstdc++'s old ABI holds, and its reference count, lie in front of the characters.
const LENGTH_BEFORE: usize = 24;
const REFERENCES_BEFORE: usize = 8;
/// RocksDB's own text has some 150.
const LONGEST: usize = 4096;

/// The text, one option a line; `None` if what comes back is no string of the old ABI.
///
/// # Safety
///
/// `cache` must be a live cache of `build`.
pub(super) unsafe fn options(cache: *mut c_void, build: &Build) -> Option<String> {
    type PrintableOptions = unsafe extern "C" fn(*mut *const c_char, *mut c_void) -> *mut c_void;
    let mut characters: *const c_char = std::ptr::null();
    // SAFETY: the slot was compared with this function of the build. A `std::string` of the old ABI is one pointer to its
    // characters; it is returned through the first argument.
    unsafe {
        let print: PrintableOptions = std::mem::transmute(build.slot(build.known.printable));
        print(&raw mut characters, cache);
    }
    if characters.is_null() {
        return None;
    }
    // SAFETY: the builds are of the old ABI, which their symbols say (`Ss`): a header precedes the characters, which end in NUL.
    unsafe {
        let header = characters.cast::<u8>();
        let length = header.sub(LENGTH_BEFORE).cast::<usize>().read_unaligned();
        let references = header.sub(REFERENCES_BEFORE).cast::<i32>().read_unaligned();
        let text = (length <= LONGEST && *characters.add(length) == 0)
            .then(|| CStr::from_ptr(characters).to_string_lossy().into_owned());
        // Nobody shares it, and it is not the one empty string: what was allocated begins with the header.
        if references == 0
            && length > 0
            && let Some(delete) = build.delete
        {
            let delete: unsafe extern "C" fn(*mut c_void) = std::mem::transmute(delete);
            delete(header.sub(LENGTH_BEFORE).cast_mut().cast());
        }
        text
    }
}

/// Shards and pool out of the text; `None` unless both are there.
pub(super) fn shape(options: &str) -> Option<CacheShape> {
    let value = |name: &str| {
        let mut lines = options.lines();
        lines.find_map(|line| {
            Some(
                line.trim()
                    .strip_prefix(name)?
                    .trim_start()
                    .strip_prefix(':')?
                    .trim(),
            )
        })
    };
    let bits: u32 = value("num_shard_bits")?
        .parse()
        .ok()
        .filter(|bits| *bits < 20)?;
    let ratio: f64 = value("high_pri_pool_ratio")?.parse().ok()?;
    (0.0..=1.0).contains(&ratio).then_some(CacheShape {
        shards: 1 << bits,
        high_pri_ratio: ratio,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_and_pool_are_read_from_the_text_and_nothing_is_made_up() {
        let text = "    capacity : 33554432\n    num_shard_bits : 6\n    strict_capacity_limit : 0\n    memory_allocator : None\n    high_pri_pool_ratio: 0.100\n";
        let expected = CacheShape {
            shards: 64,
            high_pri_ratio: 0.1,
        };
        assert_eq!(shape(text), Some(expected));
        assert_eq!(
            shape(&text.replace("num_shard_bits : 6", "num_shard_bits : x")),
            None
        );
        assert_eq!(shape(&text.replace("0.100", "7")), None);
        assert_eq!(shape("capacity : 1\n"), None);
    }
}
