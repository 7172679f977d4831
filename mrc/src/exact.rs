//! The exact byte-weighted LRU stack: what every estimate is measured against (Olken, 1993).
//!
//! It keeps every block it has ever seen and grows with them: for tests and offline traces, not for production.

use std::collections::HashMap;

use crate::Access;
use crate::hash::BuildHashOfHash;

/// The smallest cache in which a look-up would have hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReuseDistance {
    /// This many bytes, the block itself included.
    Bytes(u64),
    /// None: the block was never used before.
    Infinite,
}

/// All blocks ever seen, in order of recency, and the distances of the counted look-ups.
#[derive(Debug, Clone, Default)]
pub struct ExactStack {
    /// Time of last use and charge of each block.
    blocks: HashMap<u64, (usize, u64), BuildHashOfHash>,
    /// Bytes by time of last use, as partial sums over ranges of powers of two: `sums[k][i]` covers times `i << k` to `(i + 1) << k`.
    sums: Vec<Vec<u64>>,
    time: usize,
    /// Finite distances of the counted look-ups.
    distances: Vec<u64>,
    lookups: u64,
}

// === impl ExactStack ===

impl ExactStack {
    /// An empty stack.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a look-up in; returns its distance. The charge must be known at a block's first use; 0 later means: unchanged.
    pub fn access(&mut self, access: &Access) -> ReuseDistance {
        let known = self.blocks.get(&access.hash).copied();
        let (distance, charge) = match known {
            None => (ReuseDistance::Infinite, access.charge_bytes),
            Some((time, before)) => {
                let charge = match access.charge_bytes {
                    0 => before,
                    now => now,
                };
                (
                    ReuseDistance::Bytes(self.bytes_after(time) + charge),
                    charge,
                )
            }
        };
        if access.counted {
            self.lookups += 1;
            if let ReuseDistance::Bytes(bytes) = distance {
                self.distances.push(bytes);
            }
        }
        if access.refreshes() {
            if let Some((time, before)) = known {
                self.change(time, |sum| sum - before);
            }
            self.blocks.insert(access.hash, (self.time, charge));
            self.change(self.time, |sum| sum + charge);
            self.time += 1;
        }
        distance
    }

    /// Counted look-ups so far.
    #[must_use]
    pub fn lookups(&self) -> u64 {
        self.lookups
    }

    /// Blocks seen so far.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Bytes of all blocks seen so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.blocks.values().map(|(_, charge)| charge).sum()
    }

    /// Forgets the distances, not the blocks: what follows is counted as a window of its own.
    pub fn start_window(&mut self) {
        self.distances.clear();
        self.lookups = 0;
    }

    /// Counted look-ups that would have hit in a cache of this size.
    #[must_use]
    pub fn hits_at(&self, capacity_bytes: u64) -> u64 {
        let fits = |distance: &&u64| **distance <= capacity_bytes;
        self.distances.iter().filter(fits).count() as u64
    }

    /// Share of counted look-ups that would have missed in a cache of this size; 1 if there were none.
    #[must_use]
    pub fn miss_ratio_at(&self, capacity_bytes: u64) -> f64 {
        if self.lookups == 0 {
            return 1.0;
        }
        (self.lookups - self.hits_at(capacity_bytes)) as f64 / self.lookups as f64
    }

    /// [`Self::miss_ratio_at`] for many sizes at once, in their order: sorts the distances once.
    #[must_use]
    pub fn miss_ratios(&self, capacities_bytes: &[u64]) -> Vec<f64> {
        let mut sorted = self.distances.clone();
        sorted.sort_unstable();
        let lookups = self.lookups.max(1) as f64;
        let ratio = |capacity: &u64| {
            let hits = sorted.partition_point(|distance| distance <= capacity);
            1.0 - hits as f64 / lookups
        };
        capacities_bytes.iter().map(ratio).collect()
    }

    fn change(&mut self, time: usize, change: impl Fn(u64) -> u64) {
        for level in 0.. {
            let Some(sums) = self.sums.get_mut(level) else {
                // A new top covers all that the level below it covers, this change included.
                let total = self.sums.last().map_or(change(0), |sums| sums.iter().sum());
                self.sums.push(vec![total]);
                return;
            };
            let i = time >> level;
            if sums.len() <= i {
                sums.resize(i + 1, 0);
            }
            sums[i] = change(sums[i]);
            if sums.len() == 1 {
                return;
            }
        }
    }

    fn bytes_after(&self, time: usize) -> u64 {
        let mut start = time + 1;
        let mut sum = 0;
        for sums in &self.sums {
            if start & 1 == 1 {
                sum += sums.get(start).copied().unwrap_or(0);
                start += 1;
            }
            start >>= 1;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Outcome;

    proptest! {
        /// Against a plain list that is searched from the front.
        #[test]
        fn distances_are_those_of_a_list(steps in prop::collection::vec((0_u64..30, 0_u64..5_000, any::<bool>(), any::<bool>()), 1..300)) {
            let mut stack = ExactStack::new();
            let mut list: Vec<(u64, u64)> = Vec::new();
            for (hash, charge_bytes, inserts, hit) in steps {
                let outcome = if hit { Outcome::Hit } else { Outcome::Miss };
                let known = list.iter().position(|(h, _)| *h == hash);
                let charge_bytes = if known.is_none() { charge_bytes + 1 } else { charge_bytes };
                let distance = stack.access(&Access { hash, charge_bytes, outcome, inserts, counted: true, high_priority: false });
                let mut charge = charge_bytes;
                let expected = match known {
                    None => ReuseDistance::Infinite,
                    Some(i) => {
                        if charge == 0 { charge = list[i].1; }
                        ReuseDistance::Bytes(list[..i].iter().map(|(_, c)| c).sum::<u64>() + charge)
                    }
                };
                prop_assert_eq!(distance, expected);
                if inserts || hit {
                    if let Some(i) = known { list.remove(i); }
                    list.insert(0, (hash, charge));
                }
            }
            for (capacity, ratio) in [0, 9_000, 40_000, 90_000].iter().zip(stack.miss_ratios(&[0, 9_000, 40_000, 90_000])) {
                prop_assert!((ratio - stack.miss_ratio_at(*capacity)).abs() < 1e-12);
            }
            prop_assert_eq!(stack.bytes(), list.iter().map(|(_, c)| c).sum::<u64>());
        }
    }
}
