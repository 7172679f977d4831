//! From the time a record may take to the bytes a subtask needs.

use crate::state_access::{OperatorState, miss_ratio};
use crate::{Missing, VertexRates};

/// What a record of one vertex costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccessModel {
    /// Seconds of work apart from lookups.
    pub cpu_seconds: f64,
    /// Lookups.
    pub lookups: f64,
    /// Seconds of a lookup that hits.
    pub hit_seconds: f64,
    /// Seconds of a lookup that misses.
    pub miss_seconds: f64,
    /// Whether a subtask's curve is taken for `instances` subtasks' together, as the artifact does; else it is rescaled.
    pub summed_over: Option<u32>,
}

/// What a vertex needs at some parallelism.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Demand {
    /// Cache bytes of one subtask, all its operators together.
    pub bytes_per_subtask: u64,
    /// Miss ratio that leaves enough time.
    pub allowed_miss_ratio: f64,
    /// Miss ratio at these bytes.
    pub predicted_miss_ratio: f64,
    /// Seconds a record takes then; absent where the model's times are not measured.
    pub seconds_per_record: Option<f64>,
    /// No size brings the miss ratio down to what is allowed.
    pub unreachable: bool,
    /// Not even a lookup that hits fits into the time.
    pub no_time_for_misses: bool,
}

// === impl AccessModel ===

impl AccessModel {
    /// `a4s.hit-latency-sec` and `a4s.miss-latency-sec`, one lookup a record, no CPU.
    pub(crate) fn published(parallelism: u32) -> Self {
        Self {
            cpu_seconds: 0.0,
            lookups: 1.0,
            hit_seconds: 5e-6,
            miss_seconds: 5e-3,
            summed_over: Some(parallelism),
        }
    }

    /// What was measured, or which term was not. A hit time that nobody measures is part of the CPU term.
    pub(crate) fn measured(
        rates: &VertexRates,
        operators: &[OperatorState<'_>],
    ) -> Result<Self, (&'static str, Missing)> {
        let busy = rates.busy_seconds_per_record.get();
        let busy = busy.map_err(|m| ("its time per record", m))?;
        let records = rates.records_in.get().map_err(|m| ("its input", m))?;
        let asked = operators.iter().map(|o| o.lookups_per_second().get());
        let asked: Result<f64, Missing> = asked.sum();
        let lookups = asked.map_err(|m| ("its lookups", m))? / records;
        // Means over operators, weighted by lookups; an operator that is not asked has no say.
        let mean = |seconds: fn(&crate::CacheState) -> Option<f64>| {
            let mut total = 0.0;
            let mut weights = 0.0;
            for operator in operators {
                let load = operator.lookups_per_second().known().unwrap_or(0.0);
                if load > 0.0 {
                    total += operator.mean_seconds(seconds).get()? * load;
                    weights += load;
                }
            }
            if weights > 0.0 {
                Ok(total / weights)
            } else {
                Err(Missing::Idle)
            }
        };
        let hit_seconds = mean(|c| c.hit_seconds).unwrap_or(0.0);
        let missed = miss_ratio(operators).get();
        let (missed, miss_seconds) = match (missed, mean(|c| c.miss_seconds)) {
            // No misses, no time of one: any size will do that keeps it so.
            (Ok(0.0), Err(_)) | (Err(Missing::Idle), _) => (0.0, hit_seconds),
            (Ok(missed), Ok(seconds)) => (missed, seconds.max(hit_seconds)),
            (Ok(_), Err(missing)) => return Err(("the time of a miss", missing)),
            (Err(missing), _) => return Err(("its miss ratio", missing)),
        };
        let access = lookups * (hit_seconds + missed * (miss_seconds - hit_seconds));
        Ok(Self {
            cpu_seconds: (busy - access).max(0.0),
            lookups,
            hit_seconds,
            miss_seconds,
            summed_over: None,
        })
    }

    fn seconds_per_record(&self, miss_ratio: f64) -> f64 {
        let access = self.hit_seconds + miss_ratio * (self.miss_seconds - self.hit_seconds);
        self.cpu_seconds + self.lookups * access
    }

    /// The miss ratio at which a record takes this long.
    fn allowed_miss_ratio(&self, seconds: f64) -> f64 {
        let for_misses = seconds - self.cpu_seconds - self.lookups * self.hit_seconds;
        let per_ratio = self.lookups * (self.miss_seconds - self.hit_seconds);
        if per_ratio > 0.0 {
            for_misses / per_ratio
        } else if for_misses >= 0.0 {
            1.0
        } else {
            -1.0
        }
    }
}

/// What a vertex measured at `here` instances needs with `instances` to process `target` records a second.
pub(crate) fn demand_at(
    model: &AccessModel,
    operators: &[OperatorState<'_>],
    here: u32,
    instances: u32,
    target: f64,
) -> Demand {
    /// A curve that falls by less than this has reached its floor (the artifact's plateau).
    const PLATEAU: f64 = 0.01;
    let allowed = model.allowed_miss_ratio(f64::from(instances) / target);
    // With more subtasks each has fewer keys: a subtask with M bytes is like one of now with M x instances / here.
    let rescaled = f64::from(here) / f64::from(instances);
    let curve = Curve::of(operators);
    let floor = curve.points.last().map_or(1.0, |(_, miss)| *miss);
    let fits = |limit: f64| curve.points.iter().find(|(_, miss)| *miss <= limit);
    let reached = fits(allowed);
    let plateau = || fits(floor + PLATEAU);
    let (bytes, miss) = reached.or_else(plateau).copied().unwrap_or((0, 1.0));
    let bytes_per_subtask = match model.summed_over {
        Some(subtasks) => bytes.saturating_mul(u64::from(subtasks)),
        None => (bytes as f64 * rescaled).ceil() as u64,
    };
    let measured = model.summed_over.is_none();
    Demand {
        bytes_per_subtask,
        allowed_miss_ratio: allowed.clamp(0.0, 1.0),
        predicted_miss_ratio: miss,
        seconds_per_record: measured.then(|| model.seconds_per_record(miss)),
        unreachable: reached.is_none() || allowed < 0.0,
        no_time_for_misses: allowed <= 0.0,
    }
}

/// The miss ratio of all operators of a vertex, each with an equal part of a subtask's bytes.
struct Curve {
    /// Ascending bytes, falling miss ratios.
    points: Vec<(u64, f64)>,
}

impl Curve {
    fn of(operators: &[OperatorState<'_>]) -> Self {
        let parts = operators.len() as u64;
        let smallest = operators.iter().map(OperatorState::min_cache_bytes).max();
        let smallest = smallest.unwrap_or(0);
        let mut sizes: Vec<u64> = operators
            .iter()
            .flat_map(OperatorState::curve_points)
            .filter(|bytes| *bytes > smallest)
            .chain([smallest])
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        let miss = |bytes: u64| {
            let mut misses = 0.0;
            let mut lookups = 0.0;
            for operator in operators {
                let load = operator.lookups_per_second().known().unwrap_or(0.0);
                if load > 0.0 {
                    misses += load * operator.miss_ratio_at(bytes)?;
                    lookups += load;
                }
            }
            Some(if lookups > 0.0 { misses / lookups } else { 0.0 })
        };
        let points = sizes
            .into_iter()
            .filter_map(|bytes| Some((bytes * parts, miss(bytes)?)));
        Self {
            points: points.collect(),
        }
    }
}
