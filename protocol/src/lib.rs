//! What agent and controller say to each other: versioned JSON, no I/O.
//!
//! | from | to | request | body | answer |
//! |---|---|---|---|---|
//! | controller | agent | `GET /v1/report` | - | [`Report`] |
//! | controller | agent | `PUT /v1/allocation` | [`Allocation`] | [`AppliedAllocation`] or [`Refusal`] |
//! | agent | controller | `POST /v1/agents` | [`Announcement`] | `204` |
#![forbid(unsafe_code)]

mod allocation;
mod announcement;
mod identity;
mod report;

pub use allocation::{
    Allocation, AppliedAllocation, AppliedCapacity, AppliedWriteBuffers, CacheCapacity, Refusal,
    RefusalKind, WriteBufferCapacity,
};
pub use announcement::Announcement;
pub use identity::{CacheId, OperatorSubtask};
pub use report::{
    AgentHealth, AgentInfo, BlockRole, CacheReport, Caller, ContainerMemory, HookState,
    LookupCount, LookupResult, MemoryBudget, MemoryMode, OperatorReport, Report, WriteBufferReport,
    WriteCounts,
};

/// Version of the JSON in this crate; raised when a reader of the old form would misread the new one.
pub const PROTOCOL_VERSION: u32 = 1;
