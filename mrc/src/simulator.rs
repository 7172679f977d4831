//! A simulated LRU block cache of a given size: where tests and offline traces get outcomes from.

use std::collections::{BTreeMap, HashMap};

use crate::Outcome;

/// One LRU list with a capacity in bytes.
#[derive(Debug, Clone)]
pub struct LruCache {
    capacity_bytes: u64,
    used_bytes: u64,
    uses: u64,
    /// Last use and charge of each block.
    blocks: HashMap<u64, (u64, u64)>,
    by_use: BTreeMap<u64, u64>,
}

// === impl LruCache ===

impl LruCache {
    /// An empty cache.
    #[must_use]
    pub fn new(capacity_bytes: u64) -> Self {
        Self {
            capacity_bytes,
            used_bytes: 0,
            uses: 0,
            blocks: HashMap::new(),
            by_use: BTreeMap::new(),
        }
    }

    /// Looks a block up; a miss inserts it if `inserts`. A block larger than the cache is not kept.
    pub fn access(&mut self, hash: u64, charge_bytes: u64, inserts: bool) -> Outcome {
        self.uses += 1;
        let outcome = match self.blocks.get_mut(&hash) {
            Some((used, _)) => {
                self.by_use.remove(used);
                *used = self.uses;
                Outcome::Hit
            }
            None if inserts => {
                self.blocks.insert(hash, (self.uses, charge_bytes));
                self.used_bytes += charge_bytes;
                Outcome::Miss
            }
            None => return Outcome::Miss,
        };
        self.by_use.insert(self.uses, hash);
        self.evict();
        outcome
    }

    /// Changes the capacity; what no longer fits is evicted at once.
    pub fn set_capacity(&mut self, capacity_bytes: u64) {
        self.capacity_bytes = capacity_bytes;
        self.evict();
    }

    /// Capacity in force.
    #[must_use]
    pub fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    /// Bytes held.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    fn evict(&mut self) {
        while self.used_bytes > self.capacity_bytes
            && let Some((_, hash)) = self.by_use.pop_first()
            && let Some((_, charge)) = self.blocks.remove(&hash)
        {
            self.used_bytes -= charge;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Access;
    use crate::exact::{ExactStack, ReuseDistance};

    #[test]
    fn evicts_the_least_recently_used() {
        let mut cache = LruCache::new(300);
        for block in [1, 2, 3, 1, 4] {
            cache.access(block, 100, true);
        }
        assert_eq!(cache.access(2, 100, false), Outcome::Miss);
        assert_eq!(cache.access(1, 100, false), Outcome::Hit);
        assert_eq!(cache.access(3, 100, false), Outcome::Hit);
        cache.set_capacity(150);
        assert_eq!(cache.used_bytes(), 100);
        assert_eq!(cache.access(3, 100, false), Outcome::Hit);
    }

    proptest! {
        /// The stack's promise: a cache of `C` bytes hits the look-ups with a distance of at most `C`, and no others.
        #[test]
        fn hits_what_the_stack_says(capacity in 1_000_u64..20_000, blocks in prop::collection::vec(0_u64..40, 1..400)) {
            let mut cache = LruCache::new(capacity);
            let mut stack = ExactStack::new();
            for block in blocks {
                let charge_bytes = 100 + block * 23;
                let outcome = cache.access(block, charge_bytes, true);
                let distance = stack.access(&Access { hash: block, charge_bytes, outcome, inserts: true, counted: true });
                let fits = distance <= ReuseDistance::Bytes(capacity);
                prop_assert_eq!(outcome == Outcome::Hit, fits);
            }
        }
    }
}
