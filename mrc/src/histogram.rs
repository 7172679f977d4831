//! The cumulative histogram of reuse distances, as Prometheus wants it: fixed bounds, counts that only grow.

use crate::bins;

/// Number of finite bounds: two an octave over sixteen octaves, both ends included.
const BOUNDS: usize = 33;

/// Counted look-ups by reuse distance, since the start, never aged. Sums of several of these are again one.
///
/// The miss ratio at a capacity that is one of the bounds is `1 - cumulative / count`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReuseDistanceHistogram {
    /// Counted look-ups with a reuse distance of at most [`Self::bounds`] bytes, bound by bound. A distance includes the block
    /// itself: it is the smallest capacity at which the look-up would have hit.
    pub cumulative: [u64; BOUNDS],
    /// All counted look-ups, exact.
    pub count: u64,
    /// Sum of the finite distances.
    pub sum_bytes: f64,
}

/// The tail weights behind a histogram, and what was last published of them.
#[derive(Debug, Clone)]
pub(crate) struct Totals {
    /// Sampled weight of hits by bin.
    hits: Box<[f64]>,
    /// Sampled weight of misses by bin.
    misses: Box<[f64]>,
    /// Sampled weight of all misses.
    missed_weight: f64,
    /// Exact number of misses, where it is told.
    exact_misses: u64,
    sum_bytes: f64,
    published: ReuseDistanceHistogram,
}

// === impl ReuseDistanceHistogram ===

impl ReuseDistanceHistogram {
    /// Upper bounds in bytes, ascending: 256 KiB, 384 KiB, 512 KiB, 768 KiB and so on to 16 GiB.
    #[must_use]
    pub fn bounds() -> [u64; BOUNDS] {
        std::array::from_fn(|i| {
            let octave = 1_u64 << (18 + i / 2);
            octave + (i % 2) as u64 * (octave / 2)
        })
    }

    /// Adds another histogram, such as that of another subtask.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.cumulative.iter_mut().zip(&other.cumulative) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum_bytes += other.sum_bytes;
    }
}

impl Default for ReuseDistanceHistogram {
    fn default() -> Self {
        Self {
            cumulative: [0; BOUNDS],
            count: 0,
            sum_bytes: 0.0,
        }
    }
}

// === impl Totals ===

impl Totals {
    pub(crate) fn new() -> Self {
        Self {
            hits: vec![0.0; bins::COUNT].into_boxed_slice(),
            misses: vec![0.0; bins::COUNT].into_boxed_slice(),
            missed_weight: 0.0,
            exact_misses: 0,
            sum_bytes: 0.0,
            published: ReuseDistanceHistogram::default(),
        }
    }

    /// Books a weight in a bin; `distance_bytes` is `None` in the infinite one.
    #[inline]
    pub(crate) fn book(
        &mut self,
        missed: bool,
        bin: usize,
        distance_bytes: Option<u64>,
        weight: f64,
    ) {
        if missed {
            self.misses[bin] += weight;
            self.missed_weight += weight;
        } else {
            self.hits[bin] += weight;
        }
        if let Some(distance) = distance_bytes {
            self.sum_bytes += distance as f64 * weight;
        }
    }

    /// Publishes what was booked, with the exact number of look-ups behind it and of the misses among them, where that is told;
    /// returns how many of both are new.
    ///
    /// The samples say how many look-ups lie *beyond* a bound; the rest of the exact count lies below it. That difference could
    /// shrink for a moment, while samples run ahead of the count; a published counter does not.
    pub(crate) fn publish(&mut self, lookups: u64, misses: Option<u64>) -> (u64, u64) {
        let new_lookups = lookups.saturating_sub(self.published.count);
        self.published.count += new_lookups;
        let new_misses = misses.unwrap_or(0).saturating_sub(self.exact_misses);
        self.exact_misses += new_misses;
        let miss_scale = if self.exact_misses > 0 && self.missed_weight > 0.0 {
            self.exact_misses as f64 / self.missed_weight
        } else {
            1.0
        };
        let weight = |bin: usize| self.hits[bin] + miss_scale * self.misses[bin];
        let count = self.published.count;
        let bounds = ReuseDistanceHistogram::bounds().map(bins::bin_of);
        let mut beyond = bins::COUNT;
        let mut tail = 0.0;
        for (bound, cumulative) in bounds.iter().zip(&mut self.published.cumulative).rev() {
            tail += (bound + 1..beyond).map(weight).sum::<f64>();
            beyond = bound + 1;
            let within = (count as f64 - tail).max(0.0).round() as u64;
            *cumulative = within.min(count).max(*cumulative);
        }
        self.published.sum_bytes = self.sum_bytes;
        (new_lookups, new_misses)
    }

    pub(crate) fn published(&self) -> &ReuseDistanceHistogram {
        &self.published
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.hits) + size_of_val(&*self.misses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_edges_of_bins() {
        let bounds = ReuseDistanceHistogram::bounds();
        assert_eq!(bounds[0], 256 << 10);
        assert_eq!(bounds[1], 384 << 10);
        assert_eq!(bounds[BOUNDS - 1], 16 << 30);
        for bound in bounds {
            assert_eq!(bins::upper_edge(bins::bin_of(bound)), bound);
        }
    }

    #[test]
    fn what_was_not_sampled_lies_below_every_bound() {
        let mut totals = Totals::new();
        totals.book(false, bins::bin_of(1 << 20), Some(1 << 20), 10.0);
        totals.book(true, bins::INFINITE, None, 5.0);
        assert_eq!(totals.publish(100, None), (100, 0));
        let histogram = totals.published();
        assert_eq!(histogram.cumulative[3], 85, "768 KiB");
        assert_eq!(histogram.cumulative[4], 95, "1 MiB");
        assert_eq!(histogram.cumulative[32], 95);
    }

    #[test]
    fn counts_never_shrink_though_samples_run_ahead() {
        let mut totals = Totals::new();
        totals.publish(100, None);
        totals.book(true, bins::INFINITE, None, 30.0);
        totals.publish(110, None);
        assert_eq!(totals.published().cumulative[0], 100);
        totals.publish(200, None);
        assert_eq!(totals.published().cumulative[0], 170);
        assert_eq!(
            totals.publish(150, None),
            (0, 0),
            "a count that shrank is no count"
        );
        assert_eq!(totals.published().count, 200);
    }

    #[test]
    fn sampled_misses_stand_for_all_misses() {
        let mut totals = Totals::new();
        totals.book(true, bins::INFINITE, None, 30.0);
        totals.book(true, bins::bin_of(1 << 30), Some(1 << 30), 10.0);
        totals.publish(100, Some(20));
        assert_eq!(totals.published().cumulative[0], 80);
        assert_eq!(totals.published().cumulative[32], 85);
    }
}
