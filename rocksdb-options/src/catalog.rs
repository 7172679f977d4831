//! Every option that RocksDB has, by its own name, with its default: taken from RocksDB itself, not written by hand.

use std::fmt;
use std::str::FromStr;

/// The builds of RocksDB that Flink ships.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RocksDbVersion {
    /// FRocksDB of Flink 1.14 to 1.20.
    V6_20_3,
    /// FRocksDB of Flink 2.
    V8_10_0,
}

/// Which of RocksDB's option objects an option belongs to. Spelt as in RocksDB's OPTIONS file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// `[DBOptions]`: one database.
    Db,
    /// `[CFOptions]`: one column family, that is, one Flink state.
    ColumnFamily,
    /// `[BlockBasedTable]`: the files of a column family.
    Table,
    /// `[ReadOptions]`: how Flink reads.
    Read,
}

/// What a value looks like; told from the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number, with what it counts.
    Integer(Unit),
    /// A number with a fraction.
    Float,
    /// One of RocksDB's names, such as `kNoCompression`: RocksDB knows which there are.
    Name,
    /// A structure or a factory in RocksDB's own notation.
    Text,
}

/// What a whole number counts; told from the option's name, which RocksDB keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes: sizes such as `64 MiB` are understood.
    Bytes,
    /// Seconds: times such as `5 min` are understood.
    Seconds,
    /// Microseconds: times such as `200 ms` are understood.
    Micros,
    /// Anything else.
    Count,
}

// === impl RocksDbVersion ===

impl RocksDbVersion {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::V6_20_3, Self::V8_10_0];

    /// As RocksDB writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V6_20_3 => "6.20.3",
            Self::V8_10_0 => "8.10.0",
        }
    }

    /// The default of an option; `None` if this version has no such option.
    #[must_use]
    pub fn default_of(self, section: Section, option: &str) -> Option<&'static str> {
        self.options(section)
            .find_map(|(name, value)| (name == option).then_some(value))
    }

    /// Names and defaults of all options of a section.
    pub fn options(self, section: Section) -> impl Iterator<Item = (&'static str, &'static str)> {
        let text = match self {
            Self::V6_20_3 => include_str!("../options/6.20.3.ini"),
            Self::V8_10_0 => include_str!("../options/8.10.0.ini"),
        };
        let heading = format!("[{section}]");
        text.lines()
            .skip_while(move |line| *line != heading)
            .skip(1)
            .take_while(|line| !line.starts_with('['))
            .filter_map(|line| line.split_once('='))
    }
}

impl FromStr for RocksDbVersion {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|v| v.name() == text).ok_or(())
    }
}

// === impl Section ===

impl Section {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Db, Self::ColumnFamily, Self::Table, Self::Read];

    /// As it stands between brackets.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Db => "DBOptions",
            Self::ColumnFamily => "CFOptions",
            Self::Table => "BlockBasedTable",
            Self::Read => "ReadOptions",
        }
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl Kind ===

impl Kind {
    /// What values of `option` look like, given its default.
    #[must_use]
    pub fn of(option: &str, default: &str) -> Self {
        if default == "true" || default == "false" {
            Self::Bool
        } else if default.parse::<i128>().is_ok() {
            Self::Integer(Unit::of(option))
        } else if default.parse::<f64>().is_ok() {
            Self::Float
        } else if default.starts_with('k') || default.ends_with("_LEVEL") {
            Self::Name
        } else {
            Self::Text
        }
    }
}

// === impl Unit ===

impl Unit {
    fn of(option: &str) -> Self {
        let ends = |endings: &[&str]| endings.iter().any(|e| option.ends_with(e));
        if ends(&["_sec", "_seconds", "_time_to_roll"]) || option == "ttl" {
            Self::Seconds
        } else if ends(&["_micros", "_usec", "_retry_interval"]) {
            Self::Micros
        } else if ends(&[
            "_size",
            "_bytes",
            "_size_base",
            "_for_level_base",
            "_bytes_limit",
            "bytes_per_sync",
            "_to_maintain",
        ]) && !option.contains("number")
        {
            Self::Bytes
        } else {
            Self::Count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_have_their_options() {
        for version in RocksDbVersion::ALL {
            for (section, at_least) in Section::ALL.into_iter().zip([70, 55, 25, 8]) {
                let count = version.options(section).count();
                assert!(
                    count >= at_least,
                    "{section} of {} has {count}",
                    version.name()
                );
            }
            assert_eq!(
                version.default_of(Section::Table, "block_size"),
                Some("4096")
            );
            assert_eq!(version.default_of(Section::Db, "block_size"), None);
        }
    }

    #[test]
    fn kinds_and_units_follow_default_and_name() {
        let kind = |section, option: &str| {
            let default = RocksDbVersion::V6_20_3.default_of(section, option).unwrap();
            Kind::of(option, default)
        };
        assert_eq!(kind(Section::Db, "use_direct_reads"), Kind::Bool);
        assert_eq!(
            kind(Section::Db, "max_open_files"),
            Kind::Integer(Unit::Count)
        );
        assert_eq!(
            kind(Section::Db, "stats_dump_period_sec"),
            Kind::Integer(Unit::Seconds)
        );
        assert_eq!(
            kind(Section::ColumnFamily, "write_buffer_size"),
            Kind::Integer(Unit::Bytes)
        );
        assert_eq!(
            kind(Section::ColumnFamily, "max_write_buffer_number"),
            Kind::Integer(Unit::Count)
        );
        assert_eq!(
            kind(Section::ColumnFamily, "max_bytes_for_level_base"),
            Kind::Integer(Unit::Bytes)
        );
        assert_eq!(kind(Section::ColumnFamily, "compression"), Kind::Name);
        assert_eq!(kind(Section::Table, "filter_policy"), Kind::Text);
        assert_eq!(
            kind(Section::ColumnFamily, "memtable_prefix_bloom_size_ratio"),
            Kind::Float
        );
    }
}
