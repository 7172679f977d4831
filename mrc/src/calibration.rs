//! How deep the real cache reaches into the sampled stack: the byte axis, checked against real outcomes.
//!
//! A sample of blocks tells how many bytes lie above a block, but not exactly, and with a few large blocks among small ones quite
//! inexactly: one sampled index block stands for dozens. The real outcomes know better. Were the axis right (and the cache an ideal
//! LRU), every look-up with a distance within the capacity would hit, and no other. So the depth at which as many look-ups hit
//! beyond it as miss within it is where the real cache ends; the axis is stretched so that this depth is the capacity. Without
//! hits beyond or misses within (nothing near the boundary, or an exact sample) it is left alone.

/// Cells of the histogram of distance over capacity, per unit.
const CELLS_PER_UNIT: usize = 64;
/// Distances of more than four capacities say nothing about where the cache ends.
const CELLS: usize = 4 * CELLS_PER_UNIT;
/// Share of look-ups on the wrong side that does not call for a correction.
const TOLERANCE: f64 = 0.001;

/// Outcomes by distance over capacity, and the stretch that follows.
#[derive(Debug, Clone)]
pub(crate) struct Calibration {
    hits: Box<[f64; CELLS]>,
    misses: Box<[f64; CELLS]>,
    /// Hits with a distance beyond the last cell.
    hits_far: f64,
    /// All look-ups in the evidence.
    weight: f64,
    samples: usize,
    /// Samples at which the evidence is halved: older choices of blocks do not matter for the present one.
    enough: usize,
    capacity_bytes: u64,
    /// Bytes that a cache that grew still has to take in before it holds what a cache of its size would.
    unfilled_bytes: f64,
    /// Depth at which the cache ends, over its capacity.
    depth: f64,
}

// === impl Calibration ===

impl Calibration {
    /// For a sample of so many blocks.
    pub(crate) fn new(blocks: usize) -> Self {
        Self {
            hits: Box::new([0.0; CELLS]),
            misses: Box::new([0.0; CELLS]),
            hits_far: 0.0,
            weight: 0.0,
            samples: 0,
            enough: blocks.saturating_mul(8),
            capacity_bytes: 0,
            unfilled_bytes: 0.0,
            depth: 1.0,
        }
    }

    /// The distance in real bytes.
    #[inline]
    pub(crate) fn correct(&self, distance_bytes: u64) -> u64 {
        if self.depth == 1.0 {
            return distance_bytes;
        }
        let end = self.depth * self.capacity_bytes as f64;
        let distance = distance_bytes as f64;
        if distance <= end {
            (distance / self.depth) as u64
        } else {
            // Beyond, the error made so far neither grows nor shrinks: the blocks there were drawn independently.
            (distance - end) as u64 + self.capacity_bytes
        }
    }

    /// Takes note of the capacity in force. A cache that grew misses what a larger one would have kept, until it has filled up.
    #[inline]
    pub(crate) fn note_capacity(&mut self, capacity_bytes: u64) {
        if capacity_bytes != self.capacity_bytes {
            let grown = capacity_bytes.saturating_sub(self.capacity_bytes) as f64;
            self.unfilled_bytes = (self.unfilled_bytes + grown).min(capacity_bytes as f64);
            self.capacity_bytes = capacity_bytes;
        }
    }

    /// Takes note of bytes that the cache took in.
    #[inline]
    pub(crate) fn note_insert(&mut self, bytes: f64) {
        self.unfilled_bytes = (self.unfilled_bytes - bytes).max(0.0);
    }

    /// Takes in a look-up with its uncorrected distance, `None` if infinite.
    #[inline]
    pub(crate) fn record(&mut self, distance_bytes: Option<u64>, missed: bool, weight: f64) {
        if self.unfilled_bytes > 0.0 || self.capacity_bytes == 0 {
            return;
        }
        self.samples += 1;
        self.weight += weight;
        let Some(distance) = distance_bytes else {
            return;
        };
        let cell = distance as f64 / self.capacity_bytes as f64 * CELLS_PER_UNIT as f64;
        let cells = if missed {
            &mut self.misses
        } else {
            &mut self.hits
        };
        match cells.get_mut(cell as usize) {
            Some(cell) => *cell += weight,
            None if missed => {}
            None => self.hits_far += weight,
        }
        if self.samples >= self.enough {
            self.halve();
        }
    }

