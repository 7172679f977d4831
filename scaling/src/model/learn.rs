//! Takes a snapshot into the models: what was measured at the present shape, and how far that is from what was predicted.

use std::collections::{HashMap, HashSet};

use super::{
    Imbalance, JobModel, Lag, Models, Predictor, SourceLook, SubtaskShape, TaskCaches,
    VertexCaches, VertexModel, Visit, WriteCost,
};
use crate::model::state_cost::StateCost;
use crate::rates::JobRates;
use crate::{
    CacheState, History, JobHistory, JobState, Snapshot, VertexChange, VertexState, observe_job,
};

/// One look at a vertex.
struct Sample {
    shape: SubtaskShape,
    records_per_s: f64,
    ln_seconds: f64,
    /// The busiest thread never waited, and the rate is known from the source's offsets.
    exact: bool,
    /// Threads whose scatter averages out.
    threads: f64,
    at_ms: u64,
}

// === impl History ===

impl History {
    /// Learns from a snapshot. To be called once for each, before a policy decides on it.
    pub fn observe(&mut self, snapshot: &Snapshot) {
        let caches = VertexCaches::of(snapshot);
        let jobs = snapshot.jobs.iter().flatten();
        for job in jobs.filter(|j| j.state == "RUNNING") {
            if let Some(history) = self.jobs.get_mut(&job.job_id) {
                judge_last_change(history, snapshot, job);
            }
            let model = self.models.jobs.entry(job.job_id.clone()).or_default();
            model.observe(snapshot, job, &caches);
        }
    }
}

/// Notes what is measured after the last change of shape, once a whole window lies behind it.
fn judge_last_change(history: &mut JobHistory, snapshot: &Snapshot, job: &JobState) {
    let Some(change) = history.changes.last_mut() else {
        return;
    };
    let unjudged = |v: &VertexChange| v.after.true_rate.known().is_none();
    let since_ms = snapshot.at_ms.saturating_sub(change.at_ms);
    let ready = |v: &VertexState| {
        since_ms >= v.window_ms && v.running_for_ms.is_some_and(|ms| ms >= v.window_ms)
    };
    if !change.vertices.values().any(unjudged) || !job.vertices.iter().all(ready) {
        return;
    }
    let observed = observe_job(snapshot, job);
    for (id, vertex) in change.vertices.iter_mut().filter(|(_, v)| unjudged(v)) {
        if let Some(observed) = observed.get(id) {
            vertex.after = observed.clone();
        }
    }
}

// === impl Models ===

impl Models {
    pub(crate) fn vertex(&self, job_id: &str, vertex_id: &str) -> Option<&VertexModel> {
        self.jobs.get(job_id)?.vertices.get(vertex_id)
    }
}

// === impl JobModel ===

