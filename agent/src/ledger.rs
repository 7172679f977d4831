//! Who has how much of the budget, block caches and write buffers: pure bookkeeping, and the rule that the sum never exceeds it.

mod request;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use weir_protocol::{Allocation, CacheId, RefusalKind};

/// Smallest capacity anybody can ask for: a few data blocks and an index block.
pub const MIN_CACHE_BYTES: u64 = 1 << 20;
/// Smallest size a write buffer manager can be given: what RocksDB allocates at a time for a memtable of 64 MiB, its default. With
/// less, every write would start a flush.
pub const MIN_WRITE_BUFFER_BYTES: u64 = 8 << 20;

/// Number of a write buffer manager, unique for the life of one agent.
pub type ManagerId = u64;

/// Why nothing was changed: for programs, and for people.
pub type Refused = (RefusalKind, String);
type CacheSizes = BTreeMap<CacheId, u64>;
type ManagerSizes = BTreeMap<ManagerId, u64>;

/// Capacities of all live caches and write buffer managers.
#[derive(Debug)]
pub struct Ledger {
    /// What caches may reach while every manager has the size it came with.
    base_cache_bytes: u64,
    /// What a manager takes of the budget beside the caches, in percent of its size.
    write_buffer_cost_percent: u32,
    generation: u64,
    shares: BTreeMap<CacheId, Share>,
    managers: BTreeMap<ManagerId, ManagerShare>,
}

/// What one cache has.
#[derive(Debug, Clone, Copy)]
struct Share {
    capacity_bytes: u64,
    /// What an allocation gave it, or what it came with; it has less only while the budget does not allow it. `None`: the cache
    /// takes an even part of what the others leave.
    wanted_bytes: Option<u64>,
}

/// What one write buffer manager has.
#[derive(Debug, Clone, Copy)]
struct ManagerShare {
    came_with_bytes: u64,
    capacity_bytes: u64,
}

/// A size to be put in force. The order of a list of them matters: what shrinks comes first, so that the sum stays within the
/// budget at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// Of a block cache.
    Cache {
        /// Which cache.
        id: CacheId,
        /// Its new capacity.
        capacity_bytes: u64,
    },
    /// Of a write buffer manager.
    WriteBuffers {
        /// Which manager.
        id: ManagerId,
        /// Its new size.
        capacity_bytes: u64,
    },
}

impl Ledger {
    /// An empty ledger. `base_cache_bytes` is what caches may reach while write buffers have the sizes they come with; each byte
    /// that a write buffer manager has more or less takes or gives `write_buffer_cost_percent` hundredths of one.
    #[must_use]
    pub fn new(base_cache_bytes: u64, write_buffer_cost_percent: u32) -> Self {
        Self {
            base_cache_bytes,
            write_buffer_cost_percent,
            generation: 0,
            shares: BTreeMap::new(),
            managers: BTreeMap::new(),
        }
    }

    /// What all caches' capacities may reach together now.
    #[must_use]
    pub fn cache_budget_bytes(&self) -> u64 {
        self.cache_budget_with(&BTreeMap::new())
    }

