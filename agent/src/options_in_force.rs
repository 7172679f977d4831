//! The RocksDB options in force, of every database that this process has open: read from the OPTIONS file that RocksDB itself writes.
//!
//! Nothing is asked of RocksDB and nothing remembered: an open database holds its MANIFEST open, and the newest OPTIONS file beside
//! it is what it runs with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use weir_rocksdb_options::OptionsFile;

/// One open database. Flink's name for its directory holds job, operator and subtask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseOptions {
    /// Where it is.
    pub directory: PathBuf,
    /// The RocksDB that runs it.
    pub rocksdb: &'static str,
    /// Its own options by name, in RocksDB's notation.
    pub database: BTreeMap<String, String>,
    /// Options of every column family, that is, of every Flink state, by name.
    pub states: BTreeMap<String, StateOptions>,
}

/// One column family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateOptions {
    /// `CFOptions` by name.
    pub options: BTreeMap<String, String>,
    /// `BlockBasedTable` options by name.
    pub tables: BTreeMap<String, String>,
}

/// Every database that is open now, by directory. One that closes meanwhile may be missing.
#[must_use]
pub fn of_this_process() -> Vec<DatabaseOptions> {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten();
    let mut directories: Vec<PathBuf> = open
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|file| is_named(file, "MANIFEST-"))
        .filter_map(|file| Some(file.parent()?.to_owned()))
        .collect();
    directories.sort();
    directories.dedup();
    directories
        .into_iter()
        .filter_map(|directory| read(&directory))
        .collect()
}

fn read(directory: &Path) -> Option<DatabaseOptions> {
    let files = fs::read_dir(directory).ok()?;
    // Numbered with leading zeros. A file under way has another ending.
    let newest = files
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| is_named(file, "OPTIONS-") && file.extension().is_none())
        .max()?;
    let file = OptionsFile::parse(&fs::read_to_string(newest).ok()?)?;
    let states = file.states.into_iter().map(|state| {
        let options = StateOptions {
            options: state.options.into_iter().collect(),
            tables: state.tables.into_iter().collect(),
        };
        (state.name, options)
    });
    Some(DatabaseOptions {
        directory: directory.to_owned(),
        rocksdb: file.version.name(),
        database: file.database.into_iter().collect(),
        states: states.collect(),
    })
}

fn is_named(file: &Path, prefix: &str) -> bool {
    let name = file.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(prefix))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use super::*;

    #[test]
    fn an_open_database_is_found_with_its_newest_options() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let manifest = fs::File::create(path.join("MANIFEST-000004")).unwrap();
        for (number, size) in [(5, 1), (11, 2)] {
            let text = format!(
                "[Version]\n  rocksdb_version=6.20.3\n[DBOptions]\n  max_open_files={size}\n[CFOptions \"default\"]\n  write_buffer_size={size}\n"
            );
            fs::write(path.join(format!("OPTIONS-{number:06}")), text).unwrap();
        }
        fs::write(path.join("OPTIONS-000012.dbtmp"), "").unwrap();
        let here = |open: &DatabaseOptions| open.directory == path;
        let found = of_this_process().into_iter().find(here).unwrap();
        assert_eq!(found.database["max_open_files"], "2");
        assert_eq!(found.states["default"].options["write_buffer_size"], "2");
        drop(manifest);
        assert!(!of_this_process().iter().any(here));
    }
}
