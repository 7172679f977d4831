//! What the samples of a cache say: the curve of each operator behind it, of the whole where several share it, and times.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use weir_mrc::{Access, Estimator, EstimatorConfig, Outcome, SamplingThresholds};
use weir_protocol::BlockRole;

use crate::frocksdb::CacheUsage;
use crate::latency::LatencyHistogram;
use crate::operator::OperatorContext;
use crate::sample::{Sample, SampleKind};

/// Shortest and longest miss told apart: a copy out of the page cache, a disk in trouble.
const MISS_NANOS: (u64, u64) = (1_000, 60_000_000_000);
/// Shortest and longest hit told apart. A long one was interrupted, or waited for a shard's lock.
const HIT_NANOS: (u64, u64) = (10, 1_000_000_000);

/// An estimator with what it must be told besides samples.
#[derive(Debug)]
pub struct Sampling {
    /// The curve in the making.
    pub estimator: Estimator,
    /// Bytes the cache has for blocks that are not pinned, as last read; 0 where an operator has no fixed room.
    room_bytes: u64,
    /// Look-ups whose sample was lost, which the estimator must not wait for.
    lost_lookups: f64,
}

/// What the samples of one operator say.
#[derive(Debug)]
pub struct OperatorSamples {
    /// Its curve: what it would miss with a cache of its own.
    pub sampling: Sampling,
    /// From failed look-up to insert.
    pub miss: LatencyHistogram,
    /// Look-ups that hit, RocksDB's own function alone.
    pub hit: LatencyHistogram,
    /// The hook around those.
    pub hook: LatencyHistogram,
}

/// One operator behind a cache, as the collector sees it.
#[derive(Debug)]
pub struct SampledOperator {
    /// Exact counters and switch.
    pub context: &'static OperatorContext,
    /// What its samples say.
    pub samples: Mutex<OperatorSamples>,
}

/// One cache, as the collector sees it.
#[derive(Debug)]
pub struct SampledCache {
    /// The curve of all operators together; `None` where there is but one. Nobody holds it and an operator's samples at once.
    pub whole: Option<Mutex<Sampling>>,
    /// Operators behind it.
    pub operators: Mutex<Vec<Arc<SampledOperator>>>,
    /// Task threads' hits and misses of operators that have left.
    departed: Mutex<(u64, u64)>,
}

// === impl Sampling ===

impl Sampling {
    fn new(config: EstimatorConfig) -> Self {
        Self {
            estimator: Estimator::new(config),
            room_bytes: 0,
            lost_lookups: 0.0,
        }
    }

    fn take(&mut self, sample: &Sample, now: Duration) {
        let (outcome, inserts) = match sample.kind {
            SampleKind::Hit => (Outcome::Hit, true),
            SampleKind::MissInserted => (Outcome::Miss, true),
            SampleKind::MissNotInserted => (Outcome::Miss, false),
            SampleKind::TimedHit => return,
        };
        let access = Access {
            hash: sample.hash,
            charge_bytes: u64::from(sample.charge_bytes),
            outcome,
            inserts,
            counted: sample.is_task,
            high_priority: matches!(sample.role, BlockRole::Index | BlockRole::Filter),
        };
        self.estimator.observe(&access, self.room_bytes, now);
    }

    /// Tells the estimator how many look-ups there were in all and how many missed. `lost` more were not seen because their
    /// samples were lost: they are taken off the count, or the estimator would take them for look-ups it had rejected.
    fn settle(&mut self, (hits, misses): (u64, u64), lost: f64, now: Duration) {
        self.lost_lookups += lost;
        let lookups = hits + misses;
        let kept = (1.0 - self.lost_lookups / lookups.max(1) as f64).clamp(0.0, 1.0);
        let kept = |count: u64| (count as f64 * kept) as u64;
        self.estimator.set_counts(kept(lookups), kept(misses), now);
    }
}

// === impl SampledOperator ===

