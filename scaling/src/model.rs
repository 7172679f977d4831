//! What was learned of a vertex: how long a record takes at the shapes it has had, and what memory has to do with it.
//!
//! ```text
//! seconds per record = cpu + lookups x (hit + miss ratio(bytes) x (miss - hit)) + write stalls(write buffers)
//! ```
//!
//! Every term is measured: lookups, hit and miss time and the curve by the agent, the whole by busy time and records; cpu is what
//! remains. Each shape that was in force is remembered with what was measured there ([`Visit`]), so that a prediction starts from
//! the nearest measurement and not from the formula alone.

mod learn;
mod predict;
mod state_cost;
mod task_caches;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use predict::{Line, Predictor, Seconds};
use state_cost::StateCost;
pub(crate) use task_caches::{OperatorBytes, TaskCaches, VertexCaches};

/// What was learned, by job and vertex.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Models {
    pub(crate) jobs: BTreeMap<String, JobModel>,
}

/// What was learned of one job.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct JobModel {
    /// The last look at every source, by vertex id.
    pub sources: BTreeMap<String, SourceLook>,
    /// By vertex id.
    pub vertices: BTreeMap<String, VertexModel>,
    /// Times the parallelism of any vertex has changed since the target of any has.
    #[serde(default)]
    pub restarts_at_target: u32,
}

/// What a source looked like at the last snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct SourceLook {
    pub at_ms: u64,
    pub pending_records: f64,
    pub target_per_s: f64,
}

/// What was learned of one vertex.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VertexModel {
    /// Shapes that were in force, and what was measured; the present one last.
    pub(crate) visits: Vec<Visit>,
    /// Seconds that state takes of a record, over bytes; absent where it could not be measured.
    pub(crate) state: Option<StateCost>,
    /// What writing takes of a record; absent where it could not be measured.
    pub(crate) write: Option<WriteCost>,
    /// How unevenly the present instances are loaded.
    pub(crate) imbalance: Imbalance,
    /// Scatter of what is measured while the threads also wait.
    pub(crate) busy_scatter: Scatter,
    /// Scatter of what is measured while the busiest thread never waits.
    pub(crate) saturated_scatter: Scatter,
    /// Scatter of the state's cost.
    pub(crate) state_scatter: Scatter,
    /// Mean square of (realised - predicted) over the deviation that was predicted; above 1 the bands were too narrow.
    pub(crate) surprise: Surprise,
    /// What it has to process, records per second, when that last changed notably.
    pub(crate) target_per_s: f64,
    /// When that was.
    pub(crate) target_since_ms: u64,
    /// Snapshots since then.
    #[serde(default)]
    pub(crate) samples_at_target: u32,
    /// Snapshots since then, or since the last change of shape if that is later.
    pub(crate) samples_since_change: u32,
    /// What waited at the sources at the last snapshots, since then as well.
    #[serde(default)]
    pub(crate) lags: Vec<Lag>,
}

/// What waited outside at a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lag {
    pub at_ms: u64,
    /// What the vertex had to process.
    pub target_per_s: f64,
    /// Seconds in which as much arrives.
    pub backlog_s: f64,
    /// Whether the busiest thread never waited before it.
    pub saturated: bool,
}

/// Parallelism and bytes of one subtask, all its operators together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct SubtaskShape {
    pub parallelism: u32,
    pub cache_bytes: f64,
    pub write_buffer_bytes: f64,
}

/// A shape that was in force, and what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub shape: SubtaskShape,
    /// Mean logarithm of the seconds per record of the busiest instance.
    pub ln_seconds: f64,
    /// Sum of the samples' inverse variances.
    pub weight: f64,
    pub last_ms: u64,
    /// Load of the busiest instance over the mean, at the last sample.
    #[serde(default = "Imbalance::none")]
    pub imbalance: f64,
}

/// Seconds per record that the write path takes, at a write-buffer size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct WriteCost {
    pub parallelism: u32,
    pub write_buffer_bytes: f64,
    /// Stalled seconds per record.
    pub stall_seconds: f64,
    /// Bytes that compaction writes for one byte flushed.
    pub amplification: f64,
    pub samples: u32,
}

