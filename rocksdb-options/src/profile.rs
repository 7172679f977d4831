//! A set of RocksDB options, laid over what Flink has set; read from a text in the form of RocksDB's own OPTIONS files.
//!
//! ```text
//! # The first comment says what the profile is for.
//! [DBOptions]
//! use_direct_reads = true
//! [CFOptions 6.20.3]
//! write_buffer_size = 64 MiB
//! ```
//!
//! A heading may name a RocksDB version: what follows is for that one only.

use std::fmt;

use thiserror::Error;

use crate::catalog::{Kind, RocksDbVersion, Section};
use crate::{builtin, rules, value};

/// A profile that was read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name, or the file it is from.
    pub name: String,
    /// What it is for.
    pub summary: String,
    /// Its options in the order of the text.
    pub entries: Vec<Entry>,
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The line it stands in, from 1.
    pub line: usize,
    /// The object it is an option of.
    pub section: Section,
    /// The only version it is for; `None`: all.
    pub version: Option<RocksDbVersion>,
    /// RocksDB's name of it.
    pub name: String,
    /// The value in RocksDB's own notation: no units.
    pub value: String,
}

/// Why a profile is refused: one of what may be several reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
    /// What would be right.
    pub remedy: String,
}

/// A profile that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", problems.iter().map(|p| format!("{name}:{p}")).collect::<Vec<_>>().join("\n"))]
pub struct InvalidProfile {
    /// Its name, or the file it is from.
    pub name: String,
    /// Everything that is wrong with it, by line.
    pub problems: Vec<Problem>,
}

/// There is no built-in profile of this name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no option profile '{0}'; known are: {known}; or name a file by its absolute path", known = builtin::NAMES.join(", "))]
pub struct UnknownProfile(pub String);

// === impl Profile ===

impl Profile {
    /// The built-in profile of this name.
    pub fn by_name(name: &str) -> Result<Self, UnknownProfile> {
        let text = builtin::text(name).ok_or_else(|| UnknownProfile(name.to_owned()))?;
        // A test reads all of them, so that this cannot fail at run time.
        Self::parse(name, text).map_err(|_| UnknownProfile(name.to_owned()))
    }

    /// Reads and checks the text of a profile; `name` is for messages.
    pub fn parse(name: &str, text: &str) -> Result<Self, InvalidProfile> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut problems = Vec::new();
        let mut heading = None;
        for (line, text) in text.lines().enumerate().map(|(i, t)| (i + 1, t.trim())) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let found = if text.starts_with('[') {
                read_heading(text).map(|found| heading = Some(found))
            } else {
                read_entry(line, text, heading, &entries).map(|entry| entries.push(entry))
            };
            if let Err((reason, remedy)) = found {
                problems.push(Problem {
                    line,
                    reason,
                    remedy,
                });
            }
        }
        for version in RocksDbVersion::ALL {
            for problem in rules::broken(&entries, version) {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
        problems.sort_by_key(|p| p.line);
        if problems.is_empty() {
            let summary = text.lines().next().and_then(|l| l.strip_prefix('#'));
            Ok(Self {
                name: name.to_owned(),
                summary: summary.unwrap_or_default().trim().to_owned(),
                entries,
            })
        } else {
            Err(InvalidProfile {
                name: name.to_owned(),
                problems,
            })
        }
    }

    /// The options for one version of RocksDB.
    pub fn options(&self, version: RocksDbVersion) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |e| e.is_for(version))
    }

    /// The options of a database as RocksDB parses them: `name=value;name=value`.
    #[must_use]
    pub fn database_text(&self, version: RocksDbVersion) -> String {
        self.text_of(version, Section::Db)
    }

    /// The options of a column family as RocksDB parses them, those of its tables included.
    #[must_use]
    pub fn state_text(&self, version: RocksDbVersion) -> String {
        let mut text = self.text_of(version, Section::ColumnFamily);
        let tables = self.text_of(version, Section::Table);
        if !tables.is_empty() {
            text.push_str("block_based_table_factory={");
            text.push_str(&tables);
            text.push_str("};");
        }
        text
    }

    /// Names and values of the options of reading. RocksDB parses none of them: they are set one by one.
    pub fn read_options(&self, version: RocksDbVersion) -> impl Iterator<Item = (&str, &str)> {
        self.options(version)
            .filter(|e| e.section == Section::Read)
            .map(|e| (e.name.as_str(), e.value.as_str()))
    }

    fn text_of(&self, version: RocksDbVersion, section: Section) -> String {
        self.options(version)
            .filter(|e| e.section == section)
            .map(|e| format!("{}={};", e.name, e.value))
            .collect()
    }

    /// What the profile sets an option to.
    #[must_use]
    pub fn value_of(
        &self,
        version: RocksDbVersion,
        section: Section,
        option: &str,
    ) -> Option<&str> {
        self.options(version)
            .find(|e| e.section == section && e.name == option)
            .map(|e| e.value.as_str())
    }
}

