//! The `weir` program: observe, decide, guard, act, record, show.
//!
//! ```text
//! fleet --poll--> observe --> Snapshot --weir-scaling--> Plan --> act --> history
//!    ^                                                     |               |
//!    +-- POST /v1/agents           status, metrics <-------+---- resume <--+
//! ```
#![forbid(unsafe_code)]

pub mod act;
pub mod advise;
pub mod agent_client;
pub mod check_config;
pub mod cli;
pub mod clock;
pub mod counters;
pub mod cycle;
pub mod daemon;
pub mod decide;
pub mod discovery;
pub mod doctor;
pub mod duration;
pub mod effect;
pub mod fleet;
pub mod flink;
pub mod flink_line;
pub mod gen_config;
pub mod history;
pub mod journal;
pub mod kubernetes;
pub mod lsm;
pub mod memory;
pub mod metrics;
pub mod mrc;
pub mod observe;
pub mod option_profiles;
pub mod page;
pub mod patch;
pub mod policies;
pub mod raw_settings;
pub mod reporters;
pub mod rescale;
pub mod server;
pub mod settings;
pub mod simulate;
pub mod size;
pub mod status;
pub mod sweep;
pub mod table;
pub mod top;

mod failure;

pub use failure::Failure;
