//! The caches that are swept: found, checked, predicted, resized and put back.

use std::collections::BTreeMap;

use anyhow::{anyhow, bail, ensure};
use weir_mrc::MissRatioCurve;
use weir_protocol::{
    Allocation, CacheCapacity, CacheId, CacheReport, HookState, MemoryMode, RefusalKind, Report,
};
use weir_scaling::Bytes;

use super::patient;
use super::plan::SweepPlan;
use super::point::FoundSize;
use crate::agent_client::{AgentClient, AgentError};

/// An operator of a job, all subtasks together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operator {
    /// Its job.
    pub job_id: String,
    /// Its name.
    pub name: String,
    /// The task that it is part of, which is the name of Flink's vertex.
    pub task_name: String,
}

/// What the curves say about an operator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Miss ratio.
    pub value: f64,
    /// Lower end of the band.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// All agents with their reports at the start.
#[derive(Debug)]
pub struct Subject {
    start: Vec<(String, Report)>,
    /// Bytes pinned in each cache at one look after the other.
    pins: BTreeMap<(String, CacheId), Vec<u64>>,
    operators: Vec<String>,
}

// === impl Subject ===

impl Subject {
    /// Asks every agent, and refuses where nothing could be swept.
    pub async fn find(client: &AgentClient, plan: &SweepPlan) -> anyhow::Result<Self> {
        let mut start = Vec::new();
        for url in &plan.agents {
            let report = client.report(url).await?;
            if let HookState::Refused { reason } = &report.agent.hook {
                bail!("agent {url} sees no look-ups: {reason}");
            }
            ensure!(
                report.agent.mode != MemoryMode::Observe,
                "agent {url} is in mode observe, in which no size may be changed; start the TaskManager with weir.memory.mode: per-operator (or shared), or read the curve itself: `weir advise --agent {url}`"
            );
            start.push((url.clone(), report));
        }
        let mut subject = Self {
            start,
            pins: BTreeMap::new(),
            operators: plan.operators.clone(),
        };
        if subject.chosen().next().is_none() {
            let names: Vec<&str> = subject
                .start
                .iter()
                .flat_map(|(_, report)| &report.caches)
                .map(|cache| cache.operator.operator_name.as_str())
                .collect();
            bail!(
                "no operator is named like {:?}; there are {}",
                plan.operators,
                if names.is_empty() {
                    "none: is the job running?".to_owned()
                } else {
                    names.join(", ")
                }
            );
        }
        for (url, cache) in subject.chosen() {
            ensure!(
                cache.curve.is_some(),
                "agent {url} has no curve of {} yet; wait until its task has read for a while",
                cache.operator.operator_name
            );
        }
        subject.within_budget(plan)?;
        subject.watch_pins(client, plan).await?;
        Ok(subject)
    }

    /// Looks for a while at what is pinned. A compaction pins the index blocks of its files, and these can be as large as a small cache: what one
    /// look finds says nothing of the next.
    async fn watch_pins(&mut self, client: &AgentClient, plan: &SweepPlan) -> anyhow::Result<()> {
        const LOOKS: u32 = 10;
        eprintln!(
            "looking for {:.0} s at what is pinned",
            plan.settle.as_secs_f64()
        );
        for look in 0..LOOKS {
            for (url, start) in &self.start {
                // The first has just been taken.
                let newer = match look {
                    0 => None,
                    _ => Some(patient::report(client, url).await?),
                };
                for cache in &newer.as_ref().unwrap_or(start).caches {
                    let looks = self.pins.entry((url.clone(), cache.id)).or_default();
                    looks.push(cache.pinned_bytes);
                }
            }
            if look + 1 < LOOKS {
                tokio::time::sleep(plan.settle / LOOKS).await;
            }
        }
        Ok(())
    }

    /// What a curve says of a cache of this size, on average over what was pinned at one look after the other. Pinned blocks take room but are
    /// not looked up.
    fn on_average(&self, url: &str, id: CacheId, curve: &MissRatioCurve, bytes: u64) -> Prediction {
        let pins = self.pins.get(&(url.to_owned(), id));
        let pins = pins.map_or(&[0][..], Vec::as_slice);
        let share = 1.0 / pins.len() as f64;
        let mut mean = Prediction {
            value: 0.0,
            low: 0.0,
            high: 0.0,
        };
        for pinned_bytes in pins {
            let ratio = curve.miss_ratio_at(bytes.saturating_sub(*pinned_bytes));
            mean.value += share * ratio.value;
            mean.low += share * ratio.low;
            mean.high += share * ratio.high;
        }
        mean
    }

