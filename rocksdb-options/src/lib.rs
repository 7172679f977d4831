//! RocksDB option profiles and Flink's memory formulas.