impl SampledOperator {
    /// An operator that has not been seen yet.
    #[must_use]
    pub fn new(context: &'static OperatorContext, config: EstimatorConfig) -> Self {
        Self {
            context,
            samples: Mutex::new(OperatorSamples {
                sampling: Sampling::new(config),
                miss: LatencyHistogram::new(MISS_NANOS.0, MISS_NANOS.1),
                hit: LatencyHistogram::new(HIT_NANOS.0, HIT_NANOS.1),
                hook: LatencyHistogram::new(HIT_NANOS.0, HIT_NANOS.1),
            }),
        }
    }

    /// Takes samples in.
    pub fn take(&self, samples: &[Sample], now: Duration) {
        let mut into = self.samples.lock();
        samples.iter().for_each(|sample| into.take(sample, now));
    }
}

impl OperatorSamples {
    fn take(&mut self, sample: &Sample, now: Duration) {
        let nanos = u64::from(sample.nanos);
        if sample.kind == SampleKind::TimedHit {
            self.hit.record(nanos);
            self.hook.record(u64::from(sample.charge_bytes));
            return;
        }
        if sample.is_task && nanos > 0 {
            self.miss.record(nanos);
        }
        self.sampling.take(sample, now);
    }
}

// === impl SampledCache ===

impl SampledCache {
    /// A cache of one operator, or one that several share, which has a curve of its own.
    #[must_use]
    pub fn new(shared: Option<EstimatorConfig>) -> Self {
        Self {
            whole: shared.map(|config| Mutex::new(Sampling::new(config))),
            operators: Mutex::default(),
            departed: Mutex::default(),
        }
    }

    /// Takes samples in for the whole.
    pub fn take(&self, samples: &[Sample], now: Duration) {
        if let Some(whole) = &self.whole {
            let mut whole = whole.lock();
            samples.iter().for_each(|sample| whole.take(sample, now));
        }
    }

    /// Keeps the counts of an operator that leaves.
    pub fn part_with(&self, operator: &Arc<SampledOperator>) {
        self.operators
            .lock()
            .retain(|other| !Arc::ptr_eq(other, operator));
        let (hits, misses) = operator.context.task_hits_and_misses();
        let mut departed = self.departed.lock();
        *departed = (departed.0 + hits, departed.1 + misses);
    }

    /// Remembers what the cache has room for. An operator behind a shared cache has no room of its own: its curve is that of
    /// a cache it would have for itself, and real outcomes say nothing about it.
    pub fn note_usage(&self, usage: CacheUsage) {
        let room_bytes = usage.capacity_bytes.saturating_sub(usage.pinned_bytes);
        match &self.whole {
            Some(whole) => whole.lock().room_bytes = room_bytes,
            None => {
                for operator in &*self.operators.lock() {
                    operator.samples.lock().sampling.room_bytes = room_bytes;
                }
            }
        }
    }

    /// Tells the estimators how many look-ups there were in all.
    pub fn settle(&self, now: Duration) {
        let mut total = *self.departed.lock();
        let mut lost_in_all = 0.0;
        for operator in &*self.operators.lock() {
            let counts = operator.context.task_hits_and_misses();
            let lost = operator.context.take_lost_lookups();
            let mut samples = operator.samples.lock();
            samples.sampling.settle(counts, lost, now);
            total = (total.0 + counts.0, total.1 + counts.1);
            lost_in_all += lost;
        }
        if let Some(whole) = &self.whole {
            whole.lock().settle(total, lost_in_all, now);
        }
    }

    /// Tells the hook what to sample next.
    pub fn tell_hook(&self) {
        let of_whole = self
            .whole
            .as_ref()
            .map_or(SamplingThresholds::NONE, |whole| {
                *whole.lock().estimator.thresholds()
            });
        for operator in &*self.operators.lock() {
            let own = *operator.samples.lock().sampling.estimator.thresholds();
            // Each estimator ignores what lies above its own thresholds.
            operator.context.set_thresholds(&own.or(&of_whole));
        }
    }
}
