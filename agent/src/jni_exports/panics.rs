//! An export that panics, called in a real JVM: Java gets an exception, and the thread goes on.

use std::ffi::{CString, c_void};
use std::process::Command;
use std::ptr;

use jni::errors::ThrowRuntimeExAndDefault;
use jni::sys::{
    JNI_OK, JNI_VERSION_1_8, JNIEnv, JavaVM, JavaVMInitArgs, JavaVMOption, jint, jlong,
};
use jni::{EnvUnowned, jni_sig, jni_str};

use super::ExportError;

type CreateJavaVm =
    unsafe extern "system" fn(*mut *mut JavaVM, *mut *mut c_void, *mut c_void) -> jint;

/// The way every export goes.
extern "system" fn export(mut unowned: EnvUnowned<'_>, fails: bool) -> jlong {
    unowned
        .with_env(|_env| -> Result<jlong, ExportError> {
            assert!(!fails, "injected");
            Ok(7)
        })
        .resolve::<ThrowRuntimeExAndDefault>()
}

/// The library of the `java` on the path.
fn library() -> CString {
    let java = Command::new("java")
        .args(["-XshowSettings:properties", "-version"])
        .output()
        .expect("a JDK");
    let settings = String::from_utf8_lossy(&java.stderr).into_owned();
    let home = settings
        .lines()
        .find_map(|line| line.trim().strip_prefix("java.home = "))
        .expect("java.home");
    CString::new(format!("{home}/lib/server/libjvm.so")).expect("no NUL")
}

fn start_jvm() -> *mut JNIEnv {
    // SAFETY: the JVM's own library, and the one function by which it is started, with the arguments of the JNI specification. The
    // signals stay the test's.
    unsafe {
        let handle = libc::dlopen(library().as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL);
        assert!(!handle.is_null(), "libjvm.so");
        let create = libc::dlsym(handle, c"JNI_CreateJavaVM".as_ptr());
        let create: CreateJavaVm = std::mem::transmute(create);
        let mut options = [c"-Xrs", c"-Xmx64m"].map(|option| JavaVMOption {
            optionString: option.as_ptr().cast_mut(),
            extraInfo: ptr::null_mut(),
        });
        let mut arguments = JavaVMInitArgs {
            version: JNI_VERSION_1_8,
            nOptions: 2,
            options: options.as_mut_ptr(),
            ignoreUnrecognized: false,
        };
        let (mut vm, mut env) = (ptr::null_mut(), ptr::null_mut());
        let started = create(&raw mut vm, &raw mut env, (&raw mut arguments).cast());
        assert_eq!(started, JNI_OK);
        env.cast()
    }
}

#[test]
fn a_panic_becomes_an_exception_and_the_next_call_works() {
    let env = start_jvm();
    // SAFETY: the environment of this thread, which started the JVM and stays attached.
    let unowned = || unsafe { EnvUnowned::from_raw(env) };
    assert_eq!(export(unowned(), true), 0);
    let message = unowned()
        .with_env(|env| -> Result<String, jni::errors::Error> {
            let thrown = env.exception_occurred().expect("an exception");
            env.exception_clear();
            let text = env
                .call_method(&thrown, jni_str!("toString"), jni_sig!(() -> JString), &[])?
                .l()?;
            let text = env.cast_local::<jni::objects::JString<'_>>(text)?;
            text.try_to_string(env)
        })
        .resolve::<ThrowRuntimeExAndDefault>();
    assert!(
        message.starts_with("java.lang.RuntimeException") && message.contains("injected"),
        "{message}"
    );
    assert_eq!(export(unowned(), false), 7);
}
