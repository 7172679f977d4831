//! The estimator: sampled look-ups in, miss ratio curve out.

use std::time::Duration;

use crate::aged::{AgedBookings, GROUPS, TICKS_PER_HALF_LIFE};
use crate::bins;
use crate::calibration::Calibration;
use crate::histogram::Totals;
use crate::readout;
use crate::stack::BlockStack;
use crate::{Access, MissRatioCurve, Outcome, ReuseDistanceHistogram};

/// Sampled look-ups below which there is no curve: with fewer, the band of a medium miss ratio is wider than five points either way.
const ENOUGH_SAMPLES: f64 = 256.0;
/// A block that was not used for so many half-lives is dropped from the sample: its next use would count a sixteenth at most of
/// what it counted, and files are rewritten all the time, so that most such blocks will never be used again.
const DROP_AFTER_HALF_LIVES: u32 = 4;
/// What a block takes until the first charge was seen: RocksDB's default block size.
const DEFAULT_CHARGE_BYTES: u64 = 4096;

/// What an estimator may spend, and how long it remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EstimatorConfig {
    /// Blocks in the sample at most, in `1..=2^30`. Memory is about 70 bytes each, plus 140 KiB.
    pub samples: usize,
    /// Age at which a look-up counts half in the curve; `None`: all count alike for ever.
    pub half_life: Option<Duration>,
    /// Largest cache anybody will ask about; blocks that lie deeper in the stack are dropped, which leaves more of the sample to the
    /// others. `None`: no limit.
    pub horizon_bytes: Option<u64>,
}

/// Watches the look-ups of one cache.
///
/// A look-up is to be observed if its hash lies below [`Self::threshold`]. The threshold starts at the top, falls as the sample fills
/// (its largest hashes make room), and rises again when the sample has been less than half full. Blocks admitted by a rise stay on
/// probation until everything older than the rise has left the stack: only then is their history as long as that of the others,
/// and only then do they count. So a block that is not in the stack was not used for at least as long as the oldest block in it.
#[derive(Debug, Clone)]
pub struct Estimator {
    config: EstimatorConfig,
    stack: BlockStack,
    threshold: u64,
    /// Blocks with a hash below this count; `threshold` unless blocks are on probation.
    settled: u64,
    /// Tick of the last rise, while its blocks are on probation.
    risen_at: Option<u32>,
    calibration: Calibration,
    aged: AgedBookings,
    totals: Totals,
}

// === impl EstimatorConfig ===

impl EstimatorConfig {
    /// Blocks in the sample: errors of some tenths of a point, in less than a mebibyte.
    pub const SAMPLES: usize = 8192;
}

impl Default for EstimatorConfig {
    fn default() -> Self {
        Self {
            samples: Self::SAMPLES,
            half_life: None,
            horizon_bytes: None,
        }
    }
}

// === impl Estimator ===

impl Estimator {
    /// An estimator that has seen nothing. All memory is taken here.
    #[must_use]
    pub fn new(config: EstimatorConfig) -> Self {
        let config = EstimatorConfig {
            samples: config.samples.clamp(1, 1 << 30),
            ..config
        };
        Self {
            stack: BlockStack::new(config.samples),
            threshold: u64::MAX,
            settled: u64::MAX,
            risen_at: None,
            calibration: Calibration::new(config.samples),
            aged: AgedBookings::new(config.half_life),
            totals: Totals::new(),
            config,
        }
    }

    /// An access is to be observed if and only if its hash is smaller. It may be read before every access or now and then: accesses
    /// passed by an older, higher threshold are ignored.
    #[inline]
    #[must_use]
    pub fn threshold(&self) -> u64 {
        self.threshold
    }

