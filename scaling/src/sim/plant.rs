//! A plant: what an operator really does with parallelism and memory. The simulator knows it, a policy never sees it.
//!
//! A plant answers two questions: how fast the operator is with a given shape, and what an agent would measure there.

use weir_mrc::MissRatioCurve;

use super::analytic::AnalyticPlant;
use super::measured::MeasuredPlant;

pub(crate) const MIB: f64 = (1u64 << 20) as f64;

/// Parallelism and bytes of one operator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Instances.
    pub parallelism: u32,
    /// Block cache of one instance, in bytes.
    pub cache_bytes: u64,
    /// Write buffers of one instance, in bytes.
    pub write_buffer_bytes: u64,
}

/// What an operator does.
#[derive(Debug, Clone, PartialEq)]
pub enum Plant {
    /// From formulas.
    Analytic(AnalyticPlant),
    /// From measured points.
    Measured(MeasuredPlant),
}

/// What the instruments of one subtask would show, before noise. Times are seconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Truth {
    /// Share of the operator's records that this subtask gets.
    pub share: f64,
    /// Task thread's time for one record.
    pub service_seconds: f64,
    /// State lookups for one record.
    pub lookups_per_record: f64,
    /// A lookup that hits.
    pub hit_seconds: f64,
    /// A lookup that misses.
    pub miss_seconds: f64,
    /// Share of lookups that miss at the present size.
    pub miss_ratio: f64,
    /// Miss ratio over the bytes of this subtask.
    pub curve: MissRatioCurve,
    /// What writing costs; absent where the plant has no write path.
    pub write: Option<WriteTruth>,
}

/// What the write path of one subtask would show, before noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WriteTruth {
    /// Bytes that one record writes.
    pub bytes_per_record: f64,
    /// Bytes that compaction writes for one byte flushed.
    pub compaction_bytes_per_flushed_byte: f64,
    /// Task thread's time for one record in writes: buffering and stalls.
    pub seconds_per_record: f64,
    /// Of this, stalls.
    pub stall_seconds_per_record: f64,
}

// === impl Shape ===

impl Shape {
    /// Bytes of all instances together.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        u64::from(self.parallelism) * (self.cache_bytes + self.write_buffer_bytes)
    }
}

// === impl Plant ===

impl Plant {
    /// Records per second that the operator can process with a shape, all instances together, bursts averaged.
    #[must_use]
    pub fn capacity_per_s(&self, shape: &Shape) -> f64 {
        match self {
            Self::Analytic(plant) => plant.capacity_per_s(shape) * plant.mean_speed(),
            Self::Measured(plant) => plant.capacity_per_s(shape),
        }
    }

    /// Records per second at a moment: bursts slow the operator down while they last.
    #[must_use]
    pub fn capacity_at_per_s(&self, shape: &Shape, at_s: u64) -> f64 {
        match self {
            Self::Analytic(plant) => plant.capacity_per_s(shape) * plant.speed_at(at_s),
            Self::Measured(plant) => plant.capacity_per_s(shape),
        }
    }

    /// What can really be had for a shape: parallelism and bytes that the plant does not know are taken to the next it knows.
    #[must_use]
    pub fn feasible(&self, shape: Shape) -> Shape {
        match self {
            Self::Analytic(_) => shape,
            Self::Measured(plant) => plant.feasible(shape),
        }
    }

    /// The parallelisms the plant can run with, where it does not know all of them; in ascending order.
    #[must_use]
    pub fn parallelisms(&self) -> Option<Vec<u32>> {
        match self {
            Self::Analytic(_) => None,
            Self::Measured(plant) => Some(plant.parallelisms()),
        }
    }

    /// Least cache of an instance.
    #[must_use]
    pub fn min_cache_bytes(&self) -> u64 {
        match self {
            Self::Analytic(_) => AnalyticPlant::MIN_CACHE_BYTES,
            Self::Measured(plant) => plant.min_cache_bytes(),
        }
    }

    /// Beyond this cache of an instance nothing gets faster with so many instances.
    #[must_use]
    pub fn largest_useful_cache_bytes(&self, parallelism: u32) -> u64 {
        match self {
            Self::Analytic(plant) => plant.largest_useful_cache_bytes(parallelism),
            Self::Measured(plant) => plant.largest_useful_cache_bytes(parallelism),
        }
    }

    /// What the instruments of every subtask would show, in order of their index.
    pub(crate) fn truth(&self, shape: &Shape) -> Vec<Truth> {
        match self {
            Self::Analytic(plant) => plant.truth(shape),
            Self::Measured(plant) => plant.truth(shape),
        }
    }
}
