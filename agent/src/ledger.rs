//! Who has how much of the cache budget: pure bookkeeping, and the rule that the sum never exceeds it.

use std::collections::BTreeMap;

use weir_protocol::{Allocation, CacheId, RefusalKind};

/// Smallest capacity anybody can ask for: a few data blocks and an index block.
pub const MIN_CACHE_BYTES: u64 = 1 << 20;

/// Capacities of all live caches.
#[derive(Debug)]
pub struct Ledger {
    cache_budget_bytes: u64,
    generation: u64,
    shares: BTreeMap<CacheId, Share>,
}

/// What one cache has.
#[derive(Debug, Clone, Copy)]
struct Share {
    capacity_bytes: u64,
    /// Set by an allocation, rather than by an even split.
    is_assigned: bool,
}

/// A capacity to be put in force. The order of a list of them matters: shrinks come first, so that the sum stays within
/// the budget at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// Which cache.
    pub id: CacheId,
    /// Its new capacity.
    pub capacity_bytes: u64,
}

impl Ledger {
    /// An empty ledger over a budget.
    #[must_use]
    pub fn new(cache_budget_bytes: u64) -> Self {
        Self {
            cache_budget_bytes,
            generation: 0,
            shares: BTreeMap::new(),
        }
    }

    /// What all capacities may reach together.
    #[must_use]
    pub fn cache_budget_bytes(&self) -> u64 {
        self.cache_budget_bytes
    }

    /// Generation of the last allocation applied.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Sum of all capacities.
    #[must_use]
    pub fn allocated_bytes(&self) -> u64 {
        self.shares.values().map(|s| s.capacity_bytes).sum()
    }

    /// Takes a cache in and makes room for it.
    ///
    /// Caches that no allocation has named share evenly what the others leave. If that is less than the minimum each, the
    /// whole budget is split evenly again: a newcomer must be able to work before the controller has seen it.
    pub fn admit(&mut self, id: CacheId) -> Vec<Resize> {
        let newcomer = Share {
            capacity_bytes: 0,
            is_assigned: false,
        };
        self.shares.insert(id, newcomer);
        self.rebalance()
    }

    /// Takes a cache in at the capacity it has, or at what the budget still allows if that is less, but the minimum at least.
    pub fn admit_at(&mut self, id: CacheId, capacity_bytes: u64) -> Vec<Resize> {
        let rest = self
            .cache_budget_bytes
            .saturating_sub(self.allocated_bytes());
        let allowed = capacity_bytes.min(rest.max(MIN_CACHE_BYTES));
        let share = Share {
            capacity_bytes,
            is_assigned: true,
        };
        self.shares.insert(id, share);
        self.move_to(&BTreeMap::from([(id, allowed)]))
    }

    /// Forgets a cache and hands what it had to those that no allocation has named.
    pub fn release(&mut self, id: CacheId) -> Vec<Resize> {
        match self.shares.remove(&id) {
            Some(_) => self.rebalance(),
            None => Vec::new(),
        }
    }

    /// Applies an allocation, or refuses it whole.
    pub fn apply(&mut self, allocation: &Allocation) -> Result<Vec<Resize>, (RefusalKind, String)> {
        if allocation.generation <= self.generation {
            return Err((
                RefusalKind::StaleGeneration,
                format!(
                    "generation {} is not greater than {}, which is in force; read /v1/report again",
                    allocation.generation, self.generation
                ),
            ));
        }
        let mut wanted = BTreeMap::new();
        for cache in &allocation.caches {
            if !self.shares.contains_key(&cache.id) {
                return Err((
                    RefusalKind::UnknownCache,
                    format!("there is no cache {}; read /v1/report again", cache.id),
                ));
            }
            if cache.capacity_bytes < MIN_CACHE_BYTES {
                return Err((
                    RefusalKind::BelowMinimum,
                    format!(
                        "{} bytes for cache {} are less than the minimum of {MIN_CACHE_BYTES}",
                        cache.capacity_bytes, cache.id
                    ),
                ));
            }
            if wanted.insert(cache.id, cache.capacity_bytes).is_some() {
                return Err((
                    RefusalKind::Malformed,
                    format!("cache {} is named twice", cache.id),
                ));
            }
        }
        if wanted.is_empty() {
            return Err((RefusalKind::Malformed, "no cache is named".to_owned()));
        }
        let sum = self
            .shares
            .iter()
            .map(|(id, share)| wanted.get(id).copied().unwrap_or(share.capacity_bytes))
            .fold(0_u64, u64::saturating_add);
        if sum > self.cache_budget_bytes {
            return Err((
                RefusalKind::OverBudget,
                format!(
                    "all caches together would have {sum} bytes, {} more than the budget of {}; nothing was changed",
                    sum - self.cache_budget_bytes,
                    self.cache_budget_bytes
                ),
            ));
        }
        self.generation = allocation.generation;
        for id in wanted.keys() {
            if let Some(share) = self.shares.get_mut(id) {
                share.is_assigned = true;
            }
        }
        Ok(self.move_to(&wanted))
    }