// === impl Entry ===

impl Entry {
    /// Whether it is for this version.
    #[must_use]
    pub fn is_for(&self, version: RocksDbVersion) -> bool {
        self.version.is_none_or(|only| only == version)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.line, self.reason, self.remedy)
    }
}

type Heading = (Section, Option<RocksDbVersion>);
type Refused = (String, String);

fn read_heading(text: &str) -> Result<Heading, Refused> {
    let wrong = || {
        let known = Section::ALL.map(|s| format!("[{s}]")).join(", ");
        (
            format!("{text} is not a heading"),
            format!(
                "write one of {known}, with a RocksDB version ({}) inside if it is for that one only",
                versions()
            ),
        )
    };
    let inside = text
        .strip_prefix('[')
        .and_then(|t| t.strip_suffix(']'))
        .ok_or_else(wrong)?;
    let (name, version) = inside
        .split_once(' ')
        .map_or((inside, None), |(n, v)| (n, Some(v)));
    let section = Section::ALL
        .into_iter()
        .find(|s| s.name() == name)
        .ok_or_else(wrong)?;
    let version = version
        .map(|v| v.trim().parse().map_err(|()| wrong()))
        .transpose()?;
    Ok((section, version))
}

fn read_entry(
    line: usize,
    text: &str,
    heading: Option<Heading>,
    before: &[Entry],
) -> Result<Entry, Refused> {
    let refused = |reason: String, remedy: String| (reason, remedy);
    let (section, version) = heading.ok_or_else(|| {
        refused(
            format!("'{text}' stands before any heading"),
            "begin with one such as [DBOptions]".to_owned(),
        )
    })?;
    let (name, value) = text
        .split_once('=')
        .map(|(n, v)| (n.trim(), v.trim()))
        .ok_or_else(|| {
            refused(
                format!("'{text}' is not an option"),
                "write NAME = VALUE".to_owned(),
            )
        })?;
    let versions_meant = RocksDbVersion::ALL
        .into_iter()
        .filter(|v| version.is_none_or(|only| only == *v));
    let mut default = None;
    for v in versions_meant {
        match v.default_of(section, name) {
            Some(found) => default = default.or(Some(found)),
            None => return Err(unknown_option(section, version, name, v)),
        }
    }
    let kind = Kind::of(name, default.unwrap_or_default());
    let normal = value::normalised(kind, value)
        .map_err(|remedy| refused(format!("'{value}' is not a value of {name}"), remedy))?;
    let twice = before.iter().find(|e| {
        e.section == section
            && e.name == name
            && (e.version.is_none() || version.is_none() || e.version == version)
    });
    if let Some(earlier) = twice {
        return Err(refused(
            format!("{name} stands in line {} already", earlier.line),
            "remove one of the two".to_owned(),
        ));
    }
    Ok(Entry {
        line,
        section,
        version,
        name: name.to_owned(),
        value: normal,
    })
}

