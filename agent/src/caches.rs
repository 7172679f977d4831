//! Every cache the agent manages: who owns it, its place in the ledger, its estimator.
#![allow(unsafe_code, reason = "binds to handles that the JVM vouches for")]

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use thiserror::Error;
use weir_mrc::{Access, Estimator, EstimatorConfig, Outcome};
use weir_protocol::{
    Allocation, AppliedAllocation, AppliedCapacity, CacheId, OperatorSubtask, Refusal,
};

use crate::context::CacheContext;
use crate::frocksdb::{
    BoundCache, Build, CacheUsage, RefusedBuild, SharedCache, WeakCache, WriteBufferManager,
};
use crate::hook::HookedVtable;
use crate::ledger::{Ledger, Resize};
use crate::sample::{Sample, SampleKind};
use crate::thread;

/// The caches of one TaskManager.
#[derive(Debug)]
pub struct Caches {
    /// Who has how much.
    pub ledger: Ledger,
    /// Live caches.
    pub entries: BTreeMap<CacheId, CacheEntry>,
    /// Hooks of caches that were released: reused once RocksDB has destroyed the cache.
    retired: Vec<(&'static HookedVtable, Option<WeakCache>)>,
    next_id: u32,
}

/// One live cache.
#[derive(Debug)]
pub struct CacheEntry {
    /// Whose it is.
    pub operator: OperatorSubtask,
    /// Exact counters and switch.
    pub context: &'static CacheContext,
    /// What the samples say.
    pub sampling: Arc<Mutex<Sampling>>,
    /// When it was attached.
    pub attached_at: Instant,
    /// Write buffers of the same operator, if known.
    pub write_buffers: Option<WriteBufferManager>,
    cache: BoundCache,
    hooked: &'static HookedVtable,
    weak: Option<WeakCache>,
}

/// What the samples of one cache say.
#[derive(Debug)]
pub struct Sampling {
    /// The curve in the making.
    pub estimator: Estimator,
    /// Nanoseconds from failed look-up to insert, task thread only.
    pub miss_nanos: Histogram<u64>,
    /// Sum of the recorded values, exact.
    pub miss_nanos_sum: u64,
    /// Bytes the cache has for blocks that are not pinned, as last read.
    room_bytes: u64,
    /// Look-ups whose sample was lost, which the estimator must not wait for.
    lost_lookups: f64,
}

/// Longest miss time told apart, one minute; longer ones count as that.
const MAX_MISS_NANOS: u64 = 60_000_000_000;

/// Why a cache was not taken in.
#[derive(Debug, Error)]
pub enum RefusedCache {
    /// Its build is not known.
    #[error(transparent)]
    Build(#[from] RefusedBuild),
    /// Java passed a null handle.
    #[error("the cache handle is null")]
    NullHandle,
    /// The calling thread is being torn down.
    #[error("the registering thread is ending")]
    EndingThread,
}

impl Caches {
    /// No caches yet.
    #[must_use]
    pub fn new(cache_budget_bytes: u64) -> Self {
        Self {
            ledger: Ledger::new(cache_budget_bytes),
            entries: BTreeMap::new(),
            retired: Vec::new(),
            next_id: 1,
        }
    }

    /// Verifies and hooks a cache, and gives it its share of the budget. The calling thread becomes its task thread.
    ///
    /// # Safety
    ///
    /// `handle` must be RocksJava's native handle of a live cache, not yet used by a database, and stay valid until
    /// [`Caches::release`].
    pub unsafe fn register(
        &mut self,
        handle: *mut c_void,
        operator: OperatorSubtask,
        estimator: EstimatorConfig,
    ) -> Result<CacheId, RefusedCache> {
        let shared = handle.cast::<SharedCache>();
        if shared.is_null() {
            return Err(RefusedCache::NullHandle);
        }
        let owner =
            thread::with_current(|thread| thread.number()).ok_or(RefusedCache::EndingThread)?;
        // SAFETY: the caller vouches for the handle.
        let (build, object) = unsafe {
            let object = (*shared).object;
            (Build::of_cache(object)?, object)
        };
        // SAFETY: as above.
        let (cache, weak) = unsafe {
            (
                BoundCache::bind(shared, build.functions),
                WeakCache::of(shared, build.control_vtable),
            )
        };
        let id = self.next_id;
        self.next_id = id.wrapping_add(1).max(1);
        let hooked = self.recycled().unwrap_or_else(|| HookedVtable::leak(build));
        hooked.context().switch_on(id, owner);
        // SAFETY: `of_cache` found the class's own vtable; the copy is new, or its last cache is destroyed.
        unsafe { hooked.install(object) };
        let id = CacheId(u64::from(id));
        let entry = CacheEntry {
            operator,
            context: hooked.context(),
            sampling: Arc::new(Mutex::new(Sampling::new(estimator))),
            attached_at: Instant::now(),
            write_buffers: None,
            cache,
            hooked,
            weak,
        };
        self.entries.insert(id, entry);
        let resizes = self.ledger.admit(id);
        self.put_in_force(&resizes);
        Ok(id)
    }

