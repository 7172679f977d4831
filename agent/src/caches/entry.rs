//! One cache, and the operators behind it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use weir_mrc::{CacheShape, EstimatorConfig};
use weir_protocol::{LookupCount, OperatorSubtask, WriteCounts};

use crate::frocksdb::{BoundCache, CacheUsage};
use crate::hook::HookedVtable;
use crate::latency::LatencyHistogram;
use crate::ledger::ManagerId;
use crate::sampling::{OperatorSamples, SampledCache, SampledOperator};
use crate::thread;
use crate::writes::{self, WriteTotals};

/// One live cache.
#[derive(Debug)]
pub struct CacheEntry {
    /// Operators behind it by the number that [`super::Caches::register`] gave them. Where it is but one, that is the cache's number.
    pub operators: BTreeMap<u32, OperatorEntry>,
    /// What the samples say.
    pub sampled: Arc<SampledCache>,
    /// When it was attached.
    pub attached_at: Instant,
    /// How it divides its capacity, which is fixed when RocksDB makes it.
    pub shape: CacheShape,
    /// Look-ups of operators that have left.
    pub(super) departed: Vec<LookupCount>,
    /// What their databases wrote.
    pub(super) departed_writes: Option<WriteCounts>,
    pub(super) cache: BoundCache,
    /// Capacity it had when it was attached.
    pub(super) came_with_bytes: u64,
    pub(super) hooked: &'static HookedVtable,
}

/// One operator subtask behind a cache.
#[derive(Debug)]
pub struct OperatorEntry {
    /// Whose it is.
    pub operator: OperatorSubtask,
    /// Exact counters, and what its samples say.
    pub sampled: Arc<SampledOperator>,
    /// When it was attached.
    pub attached_at: Instant,
    /// The write buffer manager it writes through, if known.
    pub write_buffers: Option<ManagerId>,
    /// What its database writes, if anybody listens.
    pub writes: Option<Arc<WriteTotals>>,
    /// Address of the statistics of its database, which tells it apart behind a shared cache; 0 where it is alone.
    pub(super) statistics: usize,
}

// === impl CacheEntry ===

impl CacheEntry {
    /// Sizes as RocksDB says them now.
    #[must_use]
    pub fn usage(&self) -> CacheUsage {
        self.cache.usage()
    }

    /// Whose it is: of one operator, or of those that share it.
    #[must_use]
    pub fn name(&self) -> OperatorSubtask {
        let all: Vec<&OperatorSubtask> = self.operators.values().map(|o| &o.operator).collect();
        OperatorSubtask::sharing(&all)
    }

    /// The write buffer manager that its operators write through, if known: Flink gives all of a slot one.
    #[must_use]
    pub fn manager(&self) -> Option<ManagerId> {
        self.operators.values().find_map(|o| o.write_buffers)
    }

    /// Exact counts of all operators behind it together: of those that are there, as they were just read, and of those that have left.
    #[must_use]
    pub fn lookups<'a>(&self, read: impl Iterator<Item = &'a [LookupCount]>) -> Vec<LookupCount> {
        let mut sums = self.departed.clone();
        for counts in read {
            add_counts(&mut sums, counts);
        }
        sums
    }

    /// What the databases of all operators behind it wrote, of those that have left, too.
    #[must_use]
    pub fn writes(&self, read: impl Iterator<Item = Option<WriteCounts>>) -> Option<WriteCounts> {
        read.fold(self.departed_writes, writes::add)
    }

    /// Mean over the operators behind it, weighted by how often each was measured.
    #[must_use]
    pub fn mean_seconds(&self, of: fn(&OperatorSamples) -> &LatencyHistogram) -> Option<f64> {
        let (mut seconds, mut count) = (0.0, 0);
        for operator in self.operators.values() {
            let samples = operator.sampled.samples.lock();
            seconds += of(&samples).sum_seconds();
            count += of(&samples).count();
        }
        (count > 0).then(|| seconds / count as f64)
    }

    /// Look-ups in a shared cache that belong to no known operator.
    #[must_use]
    pub fn unattributed(&self) -> Vec<LookupCount> {
        match self.sampled.whole {
            Some(_) => self.hooked.context().own().lookups(),
            None => Vec::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        id: u32,
        context: &'static crate::operator::OperatorContext,
        statistics: usize,
        operator: OperatorSubtask,
        estimator: EstimatorConfig,
    ) {
        context.switch_on(id, thread::pointer());
        let sampled = Arc::new(SampledOperator::new(context, estimator));
        self.sampled.operators.lock().push(sampled.clone());
        self.operators.insert(
            id,
            OperatorEntry {
                operator,
                sampled,
                attached_at: Instant::now(),
                write_buffers: None,
                writes: None,
                statistics,
            },
        );
    }
}

/// Adds counts to those of the same kind.
pub(super) fn add_counts(sums: &mut Vec<LookupCount>, counts: &[LookupCount]) {
    for count in counts {
        let same = |sum: &&mut LookupCount| {
            (sum.role, sum.caller, sum.result) == (count.role, count.caller, count.result)
        };
        match sums.iter_mut().find(same) {
            Some(sum) => sum.count += count.count,
            None => sums.push(*count),
        }
    }
}
