//! Weir's native agent: it lives inside a Flink TaskManager, sees every block that RocksDB looks up, builds miss ratio
//! curves from a sample of them, and resizes block caches while the job runs.
//!
//! The way of one look-up: [`hook`] calls RocksDB's own function first, then [`recorder`] counts it and, for a sample,
//! pushes it into the thread's [`ring`]. The [`collector`] thread drains the rings into one estimator per cache;
//! [`exporter`] answers HTTP from what they hold; [`ledger`] keeps the sum of all caches within the budget.
//!
//! The agent is a guest. It never blocks a look-up, never lets a panic out, never grows without bound, and when something
//! does not match what it was built for it refuses and leaves the job alone. `unsafe` is confined to [`frocksdb`] (what is
//! known of RocksDB's binary), [`hook`], [`thread`], [`caches`], [`write_buffers`],
//! [`c_exports`] and [`jni_exports`].

pub mod agent;
pub mod announcer;
pub mod c_exports;
pub mod caches;
pub mod collector;
pub mod context;
pub mod exporter;
pub mod frocksdb;
pub mod hook;
pub mod identity;
pub mod jni_exports;
pub mod latency;
pub mod ledger;
pub mod memory_limit;
pub mod metrics;
pub mod operator;
pub mod options_in_force;
pub mod recorder;
pub mod remembered;
pub mod ring;
pub mod sample;
pub mod sampling;
pub mod settings;
pub mod start;
pub mod thread;
pub mod write_buffers;
pub mod writes;
