//! Every cache the agent manages: who owns it, its place in the ledger, its estimator.
#![allow(unsafe_code, reason = "binds to handles that the JVM vouches for")]

mod entry;

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;
use weir_mrc::{EstimatorConfig, SamplingThresholds};
use weir_protocol::{
    Allocation, AppliedAllocation, AppliedCapacity, CacheId, ContainerMemory, MemoryMode,
    OperatorSubtask, Refusal, RefusalKind, WriteCounts,
};

use crate::frocksdb::{BoundCache, Build, Listener, RefusedBuild, SharedPointer};
use crate::hook::HookedVtable;
use crate::ledger::{Ledger, ManagerId, Resize};
use crate::memory_limit;
use crate::remembered::{RememberedSizes, Sizes};
use crate::sampling::SampledCache;
use crate::write_buffers::WriteBufferManagers;
use crate::writes::{self, WriteTotals};

pub use entry::{CacheEntry, OperatorEntry};

/// The caches of one TaskManager.
#[derive(Debug)]
pub struct Caches {
    mode: MemoryMode,
    /// Who has how much.
    pub ledger: Ledger,
    /// The RocksDB whose caches were hooked, if any was so far.
    pub hooked: Option<&'static Build>,
    /// Live caches.
    pub entries: BTreeMap<CacheId, CacheEntry>,
    /// Write buffer managers behind their operators.
    pub write_buffers: WriteBufferManagers,
    /// Listeners that Java holds for databases, by handle, with what they count.
    listeners: BTreeMap<usize, (Listener, Arc<WriteTotals>)>,
    /// What operators that have left were given, for when they come back.
    remembered: RememberedSizes,
    /// Hooks of caches that were released: reused once RocksDB has destroyed the cache.
    retired: Vec<(&'static HookedVtable, BoundCache)>,
    next_id: u32,
}

/// What Java hands over when an operator's database is about to be opened.
#[derive(Debug)]
pub struct Registration {
    /// RocksJava's native handle of the cache.
    pub cache: *mut c_void,
    /// RocksJava's native handle of the `Statistics` that this operator's database alone has; null where the operator is alone
    /// behind its cache.
    pub statistics: *mut c_void,
    /// Whose it is.
    pub operator: OperatorSubtask,
}

/// Why a cache was not taken in.
#[derive(Debug, Error)]
pub enum RefusedCache {
    /// Its build is not known.
    #[error(transparent)]
    Build(#[from] RefusedBuild),
    /// Java passed a null handle.
    #[error("the cache handle is null")]
    NullHandle,
    /// In this mode operators share a cache and are told apart by their statistics.
    #[error("an operator behind a shared cache needs statistics of its own, and none were given")]
    NoStatistics,
    /// Two operators would be one, or there are too many.
    #[error(
        "the operator cannot be told apart behind the shared cache: its statistics are in use, or the cache has too many operators"
    )]
    NoPlace,
    /// Nobody could tell when it is gone.
    #[error("the cache's handle is not a shared pointer as RocksDB {0} makes them")]
    ForeignPointer(&'static str),
    /// Only a cache of its own can be given to an operator.
    #[error("the cache is already registered; in mode per-operator each operator has its own")]
    AlreadyRegistered,
}

impl Caches {
    /// No caches yet, and an empty ledger.
    #[must_use]
    pub fn new(mode: MemoryMode, ledger: Ledger) -> Self {
        Self {
            mode,
            ledger,
            hooked: None,
            entries: BTreeMap::new(),
            write_buffers: WriteBufferManagers::default(),
            listeners: BTreeMap::new(),
            remembered: RememberedSizes::default(),
            retired: Vec::new(),
            next_id: 1,
        }
    }

