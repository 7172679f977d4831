//! From reports to rates, and from everything known to a snapshot.

mod write_path;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use weir_protocol::{CacheId, CacheReport, HookState, MemoryMode, Report};
use weir_scaling::{
    BudgetState, CacheState, JobState, Load, Names, OperatorKey, Snapshot, TaskManagerState, Terms,
    Window,
};

use crate::clock::millis_of;
use crate::fleet::Fleet;
use write_path::write_path;

/// The latest reports of one life of one agent, oldest first.
#[derive(Debug, Default)]
pub struct ReportLog {
    reports: VecDeque<(Instant, Report)>,
}

/// Over how long things are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Lookups per second.
    pub load: Duration,
    /// Measured miss ratios.
    pub miss_ratio: Duration,
}

// === impl ReportLog ===

impl ReportLog {
    /// More polls than any sensible window holds.
    const MAX_REPORTS: usize = 256;

    /// Adds a report, and forgets what is older than `keep` or of an earlier life.
    pub fn push(&mut self, received: Instant, report: Report, keep: Duration) {
        if let Some(last) = self.newest() {
            let same_life =
                last.agent.pid == report.agent.pid && last.uptime_ms <= report.uptime_ms;
            if !same_life {
                self.reports.clear();
            } else if last.uptime_ms == report.uptime_ms {
                // Two polls within a millisecond: the later one says all that the earlier one said.
                self.reports.pop_back();
            }
        }
        self.reports.push_back((received, report));
        let old = |at: &Instant| received.duration_since(*at) > keep;
        while self.reports.len() > Self::MAX_REPORTS
            || (self.reports.len() > 2 && self.reports.front().is_some_and(|(at, _)| old(at)))
        {
            self.reports.pop_front();
        }
    }

    /// The newest report.
    #[must_use]
    pub fn newest(&self) -> Option<&Report> {
        self.reports.back().map(|(_, report)| report)
    }

    /// Time since the newest report arrived.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.reports.back().map(|(at, _)| now.duration_since(*at))
    }

    /// Counts of a cache's task lookups over the last `window`, or as much of it as was seen of this life of the cache at its
    /// present capacity; absent before two such reports exist.
    #[must_use]
    pub fn window(&self, id: CacheId, window: Duration) -> Option<Window> {
        let at_one_capacity = |earlier: &CacheReport, later: &CacheReport| {
            same_life(earlier, later) && earlier.capacity_bytes == later.capacity_bytes
        };
        let (millis, hits, misses) = self.counted(id, window, at_one_capacity)?;
        Some(Window {
            millis,
            lookups: hits + misses,
            misses,
        })
    }

    /// A cache's task lookups over the last `window`, or as much of it as was seen of this life of the cache.
    #[must_use]
    pub fn load(&self, id: CacheId, window: Duration) -> Option<Load> {
        let (millis, hits, misses) = self.counted(id, window, same_life)?;
        Some(Load {
            millis,
            lookups: hits + misses,
        })
    }

    /// Milliseconds, hits and misses between the newest report and the oldest one within `window` that continues into it.
    fn counted(
        &self,
        id: CacheId,
        window: Duration,
        continues: impl Fn(&CacheReport, &CacheReport) -> bool,
    ) -> Option<(u64, u64, u64)> {
        let (millis, first, last) = self.span(id, window, continues)?;
        let (hits, misses) = last.task_hits_and_misses();
        let (hits_before, misses_before) = first.task_hits_and_misses();
        Some((millis, hits - hits_before, misses - misses_before))
    }

    /// What the newest report and the oldest one within `window` that continues into it say of a cache, and the milliseconds between.
    fn span(
        &self,
        id: CacheId,
        window: Duration,
        continues: impl Fn(&CacheReport, &CacheReport) -> bool,
    ) -> Option<(u64, &CacheReport, &CacheReport)> {
        let newest = self.newest()?;
        let last = find(newest, id)?;
        let mut base = None;
        let mut later = last;
        for (_, report) in self.reports.iter().rev().skip(1) {
            let Some(earlier) = find(report, id).filter(|earlier| continues(earlier, later)) else {
                break;
            };
            base = Some((report.uptime_ms, earlier));
            later = earlier;
            if newest.uptime_ms - report.uptime_ms >= millis_of(window) {
                break;
            }
        }
        let (since_ms, first) = base?;
        Some((newest.uptime_ms - since_ms, first, last))
    }
}

