//! Every built-in profile in a database that rust-rocksdb opens: RocksDB loads the profile's options by their names, and what it then
//! writes into its OPTIONS file is what the profile says. `make real-rocksdb` links this with the RocksDB 8.10.0 that Flink 2 ships.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::fs;
use std::path::Path;

use rocksdb::{Cache, ColumnFamilyDescriptor, DB, Env, Options};
use weir_rocksdb_options::{
    BUILT_IN_PROFILES, Entry, OptionsFile, Profile, RocksDbVersion, Section,
};

const VERSION: RocksDbVersion = RocksDbVersion::V8_10_0;

/// The profile as the OPTIONS file of a database that never was.
fn options_text(profile: &Profile) -> String {
    let of = |section: Section| -> String {
        let entries = profile.options(VERSION).filter(|e| e.section == section);
        entries
            .map(|Entry { name, value, .. }| format!("  {name}={value}\n"))
            .collect()
    };
    format!(
        "[Version]\n  rocksdb_version={}\n  options_file_version=1.1\n\n[DBOptions]\n{}\n[CFOptions \"default\"]\n{}\n[TableOptions/BlockBasedTable \"default\"]\n{}\n",
        VERSION.name(),
        of(Section::Db),
        of(Section::ColumnFamily),
        of(Section::Table)
    )
}

fn load(
    directory: &Path,
    text: &str,
) -> Result<(Options, Vec<ColumnFamilyDescriptor>), rocksdb::Error> {
    fs::write(directory.join("OPTIONS-000007"), text).unwrap();
    // An option that this RocksDB has not is an error, not a line to skip.
    Options::load_latest(directory, Env::new()?, false, Cache::new_lru_cache(8 << 20))
}

/// What RocksDB wrote when it opened a database with these options.
fn in_force(profile: &Profile) -> OptionsFile {
    const KEY: &[u8] = b"a key of more than twenty-two bytes";
    let from = tempfile::tempdir().unwrap();
    let (mut options, states) = load(from.path(), &options_text(profile))
        .unwrap_or_else(|e| panic!("{}: {e}", profile.name));
    options.create_if_missing(true);
    let directory = tempfile::tempdir().unwrap();
    let db = DB::open_cf_descriptors(&options, directory.path(), states)
        .unwrap_or_else(|e| panic!("{}: {e}", profile.name));
    db.put(KEY, b"a value").unwrap();
    db.flush().unwrap();
    let read = db.get(KEY).unwrap();
    assert_eq!(read.as_deref(), Some(&b"a value"[..]), "{}", profile.name);
    let newest = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("OPTIONS-")
        })
        .max()
        .unwrap();
    OptionsFile::parse(&fs::read_to_string(newest).unwrap()).unwrap()
}

#[test]
fn what_rocksdb_runs_with_is_what_the_profile_says() {
    let mut keys = 0;
    for name in BUILT_IN_PROFILES {
        let profile = Profile::by_name(name).unwrap();
        let file = in_force(&profile);
        assert_eq!(
            file.version, VERSION,
            "rust-rocksdb is linked with another RocksDB"
        );
        assert_eq!(file.differences(&profile), Vec::<String>::new(), "{name}");
        let checked = profile
            .options(VERSION)
            .filter(|e| e.section != Section::Read)
            .count();
        println!("{name}: {checked} keys");
        keys += checked;
    }
    assert!(keys > 60, "only {keys} keys were compared");
}

#[test]
fn any_native_option_is_loaded_by_its_name_and_another_value_is_seen() {
    let text = "# For a test.\n[DBOptions]\nlog_readahead_size = 1 MiB\n[CFOptions 8.10.0]\nmemtable_max_range_deletions = 1000\n[BlockBasedTable]\nblock_restart_interval = 5\n";
    let profile = Profile::parse("own", text).unwrap();
    let file = in_force(&profile);
    assert_eq!(file.differences(&profile), Vec::<String>::new());
    let other = Profile::parse("other", &text.replace("= 5", "= 6")).unwrap();
    assert_eq!(
        file.differences(&other),
        ["[BlockBasedTable] block_restart_interval is 5, the profile says 6"]
    );
}

#[test]
fn an_option_that_rocksdb_has_not_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let flink = Profile::by_name("flink").unwrap();
    let text = options_text(&flink).replace("[DBOptions]\n", "[DBOptions]\n  use_magic=true\n");
    let error = load(directory.path(), &text).err().unwrap().to_string();
    assert!(error.contains("use_magic"), "{error}");
}
