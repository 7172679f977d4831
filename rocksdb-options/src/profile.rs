//! Named sets of RocksDB options.

use thiserror::Error;

/// A built-in set of RocksDB options, laid over what Flink has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// What Flink sets, nothing else.
    Flink,
    /// Reads, flushes and compactions bypass the page cache, so that a block cache miss is a read of the disk and the
    /// block cache is all the read memory there is.
    DirectIo,
}

/// A profile that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no option profile '{0}'; known are: flink, direct-io")]
pub struct UnknownProfile(pub String);

impl Profile {
    /// The profile of this name.
    pub fn by_name(name: &str) -> Result<Self, UnknownProfile> {
        match name {
            "flink" => Ok(Self::Flink),
            "direct-io" => Ok(Self::DirectIo),
            other => Err(UnknownProfile(other.to_owned())),
        }
    }

    /// Options of the database by RocksDB's own names, with their values.
    #[must_use]
    pub fn db_options(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Flink => &[],
            Self::DirectIo => &[
                ("use_direct_reads", "true"),
                ("use_direct_io_for_flush_and_compaction", "true"),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_told_the_known_ones_and_those_exist() {
        let message = Profile::by_name("directio").unwrap_err().to_string();
        let (_, known) = message.split_once("known are: ").unwrap();
        for name in known.split(", ") {
            Profile::by_name(name).unwrap();
        }
    }
}
