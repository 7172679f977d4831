//! What was booked, weighted by age: every booking counts half after a half-life.
//!
//! Nothing is ever decayed one by one. Bookings are multiplied by a *gain* that doubles every half-life, and read divided by the
//! gain of the moment (forward decay: Cormode et al., ICDE '09); from time to time everything is scaled down by a power of two.

use std::time::Duration;

use crate::bins;
use crate::pool::{self, ORIGINS, Pairs, STEPS};
use crate::strata::SIZES;

/// Groups of keys, told apart by spare bits of their hash; their scatter gives the error band.
pub(crate) const GROUPS: usize = 16;
/// Steps in which the gain grows, per half-life: 1 % each.
pub(crate) const TICKS_PER_HALF_LIFE: u32 = 64;
/// After so many half-lives the gain starts again at 1, long before its square could overflow.
const RESCALE_AFTER_HALF_LIVES: u32 = 64;

/// One sampled look-up, as it is booked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Booking {
    /// Whether it is known to have missed: in the real cache, or, where its answers are not told, among the [`crate::recent`] blocks.
    pub(crate) missed: bool,
    /// Bin of its reuse distance, or of what the distance is at least.
    pub(crate) bin: usize,
    /// Whether `bin` is but a lower bound.
    pub(crate) censored: bool,
    /// Group of its key.
    pub(crate) group: usize,
    /// What the block's last look-up left it as; see [`crate::pool`].
    pub(crate) origin: Option<usize>,
    /// Class of its block's size.
    pub(crate) size: usize,
    /// Look-ups it stands for.
    pub(crate) weight: f64,
    /// What the earlier look-ups of its block stand for beyond themselves.
    pub(crate) represented: f64,
    /// Where the first look-up of its block was booked; `None`: this is the first.
    pub(crate) first: Option<FirstUse>,
}

/// Where the first look-up of a block was booked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FirstUse {
    pub(crate) bin: u16,
    pub(crate) censored: bool,
    /// What it stood for beyond itself.
    pub(crate) represented: f32,
}

/// Look-ups of one outcome.
#[derive(Debug, Clone)]
pub(crate) struct Stratum {
    /// Weight by distance; the infinite bin last.
    pub(crate) seen: Box<[f64]>,
    /// Weight by lower bound of the distance.
    pub(crate) censored: Box<[f64]>,
    /// How strongly the weight of each bin goes up and down with the total weight, from one choice of blocks to another: the
    /// covariance of the two, up to a factor.
    pub(crate) covariance: Box<[f64]>,
    /// The same for `censored`.
    pub(crate) censored_covariance: Box<[f64]>,
    /// Variance of the weight of first look-ups that count as misses everywhere.
    pub(crate) first_variance: f64,
    /// By coarse bin and group, what a look-up of either kind adds to the scatter: the root of the variance that its weight has, which is
    /// nothing for a block that was sure to be in the sample.
    pub(crate) groups: Box<[[f64; GROUPS]]>,
    pub(crate) weight: f64,
    /// Exact look-ups, where they are told.
    pub(crate) exact: f64,
}

/// Booked look-ups by outcome and reuse distance, and exact counts beside them, all aged alike. Public fields are not divided
/// by the gain: good for comparison with each other only.
#[derive(Debug, Clone)]
pub(crate) struct AgedBookings {
    /// `None`: nothing ages, and the tick stays 0.
    tick_length: Option<Duration>,
    tick: u32,
    next_tick_at: Duration,
    /// Tick at which the gain was 1.
    base_tick: u32,
    gain: f64,
    /// Look-ups that missed.
    pub(crate) missed: Stratum,
    /// Look-ups that hit, and those of which nothing is known.
    pub(crate) others: Stratum,
    /// Sampled look-ups.
    samples: f64,
    /// Weight of seen distances by coarse bin and class of size.
    sizes: Box<[[f64; SIZES]]>,
    /// Weight of pairs of consecutive distances.
    pairs: Box<Pairs>,
    /// Weight of sampled look-ups that came back to a block after a long time.
    late_returns: f64,
    /// Whether exact misses were ever told.
    knows_misses: bool,
}

// === impl Stratum ===

