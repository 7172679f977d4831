//! A change of sizes, of block caches and of write buffers: all of it or nothing.

use serde::{Deserialize, Serialize};

use crate::CacheId;

/// Body of `PUT /v1/allocation`. Caches and write buffers that are not named keep their size; something must be named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// Must be greater than [`crate::Report::generation`], so that of two writers the slower one is refused, not obeyed.
    pub generation: u64,
    /// The new sizes of block caches.
    #[serde(default)]
    pub caches: Vec<CacheCapacity>,
    /// The new sizes of write buffer managers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub write_buffers: Vec<WriteBufferCapacity>,
}

/// The capacity one cache shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheCapacity {
    /// Which cache.
    pub id: CacheId,
    /// Its new capacity in bytes.
    pub capacity_bytes: u64,
}

/// The size at which the write buffer manager behind a cache's operators shall start to flush.
///
/// Where one manager serves several caches, any of them names it; two that name it must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteBufferCapacity {
    /// The cache whose operators write through the manager.
    pub cache: CacheId,
    /// Its new capacity in bytes.
    pub capacity_bytes: u64,
}

/// Answer to an [`Allocation`] that was applied, status 200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedAllocation {
    /// The generation now in force.
    pub generation: u64,
    /// Every cache of the agent, changed or not, as read back from RocksDB after the change.
    pub caches: Vec<AppliedCapacity>,
    /// Every write buffer manager of the agent, changed or not, as read back after the change.
    #[serde(default)]
    pub write_buffers: Vec<AppliedWriteBuffers>,
    /// Sum of all caches' capacities after the change.
    pub allocated_bytes: u64,
    /// What that sum may reach at most, after the change.
    pub cache_budget_bytes: u64,
}

/// What RocksDB says of one cache after the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedCapacity {
    /// Which cache.
    pub id: CacheId,
    /// Capacity in force.
    pub capacity_bytes: u64,
    /// Bytes held; above the capacity only while pinned blocks cannot be evicted.
    pub usage_bytes: u64,
    /// Bytes that cannot be evicted now.
    pub pinned_bytes: u64,
}

/// What RocksDB says of one write buffer manager after the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedWriteBuffers {
    /// [`crate::WriteBufferReport::manager`].
    pub manager: u64,
    /// Size in force at which it starts to flush.
    pub capacity_bytes: u64,
    /// Bytes in memtables. A smaller capacity frees none by itself: the next writes flush earlier.
    pub used_bytes: u64,
}

/// Answer to an [`Allocation`] that was refused whole: nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why, for programs.
    pub kind: RefusalKind,
    /// Why, for people: what was wrong, and what would be right.
    pub message: String,
    /// The generation in force.
    pub generation: u64,
}

/// Why an allocation was refused. The HTTP status follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// Status 400: not JSON, not this schema, a cache named twice, two sizes for one write buffer manager, or nothing named.
    Malformed,
    /// Status 401: changes need the token, or a loopback client where no token is configured.
    Unauthorized,
    /// Status 409: the generation is not greater than the one in force.
    StaleGeneration,
    /// Status 422: a cache that does not exist (any more).
    UnknownCache,
    /// Status 422: no write buffer manager that can be resized is known behind this cache.
    UnknownWriteBuffers,
    /// Status 422: a capacity below [`crate::MemoryBudget::min_cache_bytes`] or
    /// [`crate::MemoryBudget::min_write_buffer_bytes`].
    BelowMinimum,
    /// Status 422: the caches together would exceed [`crate::MemoryBudget::cache_bytes_with`] the write buffers asked for.
    OverBudget,
    /// Status 503: the process or its container is so close to its memory limit that nothing may grow now.
    MemoryPressure,
    /// Status 503: the agent does not manage caches (hook refused or switched off).
    Unavailable,
}

impl RefusalKind {
    /// The HTTP status that goes with this kind.
    #[must_use]
    pub fn http_status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthorized => 401,
            Self::StaleGeneration => 409,
            Self::UnknownCache
            | Self::UnknownWriteBuffers
            | Self::BelowMinimum
            | Self::OverBudget => 422,
            Self::MemoryPressure | Self::Unavailable => 503,
        }
    }
}
