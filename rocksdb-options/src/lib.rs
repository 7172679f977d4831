//! RocksDB option profiles, and how Flink divides memory between read cache and write buffers. Pure: no I/O.
#![forbid(unsafe_code)]

mod memory;
mod profile;

pub use memory::{InvalidRatio, MemorySplit};
pub use profile::{Profile, UnknownProfile};
