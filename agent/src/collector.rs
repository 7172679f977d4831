//! The collector thread: drains every ring into the estimators, and tells the hook what to sample next.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::agent::{Agent, LogLevel};
use crate::operator;
use crate::sample::Sample;
use crate::sampling::{SampledCache, SampledOperator};
use crate::thread;

/// Longest pause between two rounds; a thread whose ring fills cuts it short. Rounds that are rare and long find more of an
/// estimator in the processor's caches than short ones that the job's threads come between.
const PAUSE: Duration = Duration::from_millis(50);
/// How often the list of caches and their sizes are read again, and estimators told of the exact counts. Reading a size takes the
/// cache's lock for a moment, telling a count some microseconds.
const REFRESH: Duration = Duration::from_millis(100);
/// After so many panics sampling is given up; exact counts and sizes go on.
const MAX_PANICS: u64 = 3;

/// Name of the thread, in the 15 characters the kernel keeps.
const NAME: &str = "weir-collector";

/// The thread that empties the rings.
static RUNNING: OnceLock<Thread> = OnceLock::new();

/// What the collector knows of an operator without taking the lock of all caches.
#[derive(Debug)]
struct Followed {
    operator: Arc<SampledOperator>,
    cache: Arc<SampledCache>,
}

/// Starts the thread.
pub fn start(agent: Arc<Agent>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(NAME.to_owned())
        .spawn(move || run(&agent))
}

/// Ends the collector's pause. At most one system call, which waits for nobody.
#[cold]
pub fn wake() {
    if let Some(collector) = RUNNING.get() {
        collector.unpark();
    }
}

fn run(agent: &Agent) {
    // All rings of the process have one collector.
    RUNNING.get_or_init(std::thread::current);
    let mut collector = Collector::default();
    repeat(agent, || collector.round(agent));
}

/// Repeats a round until it has panicked too often; then sampling is given up.
pub fn repeat(agent: &Agent, mut round: impl FnMut()) {
    loop {
        if catch_unwind(AssertUnwindSafe(&mut round)).is_err() {
            let panics = agent.counts.panics_caught.fetch_add(1, Ordering::Relaxed) + 1;
            if panics >= MAX_PANICS {
                stop_sampling(agent, panics);
                return;
            }
        }
        std::thread::park_timeout(PAUSE);
    }
}

fn stop_sampling(agent: &Agent, panics: u64) {
    let caches = agent.caches.lock();
    let operators = caches
        .entries
        .values()
        .flat_map(|entry| entry.operators.values());
    operator::stop_sampling(operators.map(|operator| operator.sampled.context));
    drop(caches);
    agent.log(
        LogLevel::Warn,
        &format!("Weir's collector failed {panics} times and samples no more; the job and its cache sizes are not affected"),
    );
}

#[derive(Debug, Default)]
struct Collector {
    caches: Vec<Arc<SampledCache>>,
    operators: HashMap<u32, Followed>,
    refreshed: Option<Instant>,
    /// Highest number of an operator that was ever listed; a higher one is new.
    newest_operator: u32,
    /// What a ring held.
    samples: Vec<Sample>,
}

impl Collector {
    /// Drains every ring once.
    fn round(&mut self, agent: &Agent) {
        let is_refresh_due = self.refreshed.is_none_or(|at| at.elapsed() >= REFRESH);
        if is_refresh_due {
            self.refresh(agent);
        }
        let now = agent.uptime();
        let mut taken = 0;
        for ring in thread::rings() {
            self.samples.clear();
            ring.drain(|sample| self.samples.push(sample));
            taken += self.samples.len() as u64;
            let newest = self.samples.iter().map(|sample| sample.operator_id).max();
            if newest > Some(self.newest_operator) {
                self.refresh(agent);
            }
            // Samples of one ring mostly belong to one operator.
            for of_one in self.samples.chunk_by(|a, b| a.operator_id == b.operator_id) {
                if let Some(followed) = self.operators.get(&of_one[0].operator_id) {
                    followed.operator.take(of_one, now);
                    followed.cache.take(of_one, now);
                }
            }
        }
        for cache in &self.caches {
            if is_refresh_due {
                cache.settle(now);
            }
            cache.tell_hook();
        }
        agent
            .counts
            .samples_taken
            .fetch_add(taken, Ordering::Relaxed);
    }

    /// Reads the list of caches and their sizes, unless somebody is changing them right now.
    fn refresh(&mut self, agent: &Agent) {
        let Some(mut caches) = agent.caches.try_lock() else {
            return;
        };
        caches.sweep();
        self.refreshed = Some(Instant::now());
        self.operators.clear();
        self.caches.clear();
        for entry in caches.entries.values() {
            entry.sampled.note_usage(entry.usage());
            self.caches.push(entry.sampled.clone());
            for (&id, operator) in &entry.operators {
                self.newest_operator = self.newest_operator.max(id);
                let followed = Followed {
                    operator: operator.sampled.clone(),
                    cache: entry.sampled.clone(),
                };
                self.operators.insert(id, followed);
            }
        }
    }
}
