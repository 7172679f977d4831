//! How long something took: a histogram of nanoseconds with an exact sum.

use hdrhistogram::Histogram;

/// Durations with two significant digits.
#[derive(Debug, Clone)]
pub struct LatencyHistogram {
    nanos: Histogram<u64>,
    sum_nanos: u64,
}

impl LatencyHistogram {
    /// An empty histogram that tells durations between `shortest_nanos` and `longest_nanos` apart; others count as the nearest
    /// of these.
    #[must_use]
    pub fn new(shortest_nanos: u64, longest_nanos: u64) -> Self {
        let nanos = match Histogram::new_with_bounds(shortest_nanos, longest_nanos, 2) {
            Ok(histogram) => histogram,
            Err(error) => unreachable!("constant bounds are valid: {error}"),
        };
        Self {
            nanos,
            sum_nanos: 0,
        }
    }

    /// Takes one in.
    pub fn record(&mut self, nanos: u64) {
        self.nanos.saturating_record(nanos);
        self.sum_nanos = self.sum_nanos.saturating_add(nanos);
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.nanos.len()
    }

    /// Seconds of all together.
    #[must_use]
    pub fn sum_seconds(&self) -> f64 {
        self.sum_nanos as f64 / 1e9
    }

    /// Mean in seconds; `None` before the first.
    #[must_use]
    pub fn mean_seconds(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.sum_seconds() / self.count() as f64)
    }

    /// How many took at most so long.
    #[must_use]
    pub fn count_within(&self, seconds: f64) -> u64 {
        self.nanos.count_between(0, (seconds * 1e9) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_sums_and_bounds() {
        let mut histogram = LatencyHistogram::new(10, 1_000_000_000);
        assert_eq!(histogram.mean_seconds(), None);
        for nanos in [50, 100, 10_000, 5_000_000_000] {
            histogram.record(nanos);
        }
        assert_eq!(histogram.count(), 4);
        assert_eq!(histogram.count_within(1e-6), 2);
        assert_eq!(histogram.count_within(1e-3), 3);
        assert!((histogram.sum_seconds() - 5.000_010_15).abs() < 1e-12);
    }
}