/// Load of every instance over the mean, summed over samples.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Imbalance {
    pub sums: Vec<f64>,
    pub squares: f64,
    pub samples: u32,
}

/// Scatter of samples around their mean, of logarithms.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Scatter {
    pub squares: f64,
    pub degrees: f64,
}

/// How far predictions were off, in units of the deviation they claimed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Surprise {
    pub squares: f64,
    pub count: f64,
}

// === impl SubtaskShape ===

impl SubtaskShape {
    /// Sizes that differ by less are one: no curve tells them apart.
    const SAME: f64 = 0.02;

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= Self::SAME * a.max(b);
        self.parallelism == other.parallelism
            && near(self.cache_bytes, other.cache_bytes)
            && near(self.write_buffer_bytes, other.write_buffer_bytes)
    }
}

// === impl Lag ===

impl Lag {
    /// Snapshots of a span: as many as a burst of compaction and the time after it take.
    pub(crate) const SPAN: usize = 6;
    /// A backlog that grows by less between two spans does not.
    pub(crate) const NOTABLE_S: f64 = 0.5;
    /// So little is on its way at any time.
    pub(crate) const NONE_S: f64 = 1.0;
    /// Share of the target by which a shape can fall short and still be told how much.
    pub(crate) const MOST_SHORT: f64 = 0.9;
    /// Offsets do not err: a shape that fell short does so by so many deviations.
    pub(crate) const DEVIATIONS: f64 = 3.0;
    pub(crate) const LEAST_DEVIATION: f64 = 0.001;
}

// === impl Scatter ===

impl Scatter {
    /// Samples that the assumed scatter counts like.
    const PRIOR_DEGREES: f64 = 4.0;

    pub(crate) fn variance(&self, assumed: f64) -> f64 {
        let prior = Self::PRIOR_DEGREES * assumed * assumed;
        (self.squares + prior) / (self.degrees + Self::PRIOR_DEGREES)
    }

    pub(crate) fn add(&mut self, square: f64) {
        self.squares += square;
        self.degrees += 1.0;
    }
}

// === impl Surprise ===

impl Surprise {
    /// Older predictions fade: the model they came from knew less.
    const KEPT: f64 = 0.8;

    pub(crate) fn add(&mut self, deviations: f64) {
        self.squares = self.squares * Self::KEPT + deviations * deviations;
        self.count = self.count * Self::KEPT + 1.0;
    }

    /// Factor by which bands have to be wider; never below 1. One prediction that held counts in advance.
    pub(crate) fn widening(&self) -> f64 {
        ((self.squares + 1.0) / (self.count + 1.0)).sqrt().max(1.0)
    }
}

// === impl Imbalance ===

impl Imbalance {
    /// The factor of instances that are loaded alike.
    pub(crate) fn none() -> f64 {
        1.0
    }

    /// Scatter assumed before two samples.
    const ASSUMED: f64 = 0.1;
    /// Deviations by which an instance must stand out: the largest of some dozens does so by chance up to this.
    const STANDS_OUT: f64 = 2.5;

    pub(crate) fn add(&mut self, loads: &[f64]) {
        let mean = loads.iter().sum::<f64>() / loads.len() as f64;
        if mean <= 0.0 {
            return;
        }
        if self.sums.len() != loads.len() {
            *self = Self {
                sums: vec![0.0; loads.len()],
                ..Self::default()
            };
        }
        for (sum, load) in self.sums.iter_mut().zip(loads) {
            let relative = load / mean;
            if self.samples > 0 {
                let before = *sum / f64::from(self.samples);
                self.squares += (relative - before).powi(2);
            }
            *sum += relative;
        }
        self.samples += 1;
    }