    /// Observes a look-up below the threshold.
    ///
    /// `capacity_bytes` is what the real cache holds for unpinned blocks now, `now` the time since any fixed moment.
    ///
    /// A block in the stack is booked at its distance, whatever the outcome: the two differ where the capacity has just changed, where
    /// the sample errs or where the cache is no ideal LRU, and the curve describes an ideal LRU that keeps its size. The first use of
    /// a block has no distance, but an outcome. If it missed, it would have missed in every cache that was watched as long: its
    /// distance is infinite. If it hit, it lies below the blocks of the stack and within the capacity; there it is booked, in
    /// proportion to what is known to lie there.
    pub fn observe(&mut self, access: &Access, capacity_bytes: u64, now: Duration) {
        if access.hash >= self.threshold {
            return;
        }
        self.advance(now);
        self.calibration.note_capacity(capacity_bytes);
        let tick = self.aged.tick();
        let books = access.counted && access.hash < self.settled;
        if let Some(id) = self.stack.find(access.hash) {
            let charge_bytes = match access.charge_bytes {
                0 => self.stack.charge_bytes(id),
                known => known,
            };
            if books {
                let above = self.scale_up(self.stack.bytes_above(id));
                self.book_distance(access, above.saturating_add(charge_bytes));
            }
            self.note_insert(access, charge_bytes);
            if access.refreshes() {
                self.stack.touch(id, charge_bytes, tick);
            }
        } else {
            let charge_bytes = match access.charge_bytes {
                0 => self.mean_charge_bytes(),
                known => known,
            };
            if books {
                self.book_first_use(access, charge_bytes, capacity_bytes);
            }
            self.note_insert(access, charge_bytes);
            if access.refreshes() {
                self.admit(access.hash, charge_bytes, tick);
            }
        }
    }

    /// Tells the exact number of counted look-ups so far, and how many of them missed in the real cache. Numbers smaller than before
    /// are ignored. Call it before reading a curve or a histogram, after the look-ups it includes were observed. If it is never
    /// called, the sampled look-ups are all there is.
    ///
    /// Look-ups whose samples were lost on their way should be taken off both numbers in proportion, or they count as hits near the
    /// top of the stack.
    pub fn set_counts(&mut self, lookups: u64, misses: u64, now: Duration) {
        self.set_exact(lookups, Some(misses.min(lookups)), now);
    }

    /// [`Self::set_counts`] where the misses are not known: the curve is then less precise, above all at the present capacity.
    pub fn set_lookups(&mut self, total: u64, now: Duration) {
        self.set_exact(total, None, now);
    }

    /// The curve of the counted look-ups, aged by the half-life; `None` until (or unless any more) 256 sampled ones are behind it.
    pub fn curve(&mut self, now: Duration) -> Option<MissRatioCurve> {
        self.advance(now);
        if self.aged.samples() < ENOUGH_SAMPLES {
            return None;
        }
        let represented = self.stack.size_of_a_bytes_block() / self.rate();
        let known_bytes = self.calibration.known_bytes();
        Some(readout::curve(&self.aged, represented, known_bytes))
    }

    /// Aged number of sampled counted accesses behind the curve.
    #[must_use]
    pub fn samples(&self) -> f64 {
        self.aged.samples()
    }

    /// Aged share of look-ups that missed in the real cache; `None` before the first look-up.
    #[must_use]
    pub fn measured_miss_ratio(&self) -> Option<f64> {
        self.aged.real_miss_ratio()
    }

    /// Cumulative since the start, never aged, as of the last [`Self::set_lookups`].
    #[must_use]
    pub fn histogram(&self) -> ReuseDistanceHistogram {
        self.totals.published().clone()
    }

