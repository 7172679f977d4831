//! What happened between two reports: exact counts, so exact rates and miss ratios.

use weir_protocol::{CacheId, CacheReport, Report};

/// Two reports of one agent, the later one second.
#[derive(Debug, Clone)]
pub struct ReportWindow {
    before: Report,
    after: Report,
}

/// One cache that is in both reports.
#[derive(Debug, Clone, Copy)]
pub struct CacheWindow<'a> {
    /// At the window's start.
    pub before: &'a CacheReport,
    /// At the window's end.
    pub after: &'a CacheReport,
    seconds: f64,
}

impl ReportWindow {
    /// The window between two reports.
    #[must_use]
    pub fn new(before: Report, after: Report) -> Self {
        Self { before, after }
    }

    /// The report at its end.
    #[must_use]
    pub fn after(&self) -> &Report {
        &self.after
    }

    /// The report at its start.
    #[must_use]
    pub fn before(&self) -> &Report {
        &self.before
    }

    /// Its length by the agent's own monotonic clock.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        (self.after.uptime_ms.saturating_sub(self.before.uptime_ms)) as f64 / 1000.0
    }

    /// The caches that lived through all of it.
    pub fn caches(&self) -> impl Iterator<Item = CacheWindow<'_>> {
        self.after.caches.iter().filter_map(|after| {
            let before = self.before.caches.iter().find(|c| c.id == after.id)?;
            Some(CacheWindow {
                before,
                after,
                seconds: self.seconds(),
            })
        })
    }

    /// One of them.
    #[must_use]
    pub fn cache(&self, id: CacheId) -> Option<CacheWindow<'_>> {
        self.caches().find(|c| c.after.id == id)
    }
}

impl CacheWindow<'_> {
    /// Lookups of task threads that hit, and that missed.
    #[must_use]
    pub fn hits_and_misses(&self) -> (u64, u64) {
        let (before, after) = (
            self.before.task_hits_and_misses(),
            self.after.task_hits_and_misses(),
        );
        (after.0 - before.0, after.1 - before.1)
    }

    /// Lookups of task threads.
    #[must_use]
    pub fn lookups(&self) -> u64 {
        let (hits, misses) = self.hits_and_misses();
        hits + misses
    }

    /// Lookups of task threads per second.
    #[must_use]
    pub fn lookups_per_second(&self) -> f64 {
        self.lookups() as f64 / self.seconds
    }

    /// Exact miss ratio of task threads; `None` without lookups.
    #[must_use]
    pub fn miss_ratio(&self) -> Option<f64> {
        let (hits, misses) = self.hits_and_misses();
        (hits + misses > 0).then(|| misses as f64 / (hits + misses) as f64)
    }

    /// `GroupAggregate[6] 1/2`, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        let operator = &self.after.operator;
        format!(
            "{} {}/{}",
            operator.operator_name,
            operator.subtask_index + 1,
            operator.parallelism
        )
    }
}
