//! The estimator: sampled look-ups in, miss ratio curve out.

use std::time::Duration;

use crate::aged::{AgedBookings, Booking, FirstUse, GROUPS, TICKS_PER_HALF_LIFE};
use crate::bins;
use crate::calibration::Calibration;
use crate::distinct::DistinctCounter;
use crate::histogram::Totals;
use crate::profile::StackProfile;
use crate::stack::{BlockId, BlockStack};
use crate::strata::{CLASSES, SamplingThresholds, Strata, class_of, size_class_of, weight_of};
use crate::{
    Access, CacheShape, EstimatorConfig, FirstTouch, MissRatioCurve, Outcome,
    ReuseDistanceHistogram,
};
use crate::{pool, readout};

/// Sampled look-ups below which there is no curve, unless they are all there were: with fewer, the band of a medium miss ratio is
/// wider than five points either way.
const ENOUGH_SAMPLES: f64 = 256.0;
/// A block that was not used for so many half-lives may be dropped from the sample: all that it counted for counts a sixteenth at
/// most by now.
const LONG_HALF_LIVES: u32 = 4;
/// It is dropped if look-ups that come back after so long are rarer than this.
const DROPPABLE_SHARE: f64 = 0.002;
/// What a block takes until the first charge was seen: RocksDB's default block size.
const DEFAULT_CHARGE_BYTES: u64 = 4096;
/// `log2` of the registers that count distinct blocks, by stratum: errors of 0.46 % and 0.65 %.
const DISTINCT_BITS: [u32; CLASSES] = [15, 14, 14, 14, 14];
/// Share of a full sample that is given up at once to make room.
const ROOM: f64 = 1.0 / 32.0;

