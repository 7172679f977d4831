//! What was booked, weighted by age: every booking counts half after a half-life.
//!
//! Nothing is ever decayed one by one. Bookings are multiplied by a *gain* that doubles every half-life, and read divided by the
//! gain of the moment (forward decay: Cormode et al., ICDE '09); from time to time everything is scaled down by a power of two.

use std::time::Duration;

use crate::bins;

/// Groups of keys, told apart by spare bits of their hash; their scatter gives the error band.
pub(crate) const GROUPS: usize = 16;
/// Steps in which the gain grows, per half-life: 1 % each.
pub(crate) const TICKS_PER_HALF_LIFE: u32 = 64;
/// After so many half-lives the gain starts again at 1, long before it could overflow.
const RESCALE_AFTER_HALF_LIVES: u32 = 64;

/// Booked look-ups by real outcome, reuse distance and key group, and exact counts beside them, all aged alike.
#[derive(Debug, Clone)]
pub(crate) struct AgedBookings {
    /// `None`: nothing ages, and the tick stays 0.
    tick_length: Option<Duration>,
    tick: u32,
    next_tick_at: Duration,
    /// Tick at which the gain was 1.
    base_tick: u32,
    gain: f64,
    /// Look-ups that hit in the real cache, bin by bin; the groups of a bin lie side by side.
    hits: Box<[f64]>,
    /// Look-ups that missed, likewise.
    misses: Box<[f64]>,
    /// Exact look-ups.
    lookups: f64,
    /// Exact look-ups that missed, where they are told.
    exact_misses: f64,
    /// Sampled look-ups.
    samples: f64,
    /// Sampled look-ups, each with its weight.
    weight: f64,
    /// The same, of those that missed in the real cache.
    missed_weight: f64,
}

// === impl AgedBookings ===

impl AgedBookings {
    pub(crate) fn new(half_life: Option<Duration>) -> Self {
        let tick_length = half_life.map(|h| (h / TICKS_PER_HALF_LIFE).max(Duration::from_nanos(1)));
        Self {
            tick_length,
            tick: 0,
            next_tick_at: tick_length.unwrap_or(Duration::MAX),
            base_tick: 0,
            gain: 1.0,
            hits: vec![0.0; bins::COUNT * GROUPS].into_boxed_slice(),
            misses: vec![0.0; bins::COUNT * GROUPS].into_boxed_slice(),
            lookups: 0.0,
            exact_misses: 0.0,
            samples: 0.0,
            weight: 0.0,
            missed_weight: 0.0,
        }
    }

    /// Current tick; it advances 64 times a half-life, and never without one.
    pub(crate) fn tick(&self) -> u32 {
        self.tick
    }

    /// Moves time forward; true if a new tick began. Time that runs backwards stands still.
    #[inline]
    pub(crate) fn advance(&mut self, now: Duration) -> bool {
        now >= self.next_tick_at && self.advance_ticks(now)
    }

    #[cold]
    fn advance_ticks(&mut self, now: Duration) -> bool {
        let Some(length) = self.tick_length else {
            return false;
        };
        let ticks = now.as_nanos() / length.as_nanos();
        self.tick = u32::try_from(ticks).unwrap_or(u32::MAX);
        self.next_tick_at = length
            .checked_mul(self.tick.saturating_add(1))
            .unwrap_or(Duration::MAX);
        let half_lives = (self.tick - self.base_tick) / TICKS_PER_HALF_LIFE;
        if half_lives >= RESCALE_AFTER_HALF_LIVES {
            self.scale(0.5_f64.powi(half_lives as i32));
            self.base_tick += half_lives * TICKS_PER_HALF_LIFE;
        }
        let age = f64::from(self.tick - self.base_tick) / f64::from(TICKS_PER_HALF_LIFE);
        self.gain = age.exp2();
        true
    }

    fn scale(&mut self, factor: f64) {
        self.hits.iter_mut().for_each(|w| *w *= factor);
        self.misses.iter_mut().for_each(|w| *w *= factor);
        self.lookups *= factor;
        self.exact_misses *= factor;
        self.samples *= factor;
        self.weight *= factor;
        self.missed_weight *= factor;
    }

    /// Books exact look-ups, and how many of them missed (0 where that is not told).
    pub(crate) fn add_exact(&mut self, lookups: u64, misses: u64) {
        self.lookups += lookups as f64 * self.gain;
        self.exact_misses += misses as f64 * self.gain;
    }

