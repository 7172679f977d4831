//! One sampled access on its way from the hook to the estimator, packed into three words.

use weir_protocol::BlockRole;

/// A sampled block access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// [`weir_mrc::hash_key`] of the block's key.
    pub hash: u64,
    /// Whose access it was, see [`crate::context::OperatorContext::id`]; samples of an operator that is gone are discarded by it.
    pub operator_id: u32,
    /// What the block takes in the cache, metadata included; 0 if unknown. Of a [`SampleKind::TimedHit`]: nanoseconds the hook took.
    pub charge_bytes: u32,
    /// What came of it.
    pub kind: SampleKind,
    /// What kind of block it was.
    pub role: BlockRole,
    /// Whether the operator's task thread asked.
    pub is_task: bool,
    /// Nanoseconds from the failed look-up to the insert, 0 if there was none. Of a [`SampleKind::TimedHit`]: that RocksDB took.
    pub nanos: u32,
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
    /// No access of its own: how long one look-up of the task thread took that hit, without the hook and in the hook.
    TimedHit,
}

impl Sample {
    /// The sample as the ring stores it.
    #[must_use]
    pub fn to_words(self) -> [u64; 3] {
        let kind = match self.kind {
            SampleKind::Hit => 0,
            SampleKind::MissInserted => 1,
            SampleKind::MissNotInserted => 2,
            SampleKind::TimedHit => 3,
        };
        [
            self.hash,
            u64::from(self.operator_id) << 32 | u64::from(self.charge_bytes),
            u64::from(self.nanos) << 32
                | (self.role as u64) << 3
                | kind << 1
                | u64::from(self.is_task),
        ]
    }

    /// The inverse of [`Sample::to_words`].
    #[must_use]
    pub fn from_words([hash, operator_and_charge, rest]: [u64; 3]) -> Self {
        Self {
            hash,
            operator_id: (operator_and_charge >> 32) as u32,
            charge_bytes: operator_and_charge as u32,
            kind: match rest >> 1 & 0b11 {
                0 => SampleKind::Hit,
                1 => SampleKind::MissInserted,
                2 => SampleKind::MissNotInserted,
                _ => SampleKind::TimedHit,
            },
            role: match rest >> 3 & 0b11 {
                0 => BlockRole::Data,
                1 => BlockRole::Index,
                2 => BlockRole::Filter,
                _ => BlockRole::Other,
            },
            is_task: rest & 1 == 1,
            nanos: (rest >> 32) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn packing_loses_nothing(hash: u64, operator_id: u32, charge_bytes: u32, kind in 0..4_u8, role in 0..4_u8, is_task: bool, nanos: u32) {
            let kind = [SampleKind::Hit, SampleKind::MissInserted, SampleKind::MissNotInserted, SampleKind::TimedHit][kind as usize];
            let role = [BlockRole::Data, BlockRole::Index, BlockRole::Filter, BlockRole::Other][role as usize];
            let sample = Sample { hash, operator_id, charge_bytes, kind, role, is_task, nanos };
            prop_assert_eq!(Sample::from_words(sample.to_words()), sample);
        }
    }
}
