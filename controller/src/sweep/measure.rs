//! One size: wait until it has settled, then count.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use weir_protocol::{CacheId, Report};
use weir_scaling::{JobState, Measured, VertexState};

use super::patient;
use super::plan::SweepPlan;
use super::point::{OperatorPoint, Point};
use super::subject::{Operator, Subject};
use crate::agent_client::AgentClient;
use crate::clock::now_ms;
use crate::counters::CounterLog;
use crate::flink::FlinkClient;

/// Hits, misses, usage, capacity and the curve's word of every cache.
type Looks = BTreeMap<(String, CacheId), Look>;

#[derive(Debug, Clone, Copy)]
struct Look {
    hits: u64,
    misses: u64,
    usage_bytes: u64,
    capacity_bytes: u64,
    /// Miss ratio that the curve gives for this capacity.
    curve_says: Option<f64>,
}

/// Measures sizes of one subject.
pub struct Meter<'a> {
    client: &'a AgentClient,
    flink: Option<FlinkClient>,
    plan: &'a SweepPlan,
    subject: &'a Subject,
    operators: BTreeMap<Operator, Vec<(String, CacheId)>>,
}

// === impl Meter ===

impl<'a> Meter<'a> {
    /// A share of its capacity that a full cache uses.
    const FULL: f64 = 0.95;

    /// Asks the agents through `client`, and Flink where the plan names it.
    pub fn new(
        client: &'a AgentClient,
        plan: &'a SweepPlan,
        subject: &'a Subject,
    ) -> anyhow::Result<Self> {
        let flink = plan.flink.clone();
        Ok(Self {
            client,
            flink: flink
                .map(|url| FlinkClient::new(url, plan.timeout))
                .transpose()?,
            plan,
            subject,
            operators: subject.operators(),
        })
    }

    /// Gives the caches the size, waits and counts; `say` is told what goes on.
    pub async fn measure(&self, bytes: u64, say: &mut impl FnMut(&str)) -> anyhow::Result<Point> {
        say("resizing");
        self.subject
            .resize(self.client, bytes, self.plan.others)
            .await?;
        let began = Instant::now();
        let settled = self.settle(bytes, began, say).await?;
        let settle_seconds = began.elapsed().as_secs_f64();

        let mut counters = CounterLog::default();
        self.read_flink(&mut counters).await;
        let before = self.look(bytes).await?;
        let began = Instant::now();
        while began.elapsed() < self.plan.window {
            let left = self.plan.window.saturating_sub(began.elapsed());
            say(&format!("counting for another {:.0} s", left.as_secs_f64()));
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
        }
        let after = self.look(bytes).await?;
        let window_seconds = began.elapsed().as_secs_f64();
        let jobs = self.read_flink(&mut counters).await;
        let operators = self.operators.iter().map(|(operator, caches)| {
            let (hits, misses) = difference(&before, &after, caches.iter());
            let prediction = self.subject.predict(operator, bytes);
            let job = jobs.iter().find(|job| job.job_id == operator.job_id);
            let vertices = job.map(|job| job.vertices.as_slice()).unwrap_or_default();
            OperatorPoint {
                job_id: operator.job_id.clone(),
                operator: operator.name.clone(),
                caches: caches.len(),
                predicted: prediction.value,
                low: prediction.low,
                high: prediction.high,
                hits,
                misses,
                curve_after: curve_after(&before, &after, caches),
                records_per_second: records(vertices, |v| v.name == operator.task_name),
                source_records_per_second: records(vertices, |v| v.source.is_some()),
            }
        });
        Ok(Point {
            at_ms: now_ms(),
            bytes,
            settled,
            settle_seconds,
            window_seconds,
            operators: operators.collect(),
        })
    }