    /// Takes in an operator's cache, verified and hooked on first sight. The calling thread becomes the operator's task thread.
    /// Returns the number to give to [`Caches::release`].
    ///
    /// Per operator, the cache gets its share of the budget at once. A shared cache keeps the capacity Flink gave it, as long as
    /// that is within the budget; one that is only observed keeps it whatever it is. What an allocation had given the operator
    /// before it was restarted, it gets again.
    ///
    /// # Safety
    ///
    /// The cache handle must be RocksJava's of a live cache, the statistics handle null or RocksJava's of live statistics. Neither
    /// is used after the call.
    pub unsafe fn register(
        &mut self,
        registration: Registration,
        estimator: EstimatorConfig,
    ) -> Result<u32, RefusedCache> {
        let shared = registration.cache.cast::<SharedPointer>();
        if shared.is_null() {
            return Err(RefusedCache::NullHandle);
        }
        // A cache that was destroyed unannounced may have had the address of this one.
        self.sweep();
        let remembered = self.remembered.of(&registration.operator).cache_bytes;
        // SAFETY: the caller vouches for the handles; a `shared_ptr` starts with the object's address.
        let (object, statistics) = unsafe {
            let statistics = registration.statistics.cast::<usize>();
            (
                (*shared).object,
                statistics.as_ref().copied().unwrap_or_default(),
            )
        };
        let known = self.entry_of(object);
        let is_shared = self.mode != MemoryMode::PerOperator;
        match (is_shared, known) {
            (true, _) if statistics == 0 => Err(RefusedCache::NoStatistics),
            (true, Some(cache)) => {
                self.admit_tenant(cache, statistics, registration.operator, estimator)
            }
            (true, None) => {
                // SAFETY: as above.
                let (cache, capacity_bytes) = unsafe { self.attach(shared, Some(estimator))? };
                let admitted =
                    self.admit_tenant(cache, statistics, registration.operator, estimator);
                match admitted {
                    Err(_) => self.detach(cache),
                    Ok(_) if self.mode == MemoryMode::Shared => {
                        let resizes = self.ledger.admit_at(cache, capacity_bytes, remembered);
                        self.put_in_force(&resizes);
                    }
                    Ok(_) => {}
                }
                admitted
            }
            (false, Some(_)) => Err(RefusedCache::AlreadyRegistered),
            (false, None) => {
                // SAFETY: as above.
                let (cache, _) = unsafe { self.attach(shared, None)? };
                let id = cache_number(cache);
                if let Some(entry) = self.entries.get_mut(&cache) {
                    let context = entry.hooked.context().own();
                    entry.add(id, context, 0, registration.operator, estimator);
                }
                let resizes = self.ledger.admit(cache, remembered);
                self.put_in_force(&resizes);
                Ok(id)
            }
        }
    }

    /// Verifies and hooks a cache that nobody has registered yet; its number and capacity.
    ///
    /// # Safety
    ///
    /// As for [`Caches::register`].
    unsafe fn attach(
        &mut self,
        shared: *mut SharedPointer,
        whole: Option<EstimatorConfig>,
    ) -> Result<(CacheId, u64), RefusedCache> {
        // SAFETY: the caller vouches for the handle.
        let object = unsafe { (*shared).object };
        // A shared cache whose operators had all been released is hooked still, if it lives and a new one comes.
        // SAFETY: as above.
        let retired = self
            .retired
            .iter()
            .position(|(hooked, _)| unsafe { hooked.is_installed_in(object) });
        let (hooked, cache) = if let Some(position) = retired {
            self.retired.swap_remove(position)
        } else {
            // SAFETY: as above.
            unsafe {
                let build = Build::of_cache(object)?;
                let cache = BoundCache::bind(shared, build)
                    .ok_or(RefusedCache::ForeignPointer(build.version))?;
                let hooked = self
                    .recycled(build)
                    .unwrap_or_else(|| HookedVtable::leak(build));
                // `of_cache` found the class's own vtable; the copy is new, or its last cache is destroyed.
                hooked.install(object);
                (hooked, cache)
            }
        };
        self.hooked = Some(hooked.build());
        hooked.context().set_shared(whole.is_some());
        let id = self.next_number();
        if whole.is_some() {
            // What belongs to no operator is counted. No thread is its task thread, and it is not sampled.
            hooked.context().own().switch_on(id, 0);
            let own = hooked.context().own();
            own.set_thresholds(&SamplingThresholds::NONE);
        }
        let capacity_bytes = cache.usage().capacity_bytes;
        let entry = CacheEntry {
            operators: BTreeMap::new(),
            sampled: Arc::new(SampledCache::new(whole)),
            attached_at: Instant::now(),
            shape: cache.shape(),
            departed: Vec::new(),
            departed_writes: None,
            cache,
            came_with_bytes: capacity_bytes,
            hooked,
        };
        let id = CacheId(u64::from(id));
        self.entries.insert(id, entry);
        Ok((id, capacity_bytes))
    }

    fn admit_tenant(
        &mut self,
        cache: CacheId,
        statistics: usize,
        operator: OperatorSubtask,
        estimator: EstimatorConfig,
    ) -> Result<u32, RefusedCache> {
        let id = self.next_number();
        let entry = self.entries.get_mut(&cache).ok_or(RefusedCache::NoPlace)?;
        let context = entry
            .hooked
            .context()
            .admit(statistics)
            .ok_or(RefusedCache::NoPlace)?;
        entry.add(id, context, statistics, operator, estimator);
        Ok(id)
    }

    fn next_number(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1).max(1);
        id
    }

    fn entry_of(&self, object: *mut c_void) -> Option<CacheId> {
        let mut entries = self.entries.iter();
        entries
            .find(|(_, entry)| entry.cache.object() == object)
            .map(|(&id, _)| id)
    }