impl JobModel {
    fn observe<'a>(
        &mut self,
        snapshot: &'a Snapshot,
        job: &'a JobState,
        caches: &VertexCaches<'a>,
    ) {
        let Ok(rates) = JobRates::of(job, &snapshot.terms) else {
            return;
        };
        let pipelines = pipelines(job, &rates);
        let exact = self.count_at_sources(snapshot.at_ms, job, &rates, &pipelines);
        let (mut restarted, mut new_target) = (false, false);
        for (at, vertex) in job.vertices.iter().enumerate() {
            if vertex.source.is_some() {
                continue;
            }
            let counted = rates.vertices[at].records_in.known();
            let Some(counted) = counted.filter(|r| *r > 0.0) else {
                let known = self.vertices.get_mut(&vertex.id);
                let idle = rates.vertices[at].target.known() == Some(0.0);
                if let Some(model) = known.filter(|_| idle) {
                    new_target |= model.observe_silence(snapshot.at_ms);
                }
                continue;
            };
            let correction = exact.get(&pipelines[at]);
            let records_per_s = counted * correction.map_or(1.0, |c| c.factor);
            let model = self.vertices.entry(vertex.id.clone()).or_default();
            let queued = correction.is_some_and(|c| c.queued);
            let target = rates.vertices[at].target.known();
            let seen = Seen {
                vertex,
                caches: caches.vertex(job, vertex),
                records_per_s,
                queued,
                exact: correction.is_some_and(|c| c.exact),
                backlog_s: correction.and_then(|c| c.backlog_s),
                target_per_s: target,
                at_ms: snapshot.at_ms,
            };
            let parallelism = |m: &VertexModel| m.visits.last().map(|v| v.shape.parallelism);
            let (before, since_ms) = (parallelism(model), model.target_since_ms);
            model.observe(&seen);
            restarted |= before.is_some() && parallelism(model) != before;
            new_target |= model.target_since_ms != since_ms;
        }
        if new_target {
            self.restarts_at_target = 0;
        }
        self.restarts_at_target += u32::from(restarted);
        let present: HashSet<&str> = job.vertices.iter().map(|v| v.id.as_str()).collect();
        self.vertices.retain(|id, _| present.contains(id.as_str()));
    }

    /// What every pipeline really read, from what arrived outside less what more is waiting there: offsets do not err. (The Flink
    /// operator does the same under lag: "observed true processing rate".)
    fn count_at_sources(
        &mut self,
        at_ms: u64,
        job: &JobState,
        rates: &JobRates,
        pipelines: &[usize],
    ) -> HashMap<usize, Correction> {
        let mut sums: HashMap<usize, (f64, f64, bool, bool)> = HashMap::new();
        let mut backlogs: HashMap<usize, Option<f64>> = HashMap::new();
        for (at, vertex) in job.vertices.iter().enumerate() {
            let Some(source) = &vertex.source else {
                continue;
            };
            let now = (
                source.pending_records.known(),
                source.target_records_per_second.known(),
            );
            let before = self.sources.get(&vertex.id).copied();
            let entry = sums.entry(pipelines[at]).or_insert((0.0, 0.0, true, false));
            let mut whole = false;
            let backlog_s = match now {
                (Some(_), Some(0.0)) => Some(0.0),
                (Some(pending), Some(target)) => Some(pending / target),
                _ => None,
            };
            let most = backlogs.entry(pipelines[at]).or_insert(Some(0.0));
            *most = most.zip(backlog_s).map(|(a, b)| a.max(b));
            if let (Some(pending), Some(target)) = now {
                let counted = rates.vertices[at].records_in.known();
                if let (Some(before), Some(counted)) = (before, counted) {
                    let seconds = at_ms.saturating_sub(before.at_ms) as f64 / 1000.0;
                    // Only if both looks are the ends of this very window, and the same rate arrived all the time.
                    let ends = (seconds * 1000.0 - vertex.window_ms as f64).abs()
                        <= 0.02 * seconds * 1000.0;
                    if seconds > 0.0 && ends && before.target_per_s == target {
                        let read = target - (pending - before.pending_records) / seconds;
                        entry.0 += read.max(0.0);
                        entry.1 += counted;
                        whole = true;
                    }
                }
                entry.3 |= pending > target;
                self.sources.insert(
                    vertex.id.clone(),
                    SourceLook {
                        at_ms,
                        pending_records: pending,
                        target_per_s: target,
                    },
                );
            }
            entry.2 &= whole;
        }
        let corrections = sums
            .into_iter()
            .map(|(pipeline, (read, counted, whole, queued))| {
                let exact = whole && counted > 0.0 && read > 0.0;
                let factor = if exact { read / counted } else { 1.0 };
                (
                    pipeline,
                    Correction {
                        factor,
                        exact,
                        queued,
                        backlog_s: backlogs.get(&pipeline).copied().flatten(),
                    },
                )
            });
        corrections.collect()
    }
}

/// By how much the counters of a pipeline are off, and whether records wait outside of it.
struct Correction {
    factor: f64,
    /// Whether the factor is known, not assumed to be 1.
    exact: bool,
    queued: bool,
    /// Seconds in which what waits arrives; absent where nobody counts it.
    backlog_s: Option<f64>,
}

/// Vertices that are connected get the same number.
fn pipelines(job: &JobState, rates: &JobRates) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..job.vertices.len()).collect();
    fn root(parent: &mut [usize], mut at: usize) -> usize {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    }
    for edge in &rates.edges {
        let (a, b) = (root(&mut parent, edge.from), root(&mut parent, edge.to));
        parent[a.max(b)] = a.min(b);
    }
    (0..parent.len()).map(|at| root(&mut parent, at)).collect()
}

/// What a snapshot shows of one vertex.
struct Seen<'a> {
    vertex: &'a VertexState,
    caches: &'a TaskCaches<'a>,
    records_per_s: f64,
    queued: bool,
    exact: bool,
    backlog_s: Option<f64>,
    target_per_s: Option<f64>,
    at_ms: u64,
}

// === impl VertexModel ===

impl VertexModel {
    /// A target that changes by less is the same.
    const SAME_TARGET: f64 = 0.05;
    /// A thread that works this share of its time never waits.
    const SATURATED: f64 = 0.98;
    pub(crate) const KEPT_VISITS: usize = 16;
    /// Scatter assumed of busy time, of rates under lag, and of the cost of state.
    const BUSY_SCATTER: f64 = 0.1;
    const SATURATED_SCATTER: f64 = 0.01;
    pub(crate) const STATE_SCATTER: f64 = 0.15;
    /// No visit counts for more than so many samples: workloads drift.
    const MOST_SAMPLES: f64 = 240.0;