/// Watches the look-ups of one cache.
///
/// Which look-ups are to be observed is decided by the hash of the block: [`Self::thresholds`]. They start at the top, fall as the
/// sample fills, and rise again when the sample has been less than half full. A block admitted by a rise has been watched since the
/// rise only: its first look-up is censored there, and so does not pass for a cold miss.
#[derive(Debug, Clone)]
pub struct Estimator {
    config: EstimatorConfig,
    stack: BlockStack,
    strata: Strata,
    /// Thresholds before the last rise, until everything older than the rise has left the stack.
    before_rise: Option<SamplingThresholds>,
    /// Distinct blocks by stratum.
    distinct: Option<Box<[DistinctCounter; CLASSES]>>,
    /// Aged look-ups by stratum.
    class_lookups: [f64; CLASSES],
    calibration: Calibration,
    /// Whether blocks were in the real cache before the watching began.
    warm_start: bool,
    live_bytes: Option<u64>,
    aged: AgedBookings,
    totals: Totals,
    /// Look-ups told one by one, and those of them that missed.
    told: (u64, u64),
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
        let counts =
            config.sees_all && config.half_life.is_none() && config.horizon_bytes.is_none();
        Self {
            stack: BlockStack::new(config.samples),
            strata: Strata::new(config.by_size),
            before_rise: None,
            distinct: counts.then(|| Box::new(DISTINCT_BITS.map(DistinctCounter::new))),
            class_lookups: [0.0; CLASSES],
            calibration: Calibration::new(config.samples),
            warm_start: false,
            live_bytes: None,
            aged: AgedBookings::new(config.half_life),
            totals: Totals::new(),
            told: (0, 0),
            config,
        }
    }

    /// Which look-ups are to be observed. They may be read before every access or now and then: accesses passed by older, higher
    /// thresholds are ignored.
    #[inline]
    #[must_use]
    pub fn thresholds(&self) -> &SamplingThresholds {
        self.strata.thresholds()
    }

    /// An access is to be observed if its hash is smaller. With [`EstimatorConfig::by_size`] this lets more pass than is sampled.
    #[inline]
    #[must_use]
    pub fn threshold(&self) -> u64 {
        self.strata.thresholds().ceiling()
    }

    /// Takes in any look-up, where every one is told: counts it, and observes it if it is sampled. No other count need be told.
    #[inline]
    pub fn look_up(&mut self, access: &Access, capacity_bytes: u64, now: Duration) {
        if self.aged.ends_before(now) {
            self.publish_told();
            self.advance(now);
        }
        self.told.0 += u64::from(access.counted);
        self.told.1 += u64::from(access.counted && access.outcome == Outcome::Miss);
        let class = class_of(access.charge_bytes);
        if let Some(distinct) = &mut self.distinct
            && access.charge_bytes > 0
            && access.refreshes()
        {
            distinct[class].add(access.hash);
        }
        if access.hash < self.strata.thresholds().limit(class) || access.charge_bytes == 0 {
            self.observe(access, capacity_bytes, now);
        }
    }

    /// Observes a look-up that may be sampled.
    ///
    /// `capacity_bytes` is what the real cache holds for unpinned blocks now (0: there is no real cache), `now` the time since any
    /// fixed moment.
    ///
    /// A block in the stack is booked at its distance, whatever the outcome: the two differ where the capacity has just changed, where
    /// the sample errs or where the cache is no ideal LRU, and the curve describes an ideal LRU that keeps its size. The first use of
    /// a block has no distance. If it hit in the real cache, it lies below the blocks of the stack and within the capacity; there it
    /// is booked. Otherwise [`FirstTouch`] says what it means.
    pub fn observe(&mut self, access: &Access, capacity_bytes: u64, now: Duration) {
        if access.hash >= self.strata.thresholds().ceiling() {
            return;
        }
        let known = self.stack.find(access.hash);
        let charge_bytes = match (access.charge_bytes, known) {
            (0, Some(id)) => u64::from(self.stack.get(id).charge_bytes),
            (0, None) => self.mean_charge_bytes(),
            (charge_bytes, _) => charge_bytes,
        };
        let class = class_of(charge_bytes);
        if access.hash >= self.strata.thresholds().limit(class) {
            // A block that has changed its size may belong to a stratum that does not sample it.
            if let Some(id) = known {
                self.stack.remove(id);
            }
            return;
        }
        self.advance(now);
        self.calibration.note_capacity(capacity_bytes);
        if access.inserts && access.outcome == Outcome::Miss {
            let bytes = charge_bytes as f64 * self.strata.weight(class);
            self.calibration.note_insert(bytes);
        }
        match self.stack.find(access.hash) {
            Some(id) => self.observe_reuse(id, access, charge_bytes),
            None => self.observe_first(access, charge_bytes, capacity_bytes),
        }
    }

    /// Forgets a block, as a cache does that is told of deleted files: its next look-up will be a first one. Exact for every block:
    /// those that are not sampled are none of this estimator's business.
    pub fn erase(&mut self, hash: u64) {
        if let Some(id) = self.stack.find(hash) {
            self.stack.remove(id);
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

    /// Bytes of all live blocks, such as the sizes of the SST files: no reuse distance of a block that still exists is larger. `None`:
    /// not known.
    pub fn set_live_bytes(&mut self, live_bytes: Option<u64>) {
        self.live_bytes = live_bytes;
    }

    /// The curve of the counted look-ups for one LRU list, aged by the half-life. `None` without any, or if there were more than the
    /// sampled ones and these are (or have become, by age) fewer than 256.
    pub fn curve(&mut self, now: Duration) -> Option<MissRatioCurve> {
        self.curve_for(CacheShape::IDEAL, now)
    }

    /// [`Self::curve`] for a cache with shards and a high-priority pool.
    pub fn curve_for(&mut self, shape: CacheShape, now: Duration) -> Option<MissRatioCurve> {
        self.settle(now);
        let samples = self.aged.samples();
        let all_seen = self.aged.unseen_share() == 0.0 && self.config.half_life.is_none();
        if samples < ENOUGH_SAMPLES && !(all_seen && samples > 0.0) {
            return None;
        }
        let profile = StackProfile::of(&self.stack);
        let known = readout::Known {
            axis_bytes: self.calibration.known_bytes(),
            total_is_known: self.distinct.is_some(),
            live_bytes: self.live_bytes,
        };
        Some(readout::curve(&self.aged, &profile, &known, shape))
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

    /// Share of look-ups that would miss in any cache because their block was written since: what is left of the curve at its
    /// far end. `None` until more was watched than there are live bytes, or if these are not known.
    pub fn invalidation_floor(&mut self, now: Duration) -> Option<f64> {
        self.settle(now);
        let live = self.live_bytes?;
        (self.watched_bytes() >= live && self.aged.samples() >= ENOUGH_SAMPLES)
            .then(|| readout::floor(&self.aged))
    }

    /// Estimated bytes of the distinct blocks in the stack: the working set, if nothing ages.
    #[must_use]
    pub fn working_set_bytes(&self) -> u64 {
        self.stack.total_bytes()
    }

    /// Cumulative since the start, never aged, as of the last [`Self::set_lookups`].
    #[must_use]
    pub fn histogram(&self) -> ReuseDistanceHistogram {
        self.totals.published().clone()
    }

    /// Memory held, this struct included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let distinct = self.distinct.iter().flat_map(|counters| counters.iter());
        size_of::<Self>()
            + self.stack.memory_bytes()
            + self.calibration.memory_bytes()
            + self.aged.memory_bytes()
            + self.totals.memory_bytes()
            + distinct
                .map(|c| size_of_val(c) + c.memory_bytes())
                .sum::<usize>()
    }

    fn set_exact(&mut self, lookups: u64, misses: Option<u64>, now: Duration) {
        self.advance(now);
        let (new_lookups, new_misses) = self.totals.publish(lookups, misses);
        self.aged.add_exact(new_lookups, misses.map(|_| new_misses));
        self.calibration.solve(self.aged.miss_scale());
    }

    /// Books the look-ups told one by one, at the age of the present tick: before it ends, or they would count as young ones.
    fn publish_told(&mut self) {
        let (lookups, misses) = self.told;
        if lookups > 0 {
            self.set_exact(lookups, (misses > 0).then_some(misses), Duration::ZERO);
        }
    }

    /// Brings counts and weights up to date before a reading.
    fn settle(&mut self, now: Duration) {
        if self.aged.ends_before(now) {
            self.publish_told();
        }
        self.advance(now);
        self.publish_told();
        if self.distinct.is_some() {
            self.pack();
        }
    }

    fn mean_charge_bytes(&self) -> u64 {
        let blocks = (0..CLASSES)
            .map(|class| f64::from(self.stack.class_blocks()[class]) * self.strata.weight(class));
        match blocks.sum::<f64>() {
            0.0 => DEFAULT_CHARGE_BYTES,
            blocks => ((self.stack.total_bytes() as f64 / blocks) as u64).max(1),
        }
    }

    #[inline]
    fn observe_reuse(&mut self, id: BlockId, access: &Access, charge_bytes: u64) {
        let distance_bytes = self.stack.bytes_above(id).saturating_add(charge_bytes);
        let class = class_of(charge_bytes);
        let weight = self.strata.weight(class);
        let block = *self.stack.get(id);
        let tick = self.aged.tick();
        let represented = f64::from(block.represented) * self.aged.left_since(block.tick);
        let missed = access.outcome == Outcome::Miss;
        if access.counted {
            self.calibration
                .record(Some(distance_bytes), missed, weight);
        }
        let distance_bytes = self.calibration.correct(distance_bytes);
        let bin = bins::bin_of(distance_bytes);
        if access.counted {
            let first = FirstUse {
                bin: block.first_bin,
                censored: block.first_censored,
                represented: ((weight_of(block.first_level) - 1.0)
                    * self.aged.left_since(block.tick)) as f32,
            };
            self.aged.book(&Booking {
                missed,
                bin,
                censored: false,
                group: group_of(access.hash),
                origin: Some(pool::origin_of(block.last_bin, block.high_priority)),
                size: size_class_of(charge_bytes),
                weight,
                represented,
                first: Some(first),
            });
            let finite = (bin != bins::INFINITE).then_some(distance_bytes);
            self.totals.book(missed, bin, finite, weight);
            self.class_lookups[class] += weight;
            if tick - block.tick > LONG_HALF_LIVES * TICKS_PER_HALF_LIFE {
                self.aged.note_late_return(weight);
            }
        }
        if access.refreshes() {
            self.make_room_for_a_use();
            // Packing does not renumber blocks, and this one is sampled: it is still there.
            self.stack.touch(id, charge_bytes, &self.strata, tick);
        }
        let block = self.stack.get_mut(id);
        block.tick = tick;
        block.represented = (represented + weight - 1.0) as f32;
        block.last_bin = bins::coarse_of(bin) as u8;
        block.high_priority |= access.high_priority;
    }

    fn observe_first(&mut self, access: &Access, charge_bytes: u64, capacity_bytes: u64) {
        let class = class_of(charge_bytes);
        let weight = self.strata.weight(class);
        let (bin, censored) = self.place_of_a_first_use(access, charge_bytes, capacity_bytes);
        if access.counted {
            let missed = access.outcome == Outcome::Miss;
            self.calibration.record(None, missed, weight);
            self.aged.book(&Booking {
                missed,
                bin,
                censored,
                group: group_of(access.hash),
                origin: None,
                size: size_class_of(charge_bytes),
                weight,
                represented: 0.0,
                first: None,
            });
            let finite = !censored && bin != bins::INFINITE;
            let (bin, distance) = if finite {
                (bin, Some(bins::upper_edge(bin)))
            } else {
                (bins::INFINITE, None)
            };
            self.totals.book(missed, bin, distance, weight);
            self.class_lookups[class] += weight;
        }
        if !access.refreshes() {
            return;
        }
        if self.stack.len() == self.config.samples {
            self.thin_out();
            if access.hash >= self.strata.thresholds().limit(class) {
                return;
            }
        }
        self.make_room_for_a_use();
        let tick = self.aged.tick();
        let id = self
            .stack
            .insert(access.hash, charge_bytes, &self.strata, tick);
        let level = self.strata.level(class);
        let block = self.stack.get_mut(id);
        block.represented = (weight - 1.0) as f32;
        block.first_bin = bin as u16;
        block.first_level = level;
        block.first_censored = censored;
        block.high_priority = access.high_priority;
        self.drop_beyond_horizon();
    }

    /// Bin of a first use, and whether it is but a lower bound.
    fn place_of_a_first_use(
        &mut self,
        access: &Access,
        charge_bytes: u64,
        capacity_bytes: u64,
    ) -> (usize, bool) {
        let new_to_the_sample = self
            .before_rise
            .is_some_and(|before| access.hash >= before.limit(class_of(charge_bytes)));
        let watched = if new_to_the_sample {
            self.stack.bytes_since_mark()
        } else {
            self.stack.total_bytes()
        };
        match access.outcome {
            // The last bin that lies within the capacity as a whole, and the first one below what was watched.
            Outcome::Hit if capacity_bytes > 0 => {
                let last = bins::bin_of(capacity_bytes.saturating_add(1)).saturating_sub(1);
                let first = bins::bin_of(watched.saturating_add(charge_bytes)).min(last);
                self.warm_start |= !new_to_the_sample && watched < capacity_bytes / 2;
                (self.draw_bin(first, last, access.hash), false)
            }
            _ if new_to_the_sample || self.config.first_touch == FirstTouch::Censored => {
                let at_least = match access.outcome {
                    Outcome::Miss if self.warm_start => watched.max(capacity_bytes),
                    _ => watched,
                };
                (bins::bin_of(at_least.max(1)), true)
            }
            _ => (bins::INFINITE, false),
        }
    }

    /// A bin out of a range, as likely as look-ups are known to lie there.
    fn draw_bin(&self, first: usize, last: usize, hash: u64) -> usize {
        let known: f64 = (first..=last).map(|bin| self.aged.raw_bin(bin)).sum();
        // Bits of the hash that decide neither about sampling nor about the group.
        let mut left = ((hash >> 8) as u32) as f64 / 2.0_f64.powi(32) * known;
        for bin in first..last {
            left -= self.aged.raw_bin(bin);
            if left < 0.0 {
                return bin;
            }
        }
        last
    }

    /// Bytes below which everything would have been noticed.
    fn watched_bytes(&self) -> u64 {
        if self.before_rise.is_some() {
            self.stack.bytes_since_mark()
        } else {
            self.stack.total_bytes()
        }
    }

    #[inline]
    fn make_room_for_a_use(&mut self) {
        if self.stack.is_due_to_pack() {
            self.pack();
        }
    }

    /// Lowers sampling rates until there is room for more blocks.
    #[cold]
    fn thin_out(&mut self) {
        let room = ((self.config.samples as f64 * ROOM) as usize).max(1);
        while self.stack.len() + room > self.config.samples {
            // As many levels as should do; then the blocks that are above the thresholds go all at once.
            let mut expected = self.stack.class_blocks().map(f64::from);
            let enough = (self.config.samples - room) as f64;
            while expected.iter().sum::<f64>() > enough {
                let most = self.most_generously_sampled(&expected);
                if !self.strata.thin(most) {
                    // Hashes this small exist by malice only; the oldest block goes.
                    if let Some(oldest) = self.stack.oldest() {
                        self.stack.remove(oldest);
                    }
                    break;
                }
                let left = 1.0 / weight_of(1);
                if self.config.by_size {
                    expected[most] *= left;
                } else {
                    expected.iter_mut().for_each(|blocks| *blocks *= left);
                }
            }
            self.pack();
        }
    }

    /// The stratum with the most sampled blocks for its share of look-ups and of bytes: a stratum deserves a share of the sample
    /// between the two, as they make the errors of both axes.
    fn most_generously_sampled(&self, blocks: &[f64; CLASSES]) -> usize {
        let lookups: f64 = self.class_lookups.iter().sum();
        let bytes = self.stack.total_bytes() as f64;
        let generosity = |class: usize| {
            let deserved = self.class_lookups[class] / lookups.max(1.0)
                + self.stack.class_bytes()[class] as f64 / bytes.max(1.0);
            blocks[class] / deserved.max(1e-9)
        };
        (0..CLASSES)
            .max_by(|a, b| generosity(*a).total_cmp(&generosity(*b)))
            .unwrap_or(0)
    }

    fn pack(&mut self) {
        let scales = self.scales();
        self.stack.pack(&self.strata, scales);
    }

    /// What the weights of each stratum are to be multiplied with, so that its blocks are as many as were counted.
    ///
    /// Both numbers err: the sample's by the luck of the draw, the counter's by its own. They are averaged with weights inverse to
    /// their variances.
    fn scales(&self) -> [f64; CLASSES] {
        let Some(distinct) = &self.distinct else {
            return [1.0; CLASSES];
        };
        let sampled = self.stack.blocks_below(self.strata.thresholds());
        std::array::from_fn(|class| {
            let weight = self.strata.weight(class);
            let blocks = f64::from(sampled[class]);
            if blocks == 0.0 || weight == 1.0 {
                return 1.0;
            }
            let drawn = (1.0 - 1.0 / weight) / blocks;
            let trust = drawn / (drawn + distinct[class].variance());
            let ratio = distinct[class].count() / (blocks * weight);
            1.0 + (ratio - 1.0) * trust
        })
    }

    fn drop_beyond_horizon(&mut self) {
        let Some(horizon) = self.config.horizon_bytes else {
            return;
        };
        while let Some(oldest) = self.stack.oldest()
            && self.stack.bytes_above(oldest) > horizon
        {
            self.stack.remove(oldest);
        }
    }

    #[inline]
    fn advance(&mut self, now: Duration) {
        let before = self.aged.tick();
        if self.aged.advance(now) {
            let left = self.aged.left_since(before);
            self.class_lookups.iter_mut().for_each(|w| *w *= left);
            self.drop_and_rise();
        }
    }

    /// Once a tick: drops what nobody uses any more, and samples more if the sample has become small.
    #[cold]
    fn drop_and_rise(&mut self) {
        self.drop_unused();
        if self.before_rise.is_some() {
            if self.stack.is_newer_than_mark() {
                self.before_rise = None;
            }
            return;
        }
        let blocks = self.stack.len();
        if blocks < self.config.samples / 2 {
            // To three quarters full, if the new blocks are like the old ones; if they are more, the thresholds fall back.
            let before = *self.strata.thresholds();
            let factor = self.config.samples as f64 * 0.75 / blocks.max(1) as f64;
            if self.strata.rise(factor) {
                self.stack.mark();
                self.before_rise = Some(before);
            }
        }
    }

    /// Drops old blocks, if look-ups hardly ever come back to blocks so old.
    fn drop_unused(&mut self) {
        let tick = self.aged.tick();
        let oldest_kept = tick.saturating_sub(LONG_HALF_LIVES * TICKS_PER_HALF_LIFE);
        let is_old = |stack: &BlockStack, id: BlockId| stack.get(id).tick < oldest_kept;
        let all_are_old = self
            .stack
            .newest()
            .is_some_and(|id| is_old(&self.stack, id));
        if self.aged.late_share() > DROPPABLE_SHARE && !all_are_old {
            return;
        }
        while let Some(oldest) = self.stack.oldest()
            && is_old(&self.stack, oldest)
        {
            self.stack.remove(oldest);
        }
    }
}

fn group_of(hash: u64) -> usize {
    hash as usize % GROUPS
}