    /// Counts one sampled look-up that stands for `weight` of them; where it belongs follows by [`Self::book`].
    #[inline]
    pub(crate) fn count(&mut self, missed: bool, weight: f64) {
        self.samples += self.gain;
        self.weight += weight * self.gain;
        if missed {
            self.missed_weight += weight * self.gain;
        }
    }

    /// Books a weight at a distance.
    #[inline]
    pub(crate) fn book(&mut self, missed: bool, bin: usize, group: usize, weight: f64) {
        let weights = if missed {
            &mut self.misses
        } else {
            &mut self.hits
        };
        weights[bin * GROUPS + group] += weight * self.gain;
    }

    /// Weight of a bin, all groups and outcomes together, not divided by the gain: good for comparison with other bins only.
    pub(crate) fn raw_bin(&self, bin: usize) -> f64 {
        let of = |groups: &[f64]| groups.iter().sum::<f64>();
        of(self.raw_hits(bin)) + of(self.raw_misses(bin))
    }

    /// Weights of the groups of a bin that hit, not divided by the gain.
    pub(crate) fn raw_hits(&self, bin: usize) -> &[f64] {
        &self.hits[bin * GROUPS..(bin + 1) * GROUPS]
    }

    /// Weights of the groups of a bin that missed, not divided by the gain.
    pub(crate) fn raw_misses(&self, bin: usize) -> &[f64] {
        &self.misses[bin * GROUPS..(bin + 1) * GROUPS]
    }

    /// Exact look-ups, not divided by the gain; the sampled weight where none were ever told.
    pub(crate) fn raw_lookups(&self) -> f64 {
        if self.lookups > 0.0 {
            self.lookups
        } else {
            self.weight
        }
    }

    /// Whether the exact number of misses was told, and some of them were sampled.
    pub(crate) fn knows_misses(&self) -> bool {
        self.exact_misses > 0.0 && self.missed_weight > 0.0
    }

    /// How many real misses a sampled weight of one that missed stands for: 1, but for the luck of the draw.
    pub(crate) fn miss_scale(&self) -> f64 {
        if self.knows_misses() {
            self.exact_misses / self.missed_weight
        } else {
            1.0
        }
    }

    /// Aged number of sampled look-ups.
    pub(crate) fn samples(&self) -> f64 {
        self.samples / self.gain
    }

    /// Share of look-ups that missed in the real cache: exact where that was told, else from the samples' outcomes.
    pub(crate) fn real_miss_ratio(&self) -> Option<f64> {
        let lookups = self.raw_lookups();
        let misses = self.missed_weight * self.miss_scale();
        (lookups > 0.0).then(|| (misses / lookups).min(1.0))
    }

    /// Share of the booked look-ups that was inferred, not seen: 0 where everything was sampled.
    pub(crate) fn unseen_share(&self) -> f64 {
        if self.weight > 0.0 {
            (1.0 - self.samples / self.weight).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.hits) + size_of_val(&*self.misses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_booking_halves_with_every_half_life() {
        let mut aged = AgedBookings::new(Some(Duration::from_secs(64)));
        aged.count(false, 8.0);
        aged.book(false, 3, 0, 8.0);
        for half_lives in [1, 2, 5, 63, 65, 200] {
            aged.advance(Duration::from_secs(64 * half_lives));
            let left = aged.raw_bin(3) / aged.gain;
            let expected = 8.0 * 0.5_f64.powi(half_lives as i32);
            assert!((left / expected - 1.0).abs() < 1e-9, "{half_lives}: {left}");
        }
        aged.advance(Duration::from_secs(64 * 100_000));
        assert!(aged.samples() < 1e-300);
        aged.count(true, 1.0);
        assert!((aged.samples() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn without_a_half_life_nothing_ages() {
        let mut aged = AgedBookings::new(None);
        aged.count(true, 1.0);
        assert!(!aged.advance(Duration::MAX));
        assert!((aged.samples() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn time_that_runs_backwards_stands_still() {
        let mut aged = AgedBookings::new(Some(Duration::from_secs(64)));
        assert!(aged.advance(Duration::from_secs(640)));
        assert!(!aged.advance(Duration::from_secs(3)));
        assert_eq!(aged.tick(), 640);
    }
}