    fn observe(&mut self, seen: &Seen<'_>) {
        let Some(shape) = seen.caches.shape(seen.vertex) else {
            return;
        };
        if let Some(target) = seen.target_per_s {
            let moved = (target - self.target_per_s).abs();
            if moved > Self::SAME_TARGET * self.target_per_s.max(target) {
                self.target_per_s = target;
                self.target_since_ms = seen.at_ms;
                self.samples_since_change = 0;
                self.samples_at_target = 0;
            }
        }
        let loads: Option<Vec<f64>> = seen
            .vertex
            .subtasks
            .iter()
            .map(|s| s.busy.known())
            .collect();
        let Some(loads) = loads.filter(|l| l.len() == seen.vertex.parallelism as usize) else {
            return;
        };
        let busiest = loads.iter().copied().fold(0.0, f64::max);
        let mean = loads.iter().sum::<f64>() / loads.len() as f64;
        if mean <= 0.0 {
            return;
        }
        if self.visits.last().is_none_or(|v| !v.shape.is_same(&shape)) {
            self.samples_since_change = 0;
        }
        self.samples_since_change += 1;
        self.samples_at_target += 1;
        let saturated = busiest >= Self::SATURATED && seen.queued;
        if busiest < Self::SATURATED || self.imbalance.samples == 0 {
            self.imbalance.add(&loads);
        }
        let busy = if saturated {
            1.0
        } else {
            mean * self.imbalance.factor()
        };
        let sample = Sample {
            shape,
            records_per_s: seen.records_per_s,
            ln_seconds: (busy * f64::from(shape.parallelism) / seen.records_per_s).ln(),
            exact: saturated && seen.exact,
            threads: if saturated {
                1.0
            } else {
                f64::from(shape.parallelism)
            },
            at_ms: seen.at_ms,
        };
        let caches = seen.caches.in_order();
        self.learn_state(&caches, &sample);
        self.learn_write(&caches, &sample);
        self.learn_seconds(&sample);
        self.learn_backlog(seen, saturated);
    }

    /// What waits tells in the long run what no rate tells: whether the present shape keeps up. Bursts of compaction come and go, so
    /// the lowest backlog of a span is compared with that of the span before. Where it has grown, the shape is too slow by what it
    /// has grown; where both spans end without any, it is fast enough whatever single windows say.
    fn learn_backlog(&mut self, seen: &Seen<'_>, saturated: bool) {
        if self.samples_since_change <= 1 {
            self.lags.clear();
        }
        let (Some(backlog_s), Some(target)) = (seen.backlog_s, seen.target_per_s) else {
            self.lags.clear();
            return;
        };
        self.lags.push(Lag {
            at_ms: seen.at_ms,
            target_per_s: target,
            backlog_s,
            saturated,
        });
        let surplus = self.lags.len().saturating_sub(2 * Lag::SPAN);
        self.lags.drain(..surplus);
        if self.lags.len() < 2 * Lag::SPAN || target <= 0.0 {
            return;
        }
        let lowest = |span: &[Lag]| {
            let lower = |a: &Lag, b: &Lag| a.backlog_s.total_cmp(&b.backlog_s);
            span.iter().copied().min_by(lower)
        };
        let (earlier, later) = self.lags.split_at(Lag::SPAN);
        let (Some(before), Some(after)) = (lowest(earlier), lowest(later)) else {
            return;
        };
        let Some(visit) = self.visits.last_mut() else {
            return;
        };
        // A target may have moved a little meanwhile: what a shape was enough for is the least of them.
        let targets = || self.lags.iter().map(|lag| lag.target_per_s);
        let ln_seconds = |per_s: f64| (f64::from(visit.shape.parallelism) / per_s).ln();
        let grown_s = after.backlog_s - before.backlog_s;
        if grown_s > Lag::NOTABLE_S && self.lags.iter().all(|lag| lag.saturated) {
            let seconds = after.at_ms.saturating_sub(before.at_ms).max(1) as f64 / 1000.0;
            let short = (grown_s / seconds).min(Lag::MOST_SHORT);
            let deviation = (short / Lag::DEVIATIONS).max(Lag::LEAST_DEVIATION);
            let mean = targets().sum::<f64>() / self.lags.len() as f64;
            visit.ln_seconds = ln_seconds(mean * (1.0 - short));
            visit.weight = visit.weight.max(deviation.powi(-2));
        } else if before.backlog_s <= Lag::NONE_S && after.backlog_s <= Lag::NONE_S {
            let least = targets().fold(f64::INFINITY, f64::min);
            visit.ln_seconds = visit.ln_seconds.min(ln_seconds(least));
        }
    }