    fn is_chosen(&self, cache: &CacheReport) -> bool {
        let name = &cache.operator.operator_name;
        self.operators.is_empty() || self.operators.iter().any(|part| name.contains(part))
    }

    fn chosen(&self) -> impl Iterator<Item = (&str, &CacheReport)> {
        self.start.iter().flat_map(|(url, report)| {
            let caches = report.caches.iter();
            caches
                .filter(|cache| self.is_chosen(cache))
                .map(move |cache| (url.as_str(), cache))
        })
    }

    fn within_budget(&self, plan: &SweepPlan) -> anyhow::Result<()> {
        for (url, report) in &self.start {
            let (chosen, others): (Vec<_>, Vec<_>) =
                report.caches.iter().partition(|c| self.is_chosen(c));
            let count = chosen.len() as u64;
            if count == 0 {
                continue;
            }
            let budget = report.budget.cache_bytes;
            let rest: u64 = others
                .iter()
                .map(|c| plan.others.unwrap_or(c.capacity_bytes))
                .sum();
            let most = budget.saturating_sub(rest) / count;
            let least = report.budget.min_cache_bytes;
            for &size in plan.sizes.iter().chain(&plan.others) {
                ensure!(
                    size >= least,
                    "{} is less than the smallest cache, {}, at {url}; take it out of the plan",
                    Bytes(size),
                    Bytes(least)
                );
            }
            for &size in &plan.sizes {
                ensure!(
                    size <= most,
                    "{} for each of {count} caches and {} for {} others are above the budget of {} at {url}; name sizes up to {}, fewer operators, a smaller size for the others (`others = \"{}\"`), or start the TaskManager with a larger weir.memory.budget",
                    Bytes(size),
                    Bytes(rest),
                    others.len(),
                    Bytes(budget),
                    Bytes(most),
                    Bytes(least)
                );
            }
        }
        Ok(())
    }

    /// The chosen operators with the agents' caches that are theirs.
    #[must_use]
    pub fn operators(&self) -> BTreeMap<Operator, Vec<(String, CacheId)>> {
        let mut operators: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (url, cache) in self.chosen() {
            let operator = Operator {
                job_id: cache.operator.job_id.clone(),
                name: cache.operator.operator_name.clone(),
                task_name: cache.operator.task_name.clone(),
            };
            let caches = operators.entry(operator).or_default();
            caches.push((url.to_owned(), cache.id));
        }
        operators
    }

    /// What the curves at the start say of an operator whose caches each have this size; subtasks count by their look-ups.
    #[must_use]
    pub fn predict(&self, operator: &Operator, bytes: u64) -> Prediction {
        let (mut value, mut low, mut high, mut weights) = (0.0, 0.0, 0.0, 0.0);
        for (url, cache) in self.chosen() {
            let is_its = cache.operator.operator_name == operator.name
                && cache.operator.job_id == operator.job_id;
            let Some(curve) = cache.curve.as_ref().filter(|_| is_its) else {
                continue;
            };
            let (hits, misses) = cache.task_hits_and_misses();
            let weight = (hits + misses).max(1) as f64;
            let ratio = self.on_average(url, cache.id, curve, bytes);
            value += weight * ratio.value;
            low += weight * ratio.low;
            high += weight * ratio.high;
            weights += weight;
        }
        Prediction {
            value: value / weights,
            low: low / weights,
            high: high / weights,
        }
    }

    /// Miss ratio that a cache's present curve gives for its present size, with what was pinned at the start.
    #[must_use]
    pub fn curve_says(&self, url: &str, cache: &CacheReport) -> Option<f64> {
        let curve = cache.curve.as_ref()?;
        let says = self.on_average(url, cache.id, curve, cache.capacity_bytes);
        Some(says.value)
    }

    /// The sizes that were found.
    #[must_use]
    pub fn found(&self) -> Vec<FoundSize> {
        let found = self.start.iter().flat_map(|(url, report)| {
            report.caches.iter().map(|cache| FoundSize {
                agent: url.clone(),
                pid: report.agent.pid,
                cache: cache.id.0,
                bytes: cache.capacity_bytes,
            })
        });
        found.collect()
    }

