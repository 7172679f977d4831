//! The agent as a whole: one per process, started by the first operator that needs it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_mrc::{CacheShape, EstimatorConfig};
use weir_protocol::{
    AgentHealth, AgentInfo, CacheId, CacheReport, HookState, MemoryBudget, OperatorReport,
    PROTOCOL_VERSION, Report,
};

use crate::caches::{CacheEntry, Caches, OperatorEntry};
use crate::frocksdb::Build;
use crate::ledger::{Ledger, MIN_CACHE_BYTES, MIN_WRITE_BUFFER_BYTES};
use crate::settings::Settings;
use crate::write_buffers::WriteBufferManagers;
use crate::{memory_limit, thread};

/// Tells the JVM's log: level and message.
pub type Log = Box<dyn Fn(LogLevel, &str) + Send + Sync>;

/// Levels of the JVM's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum LogLevel {
    /// For those who look for a fault.
    Debug = 0,
    /// For everybody.
    Info = 1,
    /// Something does not work.
    Warn = 2,
}

/// The agent.
pub struct Agent {
    /// As configured.
    pub settings: Settings,
    /// The caches; the lock is never taken in a look-up.
    pub caches: Mutex<Caches>,
    /// What the collector counts.
    pub counts: Counts,
    started: Instant,
    refusal: Mutex<Option<String>>,
    url: Mutex<String>,
    log: Log,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Counters about the agent itself.
#[derive(Debug, Default)]
pub struct Counts {
    /// Samples that reached the collector.
    pub samples_taken: AtomicU64,
    /// Panics caught.
    pub panics_caught: AtomicU64,
}

static AGENT: OnceLock<Arc<Agent>> = OnceLock::new();

impl Agent {
    /// An agent that is not running yet.
    #[must_use]
    pub fn new(settings: Settings, log: Log) -> Arc<Self> {
        Arc::new(Self {
            caches: Mutex::new(Caches::new(
                settings.mode,
                Ledger::new(
                    settings.cache_budget_bytes(),
                    settings.write_buffer_cost_percent(),
                ),
            )),
            settings,
            counts: Counts::default(),
            started: Instant::now(),
            refusal: Mutex::new(None),
            url: Mutex::default(),
            log,
        })
    }

    /// The agent of this process, made by `make` on the first call; true if this call made it.
    pub fn global(make: impl FnOnce() -> Arc<Self>) -> (&'static Arc<Self>, bool) {
        let mut is_new = false;
        let agent = AGENT.get_or_init(|| {
            is_new = true;
            make()
        });
        (agent, is_new)
    }

    /// The agent of this process, if started.
    #[must_use]
    pub fn get() -> Option<&'static Arc<Self>> {
        AGENT.get()
    }

    /// Writes to the JVM's log.
    pub fn log(&self, level: LogLevel, message: &str) {
        (self.log)(level, message);
    }

    /// Time since the agent was made.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// How estimators are made.
    #[must_use]
    pub fn estimator_config(&self) -> EstimatorConfig {
        EstimatorConfig {
            samples: self.settings.samples,
            // Questions about other TaskManagers reach a little beyond this one's budget; blocks deeper than that would
            // only take places in the sample.
            horizon_bytes: Some(self.settings.cache_budget_bytes().saturating_mul(4)),
            ..EstimatorConfig::online(self.settings.half_life)
        }
    }

    /// Remembers under which URL the agent is reached; empty if no port was free.
    pub fn note_url(&self, url: String) {
        *self.url.lock() = url;
    }

