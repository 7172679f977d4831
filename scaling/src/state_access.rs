//! What the caches of a vertex's operators say together: capacities, hit ratios, times, curves.

use std::collections::BTreeMap;

use crate::{CacheState, JobState, Measured, Missing, Observed, Snapshot, SubtaskState};
use crate::{TaskManagerState, VertexRates, VertexState};

/// All caches of a snapshot, by vertex.
pub(crate) struct StateIndex<'a> {
    by_vertex: BTreeMap<(&'a str, &'a str), Vec<CacheAt<'a>>>,
}

/// A cache and where it is.
#[derive(Clone, Copy)]
pub(crate) struct CacheAt<'a> {
    pub tm: &'a TaskManagerState,
    pub cache: &'a CacheState,
}

/// One stateful operator of a vertex: the caches of its subtasks.
pub(crate) struct OperatorState<'a> {
    pub name: &'a str,
    pub caches: Vec<CacheAt<'a>>,
}

// === impl StateIndex ===

impl<'a> StateIndex<'a> {
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let mut by_vertex: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (tm, cache) in snapshot.caches() {
            let vertex = (cache.operator.job_id.as_str(), cache.task_name.as_str());
            by_vertex
                .entry(vertex)
                .or_default()
                .push(CacheAt { tm, cache });
        }
        Self { by_vertex }
    }

    /// The stateful operators of a vertex, by name; none for a vertex without caches.
    pub fn operators(&self, job: &JobState, vertex: &VertexState) -> Vec<OperatorState<'a>> {
        let caches = self
            .by_vertex
            .get(&(job.job_id.as_str(), vertex.name.as_str()));
        let mut by_name: BTreeMap<&str, Vec<CacheAt<'_>>> = BTreeMap::new();
        for at in caches.into_iter().flatten() {
            let name = at.cache.operator.operator_name.as_str();
            by_name.entry(name).or_default().push(*at);
        }
        let operator = |(name, mut caches): (_, Vec<CacheAt<'a>>)| {
            caches.sort_by_key(|at| (at.cache.operator.subtask_index, at.cache.id));
            OperatorState { name, caches }
        };
        by_name.into_iter().map(operator).collect()
    }

    /// What is measured of a vertex now: what its history judges steps by.
    pub fn observed(&self, job: &JobState, vertex: &VertexState, rates: &VertexRates) -> Observed {
        Observed {
            true_rate: rates.sum_of_instances.clone(),
            hit_ratio: miss_ratio(&self.operators(job, vertex)).map(|m| 1.0 - m),
            state_get_seconds: mean_get_seconds(&vertex.subtasks),
        }
    }
}

// === impl OperatorState ===

impl OperatorState<'_> {
    /// Mean capacity of its subtasks' caches.
    pub fn capacity_bytes(&self) -> u64 {
        let total: u64 = self.caches.iter().map(|at| at.cache.capacity_bytes).sum();
        total / (self.caches.len() as u64).max(1)
    }

    /// Mean size of its subtasks' write buffers; 0 where the agent does not know them.
    pub fn write_buffer_bytes(&self) -> u64 {
        let paths = self
            .caches
            .iter()
            .filter_map(|at| at.cache.write_path.as_ref());
        let total: u64 = paths.map(|p| p.buffer_bytes).sum();
        total / (self.caches.len() as u64).max(1)
    }

    /// The smallest capacity every one of its caches may be given.
    pub fn min_cache_bytes(&self) -> u64 {
        let minima = self.caches.iter().map(|at| at.tm.budget.min_cache_bytes);
        minima.max().unwrap_or(0)
    }

    /// Lookups per second, all subtasks together.
    pub fn lookups_per_second(&self) -> Measured {
        let loads = self.caches.iter().map(|at| {
            let load = at.cache.load.and_then(|l| l.lookups_per_second());
            load.ok_or(Missing::OneReport)
        });
        loads.sum::<Result<f64, _>>().into()
    }

    /// Mean over subtasks of a time, weighted by their lookups.
    pub fn mean_seconds(&self, seconds: fn(&CacheState) -> Option<f64>) -> Measured {
        let mut total = 0.0;
        let mut weights = 0.0;
        for at in &self.caches {
            let load = at.cache.load.and_then(|l| l.lookups_per_second());
            if let (Some(seconds), Some(load)) = (seconds(at.cache), load.filter(|l| *l > 0.0)) {
                total += seconds * load;
                weights += load;
            }
        }
        if weights > 0.0 {
            Measured::of(total / weights)
        } else {
            Measured::default()
        }
    }

    /// Miss ratio at a capacity of each subtask, the mean of the subtasks' curves weighted by their lookups; absent while any
    /// subtask that is asked has none.
    pub fn miss_ratio_at(&self, capacity_bytes: u64) -> Option<f64> {
        let mut misses = 0.0;
        let mut lookups = 0.0;
        for at in &self.caches {
            let load = at.cache.load.and_then(|l| l.lookups_per_second())?;
            if load > 0.0 {
                misses += load * at.cache.predicted_at(capacity_bytes)?.value;
                lookups += load;
            }
        }
        (lookups > 0.0).then(|| misses / lookups)
    }

    /// Capacities at which a curve of a subtask has a point, in ascending order.
    pub fn curve_points(&self) -> Vec<u64> {
        let curves = self.caches.iter().filter_map(|at| {
            let points = at.cache.curve.as_ref()?.points().iter();
            Some(points.map(|p| p.bytes.saturating_add(at.cache.pinned_bytes)))
        });
        let mut points: Vec<u64> = curves.flatten().collect();
        points.sort_unstable();
        points.dedup();
        points
    }
}

/// Exact share of lookups that missed over the last window, all operators of a vertex together.
pub(crate) fn miss_ratio(operators: &[OperatorState<'_>]) -> Measured {
    let mut lookups = 0;
    let mut misses = 0;
    for at in operators.iter().flat_map(|o| &o.caches) {
        let Some(window) = at.cache.window else {
            return Measured::Missing(Missing::OneReport);
        };
        lookups += window.lookups;
        misses += window.misses;
    }
    if lookups == 0 {
        return Measured::Missing(Missing::Idle);
    }
    Measured::of(misses as f64 / lookups as f64)
}

fn mean_get_seconds(subtasks: &[SubtaskState]) -> Measured {
    if subtasks.is_empty() {
        return Measured::default();
    }
    let times = subtasks.iter().map(|s| s.state_get_seconds_p90.get());
    let sum: Result<f64, Missing> = times.sum();
    Measured::from(sum).map(|sum| sum / subtasks.len() as f64)
}

/// What is measured now of every vertex of a job, by id; nothing where its topology makes no sense.
#[must_use]
pub fn observe_job(snapshot: &Snapshot, job: &JobState) -> BTreeMap<String, Observed> {
    let Ok(rates) = crate::JobRates::of(job, &snapshot.terms) else {
        return BTreeMap::new();
    };
    let index = StateIndex::of(snapshot);
    let vertices = job.vertices.iter().zip(&rates.vertices);
    vertices
        .map(|(vertex, rates)| (vertex.id.clone(), index.observed(job, vertex, rates)))
        .collect()
}
