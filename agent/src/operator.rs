//! What the hook knows of one operator subtask behind a cache: its switch, its sampling threshold, its exact counters.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crossbeam::utils::CachePadded;
use weir_mrc::SamplingThresholds;
use weir_protocol::{BlockRole, Caller, LookupCount, LookupResult};

use crate::thread;

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
/// Of so many look-ups of the task thread with the same role and result one is followed by one that is timed: reading the clock
/// costs more than the hook. A power of two.
const LOOKUPS_PER_TIMING: u64 = 1024;

/// Set when the collector has given up: then nobody would read the samples.
static SAMPLING_STOPPED: AtomicBool = AtomicBool::new(false);

/// Ends sampling of all operators, present and future, for the rest of the process; exact counts go on.
pub fn stop_sampling<'a>(operators: impl Iterator<Item = &'a OperatorContext>) {
    SAMPLING_STOPPED.store(true, Ordering::Relaxed);
    operators.for_each(|operator| operator.set_thresholds(&SamplingThresholds::NONE));
}

/// One operator subtask behind one cache.
#[derive(Debug, Default)]
pub struct OperatorContext {
    /// Read by every look-up, written rarely. Padded against the counters, which are written by every look-up.
    gate: CachePadded<Gate>,
    /// By caller, on a line of its own each, so that callers do not disturb each other.
    counters: [CachePadded<Counters>; 4],
    /// What the samples of the task thread stood for that found the ring full, since the collector last asked.
    lost_lookups: AtomicU64,
}

/// What one kind of caller did, by role and result: one line of the cache.
#[derive(Debug, Default)]
struct Counters {
    counts: [AtomicU64; 8],
}

#[derive(Debug, Default)]
struct Gate {
    /// 0: switched off.
    id: AtomicU32,
    /// [`thread::pointer`] of the operator's task thread; 0: it has none.
    owner: AtomicUsize,
    /// By stratum: an access is sampled iff its hash is below.
    limits: [AtomicU64; SamplingThresholds::STRATA],
    /// The highest of them.
    ceiling: AtomicU64,
    /// Whether a data block was seen that is not small.
    has_large_data: AtomicBool,
    /// Whether the next look-up of the task thread is to be timed. Here, where every look-up reads anyway.
    is_timing_due: AtomicBool,
}

// === impl OperatorContext ===

impl OperatorContext {
    /// Starts recording: counters at zero, everything sampled. `owner_thread` is the [`thread::pointer`] of its task thread.
    pub fn switch_on(&self, id: u32, owner_thread: usize) {
        for counter in self.counters.iter().flat_map(|line| &line.counts) {
            counter.store(0, Ordering::Relaxed);
        }
        self.lost_lookups.store(0, Ordering::Relaxed);
        self.begin_timing();
        self.gate.has_large_data.store(false, Ordering::Relaxed);
        self.gate.owner.store(owner_thread, Ordering::Relaxed);
        self.set_thresholds(&SamplingThresholds::ALL);
        // Release: whoever sees the id sees the counters cleared.
        self.gate.id.store(id, Ordering::Release);
    }

    /// Stops recording. The hook stays where it is and passes everything on.
    pub fn switch_off(&self) {
        // Without a task thread and thresholds a look-up takes the path that asks for the id.
        self.gate.owner.store(0, Ordering::Relaxed);
        self.set_thresholds(&SamplingThresholds::NONE);
        self.gate.id.store(0, Ordering::Release);
    }

    /// Number of the operator, unique in the process; 0 while switched off.
    #[inline]
    pub fn id(&self) -> u32 {
        self.gate.id.load(Ordering::Relaxed)
    }

    /// Whether this is the operator's task thread.
    #[inline]
    pub fn is_task_thread(&self) -> bool {
        self.gate.owner.load(Ordering::Relaxed) == thread::pointer()
    }

    /// As whom this thread counts.
    #[inline]
    pub fn caller(&self) -> Caller {
        if self.is_task_thread() {
            Caller::Task
        } else {
            other_caller()
        }
    }

    /// Of small blocks, see [`SamplingThresholds::SMALL_BYTES`], those are sampled whose hash is below this.
    #[inline]
    pub fn small_limit(&self) -> u64 {
        self.gate.limits[0].load(Ordering::Relaxed)
    }

    /// No block whose hash is not below this is sampled, whatever its size.
    #[inline]
    pub fn ceiling(&self) -> u64 {
        self.gate.ceiling.load(Ordering::Relaxed)
    }

    /// No missing block of this role whose hash is not below this is sampled, as far as is known.
    #[inline]
    pub fn miss_ceiling(&self, role: BlockRole) -> u64 {
        let is_small = role == BlockRole::Data && !self.gate.has_large_data.load(Ordering::Relaxed);
        if is_small {
            self.small_limit()
        } else {
            self.ceiling()
        }
    }

    /// Notes a sampled block.
    pub fn note_block(&self, role: BlockRole, charge_bytes: usize) {
        if role == BlockRole::Data && charge_bytes as u64 >= SamplingThresholds::SMALL_BYTES {
            self.gate.has_large_data.store(true, Ordering::Relaxed);
        }
    }

    /// Hashes below this are sampled among blocks of this size.
    #[inline]
    pub fn limit(&self, charge_bytes: usize) -> u64 {
        let stratum = SamplingThresholds::stratum_of(charge_bytes as u64);
        self.gate.limits[stratum].load(Ordering::Relaxed)
    }

