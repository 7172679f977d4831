//! The two lines of Flink that there are JARs and configurations for.

use clap::ValueEnum;
use weir_rocksdb_options::RocksDbVersion;

/// A line of Flink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FlinkLine {
    /// 1.20.
    #[value(name = "1.20")]
    V1,
    /// 2.x.
    #[value(name = "2")]
    V2,
}

// === impl FlinkLine ===

impl FlinkLine {
    /// The RocksDB it ships.
    #[must_use]
    pub fn rocksdb(self) -> RocksDbVersion {
        match self {
            Self::V1 => RocksDbVersion::V6_20_3,
            Self::V2 => RocksDbVersion::V8_10_0,
        }
    }
}