    /// The same if these managers had these sizes.
    fn cache_budget_with(&self, sizes: &ManagerSizes) -> u64 {
        let (mut came_with, mut have) = (0_u128, 0_u128);
        for (id, manager) in &self.managers {
            came_with += u128::from(manager.came_with_bytes);
            have += u128::from(sizes.get(id).copied().unwrap_or(manager.capacity_bytes));
        }
        let percent = u128::from(self.write_buffer_cost_percent);
        let given = u128::from(self.base_cache_bytes) + came_with * percent / 100;
        // Rounded up: rounding must not add to the budget.
        let bytes = given.saturating_sub((have * percent).div_ceil(100));
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// What a manager takes beside the caches, in percent of its size.
    #[must_use]
    pub fn write_buffer_cost_percent(&self) -> u32 {
        self.write_buffer_cost_percent
    }

    /// Generation of the last allocation applied.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Sum of all caches' capacities.
    #[must_use]
    pub fn allocated_bytes(&self) -> u64 {
        self.shares.values().map(|s| s.capacity_bytes).sum()
    }

    /// What a cache was given by an allocation or came with, if not an even part.
    #[must_use]
    pub fn wanted_bytes(&self, id: CacheId) -> Option<u64> {
        self.shares.get(&id)?.wanted_bytes
    }

    /// What a manager has, if that is not what it came with.
    #[must_use]
    pub fn changed_write_buffer_bytes(&self, id: ManagerId) -> Option<u64> {
        let manager = self.managers.get(&id)?;
        (manager.capacity_bytes != manager.came_with_bytes).then_some(manager.capacity_bytes)
    }

    /// Takes a cache in and makes room for it: `wanted_bytes`, as far as the budget allows, or an even part of what is left.
    pub fn admit(&mut self, id: CacheId, wanted_bytes: Option<u64>) -> Vec<Resize> {
        let newcomer = Share {
            capacity_bytes: 0,
            wanted_bytes: wanted_bytes.map(|bytes| bytes.max(MIN_CACHE_BYTES)),
        };
        self.shares.insert(id, newcomer);
        self.rebalance()
    }

    /// Takes a cache in that has `capacity_bytes` already, and wants that or another size.
    pub fn admit_at(
        &mut self,
        id: CacheId,
        capacity_bytes: u64,
        wanted_bytes: Option<u64>,
    ) -> Vec<Resize> {
        let newcomer = Share {
            capacity_bytes,
            wanted_bytes: Some(wanted_bytes.unwrap_or(capacity_bytes)),
        };
        self.shares.insert(id, newcomer);
        self.rebalance()
    }

    /// Takes in a write buffer manager of this size, which the budget of the caches allows for; `wanted_bytes` is what an
    /// allocation had given it before its operators were restarted.
    pub fn admit_manager(
        &mut self,
        id: ManagerId,
        came_with_bytes: u64,
        wanted_bytes: Option<u64>,
    ) -> Vec<Resize> {
        let manager = ManagerShare {
            came_with_bytes,
            capacity_bytes: came_with_bytes,
        };
        self.managers.insert(id, manager);
        let wanted = wanted_bytes.map(|bytes| (id, bytes)).into_iter().collect();
        let caches = self.fair_parts(self.cache_budget_with(&wanted));
        self.move_to(&caches, &wanted)
    }

    /// Forgets a cache and hands what it had to those that want it.
    pub fn release(&mut self, id: CacheId) -> Vec<Resize> {
        match self.shares.remove(&id) {
            Some(_) => self.rebalance(),
            None => Vec::new(),
        }
    }

    /// Forgets a write buffer manager, and with it what it gave to the caches or took from them.
    pub fn release_manager(&mut self, id: ManagerId) -> Vec<Resize> {
        match self.managers.remove(&id) {
            Some(_) => self.rebalance(),
            None => Vec::new(),
        }
    }

    /// Applies an allocation, or refuses it whole. `manager_of` knows the write buffer manager behind a cache.
    pub fn apply(
        &mut self,
        allocation: &Allocation,
        manager_of: impl Fn(CacheId) -> Option<ManagerId>,
    ) -> Result<Vec<Resize>, Refused> {
        let (caches, managers) = self.check(allocation, manager_of)?;
        self.generation = allocation.generation;
        for (id, &capacity_bytes) in &caches {
            if let Some(share) = self.shares.get_mut(id) {
                share.wanted_bytes = Some(capacity_bytes);
            }
        }
        Ok(self.move_to(&caches, &managers))
    }

    /// By how many bytes an allocation that [`Self::apply`] would accept lets memory grow in all; 0 if it does not.
    #[must_use]
    pub fn growth_bytes(
        &self,
        allocation: &Allocation,
        manager_of: impl Fn(CacheId) -> Option<ManagerId>,
    ) -> u64 {
        let Ok((caches, managers)) = self.check(allocation, manager_of) else {
            return 0;
        };
        let mut change = 0_i128;
        for (id, bytes) in &caches {
            let now = self.shares.get(id).map_or(0, |share| share.capacity_bytes);
            change += i128::from(*bytes) - i128::from(now);
        }
        for (id, bytes) in &managers {
            let now = self.managers.get(id).map_or(0, |m| m.capacity_bytes);
            let cost = i128::from(self.write_buffer_cost_percent);
            change += (i128::from(*bytes) - i128::from(now)) * cost / 100;
        }
        u64::try_from(change).unwrap_or(0)
    }

    fn rebalance(&mut self) -> Vec<Resize> {
        let caches = self.fair_parts(self.cache_budget_bytes());
        self.move_to(&caches, &BTreeMap::new())
    }

    /// What each cache gets of a budget: those that want a certain size get that, the others an even part of the rest.
    ///
    /// A newcomer must be able to work before the controller has seen it: if less than the minimum would be left for each of the
    /// others, those with a certain size give up the same share of it each. They get it back when there is room again.
    fn fair_parts(&self, budget: u64) -> CacheSizes {
        let (wanted, wanting) = self
            .shares
            .values()
            .filter_map(|share| share.wanted_bytes)
            .fold((0_u64, 0), |(sum, caches), bytes| {
                (sum.saturating_add(bytes), caches + 1)
            });
        let count = self.shares.len() as u64;
        let others = count - wanting;
        let least_for_others = (others * MIN_CACHE_BYTES).min(budget / count.max(1) * others);
        let for_wanted = wanted.min(budget - least_for_others);
        let for_each_other = (budget - for_wanted).checked_div(others).unwrap_or(0);
        let part = |share: &Share| match share.wanted_bytes {
            None => for_each_other,
            Some(bytes) if wanted == for_wanted => bytes,
            Some(bytes) => {
                let part = u128::from(bytes) * u128::from(for_wanted) / u128::from(wanted.max(1));
                u64::try_from(part).unwrap_or(u64::MAX)
            }
        };
        self.shares
            .iter()
            .map(|(&id, share)| (id, part(share)))
            .collect()
    }

    /// Books the new sizes and lists the changes. What shrinks comes first; write buffers, which make room for caches, before
    /// caches when they shrink, and before caches when they grow, because caches have made room for them by then.
    fn move_to(&mut self, caches: &CacheSizes, managers: &ManagerSizes) -> Vec<Resize> {
        let (mut shrinks, mut grows) = (Vec::new(), Vec::new());
        let mut list = |resize, before: u64, after: u64| match after.cmp(&before) {
            Ordering::Less => shrinks.push(resize),
            Ordering::Greater => grows.push(resize),
            Ordering::Equal => {}
        };
        for (&id, &capacity_bytes) in managers {
            if let Some(manager) = self.managers.get_mut(&id) {
                let before = std::mem::replace(&mut manager.capacity_bytes, capacity_bytes);
                list(
                    Resize::WriteBuffers { id, capacity_bytes },
                    before,
                    capacity_bytes,
                );
            }
        }
        for (&id, &capacity_bytes) in caches {
            if let Some(share) = self.shares.get_mut(&id) {
                let before = std::mem::replace(&mut share.capacity_bytes, capacity_bytes);
                list(Resize::Cache { id, capacity_bytes }, before, capacity_bytes);
            }
        }
        shrinks.append(&mut grows);
        shrinks
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weir_protocol::{CacheCapacity, WriteBufferCapacity};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn allocation(generation: u64, caches: &[(u64, u64)]) -> Allocation {
        with_write_buffers(generation, caches, &[])
    }

    fn with_write_buffers(
        generation: u64,
        caches: &[(u64, u64)],
        write_buffers: &[(u64, u64)],
    ) -> Allocation {
        Allocation {
            generation,
            caches: caches
                .iter()
                .map(|&(id, capacity_bytes)| CacheCapacity {
                    id: CacheId(id),
                    capacity_bytes,
                })
                .collect(),
            write_buffers: write_buffers
                .iter()
                .map(|&(cache, capacity_bytes)| WriteBufferCapacity {
                    cache: CacheId(cache),
                    capacity_bytes,
                })
                .collect(),
        }
    }

    /// Two caches a manager: 1 and 2 write through manager 0, 3 and 4 through 1.
    fn manager_of(cache: CacheId) -> Option<ManagerId> {
        Some((cache.0 - 1) / 2)
    }

    fn capacities(ledger: &Ledger) -> Vec<u64> {
        ledger.shares.values().map(|s| s.capacity_bytes).collect()
    }

    #[test]
    fn a_cache_that_brings_its_capacity_keeps_it_within_the_budget() {
        let mut ledger = Ledger::new(64 * MIB, 50);
        assert!(ledger.admit_at(CacheId(1), 40 * MIB, None).is_empty());
        ledger.admit_at(CacheId(2), 40 * MIB, None);
        assert_eq!(capacities(&ledger), [32 * MIB, 32 * MIB]);
        ledger.release(CacheId(1));
        assert_eq!(capacities(&ledger), [40 * MIB], "there is room again");
    }

    #[test]
    fn newcomers_share_evenly_and_shrinks_come_before_growth() {
        let mut ledger = Ledger::new(64 * MIB, 150);
        ledger.admit(CacheId(1), None);
        let resizes = ledger.admit(CacheId(2), None);
        let half = |id| Resize::Cache {
            id: CacheId(id),
            capacity_bytes: 32 * MIB,
        };
        assert_eq!(
            resizes,
            [half(1), half(2)],
            "the first one makes room before the second one gets it"
        );
        ledger.release(CacheId(1));
        assert_eq!(capacities(&ledger), [64 * MIB]);
    }

    #[test]
    fn what_was_assigned_stays_when_others_come_and_go() {
        let mut ledger = Ledger::new(64 * MIB, 150);
        ledger.admit(CacheId(1), None);
        ledger.admit(CacheId(2), None);
        let wanted = allocation(1, &[(1, 48 * MIB), (2, 8 * MIB)]);
        ledger.apply(&wanted, manager_of).unwrap();
        ledger.admit(CacheId(3), None);
        assert_eq!(capacities(&ledger), [48 * MIB, 8 * MIB, 8 * MIB]);
        ledger.release(CacheId(2));
        assert_eq!(capacities(&ledger), [48 * MIB, 16 * MIB]);
        assert_eq!(ledger.wanted_bytes(CacheId(1)), Some(48 * MIB));
        assert_eq!(ledger.wanted_bytes(CacheId(3)), None);
    }

    #[test]
    fn the_assigned_make_room_for_a_newcomer_and_get_it_back() {
        let mut ledger = Ledger::new(64 * MIB, 150);
        ledger.admit(CacheId(1), None);
        let all = allocation(1, &[(1, 64 * MIB)]);
        ledger.apply(&all, manager_of).unwrap();
        ledger.admit(CacheId(2), None);
        assert_eq!(capacities(&ledger), [63 * MIB, MIB]);
        ledger.release(CacheId(2));
        assert_eq!(capacities(&ledger), [64 * MIB]);
    }

    #[test]
    fn what_write_buffers_give_up_caches_may_have_and_the_other_way_round() {
        let mut ledger = Ledger::new(60 * MIB, 150);
        ledger.admit(CacheId(1), None);
        ledger.admit(CacheId(2), None);
        assert!(ledger.admit_manager(0, 40 * MIB, None).is_empty());
        assert_eq!(ledger.cache_budget_bytes(), 60 * MIB, "it was allowed for");
        let more = [(1, 60 * MIB), (2, 30 * MIB)];
        let too_much = with_write_buffers(1, &more, &[(1, 24 * MIB)]);
        let (kind, _) = ledger.apply(&too_much, manager_of).unwrap_err();
        assert_eq!(kind, RefusalKind::OverBudget);
        let wanted = with_write_buffers(1, &more, &[(1, 20 * MIB), (2, 20 * MIB)]);
        assert_eq!(ledger.growth_bytes(&wanted, manager_of), 0);
        let resizes = ledger.apply(&wanted, manager_of).unwrap();
        assert_eq!(
            resizes[0],
            Resize::WriteBuffers {
                id: 0,
                capacity_bytes: 20 * MIB
            },
            "room is made first"
        );
        assert_eq!(capacities(&ledger), [60 * MIB, 30 * MIB]);
        assert_eq!(ledger.cache_budget_bytes(), 90 * MIB);
        assert_eq!(ledger.changed_write_buffer_bytes(0), Some(20 * MIB));
        ledger.release_manager(0);
        assert_eq!(ledger.allocated_bytes(), 60 * MIB, "gone with the manager");
        let resizes = ledger.admit_manager(1, 40 * MIB, Some(20 * MIB));
        assert_eq!(resizes.len(), 3, "restored, and so are the caches");
        assert_eq!(capacities(&ledger), [60 * MIB, 30 * MIB]);
    }

    #[test]
    fn growth_is_what_is_added_in_all() {
        let mut ledger = Ledger::new(60 * MIB, 50);
        ledger.admit_at(CacheId(1), 20 * MIB, None);
        ledger.admit_manager(0, 20 * MIB, None);
        let growth = |caches: &[(u64, u64)], buffers: &[(u64, u64)]| {
            ledger.growth_bytes(&with_write_buffers(1, caches, buffers), manager_of)
        };
        assert_eq!(growth(&[(1, 30 * MIB)], &[]), 10 * MIB);
        assert_eq!(growth(&[(1, 30 * MIB)], &[(1, 10 * MIB)]), 5 * MIB);
        assert_eq!(growth(&[], &[(1, 30 * MIB)]), 5 * MIB);
        assert_eq!(growth(&[(1, 10 * MIB)], &[]), 0);
        assert_eq!(growth(&[(1, 100 * MIB)], &[]), 0, "would be refused anyway");
    }

    #[test]
    fn refusals_say_what_is_wrong_and_change_nothing() {
        let mut ledger = Ledger::new(64 * MIB, 150);
        ledger.admit(CacheId(1), None);
        ledger.admit(CacheId(2), None);
        ledger.admit_manager(0, 20 * MIB, None);
        let good = allocation(5, &[(1, 30 * MIB), (2, 30 * MIB)]);
        ledger.apply(&good, manager_of).unwrap();
        let buffers = |buffers: &[(u64, u64)]| with_write_buffers(6, &[(1, 2 * MIB)], buffers);
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
            (buffers(&[(3, 20 * MIB)]), RefusalKind::UnknownWriteBuffers),
            (buffers(&[(1, MIB)]), RefusalKind::BelowMinimum),
            (buffers(&[(1, u64::MAX)]), RefusalKind::OverBudget),
            (
                buffers(&[(1, 20 * MIB), (1, 20 * MIB)]),
                RefusalKind::Malformed,
            ),
            (
                buffers(&[(1, 20 * MIB), (2, 21 * MIB)]),
                RefusalKind::Malformed,
            ),
        ] {
            let (found, message) = ledger.apply(&refused, manager_of).unwrap_err();
            assert_eq!(found, kind, "{message}");
            assert_eq!(capacities(&ledger), [30 * MIB, 30 * MIB]);
            assert_eq!(ledger.changed_write_buffer_bytes(0), None);
            assert_eq!(ledger.generation(), 5);
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Admit(Option<u64>),
        Release(usize),
        AdmitManager(u64, Option<u64>),
        ReleaseManager(u64),
        Apply(Vec<(usize, u64)>, Option<(usize, u64)>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let size = || 0..40 * MIB;
        prop_oneof![
            prop::option::of(size()).prop_map(Step::Admit),
            (0..64_usize).prop_map(Step::Release),
            (0..4_u64, prop::option::of(size()))
                .prop_map(|(id, size)| Step::AdmitManager(id, size)),
            (0..4_u64).prop_map(Step::ReleaseManager),
            (
                prop::collection::vec((0..64_usize, size()), 0..5),
                prop::option::of((0..64_usize, size()))
            )
                .prop_map(|(caches, buffers)| Step::Apply(caches, buffers)),
        ]
    }

    proptest! {
        #[test]
        fn the_sum_never_exceeds_the_budget_not_even_between_two_resizes(
            base in 0..128 * MIB,
            percent in prop_oneof![Just(50_u32), Just(150)],
            steps in prop::collection::vec(step(), 1..60),
        ) {
            // All of the budget: the caches' part and what the managers' first sizes take.
            let came_with = 20 * MIB;
            let cost = |bytes: u64| u128::from(bytes) * u128::from(percent) / 100;
            let mut ledger = Ledger::new(base, percent);
            let mut caches: BTreeMap<CacheId, u64> = BTreeMap::new();
            let mut managers: BTreeMap<ManagerId, u64> = BTreeMap::new();
            let mut next = 1;
            for step in steps {
                let live: Vec<CacheId> = caches.keys().copied().collect();
                let resizes = match step {
                    Step::Admit(wanted) => {
                        let id = CacheId(next);
                        next += 1;
                        caches.insert(id, 0);
                        ledger.admit(id, wanted)
                    }
                    Step::Release(_) | Step::Apply(..) if live.is_empty() => continue,
                    Step::Release(n) => {
                        let id = live[n % live.len()];
                        caches.remove(&id);
                        ledger.release(id)
                    }
                    Step::AdmitManager(id, _) if managers.contains_key(&id) => continue,
                    Step::AdmitManager(id, wanted) => {
                        managers.insert(id, came_with);
                        ledger.admit_manager(id, came_with, wanted)
                    }
                    Step::ReleaseManager(id) => {
                        // Its operators write no more: what it had is free before others get it.
                        managers.remove(&id);
                        ledger.release_manager(id)
                    }
                    Step::Apply(wanted, buffers) => {
                        let id = |n: usize| live[n % live.len()].0;
                        let wanted: Vec<_> = wanted.iter().map(|&(n, bytes)| (id(n), bytes)).collect();
                        let buffers: Vec<_> = buffers.iter().map(|&(n, bytes)| (id(n), bytes)).collect();
                        let generation = ledger.generation() + 1;
                        let asked = with_write_buffers(generation, &wanted, &buffers);
                        ledger.apply(&asked, |cache| Some(cache.0 % 4)).unwrap_or_default()
                    }
                };
                let spent = |caches: &BTreeMap<CacheId, u64>, managers: &BTreeMap<ManagerId, u64>| {
                    let in_managers: u128 = managers.values().map(|&bytes| cost(bytes)).sum();
                    u128::from(caches.values().sum::<u64>()) + in_managers
                };
                let total = u128::from(base) + managers.len() as u128 * cost(came_with);
                // What a manager gave to caches is gone with it, and is taken back before anything grows.
                let allowed = total.max(spent(&caches, &managers));
                for resize in resizes {
                    match resize {
                        Resize::Cache { id, capacity_bytes } => caches.insert(id, capacity_bytes),
                        Resize::WriteBuffers { id, capacity_bytes } => managers.insert(id, capacity_bytes),
                    };
                    // A size restored may be larger than all there is; then caches have nothing.
                    let caches_have_nothing = caches.values().all(|&bytes| bytes == 0);
                    prop_assert!(spent(&caches, &managers) <= allowed || caches_have_nothing);
                }
                let in_caches: u64 = caches.values().sum();
                prop_assert_eq!(in_caches, ledger.allocated_bytes());
                prop_assert!(in_caches <= ledger.cache_budget_bytes());
                prop_assert!(spent(&caches, &managers) <= total || in_caches == 0);
            }
        }
    }
}
