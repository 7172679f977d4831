//! One look-up of a block, as the cache's caller saw it.

/// What the real cache answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The block was there.
    Hit,
    /// It was not.
    Miss,
    /// Nobody knows: the trace has no outcomes.
    Unknown,
}

/// One look-up of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// [`crate::hash_key`] of the block's key.
    pub hash: u64,
    /// What the block takes in the cache, metadata included; 0 where unknown (then the last known charge of this block, or the
    /// mean of all known blocks, is taken).
    pub charge_bytes: u64,
    /// What the real cache answered.
    pub outcome: Outcome,
    /// Whether a miss is followed by an insert. `false` for the reads of a compaction: a miss leaves the cache as it was, a hit
    /// still refreshes the block's recency.
    pub inserts: bool,
    /// Whether the look-up belongs to the curve. `false` for compaction and flush: they move blocks, but nobody waits for them.
    pub counted: bool,
    /// Whether the block is inserted with high priority: index, filter and dictionary blocks in RocksDB. Only a cache with a
    /// high-priority pool makes a difference.
    pub high_priority: bool,
}

// === impl Access ===

impl Access {
    /// Whether the block is the most recently used one of the real cache afterwards.
    pub(crate) fn refreshes(&self) -> bool {
        self.inserts || self.outcome == Outcome::Hit
    }
}
