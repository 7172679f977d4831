//! What `io.weir.NativeAgent` calls. Every export turns an error or a panic into a Java exception; none lets one through.
#![allow(
    unsafe_code,
    reason = "exports for the JVM, and handles that come from it"
)]

#[cfg(test)]
mod panics;

use std::ffi::c_void;
use std::sync::Arc;

use jni::errors::{Error as JniError, ThrowRuntimeExAndDefault};
use jni::objects::{JClass, JObjectArray, JString};
use jni::refs::Global;
use jni::strings::JNIString;
use jni::sys::jlong;
use jni::{Env, EnvUnowned, JavaVM, jni_sig, jni_str};
use thiserror::Error;
use weir_rocksdb_options::{InvalidProfile, Profile, RocksDbVersion, UnknownProfile};

use crate::agent::{Agent, LogLevel};
use crate::caches::{RefusedCache, Registration};
use crate::frocksdb::{self, Build, OptionObject, RefusedOptions, UnknownStatistics};
use crate::identity;
use crate::metrics::options;
use crate::settings::{InvalidSetting, Settings};
use crate::start::{self, NotStarted};

/// What a native method may fail with; its text becomes the exception's message.
#[derive(Debug, Error)]
enum ExportError {
    #[error(transparent)]
    Jni(#[from] JniError),
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    #[error(transparent)]
    Cache(#[from] RefusedCache),
    #[error(transparent)]
    Statistics(#[from] UnknownStatistics),
    #[error(transparent)]
    Profile(#[from] UnknownProfile),
    #[error(transparent)]
    InvalidProfile(#[from] InvalidProfile),
    #[error("the option profile {path} cannot be read: {reason}")]
    ProfileFile {
        path: String,
        reason: std::io::Error,
    },
    #[error(transparent)]
    Options(#[from] RefusedOptions),
    #[error(
        "no RocksDB that Weir knows is loaded, so a profile's options cannot be put to it by name"
    )]
    UnknownRocksDb,
    #[error("settings must come as pairs of key and value; there are {0} strings")]
    OddSettings(usize),
    #[error(transparent)]
    Start(#[from] NotStarted),
    #[error("the agent was not started")]
    NotRunning,
}

// === impl ExportError ===

impl ExportError {
    /// Whether a profile is wrong: that is the user's to put right, and no reason to run with other options than were asked for.
    fn is_invalid_profile(&self) -> bool {
        matches!(
            self,
            Self::Profile(_)
                | Self::InvalidProfile(_)
                | Self::ProfileFile { .. }
                | Self::Options(RefusedOptions::Refused { .. })
        )
    }
}

/// Has an invalid profile thrown as `IllegalArgumentException`, so that Java can tell it from a failure.
fn told_apart<T>(env: &mut Env<'_>, result: Result<T, ExportError>) -> Result<T, ExportError> {
    result.inspect_err(|error| {
        if error.is_invalid_profile() {
            // Where this fails, the error itself is thrown.
            let _: Result<(), JniError> = env.throw_new(
                jni_str!("java/lang/IllegalArgumentException"),
                JNIString::from(error.to_string()),
            );
        }
    })
}

/// `static native String start(String[] keysAndValues)`: the base URL of the HTTP server, or an empty string.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_NativeAgent_start<'local>(
    mut unowned: EnvUnowned<'local>,
    class: JClass<'local>,
    keys_and_values: JObjectArray<'local, JString<'local>>,
) -> JString<'local> {
    unowned
        .with_env(|env| -> Result<JString<'local>, ExportError> {
            let settings = Settings::parse(&pairs(env, &keys_and_values)?)?;
            let class = env.new_global_ref(class)?;
            let log = Box::new(move |level, message: &str| log_to_jvm(&class, level, message));
            let url = start::start(settings, log)?;
            Ok(env.new_string(url)?)
        })
        .resolve::<ThrowRuntimeExAndDefault>()
}

/// `static native long register(long cacheHandle, long statisticsHandle, String threadName, String jobId, String jobName, String
/// operatorName)`: the number of the operator behind the cache.
///
/// In mode `per-operator` the cache is the operator's own and has no statistics; in the other modes it is Flink's, and the
/// statistics are those of the operator's database alone. Names that are not known are empty.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_NativeAgent_register<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    cache_handle: jlong,
    statistics_handle: jlong,
    thread_name: JString<'local>,
    job_id: JString<'local>,
    job_name: JString<'local>,
    operator_name: JString<'local>,
) -> jlong {
    unowned
        .with_env(|env| -> Result<jlong, ExportError> {
            let agent = Agent::get().ok_or(ExportError::NotRunning)?;
            let mut operator = identity::operator_of_thread(
                &thread_name.try_to_string(env)?,
                &job_id.try_to_string(env)?,
            );
            operator.job_name = job_name.try_to_string(env)?;
            let operator_name = operator_name.try_to_string(env)?;
            if !operator_name.is_empty() {
                operator.operator_name = operator_name;
            }
            let registration = Registration {
                cache: cache_handle as usize as *mut c_void,
                statistics: statistics_handle as usize as *mut c_void,
                operator,
            };
            // SAFETY: Java passes native handles of objects that it keeps during the call.
            let registered = unsafe {
                agent
                    .caches
                    .lock()
                    .register(registration, agent.estimator_config())
            };
            let id = registered.inspect_err(|refused| agent.note_refusal(refused.to_string()))?;
            Ok(jlong::from(id))
        })
        .resolve::<ThrowRuntimeExAndDefault>()
}

/// `static native void silence(long statisticsHandle)`: switches off all counting in statistics that serve only to tell an
/// operator apart.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_NativeAgent_silence<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    statistics_handle: jlong,
) {
    unowned
        .with_env(|_env| -> Result<(), ExportError> {
            // SAFETY: Java passes the native handle of `Statistics` that it has just made.
            unsafe { frocksdb::silence(statistics_handle as usize as *const c_void)? };
            Ok(())
        })
        .resolve::<ThrowRuntimeExAndDefault>();
}

