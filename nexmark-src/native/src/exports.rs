//! The functions that the JVM finds by name. Each turns an error or a panic into a Java exception.
#![allow(
    unsafe_code,
    reason = "exports for the JVM, and a buffer of which Java knows the address"
)]

use std::array;

use jni::EnvUnowned;
use jni::errors::{Error as JniError, ThrowRuntimeExAndDefault};
use jni::objects::{JByteBuffer, JClass, JString};
use jni::sys::{jint, jlong};
use nexmark_generator::Stretch;
use thiserror::Error;

use crate::generators::{self, GeneratorError, MOST_SPLITS};

/// Where the rows begin; before them stand the number of bytes of all rows and eight bytes of nothing.
const ROWS_AT: usize = 16;

#[derive(Debug, Error)]
enum ExportError {
    #[error(transparent)]
    Jni(#[from] JniError),
    #[error(transparent)]
    Generator(#[from] GeneratorError),
    #[error("there are {0} splits; expected from 1 to {MOST_SPLITS}")]
    Splits(jint),
    #[error("events {0} to {1} are no stretch of the stream")]
    Stretch(jlong, jlong),
    #[error("the buffer has {0} bytes, a row may need {1}")]
    ShortBuffer(usize, usize),
}

/// `static native long open(String request)`: the number of a new generator.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_nexmark_source_NativeEvents_open<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    request: JString<'local>,
) -> jlong {
    unowned
        .with_env(|env| -> Result<jlong, ExportError> {
            Ok(generators::open(&request.try_to_string(env)?)?)
        })
        .resolve::<ThrowRuntimeExAndDefault>()
}

/// `static native int leastBufferBytes(long generator)`: a buffer of fill must be at least so long.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_nexmark_source_NativeEvents_leastBufferBytes<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    generator: jlong,
) -> jint {
    unowned
        .with_env(|_env| -> Result<jint, ExportError> {
            Ok((generators::get(generator)?.least_buffer_bytes() + ROWS_AT) as jint)
        })
        .resolve::<ThrowRuntimeExAndDefault>()
}

/// `static native long fill(long generator, ByteBuffer buffer, long lowSplits, long highSplits, int splits, long from, long to)`: fills the
/// direct buffer with rows of positions from one up to but not including another, of the splits whose bit is set; returns the position that
/// comes next.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_nexmark_source_NativeEvents_fill<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    generator: jlong,
    buffer: JByteBuffer<'local>,
    low_splits: jlong,
    high_splits: jlong,
    splits: jint,
    from: jlong,
    to: jlong,
) -> jlong {
    unowned
        .with_env(|env| -> Result<jlong, ExportError> {
            let generator = generators::get(generator)?;
            let count = usize::try_from(splits).unwrap_or(0);
            if !(1..=MOST_SPLITS).contains(&count) {
                return Err(ExportError::Splits(splits));
            }
            if from < 0 || to < from {
                return Err(ExportError::Stretch(from, to));
            }
            let mask = u128::from(low_splits as u64) | u128::from(high_splits as u64) << 64;
            let wanted: [bool; MOST_SPLITS] = array::from_fn(|split| mask >> split & 1 == 1);
            let capacity = env.get_direct_buffer_capacity(&buffer)?;
            let least = generator.least_buffer_bytes() + ROWS_AT;
            if capacity < least {
                return Err(ExportError::ShortBuffer(capacity, least));
            }
            let address = env.get_direct_buffer_address(&buffer)?;
            // SAFETY: the JVM says that the buffer has `capacity` initialised bytes at `address`; they stay there while `buffer` refers to
            // them. `NativeFeed` shares the buffer with nobody and uses it on one thread, so nobody reads or writes it during the call.
            let bytes = unsafe { std::slice::from_raw_parts_mut(address, capacity) };
            let stretch = Stretch {
                from: from as u64,
                to: to as u64,
                splits: &wanted[..count],
            };
            let (header, rows) = bytes.split_at_mut(ROWS_AT);
            let batch = generator.fill(stretch, rows);
            header[..8].copy_from_slice(&(batch.bytes as u64).to_le_bytes());
            Ok(batch.position as jlong)
        })
        .resolve::<ThrowRuntimeExAndDefault>()
}

/// `static native void close(long generator)`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_nexmark_source_NativeEvents_close<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    generator: jlong,
) {
    unowned
        .with_env(|_env| -> Result<(), ExportError> {
            generators::close(generator);
            Ok(())
        })
        .resolve::<ThrowRuntimeExAndDefault>();
}