    /// Nothing arrives: says whether that is new.
    fn observe_silence(&mut self, at_ms: u64) -> bool {
        let fell_silent = self.target_per_s > 0.0;
        if fell_silent {
            self.target_per_s = 0.0;
            self.target_since_ms = at_ms;
            self.samples_since_change = 0;
            self.samples_at_target = 0;
        }
        self.samples_at_target += 1;
        fell_silent
    }

    /// Snapshots since it has had nothing to process.
    pub(crate) fn silent_for(&self) -> u32 {
        match self.target_per_s > 0.0 {
            true => 0,
            false => self.samples_at_target,
        }
    }

    fn learn_state(&mut self, caches: &[&CacheState], sample: &Sample) {
        let Some(newer) = StateCost::measure(caches, sample.records_per_s) else {
            return;
        };
        match &mut self.state {
            Some(state) if state.is_like(&newer) => {
                let at = |s: &StateCost| {
                    s.at(sample.shape.parallelism, sample.shape.cache_bytes)
                        .max(1e-12)
                };
                self.state_scatter
                    .add((at(&newer) / at(state)).ln().powi(2));
                state.average(&newer);
            }
            state => *state = Some(newer),
        }
    }

    fn learn_write(&mut self, caches: &[&CacheState], sample: &Sample) {
        let paths: Option<Vec<_>> = caches.iter().map(|c| c.write_path.as_ref()).collect();
        let Some(paths) = paths.filter(|p| !p.is_empty()) else {
            return;
        };
        let sum = |value: fn(&crate::WritePath) -> &crate::Measured| {
            paths.iter().map(|p| value(p).known()).sum::<Option<f64>>()
        };
        let (Some(flushed), Some(compacted), Some(stalled)) = (
            sum(|p| &p.flushed_bytes_per_second),
            sum(|p| &p.compacted_bytes_per_second),
            sum(|p| &p.stalled),
        ) else {
            return;
        };
        if flushed <= 0.0 {
            return;
        }
        let newer = WriteCost {
            parallelism: sample.shape.parallelism,
            write_buffer_bytes: sample.shape.write_buffer_bytes,
            stall_seconds: stalled / sample.records_per_s,
            amplification: compacted / flushed,
            samples: 1,
        };
        let same = |w: &WriteCost| {
            w.parallelism == newer.parallelism && w.write_buffer_bytes == newer.write_buffer_bytes
        };
        match &mut self.write {
            Some(write) if same(write) => {
                write.samples += 1;
                let weight = 1.0 / f64::from(write.samples.min(60));
                write.stall_seconds += (newer.stall_seconds - write.stall_seconds) * weight;
                write.amplification += (newer.amplification - write.amplification) * weight;
            }
            write => *write = Some(newer),
        }
    }

    fn learn_seconds(&mut self, sample: &Sample) {
        let known = self
            .visits
            .iter()
            .position(|v| v.shape.is_same(&sample.shape));
        // The prediction is judged where it was one: at a shape never measured before.
        let predicted = match known {
            None => Predictor::new(self, sample.at_ms).map(|p| p.seconds(&sample.shape)),
            Some(_) => None,
        };
        let variance = match sample.exact {
            true => self.saturated_scatter.variance(Self::SATURATED_SCATTER),
            // The loads of several threads scatter on their own.
            false => self.busy_scatter.variance(Self::BUSY_SCATTER) / sample.threads,
        };
        if let Some(predicted) = predicted {
            let off = sample.ln_seconds - predicted.ln_seconds;
            self.surprise
                .add(off / (predicted.variance + variance).sqrt());
        }
        let mut visit = match known {
            Some(at) => self.visits.remove(at),
            None => Visit {
                shape: sample.shape,
                ln_seconds: sample.ln_seconds,
                weight: 0.0,
                last_ms: sample.at_ms,
                imbalance: Imbalance::none(),
            },
        };
        let off = sample.ln_seconds - visit.ln_seconds;
        if visit.weight > 0.0 {
            let before = 1.0 / visit.weight;
            // Of the mean the deviation is known already; what exceeds it is scatter.
            let square = off * off * variance / (variance + before);
            match sample.exact {
                true => self.saturated_scatter.add(square),
                false => self.busy_scatter.add(square * sample.threads),
            }
        }
        let most = (Self::MOST_SAMPLES / variance).max(visit.weight);
        visit.weight = (visit.weight + 1.0 / variance).min(most);
        visit.ln_seconds += off / (visit.weight * variance);
        visit.last_ms = sample.at_ms;
        visit.imbalance = self.imbalance.factor();
        self.visits.push(visit);
        if self.visits.len() > Self::KEPT_VISITS {
            self.visits.remove(0);
        }
        if known.is_none() {
            let parallelism = sample.shape.parallelism;
            if self.imbalance.sums.len() != parallelism as usize {
                self.imbalance = Imbalance::default();
            }
        }
    }
}
