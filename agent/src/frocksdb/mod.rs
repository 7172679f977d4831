//! What is known of the RocksDB inside Flink, and how each piece is verified before it is relied upon.
//!
//! The agent links no RocksDB: a second one could not share the caches of the first. It binds to the library the JVM has
//! loaded, by exported C functions where there are some, by verified vtable slots where there are none.

mod build;
mod cache;
pub mod call;
mod entry;
mod known;
mod library;
mod listener;
mod options;
mod printable;
#[cfg(test)]
mod refusals;
mod statistics;
mod trial;
mod weak_pointer;
mod write_buffer_manager;

pub(crate) use build::VTABLE_HEADER;
pub use build::{Build, RefusedBuild};
pub use cache::{BoundCache, CacheUsage};
pub use entry::{BlockKind, Entry, block_role};
pub use known::Interface;
pub(crate) use known::MAX_SLOTS;
pub use library::{Library, pin_own_library};
pub use listener::Listener;
pub use options::{OptionObject, RefusedOptions};
pub use statistics::{UnknownStatistics, silence};
pub(crate) use weak_pointer::SharedPointer;
pub use weak_pointer::WeakPointer;
pub use write_buffer_manager::WriteBufferManager;
