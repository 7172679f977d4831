//! An open-addressing table from a block's hash to its place in the sample: linear probing, no tombstones, never grows.

/// Marks a free slot.
const FREE: u32 = u32::MAX;
/// Spreads hashes over the slots. Sampled hashes are small numbers (they lie below the threshold), so their own high bits are useless.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where each sampled block lies. The hashes themselves are kept by the owner of the entries, who passes a reader of them.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    /// Entry numbers; at most half of the slots are taken, so that probes end soon.
    slots: Box<[u32]>,
    /// 64 minus `log2` of the number of slots.
    shift: u32,
}

// === impl Index ===

impl Index {
    /// A table for at most `entries` entries.
    pub(crate) fn new(entries: usize) -> Self {
        let slots = (entries.max(2) * 2).next_power_of_two();
        Self {
            slots: vec![FREE; slots].into_boxed_slice(),
            shift: 64 - slots.ilog2(),
        }
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        (hash.wrapping_mul(SPREAD) >> self.shift) as usize
    }

    #[inline]
    fn next(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, hash_of: impl Fn(u32) -> u64) -> Option<u32> {
        let mut slot = self.home(hash);
        loop {
            let entry = self.slots[slot];
            if entry == FREE {
                return None;
            }
            if hash_of(entry) == hash {
                return Some(entry);
            }
            slot = self.next(slot);
        }
    }

    /// Adds an entry whose hash is not in the table.
    pub(crate) fn insert(&mut self, hash: u64, entry: u32) {
        let mut slot = self.home(hash);
        while self.slots[slot] != FREE {
            slot = self.next(slot);
        }
        self.slots[slot] = entry;
    }

    /// Removes an entry that is in the table, and moves later ones up so that no probe meets a gap.
    pub(crate) fn remove(&mut self, hash: u64, entry: u32, hash_of: impl Fn(u32) -> u64) {
        let mut gap = self.home(hash);
        while self.slots[gap] != entry {
            gap = self.next(gap);
        }
        let mask = self.slots.len() - 1;
        let mut slot = self.next(gap);
        while self.slots[slot] != FREE {
            let home = self.home(hash_of(self.slots[slot]));
            // The entry may move into the gap unless that lies before its home slot.
            if (slot.wrapping_sub(home) & mask) >= (slot.wrapping_sub(gap) & mask) {
                self.slots[gap] = self.slots[slot];
                gap = slot;
            }
            slot = self.next(slot);
        }
        self.slots[gap] = FREE;
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.slots)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Few distinct hashes in a small table: probes collide, wrap around and cross gaps.
        #[test]
        fn behaves_like_a_map(steps in prop::collection::vec((0_u64..24, any::<bool>()), 0..200)) {
            let hashes: Vec<u64> = (0..24).map(|i: u64| i * i * 977).collect();
            let hash_of = |entry: u32| hashes[entry as usize];
            let mut table = Index::new(24);
            let mut map = HashMap::new();
            for (key, insert) in steps {
                let hash = hashes[key as usize];
                match (insert, map.contains_key(&hash)) {
                    (true, false) => { table.insert(hash, key as u32); map.insert(hash, key as u32); }
                    (false, true) => { table.remove(hash, key as u32, hash_of); map.remove(&hash); }
                    _ => {}
                }
                for hash in &hashes {
                    prop_assert_eq!(table.find(*hash, hash_of), map.get(hash).copied());
                }
            }
        }
    }
}