    /// Tells which write buffer manager an operator writes through; a later call replaces an earlier one. False if there is no
    /// such operator, or if the manager cannot be read.
    ///
    /// # Safety
    ///
    /// The handle must be null or RocksJava's of a live manager of the build that made the operator's cache.
    pub unsafe fn write_through(&mut self, operator: u32, handle: *const c_void) -> bool {
        let Some((build, subtask)) = self.operator_mut(operator).map(|(hooked, entry)| {
            let subtask = entry.operator.clone();
            (hooked.build(), subtask)
        }) else {
            return false;
        };
        // SAFETY: the caller vouches for the handle.
        let Some((manager, came_with_bytes)) =
            (unsafe { self.write_buffers.join(operator, handle, build) })
        else {
            return false;
        };
        let earlier = self
            .operator_mut(operator)
            .and_then(|(_, entry)| entry.write_buffers.replace(manager));
        if let Some(earlier) = earlier.filter(|earlier| *earlier != manager) {
            self.leave(operator, earlier);
        }
        if let Some(came_with_bytes) = came_with_bytes.filter(|_| self.mode != MemoryMode::Observe)
        {
            let remembered = self.remembered.of(&subtask).write_buffer_bytes;
            let resizes = self
                .ledger
                .admit_manager(manager, came_with_bytes, remembered);
            self.put_in_force(&resizes);
        }
        true
    }

    /// A listener for a database that is about to be opened: the address of its `shared_ptr`, valid until it is given to
    /// [`Caches::drop_listener`]. `None` if RocksDB's listeners are not as expected.
    pub fn make_listener(&mut self, build: &'static Build) -> Option<usize> {
        let totals = Arc::new(WriteTotals::default());
        let listener = build.listener(totals.clone())?;
        let handle = listener.handle() as usize;
        self.listeners.insert(handle, (listener, totals));
        Some(handle)
    }

    /// Tells which listener hears the database of an operator. Of several caches that one database has, the first is told.
    pub fn listen_to(&mut self, operator: u32, handle: usize) {
        let Some((_, totals)) = self.listeners.get(&handle) else {
            return;
        };
        let totals = totals.clone();
        let mut operators = self.entries.values().flat_map(|e| e.operators.values());
        let is_taken =
            operators.any(|o| o.writes.as_ref().is_some_and(|w| Arc::ptr_eq(w, &totals)));
        if !is_taken && let Some((_, entry)) = self.operator_mut(operator) {
            entry.writes = Some(totals);
        }
    }

