//! What a C program calls that has RocksDB's JNI library in its process and no JVM; declared in `include/weir_agent.h`.
//!
//! No function lets a panic out. Those that fail say why in [`weir_agent_last_error`].
#![allow(unsafe_code, reason = "exports for C, and handles that come from it")]

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::agent::{Agent, LogLevel};
use crate::caches::Registration;
use crate::settings::Settings;
use crate::{identity, start};

thread_local! {
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `body`; an error or a panic is remembered, and `failed` returned.
fn guarded<T>(failed: T, body: impl FnOnce() -> Result<T, String>) -> T {
    let outcome = catch_unwind(AssertUnwindSafe(body));
    let reason = match outcome {
        Ok(Ok(value)) => return value,
        Ok(Err(reason)) => reason,
        Err(_) => "the agent failed inside; this is a bug".to_owned(),
    };
    LAST_ERROR.with_borrow_mut(|last| *last = reason);
    failed
}

/// # Safety
///
/// `text` must be null or a C string.
unsafe fn text(text: *const c_char) -> Result<String, String> {
    if text.is_null() {
        return Ok(String::new());
    }
    // SAFETY: the caller vouches for it.
    let text = unsafe { CStr::from_ptr(text) };
    let text = text.to_str().map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// Copies as much as there is room for, and a NUL; the length of the whole without the NUL.
///
/// # Safety
///
/// `buffer` must have room for `size` bytes, or be null with a `size` of 0.
unsafe fn hand_out(whole: &str, buffer: *mut c_char, size: usize) -> usize {
    if size > 0 && !buffer.is_null() {
        let length = whole.len().min(size - 1);
        // SAFETY: the caller vouches for the room.
        unsafe {
            std::ptr::copy_nonoverlapping(whole.as_ptr(), buffer.cast(), length);
            *buffer.add(length) = 0;
        }
    }
    whole.len()
}

/// Starts the agent of this process, or finds it running. `keys_and_values` are `count` C strings, keys and values alternating:
/// `"mode", "per-operator", "budget-bytes", "67108864"`. The agent logs to standard error. 0, or -1 if it does not start.
///
/// # Safety
///
/// `keys_and_values` must point to `count` C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_agent_start(
    keys_and_values: *const *const c_char,
    count: usize,
) -> c_int {
    guarded(-1, || {
        let mut texts = Vec::with_capacity(count);
        for index in 0..count {
            // SAFETY: the caller vouches for the array and its strings.
            texts.push(unsafe { text(*keys_and_values.add(index))? });
        }
        let (pairs, rest) = texts.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(format!(
                "settings must come as pairs of key and value; there are {count} strings"
            ));
        }
        let pairs: Vec<_> = pairs
            .iter()
            .cloned()
            .map(|[key, value]| (key, value))
            .collect();
        let settings = Settings::parse(&pairs).map_err(|error| error.to_string())?;
        let log = Box::new(|level: LogLevel, message: &str| eprintln!("weir {level:?}: {message}"));
        start::start(settings, log).map_err(|error| error.to_string())?;
        Ok(0)
    })
}

/// Hooks a cache (`rocksdb_cache_t *`) and adds an operator behind it, whose task thread is the calling one. `statistics` is
/// RocksJava's handle of those that only this operator's database has; null if it has the cache for itself. `thread_name` is
/// Flink's, as `Join[3] -> Sink (2/4)#0`. A number greater than 0, or -1 if the agent refuses.
///
/// # Safety
///
/// The handles must be live during the call, the names C strings or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_agent_register(
    cache: *mut c_void,
    statistics: *mut c_void,
    thread_name: *const c_char,
    job_id: *const c_char,
) -> i64 {
    guarded(-1, || {
        let agent = Agent::get().ok_or("the agent was not started")?;
        // SAFETY: the caller vouches for the strings.
        let (thread_name, job_id) = unsafe { (text(thread_name)?, text(job_id)?) };
        let registration = Registration {
            cache,
            statistics,
            operator: identity::operator_of_thread(&thread_name, &job_id),
        };
        // SAFETY: the caller vouches for the handles.
        let registered = unsafe {
            let mut caches = agent.caches.lock();
            caches.register(registration, agent.estimator_config())
        };
        let id = registered.map_err(|refused| {
            agent.note_refusal(refused.to_string());
            refused.to_string()
        })?;
        Ok(i64::from(id))
    })
}