    /// Memory held, this struct included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.stack.memory_bytes()
            + self.calibration.memory_bytes()
            + self.aged.memory_bytes()
            + self.totals.memory_bytes()
    }

    /// Share of the blocks that count.
    fn rate(&self) -> f64 {
        match self.settled.min(self.threshold) {
            u64::MAX => 1.0,
            limit => limit as f64 / 2.0_f64.powi(64),
        }
    }

    /// Real bytes that sampled bytes stand for.
    #[inline]
    fn scale_up(&self, sampled_bytes: u64) -> u64 {
        (sampled_bytes as f64 / self.rate()) as u64
    }

    fn set_exact(&mut self, lookups: u64, misses: Option<u64>, now: Duration) {
        self.advance(now);
        let (new_lookups, new_misses) = self.totals.publish(lookups, misses);
        self.aged.add_exact(new_lookups, new_misses);
        self.calibration.solve(self.aged.miss_scale());
    }

    #[inline]
    fn note_insert(&mut self, access: &Access, charge_bytes: u64) {
        if access.inserts && access.outcome == Outcome::Miss {
            self.calibration
                .note_insert(charge_bytes as f64 / self.rate());
        }
    }

    fn mean_charge_bytes(&self) -> u64 {
        // Blocks on probation have no bytes but are few enough in number not to matter for a guess.
        match self.stack.total_bytes() / self.stack.len().max(1) as u64 {
            0 => DEFAULT_CHARGE_BYTES,
            mean => mean,
        }
    }

    fn group(access: &Access) -> usize {
        access.hash as usize % GROUPS
    }

    #[inline]
    fn book_distance(&mut self, access: &Access, distance_bytes: u64) {
        let weight = 1.0 / self.rate();
        let missed = access.outcome == Outcome::Miss;
        self.calibration
            .record(Some(distance_bytes), missed, weight);
        let distance_bytes = self.calibration.correct(distance_bytes);
        let bin = bins::bin_of(distance_bytes);
        let finite = (bin != bins::INFINITE).then_some(distance_bytes);
        self.aged.count(missed, weight);
        self.aged.book(missed, bin, Self::group(access), weight);
        self.totals.book(missed, bin, finite, weight);
    }

    fn book_first_use(&mut self, access: &Access, charge_bytes: u64, capacity_bytes: u64) {
        let weight = 1.0 / self.rate();
        let group = Self::group(access);
        let missed = access.outcome == Outcome::Miss;
        self.calibration.record(None, missed, weight);
        self.aged.count(missed, weight);
        if missed {
            self.aged.book(missed, bins::INFINITE, group, weight);
            self.totals.book(missed, bins::INFINITE, None, weight);
            return;
        }
        // The last bin that lies within the capacity as a whole, and the first one below the stack.
        let last = bins::bin_of(capacity_bytes.saturating_add(1)).saturating_sub(1);
        let above = self.scale_up(self.stack.total_bytes());
        let below_stack = self.calibration.correct(above.saturating_add(charge_bytes));
        let first = bins::bin_of(below_stack).min(last);
        let known: f64 = (first..=last).map(|bin| self.aged.raw_bin(bin)).sum();
        for bin in first..=last {
            let share = if known > 0.0 {
                self.aged.raw_bin(bin) / known
            } else {
                f64::from(u8::from(bin == last))
            };
            let (edge, part) = (bins::upper_edge(bin), weight * share);
            self.aged.book(missed, bin, group, part);
            self.totals.book(missed, bin, Some(edge), part);
        }
    }

    /// Takes a new block into the sample, if it does not have the largest hash of a full one.
    fn admit(&mut self, hash: u64, charge_bytes: u64, tick: u32) {
        if self.stack.len() == self.config.samples
            && let Some(largest) = self.stack.largest_hash()
        {
            if hash > self.stack.hash(largest) {
                self.threshold = hash;
                return;
            }
            self.threshold = self.stack.hash(largest);
            self.stack.remove(largest);
        }
        self.stack.insert(hash, charge_bytes, tick);
        self.drop_beyond_horizon();
    }

    fn drop_beyond_horizon(&mut self) {
        let Some(horizon) = self.config.horizon_bytes else {
            return;
        };
        let sampled_horizon = (horizon as f64 * self.rate()) as u64;
        while let Some(oldest) = self.stack.oldest()
            && self.stack.bytes_above(oldest) > sampled_horizon
        {
            self.stack.remove(oldest);
        }
    }

    #[inline]
    fn advance(&mut self, now: Duration) {
        if self.aged.advance(now) {
            self.drop_and_rise();
        }
    }

    /// Once a tick: drops what is too old, ends a probation, or begins one if the sample has become small.
    #[cold]
    fn drop_and_rise(&mut self) {
        let tick = self.aged.tick();
        let oldest_kept = tick.saturating_sub(DROP_AFTER_HALF_LIVES * TICKS_PER_HALF_LIFE);
        while let Some(oldest) = self.stack.oldest()
            && self.stack.tick(oldest) < oldest_kept
        {
            self.stack.remove(oldest);
        }
        let oldest_tick = self.stack.oldest().map(|id| self.stack.tick(id));
        match self.risen_at {
            // Strictly later: the oldest block may have been used in the same tick, but before the rise.
            Some(risen_at) if oldest_tick.is_none_or(|oldest| oldest > risen_at) => {
                self.risen_at = None;
                self.settled = u64::MAX;
                self.stack.weigh_below(u64::MAX);
            }
            Some(_) => {}
            None => self.rise(tick),
        }
    }

    fn rise(&mut self, tick: u32) {
        let blocks = self.stack.len();
        if self.threshold == u64::MAX || blocks >= self.config.samples / 2 {
            return;
        }
        // To three quarters full, if the new blocks are like the old ones; if they are more, the threshold falls back by itself.
        let factor = self.config.samples as f64 * 0.75 / blocks.max(1) as f64;
        let raised = self.threshold as f64 * factor;
        self.settled = self.threshold;
        self.stack.weigh_below(self.settled);
        // The conversion saturates at the top, which means: everything.
        self.threshold = raised as u64;
        self.risen_at = Some(tick);
    }
}