    /// Base URL of the HTTP server; empty if there is none.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.lock().clone()
    }

    /// Remembers why a cache was refused.
    pub fn note_refusal(&self, reason: String) {
        *self.refusal.lock() = Some(reason);
    }

    /// The RocksDB whose caches are hooked; `None` before the first.
    #[must_use]
    pub fn hooked(&self) -> Option<&'static Build> {
        self.caches.lock().hooked
    }

    /// Whether accesses are seen.
    #[must_use]
    pub fn hook_state(&self) -> HookState {
        match self.refusal.lock().clone() {
            Some(reason) => HookState::Refused { reason },
            None if self.hooked().is_some() => HookState::Hooked,
            None => HookState::Waiting,
        }
    }

    /// Everything known now.
    #[must_use]
    pub fn report(&self) -> Report {
        let uptime = self.uptime();
        let caches = self.caches.lock();
        let generation = caches.ledger.generation();
        let total_bytes = self.settings.memory.total_bytes;
        let cache_bytes = caches.ledger.cache_budget_bytes();
        let budget = MemoryBudget {
            total_bytes,
            write_buffer_bytes: total_bytes.saturating_sub(cache_bytes),
            cache_bytes,
            allocated_bytes: caches.allocated_bytes(),
            min_cache_bytes: MIN_CACHE_BYTES,
            min_write_buffer_bytes: MIN_WRITE_BUFFER_BYTES,
            write_buffer_cost_percent: caches.ledger.write_buffer_cost_percent(),
        };
        let entries = caches
            .entries
            .iter()
            .map(|(&id, entry)| cache_report(id, entry, &caches.write_buffers, uptime))
            .collect();
        drop(caches);
        Report {
            protocol_version: PROTOCOL_VERSION,
            uptime_ms: millis(uptime),
            generation,
            agent: self.info(),
            budget,
            container: memory_limit::read(),
            caches: entries,
            health: self.health(),
        }
    }

    /// Who this agent is.
    #[must_use]
    pub fn info(&self) -> AgentInfo {
        AgentInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tm_id: self.settings.tm_id.clone(),
            pid: std::process::id(),
            rocksdb_version: self
                .hooked()
                .map_or_else(String::new, |build| build.version.to_owned()),
            mode: self.settings.mode,
            hook: self.hook_state(),
        }
    }

    /// How it is doing.
    #[must_use]
    pub fn health(&self) -> AgentHealth {
        let unattributed: u64 = {
            let caches = self.caches.lock();
            let of = |entry: &CacheEntry| -> u64 {
                entry.unattributed().iter().map(|count| count.count).sum()
            };
            caches.entries.values().map(of).sum()
        };
        AgentHealth {
            samples_dropped: thread::samples_dropped(),
            samples_taken: self.counts.samples_taken.load(Ordering::Relaxed),
            threads: u32::try_from(thread::live()).unwrap_or(u32::MAX),
            panics_caught: self.counts.panics_caught.load(Ordering::Relaxed),
            unattributed_lookups: unattributed,
        }
    }
}

/// One cache, with the operators behind it where it is shared.
fn cache_report(
    id: CacheId,
    entry: &CacheEntry,
    managers: &WriteBufferManagers,
    uptime: Duration,
) -> CacheReport {
    let usage = entry.usage();
    entry.sampled.settle(uptime);
    // Behind a shared cache an operator's curve is that of a cache of its own, as mode per-operator would give it.
    let shape = match entry.sampled.whole {
        Some(_) => CacheShape::IDEAL,
        None => entry.shape,
    };
    let mut operators: Vec<OperatorReport> = entry
        .operators
        .iter()
        .map(|(&id, operator)| operator_report(id, operator, shape, managers, uptime))
        .collect();
    let mut report = CacheReport {
        id,
        operator: entry.name(),
        operators: Vec::new(),
        capacity_bytes: usage.capacity_bytes,
        usage_bytes: usage.usage_bytes,
        pinned_bytes: usage.pinned_bytes,
        age_ms: millis(entry.attached_at.elapsed()),
        lookups: Vec::new(),
        curve: None,
        curve_samples: 0.0,
        miss_seconds: None,
        hit_seconds: None,
        write_buffers: None,
        write_counts: None,
    };
    if let Some(whole) = &entry.sampled.whole {
        {
            // Let go before an operator's samples are locked below.
            let mut whole = whole.lock();
            report.curve = whole.estimator.curve_for(entry.shape, uptime);
            report.curve_samples = whole.estimator.samples();
        }
        // Not read again: by now they have counted on, and the whole is the sum of its parts.
        report.lookups = entry.lookups(operators.iter().map(|o| o.lookups.as_slice()));
        report.miss_seconds = entry.mean_seconds(|samples| &samples.miss);
        report.hit_seconds = entry.mean_seconds(|samples| &samples.hit);
        // Flink gives all operators of a slot one manager, which is charged to their shared cache.
        report.write_buffers = operators.iter().find_map(|operator| operator.write_buffers);
        report.write_counts = entry.writes(operators.iter().map(|o| o.write_counts));
        report.operators = operators;
    } else if let Some(sole) = operators.pop() {
        report.lookups = sole.lookups;
        report.curve = sole.curve;
        report.curve_samples = sole.curve_samples;
        report.miss_seconds = sole.miss_seconds;
        report.hit_seconds = sole.hit_seconds;
        report.write_buffers = sole.write_buffers;
        report.write_counts = sole.write_counts;
    }
    report
}

fn operator_report(
    id: u32,
    entry: &OperatorEntry,
    shape: CacheShape,
    managers: &WriteBufferManagers,
    uptime: Duration,
) -> OperatorReport {
    let mut samples = entry.sampled.samples.lock();
    OperatorReport {
        id: u64::from(id),
        operator: entry.operator.clone(),
        age_ms: millis(entry.attached_at.elapsed()),
        lookups: entry.sampled.context.lookups(),
        curve: samples.sampling.estimator.curve_for(shape, uptime),
        curve_samples: samples.sampling.estimator.samples(),
        miss_seconds: samples.miss.mean_seconds(),
        hit_seconds: samples.hit.mean_seconds(),
        write_buffers: entry.write_buffers.and_then(|id| managers.report(id)),
        write_counts: entry.writes.as_ref().and_then(|writes| writes.counts()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
