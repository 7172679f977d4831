//! What the hook knows of one cache: the functions it stands in for, and whose database asks.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam::utils::CachePadded;

use crate::operator::OperatorContext;

/// Operators there may be behind one shared cache. What others do there is counted, but as nobody's.
const TENANTS: usize = 256;
/// Neighbours tried when two tenants want the same place.
const PROBES: usize = 16;

/// One cache as the hook sees it. Lives for ever once made; recycled for another cache when RocksDB has destroyed the first.
#[derive(Debug, Default)]
pub struct CacheContext {
    gate: CachePadded<Gate>,
    /// The one operator that has this cache; of a shared cache, whatever belongs to no known operator.
    own: OperatorContext,
    /// The operators behind a shared cache. Made when the first of them comes.
    tenants: OnceLock<Box<[Tenant; TENANTS]>>,
}

/// Read by every look-up, written at attach only.
#[derive(Debug, Default)]
struct Gate {
    /// Addresses of RocksDB's own functions.
    lookup: AtomicUsize,
    insert: AtomicUsize,
    is_shared: AtomicBool,
}

/// An operator behind a shared cache, told by the `Statistics` of its database, which RocksDB passes with every look-up.
#[derive(Debug, Default)]
struct Tenant {
    /// 0: free.
    statistics: AtomicUsize,
    operator: OperatorContext,
}

// === impl CacheContext ===

impl CacheContext {
    /// Notes the functions that the hooks call first. Before the hooks are installed.
    pub(crate) fn set_original(&self, lookup: usize, insert: usize) {
        self.gate.lookup.store(lookup, Ordering::Relaxed);
        self.gate.insert.store(insert, Ordering::Relaxed);
    }

    /// Address of RocksDB's `Lookup`.
    #[inline]
    pub(crate) fn original_lookup(&self) -> usize {
        self.gate.lookup.load(Ordering::Relaxed)
    }

    /// Address of RocksDB's `Insert`.
    #[inline]
    pub(crate) fn original_insert(&self) -> usize {
        self.gate.insert.load(Ordering::Relaxed)
    }

    /// The context for what no tenant did: in a cache of one operator, all of it.
    #[inline]
    pub fn own(&self) -> &OperatorContext {
        &self.own
    }

    /// Whether several operators may stand behind the cache.
    pub fn set_shared(&self, is_shared: bool) {
        self.gate.is_shared.store(is_shared, Ordering::Relaxed);
    }

    /// Whose look-up it is.
    #[inline]
    pub fn operator(&self, statistics: usize) -> &OperatorContext {
        self.operator_at_hand(statistics)
            .unwrap_or_else(|| self.displaced_tenant(statistics))
    }

    /// Whose look-up it is, unless that takes a search: `None` where a tenant may have found its first place taken.
    #[inline]
    pub fn operator_at_hand(&self, statistics: usize) -> Option<&OperatorContext> {
        // Free places hold 0, and so does a look-up of a database without statistics.
        if !self.gate.is_shared.load(Ordering::Relaxed) || statistics == 0 {
            return Some(&self.own);
        }
        let Some(tenants) = self.tenants.get() else {
            return Some(&self.own);
        };
        let first = &tenants[first_place(statistics)];
        (first.statistics.load(Ordering::Relaxed) == statistics).then_some(&first.operator)
    }

    /// A tenant that found its first place taken; kept out of the hook, where it would be unrolled.
    #[cold]
    fn displaced_tenant(&self, statistics: usize) -> &OperatorContext {
        let tenants = self.tenants.get();
        tenants
            .and_then(|tenants| {
                places(statistics)
                    .map(|place| &tenants[place])
                    .find(|tenant| tenant.statistics.load(Ordering::Relaxed) == statistics)
            })
            .map_or(&self.own, |tenant| &tenant.operator)
    }

    /// A context for the database with these statistics; `None` if there are none, if another has them, or if the table is full.
    pub fn admit(&self, statistics: usize) -> Option<&OperatorContext> {
        if statistics == 0 || !std::ptr::eq(self.displaced_tenant(statistics), &self.own) {
            return None;
        }
        let tenants = self.tenants.get_or_init(|| {
            // By way of a slice: made as an array it would pass over the stack, which is too small for it.
            let tenants: Box<[Tenant]> = (0..TENANTS).map(|_| Tenant::default()).collect();
            tenants
                .try_into()
                .unwrap_or_else(|_| unreachable!("there are as many as places"))
        });
        let tenant = places(statistics)
            .map(|place| &tenants[place])
            .find(|tenant| tenant.statistics.load(Ordering::Relaxed) == 0)?;
        // Release: whoever finds the tenant finds its counters as the last one left them, which is before `switch_on`.
        tenant.statistics.store(statistics, Ordering::Release);
        Some(&tenant.operator)
    }

    /// Forgets a tenant; from now on its look-ups are nobody's.
    pub fn dismiss(&self, statistics: usize) {
        let Some(tenants) = self.tenants.get().filter(|_| statistics != 0) else {
            return;
        };
        for place in places(statistics) {
            let _ = tenants[place].statistics.compare_exchange(
                statistics,
                0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
    }
}

#[inline]
fn first_place(statistics: usize) -> usize {
    // Objects of one size come in strides: only a product mixes what differs in their addresses.
    statistics.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (usize::BITS - TENANTS.trailing_zeros())
}

fn places(statistics: usize) -> impl Iterator<Item = usize> {
    let first = first_place(statistics);
    (0..PROBES).map(move |step| (first + step) % TENANTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_are_told_by_their_statistics() {
        let context = CacheContext::default();
        context.set_shared(true);
        let statistics: Vec<usize> = (1..=100).map(|n| 0x7f00_0000_0000 + n * 64).collect();
        for &one in &statistics {
            context.admit(one).unwrap();
        }
        let found: std::collections::HashSet<_> = statistics
            .iter()
            .map(|&one| std::ptr::from_ref(context.operator(one)))
            .collect();
        assert_eq!(found.len(), 100);
        assert!(context.admit(statistics[3]).is_none(), "one tenant each");
        assert!(context.admit(0).is_none());
        assert!(std::ptr::eq(context.operator(0x1234), context.own()));
        assert!(std::ptr::eq(context.operator(0), context.own()));
        context.dismiss(statistics[3]);
        assert!(std::ptr::eq(context.operator(statistics[3]), context.own()));
        assert!(context.admit(statistics[3]).is_some());
    }

    #[test]
    fn a_full_table_turns_away_and_stays_within_bounds() {
        let context = CacheContext::default();
        context.set_shared(true);
        let admitted = (1..=2 * TENANTS)
            .filter(|n| context.admit(n * 4096).is_some())
            .count();
        assert!(
            admitted <= TENANTS && admitted > TENANTS / 2,
            "{admitted} of {TENANTS}"
        );
    }
}
