//! The collector thread: drains every ring into the estimators, and tells the hook what to sample next.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use crate::agent::{Agent, LogLevel};
use crate::operator;
use crate::sampling::{OperatorSamples, SampledCache, SampledOperator};
use crate::thread;

/// Pause between two rounds while samples come in: a ring of 2,048 then holds 400,000 sampled look-ups a second.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// Pause while none do.
const IDLE_PAUSE: Duration = Duration::from_millis(50);
/// How often the list of caches and their sizes are read again. Reading a size takes the cache's lock for a moment.
const REFRESH: Duration = Duration::from_millis(100);
/// After so many panics sampling is given up; exact counts and sizes go on.
const MAX_PANICS: u64 = 3;

/// Name of the thread, in the 15 characters the kernel keeps.
const NAME: &str = "weir-collector";

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

fn run(agent: &Agent) {
    let mut collector = Collector::default();
    repeat(agent, || collector.round(agent));
}

/// Repeats a round, which returns how many samples there were, until it has panicked too often; then sampling is given up.
pub fn repeat(agent: &Agent, mut round: impl FnMut() -> u64) {
    loop {
        let pause = match catch_unwind(AssertUnwindSafe(&mut round)) {
            Ok(0) => IDLE_PAUSE,
            Ok(_) => BUSY_PAUSE,
            Err(_) => {
                let panics = agent.counts.panics_caught.fetch_add(1, Ordering::Relaxed) + 1;
                if panics >= MAX_PANICS {
                    stop_sampling(agent, panics);
                    return;
                }
                IDLE_PAUSE
            }
        };
        std::thread::sleep(pause);
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
}

impl Collector {
    /// Drains every ring once; returns how many samples there were.
    fn round(&mut self, agent: &Agent) -> u64 {
        if self.refreshed.is_none_or(|at| at.elapsed() >= REFRESH) {
            self.refresh(agent);
        }
        let now = agent.uptime();
        let mut taken = 0;
        for ring in thread::rings() {
            // Samples of one ring mostly belong to one operator: its lock is kept from one to the next.
            let mut current: Option<(u32, &SampledCache, MutexGuard<'_, OperatorSamples>)> = None;
            ring.drain(|sample| {
                taken += 1;
                if current
                    .as_ref()
                    .is_none_or(|(id, _, _)| *id != sample.operator_id)
                {
                    current = None; // unlocks before the next lock is taken
                    current = self.operators.get(&sample.operator_id).map(|followed| {
                        let samples = followed.operator.samples.lock();
                        (sample.operator_id, &*followed.cache, samples)
                    });
                }
                if let Some((_, cache, samples)) = &mut current {
                    samples.take(&sample, now);
                    cache.take(&sample, now);
                }
            });
        }
        for cache in &self.caches {
            cache.settle(now);
        }
        agent
            .counts
            .samples_taken
            .fetch_add(taken, Ordering::Relaxed);
        taken
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
                let followed = Followed {
                    operator: operator.sampled.clone(),
                    cache: entry.sampled.clone(),
                };
                self.operators.insert(id, followed);
            }
        }
    }
}
