//! A simulated block cache of a given size and shape: where tests and offline traces get outcomes from.
//!
//! It does what `LRUCache` of FRocksDB 6.20.3 does (`cache/lru_cache.cc`) to a look-up that is released before the next one: a
//! block that was inserted with high priority or has hit goes to the head of the high-priority list, any other one to the head of
//! the low-priority list; what overflows the pool moves to the low-priority head; the low-priority tail is evicted first. A block
//! larger than its shard evicts everything there and is dropped on release.

use std::collections::HashMap;

use crate::hash::BuildHashOfHash;
use crate::lists::{LinkedBlocks, List};
use crate::{Access, CacheShape, Outcome};

/// A sharded LRU cache with a high-priority pool.
#[derive(Debug, Clone)]
pub struct BlockCache {
    shape: CacheShape,
    capacity_bytes: u64,
    shards: Vec<Shard>,
}

/// One LRU list in two parts.
#[derive(Debug, Clone, Default)]
struct Shard {
    index: HashMap<u64, u32, BuildHashOfHash>,
    blocks: LinkedBlocks,
    high: List,
    low: List,
    capacity_bytes: u64,
    pool_bytes: u64,
}

// === impl BlockCache ===

impl BlockCache {
    /// An empty cache.
    #[must_use]
    pub fn new(capacity_bytes: u64, shape: CacheShape) -> Self {
        let mut cache = Self {
            shape,
            capacity_bytes: 0,
            shards: vec![Shard::default(); shape.shards.max(1) as usize],
        };
        cache.set_capacity(capacity_bytes);
        cache
    }

    /// Looks a block up; a miss inserts it if the access says so. The outcome that the access claims does not matter. The charge
    /// must be known at an insert; 0 on a hit means: unchanged.
    pub fn access(&mut self, access: &Access) -> Outcome {
        // Neither the high bits (sampling) nor the low ones (groups of the band) alone choose the shard.
        let spread = access
            .hash
            .rotate_left(32)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let shard = (u128::from(spread) * self.shards.len() as u128) >> 64;
        self.shards[shard as usize].access(access)
    }

    /// Changes the capacity; what no longer fits is evicted at once.
    pub fn set_capacity(&mut self, capacity_bytes: u64) {
        self.capacity_bytes = capacity_bytes;
        let shard_bytes = self.shape.shard_bytes(capacity_bytes);
        for shard in &mut self.shards {
            shard.capacity_bytes = shard_bytes;
            shard.pool_bytes = self.shape.pool_bytes(shard_bytes);
            shard.keep_pool_size();
            shard.evict_for(0);
        }
    }

    /// Capacity in force.
    #[must_use]
    pub fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    /// Bytes held.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.shards.iter().map(Shard::used_bytes).sum()
    }
}

// === impl Shard ===

impl Shard {
    fn used_bytes(&self) -> u64 {
        self.high.bytes() + self.low.bytes()
    }

    fn access(&mut self, access: &Access) -> Outcome {
        let Some(&id) = self.index.get(&access.hash) else {
            if access.inserts {
                self.insert(access);
            }
            return Outcome::Miss;
        };
        let was_high = self.blocks.is_high(id);
        let list = if was_high {
            &mut self.high
        } else {
            &mut self.low
        };
        list.unlink(id, &mut self.blocks);
        if access.charge_bytes > 0 {
            self.blocks.set_charge(id, access.charge_bytes);
        }
        // A block that has hit is protected for good.
        self.release(id, true);
        self.evict_for(0);
        Outcome::Hit
    }

    fn insert(&mut self, access: &Access) {
        self.evict_for(access.charge_bytes);
        if access.charge_bytes > self.capacity_bytes {
            return;
        }
        let id = self.blocks.take(access.hash, access.charge_bytes);
        self.index.insert(access.hash, id);
        self.release(id, access.high_priority);
    }

    /// Puts a block that nobody holds any more where the next eviction looks for it.
    fn release(&mut self, id: u32, protected: bool) {
        if protected && self.pool_bytes > 0 {
            self.high.push_front(id, true, &mut self.blocks);
            self.keep_pool_size();
        } else {
            self.low.push_front(id, false, &mut self.blocks);
        }
    }

    fn keep_pool_size(&mut self) {
        while self.high.bytes() > self.pool_bytes
            && let Some(id) = self.high.last()
        {
            self.high.unlink(id, &mut self.blocks);
            self.low.push_front(id, false, &mut self.blocks);
        }
    }