impl Stratum {
    fn new() -> Self {
        let bins = || vec![0.0; bins::COUNT].into_boxed_slice();
        Self {
            seen: bins(),
            censored: bins(),
            covariance: bins(),
            censored_covariance: bins(),
            first_variance: 0.0,
            groups: vec![[0.0; GROUPS]; bins::COARSE_COUNT].into_boxed_slice(),
            weight: 0.0,
            exact: 0.0,
        }
    }

    fn scale(&mut self, factor: f64) {
        self.seen.iter_mut().for_each(|w| *w *= factor);
        self.censored.iter_mut().for_each(|w| *w *= factor);
        let square = factor * factor;
        self.covariance.iter_mut().for_each(|c| *c *= square);
        self.censored_covariance
            .iter_mut()
            .for_each(|c| *c *= square);
        self.first_variance *= square;
        self.groups.iter_mut().flatten().for_each(|w| *w *= factor);
        self.weight *= factor;
        self.exact *= factor;
    }

    #[inline]
    fn book(&mut self, booking: &Booking, gain: f64) {
        let weight = booking.weight * gain;
        let square = gain * gain;
        // The variance of a sum over blocks is a sum over pairs of look-ups of the same block, each look-up paired with itself, too.
        // A pair is known when its later one comes, and belongs half to the bin of either. In the long run that is the same as all
        // to the later one's, but for pairs with the first look-up, whose bin is like no other.
        let covariance = match booking.first {
            None => {
                let variance = booking.weight * (booking.weight - 1.0);
                if booking.bin == bins::INFINITE && !booking.censored {
                    self.first_variance += variance * square;
                }
                variance
            }
            Some(first) => {
                let with_first = booking.weight * f64::from(first.represented);
                let (seen, censored) = (&mut self.covariance, &mut self.censored_covariance);
                let covariances = if first.censored { censored } else { seen };
                covariances[usize::from(first.bin)] += with_first * square;
                2.0 * booking.weight * booking.represented
            }
        };
        let (weights, covariances) = if booking.censored {
            (&mut self.censored, &mut self.censored_covariance)
        } else {
            (&mut self.seen, &mut self.covariance)
        };
        weights[booking.bin] += weight;
        covariances[booking.bin] += covariance * square;
        let scatter = (booking.weight * (booking.weight - 1.0)).max(0.0).sqrt() * gain;
        self.groups[bins::coarse_of(booking.bin)][booking.group] += scatter;
        self.weight += weight;
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(&*self.seen) * 4 + size_of_val(&*self.groups)
    }
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
            missed: Stratum::new(),
            others: Stratum::new(),
            samples: 0.0,
            sizes: vec![[0.0; SIZES]; bins::COARSE_COUNT].into_boxed_slice(),
            pairs: Box::new([[0.0; STEPS]; ORIGINS]),
            late_returns: 0.0,
            knows_misses: false,
        }
    }

    /// Current tick; it advances 64 times a half-life, and never without one.
    pub(crate) fn tick(&self) -> u32 {
        self.tick
    }

    /// What is left of something of an earlier tick.
    #[inline]
    pub(crate) fn left_since(&self, tick: u32) -> f64 {
        if tick == self.tick {
            return 1.0;
        }
        (-f64::from(self.tick - tick) / f64::from(TICKS_PER_HALF_LIFE)).exp2()
    }

    /// Whether the present tick is over by then.
    #[inline]
    pub(crate) fn ends_before(&self, now: Duration) -> bool {
        now >= self.next_tick_at
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
            let factor = 0.5_f64.powi(half_lives as i32);
            self.missed.scale(factor);
            self.others.scale(factor);
            self.samples *= factor;
            self.late_returns *= factor;
            self.pairs.iter_mut().flatten().for_each(|w| *w *= factor);
            self.sizes.iter_mut().flatten().for_each(|w| *w *= factor);
            self.base_tick += half_lives * TICKS_PER_HALF_LIFE;
        }
        let age = f64::from(self.tick - self.base_tick) / f64::from(TICKS_PER_HALF_LIFE);
        self.gain = age.exp2();
        true
    }

    /// Books exact look-ups, and how many of them missed, where that is told.
    pub(crate) fn add_exact(&mut self, lookups: u64, misses: Option<u64>) {
        self.knows_misses |= misses.is_some();
        let misses = misses.unwrap_or(0);
        self.missed.exact += misses as f64 * self.gain;
        self.others.exact += (lookups - misses.min(lookups)) as f64 * self.gain;
    }

    /// Books a sampled look-up.
    #[inline]
    pub(crate) fn book(&mut self, booking: &Booking) {
        self.samples += self.gain;
        let stratum = if booking.missed {
            &mut self.missed
        } else {
            &mut self.others
        };
        stratum.book(booking, self.gain);
        if let Some(origin) = booking.origin {
            let step = pool::step_of(bins::coarse_of(booking.bin));
            self.pairs[origin][step] += booking.weight * self.gain;
        }
        if !booking.censored {
            self.sizes[bins::coarse_of(booking.bin)][booking.size] += booking.weight * self.gain;
        }
    }

    /// Notes that a look-up came back to a block after a long time.
    pub(crate) fn note_late_return(&mut self, weight: f64) {
        self.late_returns += weight * self.gain;
    }

    /// Share of look-ups that came back to a block after a long time.
    pub(crate) fn late_share(&self) -> f64 {
        match self.raw_lookups() {
            0.0 => 0.0,
            lookups => self.late_returns / lookups,
        }
    }

    /// Weight of a bin, all outcomes together.
    pub(crate) fn raw_bin(&self, bin: usize) -> f64 {
        self.missed.seen[bin] + self.others.seen[bin]
    }

    /// Weights of pairs of consecutive distances.
    pub(crate) fn pairs(&self) -> &Pairs {
        &self.pairs
    }

    /// Weights of a coarse bin by class of size.
    pub(crate) fn sizes(&self, coarse: usize) -> &[f64; SIZES] {
        &self.sizes[coarse]
    }

    /// Exact look-ups; the sampled weight where none were ever told.
    pub(crate) fn raw_lookups(&self) -> f64 {
        match self.missed.exact + self.others.exact {
            0.0 => self.missed.weight + self.others.weight,
            told => told,
        }
    }

    /// Whether the exact number of misses was told, and some of them were sampled.
    pub(crate) fn knows_misses(&self) -> bool {
        self.knows_misses && self.missed.exact > 0.0 && self.missed.weight > 0.0
    }

    /// How many misses a sampled weight of one that missed stands for: 1, but for the luck of the draw.
    pub(crate) fn miss_scale(&self) -> f64 {
        if self.knows_misses() {
            self.missed.exact / self.missed.weight
        } else {
            1.0
        }
    }

    /// Aged number of sampled look-ups.
    pub(crate) fn samples(&self) -> f64 {
        self.samples / self.gain
    }

    /// Share of look-ups that missed: exact where that was told, else from the samples' outcomes.
    pub(crate) fn missed_share(&self) -> Option<f64> {
        let lookups = self.raw_lookups();
        let misses = self.missed.weight * self.miss_scale();
        (lookups > 0.0).then(|| (misses / lookups).min(1.0))
    }

    /// Share of the booked look-ups that was inferred, not seen: 0 where everything was sampled.
    pub(crate) fn unseen_share(&self) -> f64 {
        let weight = self.missed.weight + self.others.weight;
        if weight > 0.0 {
            (1.0 - self.samples / weight).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.missed.memory_bytes()
            + self.others.memory_bytes()
            + size_of_val(&*self.sizes)
            + size_of_val(&*self.pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booking(weight: f64) -> Booking {
        Booking {
            missed: false,
            bin: 3,
            censored: false,
            group: 0,
            origin: None,
            size: 0,
            weight,
            represented: 0.0,
            first: None,
        }
    }

    #[test]
    fn a_booking_halves_with_every_half_life() {
        let mut aged = AgedBookings::new(Some(Duration::from_secs(64)));
        aged.book(&booking(8.0));
        for half_lives in [1, 2, 5, 63, 65, 200] {
            aged.advance(Duration::from_secs(64 * half_lives));
            let left = aged.raw_bin(3) / aged.gain;
            let expected = 8.0 * 0.5_f64.powi(half_lives as i32);
            assert!((left / expected - 1.0).abs() < 1e-9, "{half_lives}: {left}");
            let since_start = aged.left_since(0);
            assert!((since_start * 8.0 / expected - 1.0).abs() < 1e-9);
        }
        aged.advance(Duration::from_secs(64 * 100_000));
        assert!(aged.samples() < 1e-300);
        aged.book(&booking(1.0));
        assert!((aged.samples() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn without_a_half_life_nothing_ages() {
        let mut aged = AgedBookings::new(None);
        aged.book(&booking(1.0));
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
