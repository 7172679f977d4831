//! Every built-in profile, put onto option objects of the two RocksDBs that Flink ships, compared with the OPTIONS file they write.
#![allow(unsafe_code, reason = "functions of a library opened at run time")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::ffi::{CString, c_char, c_void};
use std::path::Path;
use std::process::Command;

use weir_agent::frocksdb::{Library, OptionObject, RefusedOptions};
use weir_rocksdb_options::{BUILT_IN_PROFILES, OptionsFile, Profile, RocksDbVersion, Section};

type Handle = *mut c_void;
type MakeOptions = unsafe extern "C" fn(Handle, Handle, Handle, Handle) -> Handle;
type Open = unsafe extern "C" fn(Handle, *const c_char, *mut *mut c_char) -> Handle;
type Close = unsafe extern "C" fn(Handle);

/// Set before the profile, as Flink sets its own; options that a profile does not name must keep these.
const PREPARED: &str =
    "max_successive_merges=7;block_based_table_factory={block_restart_interval=11;};";

#[test]
fn rocksdb_writes_down_what_a_profile_says_and_keeps_the_rest() {
    for version in RocksDbVersion::ALL {
        let lab = Lab::new(version);
        for name in BUILT_IN_PROFILES {
            let profile = Profile::by_name(name).unwrap();
            let directory = tempfile::tempdir().unwrap();
            let written = lab.open_with(&profile, directory.path());
            let differences = written.differences(&profile);
            assert_eq!(differences, Vec::<String>::new(), "{name} on {version:?}");
            for (section, option, expected) in [
                (Section::ColumnFamily, "max_successive_merges", "7"),
                (Section::Table, "block_restart_interval", "11"),
                (Section::Db, "create_if_missing", "true"),
            ] {
                assert_eq!(
                    written.values(section, option),
                    vec![expected; 1],
                    "{option}, {name}"
                );
            }
        }
    }
}

#[test]
fn a_file_that_was_written_without_the_profile_is_told_from_one_with_it() {
    let lab = Lab::new(RocksDbVersion::V8_10_0);
    let directory = tempfile::tempdir().unwrap();
    let written = lab.open_with(&Profile::by_name("flink").unwrap(), directory.path());
    let profile = Profile::by_name("direct-io-index").unwrap();
    assert_eq!(
        written.differences(&profile)[0],
        "[DBOptions] use_direct_reads is false, the profile says true"
    );
    // The other two are RocksDB's defaults.
    assert_eq!(written.differences(&profile).len(), 5);
}

#[test]
fn a_refused_option_leaves_the_object_as_it_was_and_says_why() {
    for version in RocksDbVersion::ALL {
        let lab = Lab::new(version);
        let db = lab.make("Java_org_rocksdb_DBOptions_newDBOptions");
        // SAFETY: live objects of the lab's own.
        let (refused, text) = unsafe {
            let object = OptionObject::Database;
            (
                object.apply(
                    &lab.library,
                    lab.parsing,
                    db,
                    "max_open_files=5;use_magic=true",
                ),
                object.text(&lab.library, lab.parsing, db).unwrap(),
            )
        };
        let Err(RefusedOptions::Refused { reason, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert!(reason.contains("use_magic"), "{reason}");
        assert!(text.contains("max_open_files=-1;"), "{text}");
    }
}

/// A RocksDB without a JVM around it: native methods of RocksJava that use neither environment nor class.
struct Lab {
    version: RocksDbVersion,
    library: Library,
    parsing: Handle,
}

impl Lab {
    fn new(version: RocksDbVersion) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/get_rocksdbjni.sh");
        let output = Command::new(script).arg(version.name()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let path = String::from_utf8(output.stdout).unwrap();
        // SAFETY: the file comes from Flink's distribution.
        let library = unsafe { Library::open(path.trim()) }.unwrap();
        let mut lab = Self {
            version,
            library,
            parsing: std::ptr::null_mut(),
        };
        lab.parsing = lab.make("Java_org_rocksdb_ConfigOptions_newConfigOptions");
        lab
    }

    fn function(&self, name: &str) -> usize {
        self.library
            .address(name)
            .unwrap_or_else(|| panic!("{name}"))
    }

    fn make(&self, constructor: &str) -> Handle {
        let none = std::ptr::null_mut();
        // SAFETY: a native method without arguments of its own.
        unsafe {
            let make: unsafe extern "C" fn(Handle, Handle) -> Handle =
                std::mem::transmute(self.function(constructor));
            make(none, none)
        }
    }

    /// Opens a database whose options went Flink's way, and reads the OPTIONS file that RocksDB wrote for it.
    fn open_with(&self, profile: &Profile, directory: &Path) -> OptionsFile {
        let db = self.make("Java_org_rocksdb_DBOptions_newDBOptions");
        let state = self.make("Java_org_rocksdb_ColumnFamilyOptions_newColumnFamilyOptions");
        let path = CString::new(directory.to_str().unwrap()).unwrap();
        let none = std::ptr::null_mut();
        // SAFETY: live objects of the lab's own; functions of these signatures.
        unsafe {
            let apply = |object: OptionObject, handle, text: &str| {
                object
                    .apply(&self.library, self.parsing, handle, text)
                    .unwrap();
            };
            apply(OptionObject::Database, db, "create_if_missing=true");
            apply(OptionObject::State, state, PREPARED);
            apply(
                OptionObject::Database,
                db,
                &profile.database_text(self.version),
            );
            apply(
                OptionObject::State,
                state,
                &profile.state_text(self.version),
            );
            let make: MakeOptions =
                std::mem::transmute(self.function("Java_org_rocksdb_Options_newOptions__JJ"));
            let open: Open = std::mem::transmute(self.function("rocksdb_open"));
            let close: Close = std::mem::transmute(self.function("rocksdb_close"));
            let mut error = std::ptr::null_mut();
            // The C API's options begin with the C++ ones.
            let opened = open(make(none, none, db, state), path.as_ptr(), &raw mut error);
            assert!(!opened.is_null(), "{}: cannot be opened", profile.name);
            close(opened);
        }
        let files = std::fs::read_dir(directory)
            .unwrap()
            .map(|e| e.unwrap().path());
        let newest = files
            .filter(|f| {
                f.file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with("OPTIONS-")
            })
            .max()
            .unwrap();
        OptionsFile::parse(&std::fs::read_to_string(newest).unwrap()).unwrap()
    }
}