    /// Evicts until a block of so many bytes fits, or nothing is left.
    fn evict_for(&mut self, bytes: u64) {
        while self.used_bytes().saturating_add(bytes) > self.capacity_bytes {
            let list = if self.low.last().is_some() {
                &mut self.low
            } else {
                &mut self.high
            };
            let Some(id) = list.last() else { return };
            list.unlink(id, &mut self.blocks);
            self.index.remove(&self.blocks.hash(id));
            self.blocks.give_back(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exact::{ExactStack, ReuseDistance};

    fn access(hash: u64, charge_bytes: u64) -> Access {
        Access {
            hash,
            charge_bytes,
            outcome: Outcome::Unknown,
            inserts: true,
            counted: true,
            high_priority: false,
        }
    }

    #[test]
    fn evicts_the_least_recently_used() {
        let mut cache = BlockCache::new(300, CacheShape::IDEAL);
        for block in [1, 2, 3, 1, 4] {
            cache.access(&access(block, 100));
        }
        let mut peek = |block| {
            cache.access(&Access {
                inserts: false,
                ..access(block, 100)
            })
        };
        assert_eq!(peek(2), Outcome::Miss);
        assert_eq!(peek(1), Outcome::Hit);
        assert_eq!(peek(3), Outcome::Hit);
        cache.set_capacity(150);
        assert_eq!(cache.used_bytes(), 100);
        assert_eq!(cache.access(&access(3, 100)), Outcome::Hit);
    }

    /// Room for four, two of them in the pool: what has hit or was inserted with high priority outlives newer blocks.
    #[test]
    fn the_pool_protects_what_has_hit() {
        let half = CacheShape {
            shards: 1,
            high_pri_ratio: 0.5,
        };
        let mut cache = BlockCache::new(400, half);
        for block in [1, 1, 2, 3, 4, 5, 6] {
            cache.access(&access(block, 100));
        }
        assert_eq!(cache.access(&access(1, 100)), Outcome::Hit);
        assert_eq!(cache.access(&access(3, 100)), Outcome::Miss);
        let mut cache = BlockCache::new(400, half);
        for block in 1..=6 {
            cache.access(&Access {
                high_priority: block == 1,
                ..access(block, 100)
            });
        }
        assert_eq!(cache.access(&access(1, 100)), Outcome::Hit);
        assert_eq!(cache.access(&access(2, 100)), Outcome::Miss);
    }

    #[test]
    fn a_block_larger_than_its_shard_empties_it_and_is_not_kept() {
        let mut cache = BlockCache::new(400, CacheShape::IDEAL);
        cache.access(&access(1, 100));
        cache.access(&access(2, 500));
        assert_eq!(cache.used_bytes(), 0);
        assert_eq!(cache.access(&access(2, 500)), Outcome::Miss);
    }

    #[test]
    fn a_shard_has_its_share_and_no_more() {
        let shape = CacheShape {
            shards: 16,
            high_pri_ratio: 0.0,
        };
        let mut cache = BlockCache::new(16_000, shape);
        for block in 0..10_000 {
            cache.access(&access(
                crate::hash_key(&[block as u8, (block >> 8) as u8, 0, 0]),
                300,
            ));
        }
        // Three blocks of 300 bytes fit into each thousand.
        assert_eq!(cache.used_bytes(), 16 * 900);
    }

    proptest! {
        /// The stack's promise: a cache of `C` bytes hits the look-ups with a distance of at most `C`, and no others.
        #[test]
        fn hits_what_the_stack_says(capacity in 1_100_u64..20_000, blocks in prop::collection::vec(0_u64..40, 1..400)) {
            let mut cache = BlockCache::new(capacity, CacheShape::IDEAL);
            let mut stack = ExactStack::new();
            for block in blocks {
                let access = access(block, 100 + block * 23);
                let outcome = cache.access(&access);
                let fits = stack.access(&access) <= ReuseDistance::Bytes(capacity);
                prop_assert_eq!(outcome == Outcome::Hit, fits);
            }
        }

        /// Against two plain vectors, with a pool.
        #[test]
        fn pools_as_two_plain_lists_do(ratio in 0.0_f64..1.0, steps in prop::collection::vec((0_u64..25, any::<bool>()), 1..300)) {
            let mut cache = BlockCache::new(2_000, CacheShape { shards: 1, high_pri_ratio: ratio });
            let pool = (2_000.0 * ratio) as u64;
            let (mut high, mut low) = (Vec::new(), Vec::new());
            let bytes = |list: &[(u64, u64)]| list.iter().map(|b| b.1).sum::<u64>();
            for (block, high_priority) in steps {
                let charge = 90 + block * 13;
                let outcome = cache.access(&Access { high_priority, ..access(block, charge) });
                let known = high.iter().chain(&low).any(|b: &(u64, u64)| b.0 == block);
                prop_assert_eq!(outcome == Outcome::Hit, known);
                high.retain(|b| b.0 != block);
                low.retain(|b| b.0 != block);
                while bytes(&high) + bytes(&low) + charge > 2_000 {
                    if low.pop().is_none() { high.pop(); }
                }
                if pool > 0 && (known || high_priority) { high.insert(0, (block, charge)) } else { low.insert(0, (block, charge)) }
                while bytes(&high) > pool {
                    let last = high.pop().unwrap();
                    low.insert(0, last);
                }
            }
            prop_assert_eq!(cache.used_bytes(), bytes(&high) + bytes(&low));
        }
    }
}