    /// Sets what is sampled, unless sampling was stopped.
    pub fn set_thresholds(&self, thresholds: &SamplingThresholds) {
        let is_stopped = SAMPLING_STOPPED.load(Ordering::Relaxed);
        let thresholds = if is_stopped {
            &SamplingThresholds::NONE
        } else {
            thresholds
        };
        for (limit, new) in self.gate.limits.iter().zip(thresholds.limits()) {
            limit.store(new, Ordering::Relaxed);
        }
        self.gate
            .ceiling
            .store(thresholds.ceiling(), Ordering::Relaxed);
    }

    /// Whether this look-up is to be timed: every so often, and on the task thread.
    #[inline]
    pub fn is_timing_due(&self) -> bool {
        self.gate.is_timing_due.load(Ordering::Relaxed) && self.is_task_thread()
    }

    /// The look-up that is timed has come.
    pub fn begin_timing(&self) {
        self.gate.is_timing_due.store(false, Ordering::Relaxed);
    }

    /// Counts one look-up of this thread.
    #[inline]
    pub fn count_mine(&self, role: BlockRole, result: LookupResult) {
        if self.is_task_thread() {
            self.count(Caller::Task, role, result);
        } else {
            self.count_of_others(role, result);
        }
    }

    #[cold]
    fn count_of_others(&self, role: BlockRole, result: LookupResult) {
        if self.id() != 0 {
            self.count(other_caller(), role, result);
        }
    }

    /// Counts one look-up.
    #[inline]
    pub fn count(&self, caller: Caller, role: BlockRole, result: LookupResult) {
        let line = &self.counters[caller as usize];
        let counter = &line.counts[index(role, result)];
        if matches!(caller, Caller::Task) {
            // One task thread owns the operator, so nobody else writes this line: no locked instruction needed.
            let count = counter.load(Ordering::Relaxed) + 1;
            counter.store(count, Ordering::Relaxed);
            if count.is_multiple_of(LOOKUPS_PER_TIMING) {
                self.gate.is_timing_due.store(true, Ordering::Relaxed);
            }
        } else {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that a sample of the task thread was lost, of a block of this size.
    pub fn note_loss(&self, charge_bytes: usize) {
        // It stood for one over the sampling rate look-ups. Sixteenths, because rates near 1 are common.
        if let Some(sixteenths) = u64::MAX.checked_div(self.limit(charge_bytes) / 16) {
            self.lost_lookups.fetch_add(sixteenths, Ordering::Relaxed);
        }
    }

    /// What the lost samples of the task thread stood for since the last call.
    pub fn take_lost_lookups(&self) -> f64 {
        self.lost_lookups.swap(0, Ordering::Relaxed) as f64 / 16.0
    }

    /// Look-ups of the task thread so far: those that hit, and those that missed.
    pub fn task_hits_and_misses(&self) -> (u64, u64) {
        let line = &self.counters[Caller::Task as usize].counts;
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
                    let count = self.counters[caller as usize].counts[index(role, result)]
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

/// As whom a thread counts that is not the task thread.
fn other_caller() -> Caller {
    thread::current().map_or(Caller::Other, |thread| thread.caller())
}

#[inline]
fn index(role: BlockRole, result: LookupResult) -> usize {
    (role as usize) << 1 | result as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_has_a_counter_of_its_own() {
        let operator = OperatorContext::default();
        operator.switch_on(3, 9);
        let mut expected = Vec::new();
        let mut times = 0;
        for caller in CALLERS {
            for role in ROLES {
                for result in RESULTS {
                    times += 1;
                    for _ in 0..times {
                        operator.count(caller, role, result);
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
        assert_eq!(operator.lookups(), expected);
        assert_eq!(
            operator.task_hits_and_misses(),
            (1 + 3 + 5 + 7, 2 + 4 + 6 + 8)
        );
        operator.switch_on(4, 9);
        assert!(
            operator.lookups().is_empty(),
            "recycled contexts start at zero"
        );
    }

    #[test]
    fn a_thread_is_the_task_thread_of_its_own_operator_only() {
        let mine = OperatorContext::default();
        mine.switch_on(1, thread::pointer());
        assert_eq!(mine.caller(), Caller::Task);
        let others = OperatorContext::default();
        others.switch_on(2, thread::pointer() + 64);
        assert_eq!(others.caller(), Caller::Other);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(mine.caller(), Caller::Other));
        });
    }

    #[test]
    fn one_look_up_in_a_thousand_is_timed() {
        let operator = OperatorContext::default();
        operator.switch_on(1, thread::pointer());
        let mut timed = 0;
        for _ in 0..10 * LOOKUPS_PER_TIMING {
            if operator.is_timing_due() {
                operator.begin_timing();
                timed += 1;
            }
            operator.count_mine(BlockRole::Data, LookupResult::Hit);
        }
        // What falls due at the very end is left for the next look-up.
        assert_eq!(timed, 9);
        std::thread::scope(|scope| {
            scope.spawn(|| assert!(!operator.is_timing_due(), "not the task thread's"));
        });
        assert!(operator.is_timing_due());
    }

    #[test]
    fn switched_off_it_counts_nothing() {
        let operator: &'static OperatorContext = Box::leak(Box::default());
        operator.switch_on(1, thread::pointer());
        operator.switch_off();
        let key = b"a block's key 16";
        for (is_small, charge_bytes) in [(true, 4096), (false, 1 << 20)] {
            let role = BlockRole::Data;
            crate::recorder::looked_up(operator, key, role, true, || is_small, || charge_bytes);
        }
        assert!(operator.lookups().is_empty());
        assert_eq!(operator.ceiling(), 0);
    }
}