/// `static native void release(long id)`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_NativeAgent_release<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    id: jlong,
) {
    unowned
        .with_env(|_env| -> Result<(), ExportError> {
            if let Some(agent) = Agent::get() {
                agent.caches.lock().release(operator_number(id));
            }
            Ok(())
        })
        .resolve::<ThrowRuntimeExAndDefault>();
}

/// `static native void writeBufferManager(long id, long handle)`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_NativeAgent_writeBufferManager<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    id: jlong,
    handle: jlong,
) {
    unowned
        .with_env(|_env| -> Result<(), ExportError> {
            let agent = Agent::get().ok_or(ExportError::NotRunning)?;
            let mut caches = agent.caches.lock();
            // SAFETY: Java passes `WriteBufferManager.getNativeHandle()` of the manager that it is just putting into the
            // operator's options; the cache is of the same build. A manager that cannot be read is left alone.
            unsafe {
                caches.write_through(operator_number(id), handle as usize as *const c_void);
            }
            Ok(())
        })
        .resolve::<ThrowRuntimeExAndDefault>();
}

/// `static native long makeListener()`: a listener for a database that is about to be opened, as a native handle that
/// `DBOptions.setListeners` understands; 0 if RocksDB's listeners are not as expected.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_NativeAgent_makeListener<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
) -> jlong {
    unowned
        .with_env(|_env| -> Result<jlong, ExportError> {
            let agent = Agent::get().ok_or(ExportError::NotRunning)?;
            let build = Build::any_loaded();
            let handle = build.and_then(|build| agent.caches.lock().make_listener(build));
            Ok(handle.unwrap_or_default() as jlong)
        })
        .resolve::<ThrowRuntimeExAndDefault>()
}

/// `static native void listenTo(long id, long listener)`: whose database a listener hears.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_NativeAgent_listenTo<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    id: jlong,
    listener: jlong,
) {
    unowned
        .with_env(|_env| -> Result<(), ExportError> {
            let agent = Agent::get().ok_or(ExportError::NotRunning)?;
            let mut caches = agent.caches.lock();
            caches.listen_to(operator_number(id), listener as usize);
            Ok(())
        })
        .resolve::<ThrowRuntimeExAndDefault>();
}

/// `static native void dropListener(long listener)`: Java needs it no more.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_NativeAgent_dropListener<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    listener: jlong,
) {
    unowned
        .with_env(|_env| -> Result<(), ExportError> {
            if let Some(agent) = Agent::get() {
                agent.caches.lock().drop_listener(listener as usize);
            }
            Ok(())
        })
        .resolve::<ThrowRuntimeExAndDefault>();
}

/// `static native String describe()`: what was hooked.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_NativeAgent_describe<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
) -> JString<'local> {
    unowned
        .with_env(|env| -> Result<JString<'local>, ExportError> {
            let hooked = Agent::get().and_then(|agent| agent.hooked());
            let text = hooked.map_or_else(|| "no RocksDB hooked".to_owned(), Build::describe);
            Ok(env.new_string(text)?)
        })
        .resolve::<ThrowRuntimeExAndDefault>()
}

