//! What the samples of a cache say: the curve of each operator behind it, of the whole where several share it, and times.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use weir_mrc::{Access, Estimator, EstimatorConfig, Outcome};
use weir_protocol::BlockRole;

use crate::frocksdb::CacheUsage;
use crate::latency::LatencyHistogram;
use crate::operator::OperatorContext;
use crate::sample::{Sample, SampleKind};

/// Shortest and longest miss told apart: a copy out of the page cache, a disk in trouble.
const MISS_NANOS: (u64, u64) = (1_000, 60_000_000_000);
/// Shortest and longest hit told apart. A long one was interrupted, or waited for a shard's lock.
const HIT_NANOS: (u64, u64) = (10, 1_000_000_000);

/// After so long without a loss twice as much is sampled again.
const TRUST: Duration = Duration::from_secs(60);

/// However slow the collector is, one look-up in a million is sampled.
const LOWEST: u64 = u64::MAX >> 20;

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

/// How much of an operator's look-ups the collector can keep up with.
#[derive(Debug, Clone, Copy)]
struct Limit {
    /// The sampling threshold is not above this.
    threshold: u64,
    /// When it was lowered or raised last.
    changed: Duration,
    /// What the hook was told last.
    told: u64,
}

/// What the samples of one operator say.
#[derive(Debug)]
pub struct OperatorSamples {
    /// Its curve: what it would miss with a cache of its own.
    pub sampling: Sampling,
    limit: Limit,
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
    /// The curve of all operators together; `None` where there is but one. Locked last: whoever holds it locks no operator's
    /// samples, because the collector takes a sample in for the operator first, and with that lock held for the whole.
    pub whole: Option<Mutex<Sampling>>,
    /// Operators behind it.
    pub operators: Mutex<Vec<Arc<SampledOperator>>>,
    /// Task threads' hits and misses of operators that have left.
    departed: Mutex<(u64, u64)>,
}

// === impl Limit ===

impl Limit {
    /// After so many samples were lost, by which the threshold in the hook has fallen to `found`.
    fn after(self, drops: u64, found: u64, now: Duration) -> Self {
        let threshold = match drops {
            0 if self.threshold == u64::MAX || now < self.changed + TRUST => return self,
            0 => self.threshold.saturating_mul(2),
            // By half at least: the hook may have been told anew just after it had lowered it. 0 would mean that sampling was given up.
            _ => found.min(self.told / 2).min(self.threshold).max(LOWEST),
        };
        Self {
            threshold,
            changed: now,
            ..self
        }
    }
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
                limit: Limit {
                    threshold: u64::MAX,
                    changed: Duration::ZERO,
                    told: u64::MAX,
                },
                miss: LatencyHistogram::new(MISS_NANOS.0, MISS_NANOS.1),
                hit: LatencyHistogram::new(HIT_NANOS.0, HIT_NANOS.1),
                hook: LatencyHistogram::new(HIT_NANOS.0, HIT_NANOS.1),
            }),
        }
    }
}