    fn rebalance(&mut self) -> Vec<Resize> {
        let count = self.shares.len() as u64;
        let free: Vec<CacheId> = self
            .shares
            .iter()
            .filter(|(_, s)| !s.is_assigned)
            .map(|(id, _)| *id)
            .collect();
        if free.is_empty() {
            return Vec::new();
        }
        let assigned: u64 = self
            .shares
            .values()
            .filter(|s| s.is_assigned)
            .map(|s| s.capacity_bytes)
            .sum();
        let each = self.cache_budget_bytes.saturating_sub(assigned) / free.len() as u64;
        let wanted = if each >= MIN_CACHE_BYTES {
            free.into_iter().map(|id| (id, each)).collect()
        } else {
            for share in self.shares.values_mut() {
                share.is_assigned = false;
            }
            let even = self.cache_budget_bytes / count;
            self.shares.keys().map(|id| (*id, even)).collect()
        };
        self.move_to(&wanted)
    }

    /// Books the new capacities and lists the changes, shrinks first.
    fn move_to(&mut self, wanted: &BTreeMap<CacheId, u64>) -> Vec<Resize> {
        let mut shrinks = Vec::new();
        let mut grows = Vec::new();
        for (&id, &capacity_bytes) in wanted {
            let Some(share) = self.shares.get_mut(&id) else {
                continue;
            };
            let resize = Resize { id, capacity_bytes };
            match capacity_bytes.cmp(&share.capacity_bytes) {
                std::cmp::Ordering::Less => shrinks.push(resize),
                std::cmp::Ordering::Greater => grows.push(resize),
                std::cmp::Ordering::Equal => {}
            }
            share.capacity_bytes = capacity_bytes;
        }
        shrinks.append(&mut grows);
        shrinks
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_protocol::CacheCapacity;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn allocation(generation: u64, caches: &[(u64, u64)]) -> Allocation {
        Allocation {
            generation,
            write_buffers: Vec::new(),
            caches: caches
                .iter()
                .map(|&(id, capacity_bytes)| CacheCapacity {
                    id: CacheId(id),
                    capacity_bytes,
                })
                .collect(),
        }
    }

    fn capacities(ledger: &Ledger) -> Vec<u64> {
        ledger.shares.values().map(|s| s.capacity_bytes).collect()
    }

    #[test]
    fn a_cache_that_brings_its_capacity_keeps_it_within_the_budget() {
        let mut ledger = Ledger::new(64 * MIB);
        assert!(ledger.admit_at(CacheId(1), 40 * MIB).is_empty());
        let resizes = ledger.admit_at(CacheId(2), 40 * MIB);
        assert_eq!(
            resizes,
            [Resize {
                id: CacheId(2),
                capacity_bytes: 24 * MIB
            }]
        );
        assert_eq!(capacities(&ledger), [40 * MIB, 24 * MIB]);
        ledger.release(CacheId(1));
        assert_eq!(capacities(&ledger), [24 * MIB], "others are left alone");
    }

    #[test]
    fn newcomers_share_evenly_and_shrinks_come_before_growth() {
        let mut ledger = Ledger::new(64 * MIB);
        ledger.admit(CacheId(1));
        let resizes = ledger.admit(CacheId(2));
        assert_eq!(
            resizes.iter().map(|r| r.id.0).collect::<Vec<_>>(),
            [1, 2],
            "the first one makes room before the second one gets it"
        );
        assert_eq!(capacities(&ledger), [32 * MIB, 32 * MIB]);
        ledger.release(CacheId(1));
        assert_eq!(capacities(&ledger), [64 * MIB]);
    }

    #[test]
    fn what_was_assigned_stays_when_others_come_and_go() {
        let mut ledger = Ledger::new(64 * MIB);
        ledger.admit(CacheId(1));
        ledger.admit(CacheId(2));
        ledger
            .apply(&allocation(1, &[(1, 48 * MIB), (2, 8 * MIB)]))
            .unwrap();
        ledger.admit(CacheId(3));
        assert_eq!(capacities(&ledger), [48 * MIB, 8 * MIB, 8 * MIB]);
        ledger.release(CacheId(2));
        assert_eq!(capacities(&ledger), [48 * MIB, 16 * MIB]);
    }

    #[test]
    fn refusals_say_what_is_wrong_and_change_nothing() {
        let mut ledger = Ledger::new(64 * MIB);
        ledger.admit(CacheId(1));
        ledger.admit(CacheId(2));
        ledger
            .apply(&allocation(5, &[(1, 30 * MIB), (2, 30 * MIB)]))
            .unwrap();
        for (refused, kind) in [
            (allocation(5, &[(1, 2 * MIB)]), RefusalKind::StaleGeneration),
            (allocation(6, &[(9, 2 * MIB)]), RefusalKind::UnknownCache),
            (allocation(6, &[(1, 2)]), RefusalKind::BelowMinimum),
            (allocation(6, &[(1, 35 * MIB)]), RefusalKind::OverBudget),
            (allocation(6, &[(1, u64::MAX)]), RefusalKind::OverBudget),
            (allocation(6, &[]), RefusalKind::Malformed),
            (
                allocation(6, &[(1, 2 * MIB), (1, 3 * MIB)]),
                RefusalKind::Malformed,
            ),
        ] {
            let (found, message) = ledger.apply(&refused).unwrap_err();
            assert_eq!(found, kind, "{message}");
            assert_eq!(capacities(&ledger), [30 * MIB, 30 * MIB]);
            assert_eq!(ledger.generation(), 5);
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Admit,
        Release(usize),
        Apply(Vec<(usize, u64)>),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Admit),
            (0..64_usize).prop_map(Step::Release),
            prop::collection::vec((0..64_usize, 0..40 * MIB), 1..5).prop_map(Step::Apply),
        ]
    }