    fn halve(&mut self) {
        self.hits.iter_mut().for_each(|w| *w /= 2.0);
        self.misses.iter_mut().for_each(|w| *w /= 2.0);
        self.hits_far /= 2.0;
        self.weight /= 2.0;
        self.samples /= 2;
    }

    /// Finds the depth anew: from the capacity outwards, as far as outcomes demand and no further. `miss_scale` is how many real
    /// misses a sampled weight of one stands for.
    pub(crate) fn solve(&mut self, miss_scale: f64) {
        self.depth = 1.0;
        let tolerated = TOLERANCE * self.weight;
        let mut beyond = self.hits_far + self.hits[CELLS_PER_UNIT..].iter().sum::<f64>();
        let mut within = miss_scale * self.misses[..CELLS_PER_UNIT].iter().sum::<f64>();
        // A cell passed moves its hits and misses to the right side; it is passed in part where the balance is reached in it.
        if beyond - within > tolerated {
            for cell in CELLS_PER_UNIT..CELLS {
                let moved = self.hits[cell] + miss_scale * self.misses[cell];
                let excess = beyond - within - tolerated;
                if moved >= excess {
                    self.depth = (cell as f64 + excess / moved) / CELLS_PER_UNIT as f64;
                    return;
                }
                beyond -= self.hits[cell];
                within += miss_scale * self.misses[cell];
            }
        } else if within - beyond > tolerated {
            for cell in (1..CELLS_PER_UNIT).rev() {
                let moved = self.hits[cell] + miss_scale * self.misses[cell];
                let excess = within - beyond - tolerated;
                if moved >= excess {
                    self.depth = (cell as f64 + 1.0 - excess / moved) / CELLS_PER_UNIT as f64;
                    return;
                }
                beyond += self.hits[cell];
                within -= miss_scale * self.misses[cell];
            }
        }
    }

    /// The distance that outcomes have set right: the capacity, once there is evidence; 0 before.
    pub(crate) fn known_bytes(&self) -> u64 {
        if self.weight > 0.0 {
            self.capacity_bytes
        } else {
            0
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        2 * CELLS * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evenly spread distances up to three capacities, of a cache that really ends at `depth` capacities.
    fn evenly(depth: f64) -> Calibration {
        let mut calibration = Calibration::new(100_000);
        calibration.note_capacity(1_000_000);
        calibration.note_insert(1_000_000.0);
        for distance in (0..3_000_000).step_by(100) {
            let missed = distance as f64 > depth * 1e6;
            calibration.record(Some(distance), missed, 1.0);
        }
        calibration.solve(1.0);
        calibration
    }

    #[test]
    fn finds_where_the_cache_ends() {
        for depth in [0.6, 0.9, 0.98, 1.0, 1.02, 1.3, 2.2] {
            let calibration = evenly(depth);
            // The tolerance is a thousandth of the look-ups: here three thousandths of the capacity.
            let found = calibration.depth;
            assert!((found - depth).abs() < 0.01, "{found} for {depth}");
            let end = calibration.correct((found * 1e6) as u64);
            assert!(end.abs_diff(1_000_000) <= 3, "{end}");
        }
    }

    #[test]
    fn an_axis_that_fits_is_left_alone() {
        assert_eq!(evenly(1.0).correct(123_456_789), 123_456_789);
    }

    #[test]
    fn a_cache_that_grew_is_no_evidence_until_it_filled_up() {
        let mut calibration = evenly(1.0);
        calibration.note_capacity(2_000_000);
        for _ in 0..10_000 {
            calibration.record(Some(1_500_000), true, 1.0);
        }
        calibration.solve(1.0);
        assert_eq!(calibration.correct(1_000_000), 1_000_000);
        calibration.note_insert(999_999.0);
        calibration.record(Some(1_500_000), true, 1.0);
        assert_eq!(calibration.samples, 30_000);
        calibration.note_insert(1.0);
        calibration.record(Some(1_500_000), true, 1.0);
        assert_eq!(calibration.samples, 30_001);
    }

    #[test]
    fn corrected_distances_keep_their_order() {
        for depth in [0.7, 1.5] {
            let calibration = evenly(depth);
            let mut before = 0;
            for distance in (0..5_000_000).step_by(1_000) {
                let corrected = calibration.correct(distance);
                assert!(corrected >= before);
                before = corrected;
            }
        }
    }
}
