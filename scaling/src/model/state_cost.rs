//! Seconds that state lookups take of a record, over the bytes of one subtask: curves, lookups and times of its operators, averaged.

use serde::{Deserialize, Serialize};

use crate::CacheState;

/// Seconds per record at sizes in steps of an eighth of an octave, averaged over snapshots at one parallelism.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateCost {
    pub(crate) parallelism: u32,
    pub(crate) samples: u32,
    /// Relative half-width of the curves' 90 % bands at the present size.
    pub(crate) half_band: f64,
    seconds: Vec<f64>,
}

// === impl StateCost ===

impl StateCost {
    const SMALLEST_BYTES: f64 = 65_536.0;
    /// Below what a curve can tell apart.
    pub(crate) const STEPS_PER_OCTAVE: f64 = 8.0;
    /// 20 octaves: 64 KiB to 64 GiB.
    const POINTS: usize = 161;
    /// Subtasks looked at: the mean of so many is known well enough.
    const SUBTASKS: usize = 4;
    /// Older snapshots fade with this many samples.
    const MEMORY: u32 = 60;

    /// What one snapshot tells; absent if any operator lacks its curve, load or miss time.
    ///
    /// With more bytes, each operator of the chain gets more in proportion to what it has.
    pub(crate) fn measure(caches: &[&CacheState], records_per_s: f64) -> Option<Self> {
        let parallelism = caches.first()?.parallelism;
        let subtasks = chosen_subtasks(parallelism);
        let looked_at: Vec<&CacheState> = caches
            .iter()
            .copied()
            .filter(|c| subtasks.contains(&c.operator.subtask_index))
            .collect();
        let total: f64 = caches.iter().map(|c| c.capacity_bytes as f64).sum();
        let total = total / f64::from(parallelism);
        let mut seconds = vec![0.0; Self::POINTS];
        let (mut band, mut present) = (0.0, 0.0);
        for cache in looked_at {
            let lookups_per_s = cache.load?.lookups_per_second()?;
            let miss_seconds = cache.miss_seconds?;
            let hit_seconds = cache.hit_seconds.unwrap_or(0.0).min(miss_seconds);
            let share = cache.capacity_bytes as f64 / total;
            // Per record of one average subtask, the mean over those looked at.
            let lookups =
                lookups_per_s / (records_per_s / f64::from(parallelism)) / subtasks.len() as f64;
            if !(lookups.is_finite() && miss_seconds.is_finite()) {
                return None;
            }
            let cost = |ratio: f64| lookups * (hit_seconds + ratio * (miss_seconds - hit_seconds));
            for (point, sum) in seconds.iter_mut().enumerate() {
                *sum += cost(
                    cache
                        .predicted_at((Self::bytes_at(point) * share) as u64)?
                        .value,
                );
            }
            let here = cache.predicted_at(cache.capacity_bytes)?;
            band += lookups * (miss_seconds - hit_seconds) * (here.high - here.low) / 2.0;
            present += cost(here.value);
        }
        Some(Self {
            parallelism,
            samples: 1,
            half_band: if present > 0.0 { band / present } else { 0.0 },
            seconds,
        })
    }

    /// Whether another snapshot can be taken in: at the same parallelism, over the same sizes (a history may hold others).
    pub(crate) fn is_like(&self, newer: &Self) -> bool {
        self.parallelism == newer.parallelism && self.seconds.len() == newer.seconds.len()
    }

    /// Takes another snapshot at the same parallelism in.
    pub(crate) fn average(&mut self, newer: &Self) {
        let weight = 1.0 / f64::from(self.samples.min(Self::MEMORY - 1) + 1);
        for (mean, value) in self.seconds.iter_mut().zip(&newer.seconds) {
            *mean += (value - *mean) * weight;
        }
        self.half_band += (newer.half_band - self.half_band) * weight;
        self.samples += 1;
    }

    /// Seconds per record with these bytes of one subtask, at this parallelism: half as many instances have twice the keys each,
    /// and need twice the bytes for the same miss ratio.
    pub(crate) fn at(&self, parallelism: u32, cache_bytes: f64) -> f64 {
        self.at_position(self.position(parallelism, cache_bytes))
    }

    /// Where these bytes of one subtask lie, in steps from the smallest size.
    pub(crate) fn position(&self, parallelism: u32, cache_bytes: f64) -> f64 {
        let bytes = cache_bytes * f64::from(parallelism) / f64::from(self.parallelism);
        (bytes / Self::SMALLEST_BYTES).log2() * Self::STEPS_PER_OCTAVE
    }

    /// Seconds per record there. Sizes off the scale count like its ends.
    pub(crate) fn at_position(&self, position: f64) -> f64 {
        let last = self.seconds.len().saturating_sub(1);
        let steps = position.max(0.0).min(last as f64);
        let point = (steps as usize).min(last.saturating_sub(1));
        let (from, to) = (self.seconds[point], self.seconds[last.min(point + 1)]);
        from + (to - from) * (steps - point as f64)
    }

    fn bytes_at(point: usize) -> f64 {
        Self::SMALLEST_BYTES * (point as f64 / Self::STEPS_PER_OCTAVE).exp2()
    }
}

/// Evenly spread over all.
fn chosen_subtasks(parallelism: u32) -> Vec<u32> {
    let count = (StateCost::SUBTASKS as u32).min(parallelism);
    (0..count).map(|i| i * parallelism / count).collect()
}
