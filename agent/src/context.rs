//! What the hook knows of one cache: its switch, its sampling threshold, its exact counters.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crossbeam::utils::CachePadded;
use weir_protocol::{BlockRole, Caller, LookupCount, LookupResult};

const ROLES: [BlockRole; 4] = [
    BlockRole::Data,
    BlockRole::Index,
    BlockRole::Filter,
    BlockRole::Other,
];
const CALLERS: [Caller; 4] = [
    Caller::Task,
    Caller::Compaction,
    Caller::Flush,
    Caller::Other,
];
const RESULTS: [LookupResult; 2] = [LookupResult::Hit, LookupResult::Miss];

/// Set when the collector has given up: then nobody would read the samples.
static SAMPLING_STOPPED: AtomicBool = AtomicBool::new(false);

/// Ends sampling in all caches, present and future, for the rest of the process; exact counts go on.
pub fn stop_sampling<'a>(contexts: impl Iterator<Item = &'a CacheContext>) {
    SAMPLING_STOPPED.store(true, Ordering::Relaxed);
    contexts.for_each(|context| context.set_threshold(0));
}

/// One cache as the hook sees it. Lives for ever once made; recycled for another cache when RocksDB has destroyed the first.
#[derive(Debug, Default)]
pub struct CacheContext {
    /// Read by every look-up, written rarely. Padded against the counters, which are written by every look-up.
    gate: CachePadded<Gate>,
    /// By caller, then role and result: eight counters are one cache line, so callers do not disturb each other.
    counters: [CachePadded<[AtomicU64; 8]>; 4],
    /// Samples of the task thread that found the ring full, since the collector last asked.
    task_drops: AtomicU64,
}

#[derive(Debug, Default)]
struct Gate {
    /// 0: switched off.
    cache_id: AtomicU32,
    /// Number of the task thread that owns the cache, see [`crate::thread::ThreadSlot`].
    owner: AtomicU64,
    /// An access is sampled iff its hash is below.
    threshold: AtomicU64,
}

impl CacheContext {
    /// Starts recording for a cache: counters at zero, everything sampled.
    pub fn switch_on(&self, cache_id: u32, owner_thread: u64) {
        for counter in self.counters.iter().flat_map(|line| line.iter()) {
            counter.store(0, Ordering::Relaxed);
        }
        self.task_drops.store(0, Ordering::Relaxed);
        self.gate.owner.store(owner_thread, Ordering::Relaxed);
        self.set_threshold(u64::MAX);
        // Release: whoever sees the id sees the counters cleared.
        self.gate.cache_id.store(cache_id, Ordering::Release);
    }

    /// Stops recording. The hook stays where it is and passes everything on.
    pub fn switch_off(&self) {
        self.gate.cache_id.store(0, Ordering::Release);
    }

    /// Number of the cache; 0 while switched off.
    #[inline]
    pub fn cache_id(&self) -> u32 {
        self.gate.cache_id.load(Ordering::Relaxed)
    }

    /// Thread that counts as the cache's task thread.
    #[inline]
    pub fn owner(&self) -> u64 {
        self.gate.owner.load(Ordering::Relaxed)
    }

    /// An access is sampled iff its hash is below this.
    #[inline]
    pub fn threshold(&self) -> u64 {
        self.gate.threshold.load(Ordering::Relaxed)
    }

    /// Sets the sampling threshold, unless sampling was stopped.
    pub fn set_threshold(&self, threshold: u64) {
        let is_stopped = SAMPLING_STOPPED.load(Ordering::Relaxed);
        let threshold = if is_stopped { 0 } else { threshold };
        self.gate.threshold.store(threshold, Ordering::Relaxed);
    }

    /// Counts one look-up.
    #[inline]
    pub fn count(&self, caller: Caller, role: BlockRole, result: LookupResult) {
        let counter = &self.counters[caller as usize][(role as usize) << 1 | result as usize];
        if matches!(caller, Caller::Task) {
            // One task thread owns the cache, so nobody else writes this line: no locked instruction needed.
            counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        } else {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that a sample of the task thread was lost.
    pub fn note_task_drop(&self) {
        self.task_drops.fetch_add(1, Ordering::Relaxed);
    }

    /// Lost samples of the task thread since the last call.
    pub fn take_task_drops(&self) -> u64 {
        self.task_drops.swap(0, Ordering::Relaxed)
    }

    /// Look-ups of the task thread so far: those that hit, and those that missed.
    pub fn task_hits_and_misses(&self) -> (u64, u64) {
        let line = &self.counters[Caller::Task as usize];
        let sum = |result: LookupResult| {
            let of_roles = line.iter().skip(result as usize).step_by(RESULTS.len());
            of_roles
                .map(|counter| counter.load(Ordering::Relaxed))
                .sum()
        };
        (sum(LookupResult::Hit), sum(LookupResult::Miss))
    }

    /// Every counter that is not zero.
    pub fn lookups(&self) -> Vec<LookupCount> {
        let mut counts = Vec::new();
        for caller in CALLERS {
            for role in ROLES {
                for result in RESULTS {
                    let count = self.counters[caller as usize]
                        [(role as usize) << 1 | result as usize]
                        .load(Ordering::Relaxed);
                    if count > 0 {
                        counts.push(LookupCount {
                            role,
                            caller,
                            result,
                            count,
                        });
                    }
                }
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_has_a_counter_of_its_own() {
        let context = CacheContext::default();
        context.switch_on(3, 9);
        let mut expected = Vec::new();
        let mut times = 0;
        for caller in CALLERS {
            for role in ROLES {
                for result in RESULTS {
                    times += 1;
                    for _ in 0..times {
                        context.count(caller, role, result);
                    }
                    expected.push(LookupCount {
                        role,
                        caller,
                        result,
                        count: times,
                    });
                }
            }
        }
        assert_eq!(context.lookups(), expected);
        assert_eq!(
            context.task_hits_and_misses(),
            (1 + 3 + 5 + 7, 2 + 4 + 6 + 8)
        );
        context.switch_on(4, 9);
        assert!(
            context.lookups().is_empty(),
            "recycled contexts start at zero"
        );
    }
}
