//! Which look-ups came back to a block at once: a small direct-mapped table of blocks, passed by every look-up.
//!
//! A sample of blocks draws few of the hottest ones or none, and those have most of the look-ups. But they come back within few other
//! blocks, and that is seen without any sampling: a look-up whose block is still in its slot is a *near* one, any other a *far* one.
//! Both are counted exactly, and the sample answers for each kind on its own (post-stratification: Cochran, *Sampling Techniques*,
//! section 5A.9). Far look-ups are spread much more evenly over blocks than all are.

/// `log2` of the slots: two bytes each fill the first-level cache of a processor to a half at most.
const BITS: u32 = 13;

/// Marks of the last block in each slot.
#[derive(Debug, Clone)]
pub(crate) struct RecentBlocks {
    marks: Box<[u16; 1 << BITS]>,
}

// === impl RecentBlocks ===

impl RecentBlocks {
    pub(crate) fn new() -> Self {
        Self {
            marks: Box::new([0; 1 << BITS]),
        }
    }

    /// Whether the block is in its slot; it is afterwards. The bits of the hash that decide about sampling are not used, nor those
    /// that decide about groups: sampled blocks fall into slots like all others.
    #[inline]
    pub(crate) fn replace(&mut self, hash: u64) -> bool {
        let slot = (hash >> 8) as usize & ((1 << BITS) - 1);
        // Zero is the mark of an empty slot.
        let mark = (hash >> (8 + BITS)) as u16 | 1;
        std::mem::replace(&mut self.marks[slot], mark) == mark
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash_key;

    #[test]
    fn a_block_is_near_until_another_takes_its_slot() {
        let mut recent = RecentBlocks::new();
        let hashes: Vec<u64> = (0..100_u64).map(|i| hash_key(&i.to_le_bytes())).collect();
        assert!(!hashes.iter().any(|hash| recent.replace(*hash)));
        let near = hashes.iter().filter(|hash| recent.replace(**hash)).count();
        assert!(near >= 95, "{near} of 100 blocks in {} slots", 1 << BITS);
        // So many others that hardly any slot was spared.
        for i in 0..20 << BITS {
            recent.replace(hash_key(&(1_000_000 + i as u64).to_le_bytes()));
        }
        assert!(!hashes.iter().any(|hash| recent.replace(*hash)));
    }
}
