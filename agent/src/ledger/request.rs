//! What an allocation asks of the ledger: which sizes, and why it is refused.

use std::collections::{BTreeMap, BTreeSet};

use weir_protocol::{Allocation, CacheId, RefusalKind};

use super::{
    CacheSizes, Ledger, MIN_CACHE_BYTES, MIN_WRITE_BUFFER_BYTES, ManagerId, ManagerSizes, Refused,
};

impl Ledger {
    /// The new sizes that an allocation asks for, if it may be applied.
    pub(super) fn check(
        &self,
        allocation: &Allocation,
        manager_of: impl Fn(CacheId) -> Option<ManagerId>,
    ) -> Result<(CacheSizes, ManagerSizes), Refused> {
        if allocation.generation <= self.generation {
            return Err((
                RefusalKind::StaleGeneration,
                format!(
                    "generation {} is not greater than {}, which is in force; read /v1/report again",
                    allocation.generation, self.generation
                ),
            ));
        }
        let caches = self.wanted_caches(allocation)?;
        let managers = self.wanted_managers(allocation, manager_of)?;
        if caches.is_empty() && managers.is_empty() {
            return Err((
                RefusalKind::Malformed,
                "neither a cache nor write buffers are named".to_owned(),
            ));
        }
        let sum = self
            .shares
            .iter()
            .map(|(id, share)| caches.get(id).copied().unwrap_or(share.capacity_bytes))
            .fold(0_u64, u64::saturating_add);
        let budget = self.cache_budget_with(&managers);
        if sum > budget {
            return Err((
                RefusalKind::OverBudget,
                format!(
                    "all caches together would have {sum} bytes, {} more than the budget of {budget} that remains beside the write buffers; nothing was changed",
                    sum - budget,
                ),
            ));
        }
        Ok((caches, managers))
    }

    fn wanted_caches(&self, allocation: &Allocation) -> Result<CacheSizes, Refused> {
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
        Ok(wanted)
    }

    fn wanted_managers(
        &self,
        allocation: &Allocation,
        manager_of: impl Fn(CacheId) -> Option<ManagerId>,
    ) -> Result<ManagerSizes, Refused> {
        let mut wanted = BTreeMap::new();
        let mut named = BTreeSet::new();
        for buffers in &allocation.write_buffers {
            let cache = buffers.cache;
            let manager = manager_of(cache).filter(|id| self.managers.contains_key(id));
            let Some(manager) = manager else {
                return Err((
                    RefusalKind::UnknownWriteBuffers,
                    format!(
                        "no write buffer manager is known behind cache {cache}; read /v1/report again"
                    ),
                ));
            };
            let bytes = buffers.capacity_bytes;
            if bytes < MIN_WRITE_BUFFER_BYTES {
                return Err((
                    RefusalKind::BelowMinimum,
                    format!(
                        "{bytes} bytes for the write buffers of cache {cache} are less than the minimum of {MIN_WRITE_BUFFER_BYTES}"
                    ),
                ));
            }
            if !named.insert(cache) {
                return Err((
                    RefusalKind::Malformed,
                    format!("the write buffers of cache {cache} are named twice"),
                ));
            }
            match wanted.insert(manager, bytes) {
                Some(other) if other != bytes => {
                    return Err((
                        RefusalKind::Malformed,
                        format!(
                            "the write buffers of cache {cache} are given {bytes} bytes, and {other} by the name of another cache that shares them"
                        ),
                    ));
                }
                _ => {}
            }
        }
        Ok(wanted)
    }
}
