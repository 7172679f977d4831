//! The OPTIONS file that RocksDB writes beside its data: what is really in force, and where it differs from a profile.

use crate::catalog::{RocksDbVersion, Section};
use crate::profile::{Entry, Profile};

/// What one OPTIONS file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionsFile {
    /// The RocksDB that wrote it.
    pub version: RocksDbVersion,
    /// Options of the database.
    pub database: Vec<(String, String)>,
    /// Every column family, that is, every state.
    pub states: Vec<StateOptions>,
}

/// One column family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateOptions {
    /// Its name; `default` is one that Flink does not use.
    pub name: String,
    /// Its own options.
    pub options: Vec<(String, String)>,
    /// Those of its files.
    pub tables: Vec<(String, String)>,
}

// === impl OptionsFile ===

impl OptionsFile {
    /// Reads the text of a file; `None` if it is not one, or of a RocksDB that Flink does not ship.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut version = None;
        let mut database = Vec::new();
        let mut states: Vec<StateOptions> = Vec::new();
        let mut heading = "";
        for line in text.lines().map(str::trim) {
            if let Some(inside) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                heading = inside.split(' ').next().unwrap_or_default();
                if heading == "CFOptions" {
                    let name = inside.split('"').nth(1)?;
                    states.push(StateOptions {
                        name: name.to_owned(),
                        options: Vec::new(),
                        tables: Vec::new(),
                    });
                }
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            if heading == "Version" && name == "rocksdb_version" {
                version = value.parse().ok();
            }
            let into = match heading {
                "DBOptions" => Some(&mut database),
                "CFOptions" => states.last_mut().map(|s| &mut s.options),
                // RocksDB writes them behind their column family.
                "TableOptions/BlockBasedTable" => states.last_mut().map(|s| &mut s.tables),
                _ => None,
            };
            if let Some(into) = into {
                into.push((name.to_owned(), value.to_owned()));
            }
        }
        Some(Self {
            version: version?,
            database,
            states,
        })
    }

    /// What an option is in every place where it is set: once for a database, else once for each state. Empty: it is in no file.
    #[must_use]
    pub fn values(&self, section: Section, option: &str) -> Vec<&str> {
        let of = |options: &'_ [(String, String)]| -> Option<usize> {
            options.iter().position(|(name, _)| name == option)
        };
        let lists: Vec<&[(String, String)]> = match section {
            Section::Db => vec![&self.database],
            Section::ColumnFamily => self.states.iter().map(|s| s.options.as_slice()).collect(),
            Section::Table => self.states.iter().map(|s| s.tables.as_slice()).collect(),
            Section::Read => Vec::new(),
        };
        lists
            .into_iter()
            .filter_map(|list| of(list).map(|i| list[i].1.as_str()))
            .collect()
    }

    /// Where the file is not what the profile says, in words. Options of reading are in no file, so nothing is said of them.
    #[must_use]
    pub fn differences(&self, profile: &Profile) -> Vec<String> {
        profile
            .options(self.version)
            .filter(|entry| entry.section != Section::Read)
            .flat_map(|entry| self.difference(entry))
            .collect()
    }

    fn difference(&self, entry: &Entry) -> Vec<String> {
        let Entry {
            section,
            name,
            value,
            ..
        } = entry;
        let found = self.values(*section, name);
        if found.is_empty() {
            return vec![format!("[{section}] {name} is not in the file")];
        }
        let expected = as_written(name, value, self.version);
        found
            .into_iter()
            .filter(|found| *found != expected && *found != value)
            .map(|found| format!("[{section}] {name} is {found}, the profile says {value}"))
            .collect()
    }
}

/// A value as RocksDB spells it in its file. Where it writes an object's name for what made it, the parameters are lost.
fn as_written(option: &str, value: &str, version: RocksDbVersion) -> String {
    match option {
        "prefix_extractor" => match value.split_once(':') {
            Some(("fixed", length)) => format!("rocksdb.FixedPrefix.{length}"),
            Some(("capped", length)) => format!("rocksdb.CappedPrefix.{length}"),
            _ => value.to_owned(),
        },
        "filter_policy" if value.starts_with("bloomfilter:") => match version {
            RocksDbVersion::V6_20_3 => "rocksdb.BuiltinBloomFilter".to_owned(),
            RocksDbVersion::V8_10_0 => value.to_owned(),
        },
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[Version]\n  rocksdb_version=8.10.0\n  options_file_version=1.1\n\n[DBOptions]\n  use_direct_reads=true\n\n\
        [CFOptions \"default\"]\n  write_buffer_size=1\n  \n[TableOptions/BlockBasedTable \"default\"]\n  block_size=4096\n\n\
        [CFOptions \"left-side\"]\n  write_buffer_size=2\n[TableOptions/BlockBasedTable \"left-side\"]\n  block_size=8192\n";

    #[test]
    fn a_file_has_a_database_and_its_states() {
        let file = OptionsFile::parse(FILE).unwrap();
        assert_eq!(file.version, RocksDbVersion::V8_10_0);
        assert_eq!(file.values(Section::Db, "use_direct_reads"), ["true"]);
        assert_eq!(file.values(Section::Table, "block_size"), ["4096", "8192"]);
        assert_eq!(file.states[1].name, "left-side");
        assert_eq!(OptionsFile::parse("anything"), None);
    }

    #[test]
    fn differences_are_told_for_every_state() {
        let file = OptionsFile::parse(FILE).unwrap();
        let text = "[DBOptions]\nuse_direct_reads = true\nmax_open_files = 5\n[BlockBasedTable]\nblock_size = 8 KiB";
        let profile = Profile::parse("p", text).unwrap();
        assert_eq!(
            file.differences(&profile),
            [
                "[DBOptions] max_open_files is not in the file",
                "[BlockBasedTable] block_size is 4096, the profile says 8192"
            ]
        );
    }
}