fn find(report: &Report, id: CacheId) -> Option<&CacheReport> {
    report.caches.iter().find(|c| c.id == id)
}

/// Whether two reports of a cache number can be subtracted: one operator subtask, one attempt, and nothing that only grows has shrunk.
fn same_life(earlier: &CacheReport, later: &CacheReport) -> bool {
    let (hits_before, misses_before) = earlier.task_hits_and_misses();
    let (hits, misses) = later.task_hits_and_misses();
    earlier.operator == later.operator
        && earlier.age_ms <= later.age_ms
        && hits_before <= hits
        && misses_before <= misses
}

/// The key under which an operator subtask is remembered.
#[must_use]
pub fn key_of(operator: &weir_protocol::OperatorSubtask) -> OperatorKey {
    OperatorKey {
        job_id: operator.job_id.as_str().into(),
        operator_name: operator.operator_name.as_str().into(),
        subtask_index: operator.subtask_index,
    }
}

/// Everything known now. Of two agents that name the same TaskManager the one heard last counts.
#[must_use]
pub fn snapshot(
    fleet: &Fleet,
    jobs: Option<&[JobState]>,
    windows: Windows,
    now: Instant,
    at_ms: u64,
) -> Snapshot {
    let mut names = Names::default();
    let mut by_tm: BTreeMap<String, TaskManagerState> = BTreeMap::new();
    for agent in fleet.agents() {
        let (Some(report), Some(age)) = (agent.log.newest(), agent.log.age(now)) else {
            continue;
        };
        let tm = task_manager(report, &agent.log, windows, millis_of(age), &mut names);
        let fresher = by_tm
            .get(&tm.tm_id)
            .is_none_or(|known| tm.data_age_ms < known.data_age_ms);
        if fresher {
            by_tm.insert(tm.tm_id.clone(), tm);
        }
    }
    let task_managers: Vec<_> = by_tm.into_values().collect();
    let concerns = |job: &&JobState| {
        let mut caches = task_managers.iter().flat_map(|tm| &tm.caches);
        !job.vertices.is_empty() || caches.any(|c| c.operator.job_id == job.job_id)
    };
    Snapshot {
        at_ms,
        jobs: jobs.map(|jobs| jobs.iter().filter(concerns).cloned().collect()),
        task_managers,
        slots: None,
        terms: Terms::default(),
    }
}

fn task_manager(
    report: &Report,
    log: &ReportLog,
    windows: Windows,
    data_age_ms: u64,
    names: &mut Names,
) -> TaskManagerState {
    let cache = |c: &CacheReport| CacheState {
        id: c.id.0,
        operator: OperatorKey {
            job_id: names.shared(&c.operator.job_id),
            operator_name: names.shared(&c.operator.operator_name),
            subtask_index: c.operator.subtask_index,
        },
        task_name: names.shared(&c.operator.task_name),
        parallelism: c.operator.parallelism,
        attempt: c.operator.attempt,
        capacity_bytes: c.capacity_bytes,
        usage_bytes: c.usage_bytes,
        pinned_bytes: c.pinned_bytes,
        age_ms: c.age_ms,
        load: log.load(c.id, windows.load),
        window: log.window(c.id, windows.miss_ratio),
        curve: c.curve.clone(),
        miss_seconds: c.miss_seconds,
        hit_seconds: c.hit_seconds,
        write_path: write_path(report, log, c, windows.load),
    };
    TaskManagerState {
        tm_id: report.agent.tm_id.clone(),
        pid: report.agent.pid,
        generation: report.generation,
        data_age_ms,
        unmanaged: unmanaged(report),
        slots: None,
        budget: BudgetState {
            cache_bytes: report.budget.cache_bytes,
            allocated_bytes: report.budget.allocated_bytes,
            min_cache_bytes: report.budget.min_cache_bytes,
            write_buffer_cost_percent: report.budget.write_buffer_cost_percent,
        },
        caches: report.caches.iter().map(cache).collect(),
    }
}

fn unmanaged(report: &Report) -> Option<String> {
    if let HookState::Refused { reason } = &report.agent.hook {
        return Some(reason.clone());
    }
    (report.agent.mode == MemoryMode::Observe).then(|| "weir.memory.mode is observe".to_owned())
}