    /// Lets a cache go. After this the agent does not touch it any more.
    pub fn release(&mut self, id: CacheId) {
        let Some(entry) = self.entries.remove(&id) else {
            return;
        };
        entry.context.switch_off();
        self.retired.push((entry.hooked, entry.weak));
        let resizes = self.ledger.release(id);
        self.put_in_force(&resizes);
    }

    /// Applies an allocation, or refuses it whole.
    pub fn apply(&mut self, allocation: &Allocation) -> Result<AppliedAllocation, Refusal> {
        let resizes = self
            .ledger
            .apply(allocation)
            .map_err(|(kind, message)| Refusal {
                kind,
                message,
                generation: self.ledger.generation(),
            })?;
        self.put_in_force(&resizes);
        Ok(AppliedAllocation {
            generation: self.ledger.generation(),
            caches: self
                .entries
                .iter()
                .map(|(&id, entry)| {
                    let usage = entry.usage();
                    AppliedCapacity {
                        id,
                        capacity_bytes: usage.capacity_bytes,
                        usage_bytes: usage.usage_bytes,
                        pinned_bytes: usage.pinned_bytes,
                    }
                })
                .collect(),
            allocated_bytes: self.ledger.allocated_bytes(),
            cache_budget_bytes: self.ledger.cache_budget_bytes(),
        })
    }

    fn put_in_force(&self, resizes: &[Resize]) {
        for resize in resizes {
            if let Some(entry) = self.entries.get(&resize.id) {
                entry.cache.set_capacity(resize.capacity_bytes);
            }
        }
    }

    /// Hooks made so far: those in use and those that wait for their cache to be destroyed.
    #[must_use]
    pub fn hooks(&self) -> usize {
        self.entries.len() + self.retired.len()
    }

    /// A hook whose cache RocksDB has destroyed, so that no thread can be inside it.
    fn recycled(&mut self) -> Option<&'static HookedVtable> {
        let position = self
            .retired
            .iter()
            .position(|(_, weak)| weak.as_ref().is_some_and(WeakCache::is_gone))?;
        Some(self.retired.swap_remove(position).0)
    }
}

impl CacheEntry {
    /// Sizes as RocksDB says them now.
    #[must_use]
    pub fn usage(&self) -> CacheUsage {
        self.cache.usage()
    }
}

impl Sampling {
    fn new(config: EstimatorConfig) -> Self {
        let miss_nanos = match Histogram::new_with_bounds(1_000, MAX_MISS_NANOS, 2) {
            Ok(histogram) => histogram,
            Err(error) => unreachable!("constant bounds are valid: {error}"),
        };
        Self {
            estimator: Estimator::new(config),
            miss_nanos,
            miss_nanos_sum: 0,
            room_bytes: 0,
            lost_lookups: 0.0,
        }
    }

    /// Takes one sample in.
    pub fn take(&mut self, sample: &Sample, now: Duration) {
        let (outcome, inserts) = match sample.kind {
            SampleKind::Hit => (Outcome::Hit, true),
            SampleKind::MissInserted => (Outcome::Miss, true),
            SampleKind::MissNotInserted => (Outcome::Miss, false),
        };
        if sample.is_task && sample.miss_nanos > 0 {
            let nanos = u64::from(sample.miss_nanos);
            self.miss_nanos.saturating_record(nanos);
            self.miss_nanos_sum += nanos;
        }
        let access = Access {
            hash: sample.hash,
            charge_bytes: u64::from(sample.charge_bytes),
            outcome,
            inserts,
            counted: sample.is_task,
            high_priority: false,
        };
        self.estimator.observe(&access, self.room_bytes, now);
    }

    /// Tells the estimator how many look-ups there were in all, and the hook what to sample next.
    pub fn settle(&mut self, context: &CacheContext, now: Duration) {
        let threshold = self.estimator.threshold();
        // Each lost sample stood for one over the sampling rate look-ups. They are taken off the count, or the estimator
        // would take them for look-ups it had seen and rejected.
        self.lost_lookups +=
            context.take_task_drops() as f64 * (u64::MAX as f64 / threshold.max(1) as f64);
        let (hits, misses) = context.task_hits_and_misses();
        let lookups = hits + misses;
        let kept = (1.0 - self.lost_lookups / lookups.max(1) as f64).clamp(0.0, 1.0);
        let kept = |count: u64| (count as f64 * kept) as u64;
        self.estimator.set_counts(kept(lookups), kept(misses), now);
        context.set_threshold(self.estimator.threshold());
    }

    /// Remembers what the cache has room for.
    pub fn note_usage(&mut self, usage: CacheUsage) {
        self.room_bytes = usage.capacity_bytes.saturating_sub(usage.pinned_bytes);
    }
}
