//! What makes a block cache more than one ideal LRU list: its shards and its high-priority pool.

use serde::{Deserialize, Serialize};

/// How RocksDB's `LRUCache` divides its capacity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CacheShape {
    /// Independent LRU lists, each with an equal share of the capacity; a block belongs to one of them by its hash. RocksDB takes
    /// `2^num_shard_bits`, 64 by default from 32 MiB on. 0 counts as 1.
    pub shards: u32,
    /// Share of the capacity, in `0.0..=1.0`, reserved for blocks that were inserted with high priority or have hit once
    /// (`high_pri_pool_ratio`; RocksDB's default is 0.5, Flink's 0.1).
    pub high_pri_ratio: f64,
}

// === impl CacheShape ===

impl CacheShape {
    /// One LRU list without a pool.
    pub const IDEAL: Self = Self {
        shards: 1,
        high_pri_ratio: 0.0,
    };

    /// Bytes that one shard of a cache of this size holds (rounded up, as RocksDB does).
    #[must_use]
    pub fn shard_bytes(&self, capacity_bytes: u64) -> u64 {
        capacity_bytes.div_ceil(u64::from(self.shards.max(1)))
    }

    /// Bytes of a shard's high-priority pool.
    #[must_use]
    pub fn pool_bytes(&self, shard_bytes: u64) -> u64 {
        (shard_bytes as f64 * self.high_pri_ratio.clamp(0.0, 1.0)) as u64
    }
}

impl Default for CacheShape {
    fn default() -> Self {
        Self::IDEAL
    }
}