    proptest! {
        #[test]
        fn the_sum_never_exceeds_the_budget_not_even_between_two_resizes(
            budget in 0..128 * MIB,
            steps in prop::collection::vec(step(), 1..60),
        ) {
            let mut ledger = Ledger::new(budget);
            let mut in_force: BTreeMap<CacheId, u64> = BTreeMap::new();
            let mut next = 1;
            for step in steps {
                let live: Vec<CacheId> = in_force.keys().copied().collect();
                let resizes = match step {
                    Step::Admit => {
                        let id = CacheId(next);
                        next += 1;
                        in_force.insert(id, 0);
                        ledger.admit(id)
                    }
                    Step::Release(_) | Step::Apply(_) if live.is_empty() => continue,
                    Step::Release(n) => {
                        let id = live[n % live.len()];
                        in_force.remove(&id);
                        ledger.release(id)
                    }
                    Step::Apply(wanted) => {
                        let caches: Vec<(u64, u64)> =
                            wanted.iter().map(|&(n, bytes)| (live[n % live.len()].0, bytes)).collect();
                        ledger.apply(&allocation(ledger.generation() + 1, &caches)).unwrap_or_default()
                    }
                };
                for resize in resizes {
                    in_force.insert(resize.id, resize.capacity_bytes);
                    prop_assert!(in_force.values().sum::<u64>() <= budget);
                }
                prop_assert_eq!(in_force.values().sum::<u64>(), ledger.allocated_bytes());
            }
        }
    }
}
