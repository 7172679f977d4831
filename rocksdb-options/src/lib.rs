//! RocksDB option profiles, and how Flink divides memory between read cache and write buffers. Pure: no I/O.
#![forbid(unsafe_code)]

mod builtin;
mod catalog;
mod flink_memory;
mod memory;
mod options_file;
mod profile;
mod provision;
mod rules;
mod value;

pub use builtin::NAMES as BUILT_IN_PROFILES;
pub use catalog::{Kind, RocksDbVersion, Section, Unit};
pub use flink_memory::FlinkMemory;
pub use memory::{InvalidRatio, MemorySplit};
pub use options_file::{OptionsFile, StateOptions};
pub use profile::{Entry, InvalidProfile, Problem, Profile, UnknownProfile};
pub use provision::{Provision, TaskManager, Unprovisionable};
pub use value::bytes;