    /// Gives each chosen cache this size.
    pub async fn resize(
        &self,
        client: &AgentClient,
        bytes: u64,
        others: Option<u64>,
    ) -> anyhow::Result<()> {
        for (url, report) in &self.start {
            let sizes = report.caches.iter().filter_map(|cache| {
                let bytes = if self.is_chosen(cache) {
                    Some(bytes)
                } else {
                    others
                };
                Some((cache.id, bytes?))
            });
            set(client, url, sizes.collect()).await?;
        }
        Ok(())
    }

    /// Whether every chosen cache still has this size, by a report.
    pub fn still(&self, url: &str, report: &Report, bytes: u64) -> anyhow::Result<()> {
        for (_, cache) in self.chosen().filter(|(of, _)| *of == url) {
            let now = report.caches.iter().find(|c| c.id == cache.id);
            let now = now.ok_or_else(|| {
                anyhow!(
                    "the cache of {} is gone from {url}: the job was restarted; run the sweep again, which goes on where it was",
                    cache.operator.operator_name
                )
            })?;
            ensure!(
                now.capacity_bytes == bytes,
                "somebody else gave {} at {url} a size of {}; take `resize` away from `weir run` while a sweep runs",
                cache.operator.operator_name,
                Bytes(now.capacity_bytes)
            );
        }
        Ok(())
    }
}

/// Puts sizes back, where the caches still exist; which could not be is told.
pub async fn put_back(client: &AgentClient, found: &[FoundSize]) -> anyhow::Result<()> {
    let mut by_agent: BTreeMap<&str, Vec<&FoundSize>> = BTreeMap::new();
    for size in found {
        by_agent.entry(&size.agent).or_default().push(size);
    }
    let mut failures = Vec::new();
    for (url, sizes) in by_agent {
        if let Err(error) = put_back_at(client, url, &sizes).await {
            failures.push(format!("{error:#}"));
        }
    }
    ensure!(
        failures.is_empty(),
        "sizes could not be put back: {}",
        failures.join("; ")
    );
    Ok(())
}

async fn put_back_at(client: &AgentClient, url: &str, sizes: &[&FoundSize]) -> anyhow::Result<()> {
    let report = patient::report(client, url).await?;
    let there: Vec<(CacheId, u64)> = sizes
        .iter()
        .filter(|size| size.pid == report.agent.pid)
        .filter_map(|size| {
            let cache = report.caches.iter().find(|c| c.id.0 == size.cache)?;
            (cache.capacity_bytes != size.bytes).then_some((cache.id, size.bytes))
        })
        .collect();
    set(client, url, there).await
}

/// Sends sizes, all of them at once; where a write came between, or no answer, they are sent again.
async fn set(client: &AgentClient, url: &str, sizes: Vec<(CacheId, u64)>) -> anyhow::Result<()> {
    const TRIES: usize = 5;
    if sizes.is_empty() {
        return Ok(());
    }
    let caches: Vec<CacheCapacity> = sizes
        .into_iter()
        .map(|(id, capacity_bytes)| CacheCapacity { id, capacity_bytes })
        .collect();
    for tries in 1..=TRIES {
        let allocation = Allocation {
            generation: patient::report(client, url).await?.generation + 1,
            caches: caches.clone(),
            write_buffers: Vec::new(),
        };
        match client.allocate(url, &allocation).await {
            Ok(_) => {
                // What counts is what the agent reads back.
                let report = patient::report(client, url).await?;
                for asked in &caches {
                    let now = report.caches.iter().find(|c| c.id == asked.id);
                    ensure!(
                        now.map(|c| c.capacity_bytes) == Some(asked.capacity_bytes),
                        "agent {url} took {} for cache {} and has {} in force",
                        Bytes(asked.capacity_bytes),
                        asked.id,
                        now.map_or("no such cache".to_owned(), |c| Bytes(c.capacity_bytes)
                            .to_string())
                    );
                }
                return Ok(());
            }
            Err(AgentError::Refused { refusal, .. })
                if refusal.kind == RefusalKind::StaleGeneration => {}
            // It may have arrived: sent again with the next generation it does no harm.
            Err(error @ AgentError::Unreachable { .. }) if tries < TRIES => {
                tracing::warn!("{error}; sending the sizes again");
            }
            Err(error) => return Err(error.into()),
        }
    }
    bail!(
        "somebody else keeps changing sizes at {url}; take `resize` away from `weir run` while a sweep runs"
    )
}