/// Tells which write buffer manager (`rocksdb_write_buffer_manager_t *`) an operator writes through. 0, or -1 if it cannot be read
/// or there is no such operator.
///
/// # Safety
///
/// The handle must be null or live during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_agent_write_through(
    operator_id: i64,
    manager: *const c_void,
) -> c_int {
    guarded(-1, || {
        let agent = Agent::get().ok_or("the agent was not started")?;
        let operator = u32::try_from(operator_id).unwrap_or_default();
        // SAFETY: the caller vouches for the handle.
        let is_known = unsafe { agent.caches.lock().write_through(operator, manager) };
        is_known.then_some(0).ok_or_else(|| {
            format!("operator {operator_id} is not registered, or its write buffers cannot be read")
        })
    })
}

/// Lets an operator go. Its cache keeps working.
#[unsafe(no_mangle)]
pub extern "C" fn weir_agent_release(operator_id: i64) {
    guarded((), || {
        if let Some(agent) = Agent::get() {
            let operator = u32::try_from(operator_id).unwrap_or_default();
            agent.caches.lock().release(operator);
        }
        Ok(())
    });
}

/// Writes what `GET /v1/report` answers into `buffer`, cut off after `size - 1` bytes, and a NUL. The length of the whole, or 0 if
/// the agent was not started.
///
/// # Safety
///
/// `buffer` must have room for `size` bytes, or be null with a `size` of 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_agent_report(buffer: *mut c_char, size: usize) -> usize {
    guarded(0, || {
        let agent = Agent::get().ok_or("the agent was not started")?;
        let report = serde_json::to_string(&agent.report()).map_err(|error| error.to_string())?;
        // SAFETY: the caller vouches for the room.
        Ok(unsafe { hand_out(&report, buffer, size) })
    })
}

/// Writes why the last call of this thread that failed did so, as [`weir_agent_report`] does; the length of the whole.
///
/// # Safety
///
/// As for [`weir_agent_report`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn weir_agent_last_error(buffer: *mut c_char, size: usize) -> usize {
    // SAFETY: the caller vouches for the room.
    LAST_ERROR.with_borrow(|last| unsafe { hand_out(last, buffer, size) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_error() -> String {
        let mut buffer = [1_u8; 200];
        // SAFETY: there is room for as many bytes.
        let length = unsafe { weir_agent_last_error(buffer.as_mut_ptr().cast(), buffer.len()) };
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let answer = guarded(-1, || panic!("injected"));
        assert_eq!(answer, -1);
        assert!(last_error().contains("a bug"), "{}", last_error());
    }

    #[test]
    fn what_does_not_fit_is_cut_off_and_ends_in_nul() {
        let mut buffer = [b'x'.cast_signed(); 4];
        // SAFETY: there is room for as many bytes.
        let length = unsafe { hand_out("abcdef", buffer.as_mut_ptr(), buffer.len()) };
        assert_eq!(length, 6);
        assert_eq!(buffer.map(i8::cast_unsigned), *b"abc\0");
        // SAFETY: no room is claimed.
        assert_eq!(unsafe { hand_out("abcdef", std::ptr::null_mut(), 0) }, 6);
    }

    #[test]
    fn settings_that_do_not_parse_are_named() {
        let texts = [c"mode".as_ptr()];
        // SAFETY: one C string.
        assert_eq!(unsafe { weir_agent_start(texts.as_ptr(), 1) }, -1);
        assert!(last_error().contains("pairs"), "{}", last_error());
        let texts = [c"mode".as_ptr(), c"sideways".as_ptr()];
        // SAFETY: two C strings.
        assert_eq!(unsafe { weir_agent_start(texts.as_ptr(), 2) }, -1);
        assert!(last_error().contains("sideways"), "{}", last_error());
    }
}