    /// Waits until the caches are full, or fill no more, and miss no more and no less than before.
    async fn settle(
        &self,
        bytes: u64,
        began: Instant,
        say: &mut impl FnMut(&str),
    ) -> anyhow::Result<bool> {
        let mut before = self.look(bytes).await?;
        let mut ratio_before: Option<f64> = None;
        loop {
            if began.elapsed() >= self.plan.settle_at_most {
                return Ok(false);
            }
            tokio::time::sleep(self.plan.settle).await;
            let now = self.look(bytes).await?;
            let all = self.operators.values().flatten();
            let (hits, misses) = difference(&before, &now, all);
            let lookups = hits + misses;
            let ratio = (lookups > 0).then(|| misses as f64 / lookups as f64);
            let is_full = now.iter().all(|(id, look)| {
                let capacity = look.capacity_bytes as f64;
                let grown = look
                    .usage_bytes
                    .saturating_sub(before.get(id).map_or(0, |b| b.usage_bytes));
                look.usage_bytes as f64 >= Self::FULL * capacity
                    || grown as f64 <= self.plan.steady * capacity
            });
            say(&format!(
                "settling for {:.0} s: {}{}",
                began.elapsed().as_secs_f64(),
                ratio.map_or("no look-ups".to_owned(), |r| format!(
                    "{:.2} % misses",
                    r * 100.0
                )),
                if is_full { "" } else { ", still filling" }
            ));
            // A job that stands still is not steady.
            let change = ratio_before.zip(ratio).map(|(b, now)| (b - now).abs());
            if is_full && change.is_some_and(|c| c <= self.plan.steady) {
                return Ok(true);
            }
            (before, ratio_before) = (now, ratio);
        }
    }

    /// Looks at every chosen cache, and makes sure that nobody else has resized one.
    async fn look(&self, bytes: u64) -> anyhow::Result<Looks> {
        let mut looks = Looks::new();
        for url in &self.plan.agents {
            let report: Report = patient::report(self.client, url).await?;
            self.subject.still(url, &report, bytes)?;
            for cache in &report.caches {
                let (hits, misses) = cache.task_hits_and_misses();
                let look = Look {
                    hits,
                    misses,
                    usage_bytes: cache.usage_bytes,
                    capacity_bytes: cache.capacity_bytes,
                    curve_says: self.subject.curve_says(url, cache),
                };
                looks.insert((url.clone(), cache.id), look);
            }
        }
        let chosen = self.operators.values().flatten();
        Ok(chosen
            .filter_map(|id| Some((id.clone(), *looks.get(id)?)))
            .collect())
    }

    /// Jobs with their rates since the last call; none where Flink is not named or does not answer.
    async fn read_flink(&self, counters: &mut CounterLog) -> Vec<JobState> {
        let Some(flink) = &self.flink else {
            return Vec::new();
        };
        let reading = match flink.read().await {
            Ok(reading) => reading,
            Err(error) => {
                tracing::warn!("no records per second: Flink: {error:#}");
                return Vec::new();
            }
        };
        for (job, vertex, read) in reading.counters {
            counters.push(&job, &vertex, read, Duration::MAX);
        }
        let mut jobs = reading.jobs;
        for job in &mut jobs {
            counters.fill(job);
        }
        jobs
    }
}

fn difference<'a>(
    before: &Looks,
    after: &Looks,
    caches: impl Iterator<Item = &'a (String, CacheId)>,
) -> (u64, u64) {
    let pairs = caches.filter_map(|id| Some((before.get(id)?, after.get(id)?)));
    pairs.fold((0, 0), |(hits, misses), (before, after)| {
        (
            hits + after.hits.saturating_sub(before.hits),
            misses + after.misses.saturating_sub(before.misses),
        )
    })
}

/// What the curves say at the end of a window, caches weighed by their look-ups in it; `None` without look-ups, or where a curve is missing.
fn curve_after(before: &Looks, after: &Looks, caches: &[(String, CacheId)]) -> Option<f64> {
    let (mut sum, mut weights) = (0.0, 0.0);
    for id in caches {
        let (hits, misses) = difference(before, after, std::iter::once(id));
        let weight = (hits + misses) as f64;
        if weight > 0.0 {
            sum += weight * after.get(id)?.curve_says?;
            weights += weight;
        }
    }
    (weights > 0.0).then(|| sum / weights)
}

/// Records per second that the selected vertices read; `None` where one is not known, or none is selected.
fn records(vertices: &[VertexState], select: impl Fn(&VertexState) -> bool) -> Option<f64> {
    let subtasks: Vec<Option<f64>> = vertices
        .iter()
        .filter(|v| select(v))
        .flat_map(|v| &v.subtasks)
        .map(|s| match s.records_in_per_second {
            Measured::Known(rate) => Some(rate),
            Measured::Missing(_) => None,
        })
        .collect();
    if subtasks.is_empty() {
        return None;
    }
    subtasks.into_iter().sum()
}