fn unknown_option(
    section: Section,
    only: Option<RocksDbVersion>,
    name: &str,
    missing_in: RocksDbVersion,
) -> Refused {
    let elsewhere = RocksDbVersion::ALL
        .into_iter()
        .find(|v| v.default_of(section, name).is_some());
    if let (None, Some(other)) = (only, elsewhere) {
        return (
            format!(
                "RocksDB {} has no option {name} in [{section}]",
                missing_in.name()
            ),
            format!(
                "put it under [{section} {}], the version that has it",
                other.name()
            ),
        );
    }
    let other_section = Section::ALL
        .into_iter()
        .find(|s| missing_in.default_of(*s, name).is_some());
    let remedy = match other_section {
        Some(other) => format!("it belongs under [{other}]"),
        None => {
            let nearest = missing_in.options(section).map(|(known, _)| known);
            let nearest = nearest.min_by_key(|known| strsim::damerau_levenshtein(known, name));
            format!("did you mean {}?", nearest.unwrap_or_default())
        }
    };
    (
        format!("RocksDB has no option {name} in [{section}]"),
        remedy,
    )
}

fn versions() -> String {
    RocksDbVersion::ALL.map(RocksDbVersion::name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> String {
        Profile::parse("p", text).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones_and_those_exist() {
        assert!(
            Profile::by_name("directio")
                .unwrap_err()
                .to_string()
                .contains("direct-io-bloom")
        );
        for name in builtin::NAMES {
            let profile = Profile::parse(name, builtin::text(name).unwrap()).unwrap();
            assert_eq!(Profile::by_name(name).unwrap(), profile);
            assert!(!profile.summary.is_empty(), "{name}");
        }
    }

    #[test]
    fn values_are_in_rocksdbs_notation_and_versions_are_kept_apart() {
        let text = "# For a test.\n[CFOptions]\nwrite_buffer_size = 64 MiB\n[DBOptions 6.20.3]\nnew_table_reader_for_compaction_inputs = true\n";
        let profile = Profile::parse("p", text).unwrap();
        assert_eq!(profile.summary, "For a test.");
        assert_eq!(
            profile.value_of(
                RocksDbVersion::V8_10_0,
                Section::ColumnFamily,
                "write_buffer_size"
            ),
            Some("67108864")
        );
        assert_eq!(profile.options(RocksDbVersion::V8_10_0).count(), 1);
        assert_eq!(profile.options(RocksDbVersion::V6_20_3).count(), 2);
    }

    #[test]
    fn every_refusal_names_line_reason_and_remedy() {
        for (text, expected) in [
            (
                "[DBOptions]\nuse_direct_read = true",
                "p:2: RocksDB has no option use_direct_read in [DBOptions]; did you mean use_direct_reads?",
            ),
            (
                "[DBOptions]\nblock_size = 4096",
                "p:2: RocksDB has no option block_size in [DBOptions]; it belongs under [BlockBasedTable]",
            ),
            (
                "[DBOptions]\npreserve_deletes = true",
                "p:2: RocksDB 8.10.0 has no option preserve_deletes in [DBOptions]; put it under [DBOptions 6.20.3], the version that has it",
            ),
            (
                "[CFOptions]\nwrite_buffer_size = 5 min",
                "p:2: '5 min' is not a value of write_buffer_size; write bytes, or a size such as 64 MiB",
            ),
            (
                "ttl = 1",
                "p:1: 'ttl = 1' stands before any heading; begin with one such as [DBOptions]",
            ),
            (
                "[CFOptions]\nttl 5",
                "p:2: 'ttl 5' is not an option; write NAME = VALUE",
            ),
            (
                "[CFOptions]\nttl = 5\nttl = 6",
                "p:3: ttl stands in line 2 already; remove one of the two",
            ),
        ] {
            assert_eq!(problems(text), expected);
        }
        assert!(problems("[Options]").contains("p:1: [Options] is not a heading"));
        assert_eq!(
            problems("[CFOptions]\na = 1\nb = 2").lines().count(),
            2,
            "all problems at once"
        );
    }
}
