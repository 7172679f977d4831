//! What is known of the RocksDB inside Flink, and how each piece is verified before it is relied upon.
//!
//! The agent links no RocksDB: a second one could not share the caches of the first. It binds to the library the JVM has
//! loaded, by exported C functions where there are some, by verified vtable slots where there are none.

mod build;
mod cache;
mod entry;
mod library;
mod weak_cache;
mod write_buffer_manager;

pub use build::{Build, InsertFn, LookupFn, RefusedBuild, Slice, VTABLE_SLOTS};
pub(crate) use build::{INSERT_SLOT, LOOKUP_SLOT};
pub(crate) use cache::SharedCache;
pub use cache::{BoundCache, CacheUsage};
pub use entry::Entry;
pub use library::{Library, pin_own_library};
pub use weak_cache::WeakCache;
pub use write_buffer_manager::WriteBufferManager;
