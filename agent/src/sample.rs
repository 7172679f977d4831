//! One sampled access on its way from the hook to the estimator, packed into three words.

/// A sampled block access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// [`weir_mrc::hash_key`] of the block's key.
    pub hash: u64,
    /// The cache, see [`crate::context::CacheContext::cache_id`]; samples of a cache that is gone are discarded by it.
    pub cache_id: u32,
    /// What the block takes in the cache, metadata included; 0 if unknown.
    pub charge_bytes: u32,
    /// What came of it.
    pub kind: SampleKind,
    /// Whether the task thread that owns the cache asked.
    pub is_task: bool,
    /// Nanoseconds from the failed look-up to the insert; 0 if there was none.
    pub miss_nanos: u32,
}

/// What came of a sampled look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleKind {
    /// The block was there.
    Hit,
    /// It was not, and was read and inserted.
    MissInserted,
    /// It was not, and was not kept: compaction reads, reads without fill, failed reads.
    MissNotInserted,
}

impl Sample {
    /// The sample as the ring stores it.
    #[must_use]
    pub fn to_words(self) -> [u64; 3] {
        let kind = match self.kind {
            SampleKind::Hit => 0,
            SampleKind::MissInserted => 1,
            SampleKind::MissNotInserted => 2,
        };
        [
            self.hash,
            u64::from(self.cache_id) << 32 | u64::from(self.charge_bytes),
            u64::from(self.miss_nanos) << 32 | kind << 1 | u64::from(self.is_task),
        ]
    }

    /// The inverse of [`Sample::to_words`].
    #[must_use]
    pub fn from_words([hash, cache_and_charge, rest]: [u64; 3]) -> Self {
        Self {
            hash,
            cache_id: (cache_and_charge >> 32) as u32,
            charge_bytes: cache_and_charge as u32,
            kind: match rest >> 1 & 0b11 {
                0 => SampleKind::Hit,
                1 => SampleKind::MissInserted,
                _ => SampleKind::MissNotInserted,
            },
            is_task: rest & 1 == 1,
            miss_nanos: (rest >> 32) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packing_loses_nothing(hash: u64, cache_id: u32, charge_bytes: u32, kind in 0..3_u8, is_task: bool, miss_nanos: u32) {
            let kind = [SampleKind::Hit, SampleKind::MissInserted, SampleKind::MissNotInserted][kind as usize];
            let sample = Sample { hash, cache_id, charge_bytes, kind, is_task, miss_nanos };
            prop_assert_eq!(Sample::from_words(sample.to_words()), sample);
        }
    }
}