impl OperatorSamples {
    /// Takes one sample in.
    pub fn take(&mut self, sample: &Sample, now: Duration) {
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

    /// Takes a sample in for the whole.
    pub fn take(&self, sample: &Sample, now: Duration) {
        if let Some(whole) = &self.whole {
            whole.lock().take(sample, now);
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

    /// Tells the estimators how many look-ups there were in all, and the hook what to sample next.
    pub fn settle(&self, now: Duration) {
        let operators = self.operators.lock();
        let mut total = *self.departed.lock();
        let mut lost_in_all = 0.0;
        let mut wanted = Vec::with_capacity(operators.len());
        let mut lowest_limit = u64::MAX;
        for operator in &*operators {
            let context = operator.context;
            let counts = context.task_hits_and_misses();
            let (drops, task_drops) = context.take_drops();
            let mut samples = operator.samples.lock();
            // Each lost sample stood for one over the sampling rate look-ups. With the threshold at 0 nothing is sampled any more.
            let lost = match (task_drops, samples.sampling.estimator.threshold()) {
                (_, 0) => 0.0,
                (drops, threshold) => drops as f64 * (u64::MAX as f64 / threshold as f64),
            };
            let seen = context.threshold();
            let limit = samples.limit.after(drops, seen, now);
            samples.limit = limit;
            lowest_limit = lowest_limit.min(limit.threshold);
            samples.sampling.estimator.limit_threshold(limit.threshold);
            samples.sampling.settle(counts, lost, now);
            wanted.push(samples.sampling.estimator.threshold());
            total = (total.0 + counts.0, total.1 + counts.1);
            lost_in_all += lost;
        }
        let of_whole = self.whole.as_ref().map_or(0, |whole| {
            let mut whole = whole.lock();
            // It needs the samples of every operator alike.
            whole.estimator.limit_threshold(lowest_limit);
            whole.settle(total, lost_in_all, now);
            whole.estimator.threshold()
        });
        // Each estimator ignores what lies above its own threshold.
        for (operator, threshold) in operators.iter().zip(wanted) {
            let threshold = threshold.max(of_whole);
            operator.samples.lock().limit.told = threshold;
            operator.context.set_threshold(threshold);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::Ring;
    use weir_mrc::hash_key;

    const BLOCKS: u64 = 40_000;
    const BLOCK_BYTES: u32 = 4096;

    /// A task that looks blocks up all alike, `a_round` of them between two rounds of the collector.
    struct Task {
        context: &'static OperatorContext,
        cache: SampledCache,
        operator: Arc<SampledOperator>,
        ring: Ring,
        now: Duration,
        state: u64,
        taken: u64,
    }

    impl Task {
        fn new() -> Self {
            let context: &'static OperatorContext = Box::leak(Box::default());
            // The thread of nobody: the test counts by itself.
            context.switch_on(1, 9);
            let config = EstimatorConfig::online(Duration::from_secs(600));
            let operator = Arc::new(SampledOperator::new(context, config));
            let cache = SampledCache::new(None);
            cache.operators.lock().push(operator.clone());
            Self {
                context,
                cache,
                operator,
                ring: Ring::try_new().unwrap(),
                now: Duration::ZERO,
                state: 1,
                taken: 0,
            }
        }

        fn round(&mut self, lookups: u64, duration: Duration) {
            for _ in 0..lookups {
                self.state = self
                    .state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let hash = hash_key(&((self.state >> 33) % BLOCKS).to_be_bytes());
                let (caller, role) = (weir_protocol::Caller::Task, BlockRole::Data);
                self.context
                    .count(caller, role, weir_protocol::LookupResult::Hit);
                if hash < self.context.threshold() {
                    let sample = Sample {
                        hash,
                        operator_id: 1,
                        charge_bytes: BLOCK_BYTES,
                        kind: SampleKind::Hit,
                        role,
                        is_task: true,
                        nanos: 0,
                    };
                    if !self.ring.push(sample) {
                        self.context.note_drop(true);
                    }
                }
            }
            self.now += duration;
            let mut samples = self.operator.samples.lock();
            self.ring.drain(|sample| {
                self.taken += 1;
                samples.take(&sample, self.now);
            });
            drop(samples);
            self.cache.settle(self.now);
        }

        fn loss(&self) -> f64 {
            let lost = self.ring.dropped() as f64;
            lost / (lost + self.taken as f64)
        }
    }

    /// 1.5 million look-ups a second, a collector that comes by every 20 ms: a ring holds a fifteenth of that.
    #[test]
    fn a_collector_that_comes_late_loses_few_samples_and_the_curve_stays_right() {
        let mut task = Task::new();
        for _ in 0..750 {
            task.round(30_000, Duration::from_millis(20));
        }
        assert!(task.loss() < 0.01, "{}", task.loss());
        let mut samples = task.operator.samples.lock();
        let curve = samples.sampling.estimator.curve(task.now).unwrap();
        for share in [0.25, 0.5, 0.75] {
            let bytes = share * BLOCKS as f64 * f64::from(BLOCK_BYTES);
            let missed = curve.miss_ratio_at(bytes as u64).value;
            assert!(
                (missed - (1.0 - share)).abs() < 0.03,
                "a cache of {share} of the blocks misses {missed}"
            );
        }
    }

    #[test]
    fn what_was_lowered_rises_again() {
        let mut task = Task::new();
        for _ in 0..50 {
            task.round(30_000, Duration::from_millis(20));
        }
        let lowered = task.context.threshold();
        for _ in 0..600 {
            task.round(1000, Duration::from_secs(1));
        }
        assert!(
            task.context.threshold() > lowered,
            "{} of {lowered}",
            task.context.threshold()
        );
    }
}