    /// Listeners that Java holds.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.listeners.len()
    }

    /// Java needs a listener no more. The databases that have it keep it.
    pub fn drop_listener(&mut self, handle: usize) {
        self.listeners.remove(&handle);
    }

    /// An operator writes through a manager no more. The last one to leave leaves it as it came.
    fn leave(&mut self, operator: u32, manager: ManagerId) {
        if self.write_buffers.leave(operator, manager) {
            let resizes = self.ledger.release_manager(manager);
            self.put_in_force(&resizes);
        }
    }

    /// Lets an operator go, and with the last one behind it its cache. After that the agent does not touch either any more.
    pub fn release(&mut self, id: u32) {
        let Some((&cache, entry)) = self
            .entries
            .iter_mut()
            .find(|(_, entry)| entry.operators.contains_key(&id))
        else {
            return;
        };
        let Some(operator) = entry.operators.remove(&id) else {
            return;
        };
        operator.sampled.context.switch_off();
        entry.hooked.context().dismiss(operator.statistics);
        entry.sampled.part_with(&operator.sampled);
        entry::add_counts(&mut entry.departed, &operator.sampled.context.lookups());
        let written = operator.writes.as_ref().and_then(|writes| writes.counts());
        let written = written.map(|counts| WriteCounts {
            live_bytes: None,
            ..counts
        });
        entry.departed_writes = writes::add(entry.departed_writes, written);
        let is_last = entry.operators.is_empty();
        let came_with_bytes = entry.came_with_bytes;
        let sizes = Sizes {
            cache_bytes: self
                .ledger
                .wanted_bytes(cache)
                .filter(|&bytes| self.mode == MemoryMode::PerOperator || bytes != came_with_bytes),
            write_buffer_bytes: operator
                .write_buffers
                .and_then(|manager| self.ledger.changed_write_buffer_bytes(manager)),
        };
        self.remembered.keep(&operator.operator, sizes);
        if let Some(manager) = operator.write_buffers {
            self.leave(id, manager);
        }
        if is_last {
            if self.mode == MemoryMode::Shared
                && let Some(entry) = self.entries.get(&cache)
            {
                // Its slot may give it to another job.
                entry.cache.set_capacity(came_with_bytes);
            }
            self.detach(cache);
            let resizes = self.ledger.release(cache);
            self.put_in_force(&resizes);
        }
    }

    /// Lets go what RocksDB has destroyed without the agent being told: a restore that failed half-way, handles that a garbage
    /// collector closed.
    pub fn sweep(&mut self) {
        let gone = self.entries.values().filter(|entry| entry.cache.is_gone());
        let operators: Vec<u32> = gone
            .flat_map(|entry| entry.operators.keys().copied())
            .collect();
        for operator in operators {
            self.release(operator);
        }
        for manager in self.write_buffers.gone() {
            for entry in self.entries.values_mut() {
                for operator in entry.operators.values_mut() {
                    operator.write_buffers.take_if(|id| *id == manager);
                }
            }
            self.write_buffers.forget(manager);
            let resizes = self.ledger.release_manager(manager);
            self.put_in_force(&resizes);
        }
    }

    fn detach(&mut self, cache: CacheId) {
        if let Some(entry) = self.entries.remove(&cache) {
            entry.hooked.context().own().switch_off();
            self.retired.push((entry.hooked, entry.cache));
        }
    }

    /// The operator with this number.
    pub fn operator_mut(&mut self, id: u32) -> Option<(&'static HookedVtable, &mut OperatorEntry)> {
        self.entries.values_mut().find_map(|entry| {
            let hooked = entry.hooked;
            Some((hooked, entry.operators.get_mut(&id)?))
        })
    }

    /// Applies an allocation, or refuses it whole. `memory` is what the container has left, if that is known: nothing grows into
    /// what is not there.
    pub fn apply(
        &mut self,
        allocation: &Allocation,
        memory: Option<&ContainerMemory>,
    ) -> Result<AppliedAllocation, Refusal> {
        let generation = self.ledger.generation();
        let refused = |(kind, message)| Refusal {
            kind,
            message,
            generation,
        };
        if self.mode == MemoryMode::Observe {
            let message = "weir.memory.mode is observe: caches are watched and keep their sizes; set it to shared or per-operator";
            return Err(refused((RefusalKind::Unavailable, message.to_owned())));
        }
        let behind: BTreeMap<CacheId, ManagerId> = self
            .entries
            .iter()
            .filter_map(|(&id, entry)| Some((id, entry.manager()?)))
            .collect();
        let manager_of = |cache: CacheId| behind.get(&cache).copied();
        if let Some(memory) = memory {
            let growth_bytes = self.ledger.growth_bytes(allocation, manager_of);
            memory_limit::refuse_growth(memory, growth_bytes)
                .map_err(|message| refused((RefusalKind::MemoryPressure, message)))?;
        }
        let resizes = self.ledger.apply(allocation, manager_of).map_err(refused)?;
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
            write_buffers: self.write_buffers.applied(),
            allocated_bytes: self.ledger.allocated_bytes(),
            cache_budget_bytes: self.ledger.cache_budget_bytes(),
        })
    }

    fn put_in_force(&self, resizes: &[Resize]) {
        for resize in resizes {
            match *resize {
                Resize::Cache { id, capacity_bytes } => {
                    if let Some(entry) = self.entries.get(&id) {
                        entry.cache.set_capacity(capacity_bytes);
                    }
                }
                Resize::WriteBuffers { id, capacity_bytes } => {
                    self.write_buffers.set_capacity(id, capacity_bytes);
                }
            }
        }
    }

    /// Capacities of all caches together.
    #[must_use]
    pub fn allocated_bytes(&self) -> u64 {
        match self.mode {
            MemoryMode::Observe => self
                .entries
                .values()
                .map(|entry| entry.usage().capacity_bytes)
                .sum(),
            MemoryMode::Shared | MemoryMode::PerOperator => self.ledger.allocated_bytes(),
        }
    }

    /// Hooks made so far: those in use and those that wait for their cache to be destroyed.
    #[must_use]
    pub fn hooks(&self) -> usize {
        self.entries.len() + self.retired.len()
    }

    /// A hook of this build whose cache RocksDB has destroyed, so that no thread can be inside it.
    fn recycled(&mut self, build: &Build) -> Option<&'static HookedVtable> {
        let position = self
            .retired
            .iter()
            .position(|(hooked, cache)| std::ptr::eq(hooked.build(), build) && cache.is_gone())?;
        Some(self.retired.swap_remove(position).0)
    }
}

/// Caches and operators are numbered alike, and no number is above 32 bits.
fn cache_number(id: CacheId) -> u32 {
    u32::try_from(id.0).unwrap_or_default()
}