    /// Load of the busiest instance over the mean, as far as it stands out of the scatter.
    pub(crate) fn factor(&self) -> f64 {
        let count = f64::from(self.samples);
        if self.samples == 0 || self.sums.len() < 2 {
            return 1.0;
        }
        let most = self.sums.iter().copied().fold(0.0, f64::max) / count;
        let prior = 4.0;
        let degrees = (count - 1.0) * self.sums.len() as f64;
        let variance = (self.squares + prior * Self::ASSUMED * Self::ASSUMED) / (degrees + prior);
        let chance = Self::STANDS_OUT * (variance / count).sqrt();
        if most - 1.0 > chance { most } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_that_were_wrong_widen_the_bands_and_good_ones_narrow_them_again() {
        let mut surprise = Surprise::default();
        assert_eq!(surprise.widening(), 1.0);
        surprise.add(4.0);
        let after_a_bad_one = surprise.widening();
        assert!(after_a_bad_one > 2.0, "{after_a_bad_one}");
        for _ in 0..20 {
            surprise.add(0.5);
        }
        assert_eq!(surprise.widening(), 1.0);
    }

    #[test]
    fn an_instance_stands_out_if_it_does_again_and_again() {
        let mut uneven = Imbalance::default();
        let mut even = Imbalance::default();
        for at in 0..20 {
            uneven.add(&[0.9, 0.6, 0.6, 0.6]);
            let mut loads = [0.6; 4];
            loads[at % 4] = 0.66;
            even.add(&loads);
        }
        assert!((uneven.factor() - 0.9 / 0.675).abs() < 1e-9);
        assert_eq!(even.factor(), 1.0);
    }

    /// A vertex that was measured at two sizes, the larger of which the curve promised to be twice as fast.
    #[test]
    fn two_sizes_tell_by_how_much_the_states_cost_was_measured_wrong() {
        let mib = |mib: u64| mib << 20;
        let point = |bytes, miss_ratio| weir_mrc::CurvePoint {
            bytes,
            miss_ratio,
            low: miss_ratio,
            high: miss_ratio,
        };
        let curve = weir_mrc::MissRatioCurve::new(vec![
            point(0, 1.0),
            point(mib(64), 0.6),
            point(mib(256), 0.1),
        ]);
        let cache = crate::CacheState {
            parallelism: 1,
            capacity_bytes: mib(64),
            load: Some(crate::Load {
                millis: 1000,
                lookups: 1000,
            }),
            curve: curve.ok(),
            miss_seconds: Some(1e-3),
            hit_seconds: Some(0.0),
            ..cache()
        };
        let visit = |mib: u64, seconds: f64| Visit {
            shape: SubtaskShape {
                parallelism: 1,
                cache_bytes: (mib << 20) as f64,
                write_buffer_bytes: 0.0,
            },
            ln_seconds: seconds.ln(),
            weight: 1e4,
            last_ms: 0,
            imbalance: 1.0,
        };
        let at_128 = |visits: Vec<Visit>| {
            let model = VertexModel {
                visits,
                state: StateCost::measure(&[&cache], 1000.0),
                ..VertexModel::default()
            };
            let predictor = Predictor::new(&model, 0).map(|p| p.seconds(&visit(128, 1.0).shape));
            predictor.map(|s| s.ln_seconds.exp())
        };
        // By the curve, 0.6 ms of state at 64 MiB and 0.1 ms at 256; really, the difference is 0.3 ms.
        let promised = at_128(vec![visit(64, 1e-3)]).unwrap_or_default();
        let learned = at_128(vec![visit(256, 0.7e-3), visit(64, 1e-3)]).unwrap_or_default();
        assert!(promised < 0.85e-3, "{promised}");
        assert!(learned > promised + 0.03e-3, "{learned} after {promised}");
    }

    fn cache() -> crate::CacheState {
        crate::CacheState {
            id: 1,
            operator: crate::OperatorKey {
                job_id: "job".into(),
                operator_name: "join".into(),
                subtask_index: 0,
            },
            task_name: "join".into(),
            parallelism: 1,
            attempt: 0,
            capacity_bytes: 0,
            usage_bytes: 0,
            pinned_bytes: 0,
            age_ms: 0,
            load: None,
            window: None,
            curve: None,
            miss_seconds: None,
            hit_seconds: None,
            write_path: None,
        }
    }
}