/// `static native String[] profile(String name)`: a profile for the RocksDB in this process: the options of a database and those of a
/// state as RocksDB parses them, then names and values of the options of reading, alternating. `IllegalArgumentException`: it is invalid.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_NativeAgent_profile<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    name: JString<'local>,
) -> JObjectArray<'local, JString<'local>> {
    unowned
        .with_env(|env| -> Result<_, ExportError> {
            let name = name.try_to_string(env)?;
            let texts = told_apart(env, profile_texts(&name))?;
            options::note_profile(&name);
            let array = JObjectArray::<JString<'_>>::new(env, texts.len(), JString::null())?;
            for (index, text) in texts.into_iter().enumerate() {
                let text = env.new_string(text)?;
                array.set_element(env, index, &text)?;
            }
            Ok(array)
        })
        .resolve::<ThrowRuntimeExAndDefault>()
}

/// `static native void setDatabaseOptions(String text, long configOptions, long dbOptions)`: has RocksDB lay options over those behind
/// the handle. `IllegalArgumentException`: RocksDB does not take them.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_NativeAgent_setDatabaseOptions<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    text: JString<'local>,
    config_options: jlong,
    db_options: jlong,
) {
    unowned
        .with_env(|env| -> Result<(), ExportError> {
            let text = text.try_to_string(env)?;
            let set = set_options(OptionObject::Database, &text, config_options, db_options);
            told_apart(env, set)
        })
        .resolve::<ThrowRuntimeExAndDefault>();
}

/// `static native void setStateOptions(String text, long configOptions, long columnFamilyOptions)`: the same for a state and its tables.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_weir_NativeAgent_setStateOptions<'local>(
    mut unowned: EnvUnowned<'local>,
    _class: JClass<'local>,
    text: JString<'local>,
    config_options: jlong,
    column_family_options: jlong,
) {
    unowned
        .with_env(|env| -> Result<(), ExportError> {
            let text = text.try_to_string(env)?;
            let set = set_options(
                OptionObject::State,
                &text,
                config_options,
                column_family_options,
            );
            told_apart(env, set)
        })
        .resolve::<ThrowRuntimeExAndDefault>();
}

/// A built-in profile, or the file of this path, for the RocksDB in this process.
fn profile_texts(name: &str) -> Result<Vec<String>, ExportError> {
    let profile = if name.starts_with('/') {
        let text = std::fs::read_to_string(name).map_err(|reason| ExportError::ProfileFile {
            path: name.to_owned(),
            reason,
        })?;
        Profile::parse(name, &text)?
    } else {
        Profile::by_name(name)?
    };
    if profile.entries.is_empty() {
        return Ok(vec![String::new(); 2]);
    }
    let build = Build::any_loaded().ok_or(ExportError::UnknownRocksDb)?;
    let version: RocksDbVersion = build
        .version
        .parse()
        .map_err(|()| ExportError::UnknownRocksDb)?;
    let mut texts = vec![profile.database_text(version), profile.state_text(version)];
    for (option, value) in profile.read_options(version) {
        texts.extend([option.to_owned(), value.to_owned()]);
    }
    Ok(texts)
}

fn set_options(
    object: OptionObject,
    text: &str,
    config_options: jlong,
    options: jlong,
) -> Result<(), ExportError> {
    let build = Build::any_loaded().ok_or(ExportError::UnknownRocksDb)?;
    let library = build.library();
    let parsing = config_options as usize as *const c_void;
    let options = options as usize as *mut c_void;
    // SAFETY: Java passes native handles of live objects of these classes, which no other thread has seen yet.
    unsafe { object.apply(library, parsing, options, text)? };
    Ok(())
}

/// Calls `NativeAgent.log(int, String)`. A log line that cannot be written is lost: there is nobody to tell.
fn log_to_jvm(class: &Global<JClass<'static>>, level: LogLevel, message: &str) {
    let _: Result<(), JniError> = JavaVM::singleton().and_then(|vm| {
        vm.attach_current_thread_for_scope(|env| {
            let message = env.new_string(message)?;
            env.call_static_method(
                class,
                jni_str!("log"),
                jni_sig!((jint, JString) -> ()),
                &[(level as i32).into(), (&message).into()],
            )?;
            Ok(())
        })
    });
}

/// Java's long as `register` gave it out; 0, which is nobody's, if it did not.
fn operator_number(id: jlong) -> u32 {
    u32::try_from(id).unwrap_or_default()
}

fn pairs(
    env: &mut Env<'_>,
    keys_and_values: &JObjectArray<'_, JString<'_>>,
) -> Result<Vec<(String, String)>, ExportError> {
    let count = keys_and_values.len(env)?;
    if count % 2 != 0 {
        return Err(ExportError::OddSettings(count));
    }
    let mut texts = Vec::with_capacity(count);
    for index in 0..count {
        let text = keys_and_values.get_element(env, index)?;
        texts.push(text.try_to_string(env)?);
    }
    Ok(texts
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect())
}

const _: fn(&Arc<Agent>) = |agent| {
    fn is_shared<T: Send + Sync>(_: &T) {}
    is_shared(agent);
};
