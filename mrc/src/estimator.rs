//! The estimator: sampled look-ups in, miss ratio curve out.

mod booking;
mod sample;

use std::time::Duration;

use crate::aged::AgedBookings;
use crate::calibration::Calibration;
use crate::distinct::DistinctCounter;
use crate::histogram::Totals;
use crate::profile::StackProfile;
use crate::readout;
use crate::recent::RecentBlocks;
use crate::stack::BlockStack;
use crate::strata::{CLASSES, SamplingThresholds, Strata, class_of};
use crate::{Access, CacheShape, EstimatorConfig, MissRatioCurve, Outcome, ReuseDistanceHistogram};

/// Sampled look-ups below which there is no curve, unless they are all there were: with fewer, the band of a medium miss ratio is
/// wider than five points either way.
const ENOUGH_SAMPLES: f64 = 256.0;
/// What a block takes until the first charge was seen: RocksDB's default block size.
const DEFAULT_CHARGE_BYTES: u64 = 4096;
/// `log2` of the registers that count distinct blocks, by stratum: errors of 0.46 % and 0.65 %.
const DISTINCT_BITS: [u32; CLASSES] = [15, 14, 14, 14, 14];

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
    /// Whether a block was first used by a look-up that is no part of the curve.
    uncounted_uses: bool,
    /// Hashes whose lower half is not below these are counted already, or do not matter.
    distinct_gates: [u64; CLASSES],
    /// Aged look-ups by stratum.
    class_lookups: [f64; CLASSES],
    /// Aged look-ups of blocks that came back in another stratum.
    moved_lookups: f64,
    /// Share of the sample that was given up when room was last made in it.
    last_room: f64,
    /// Sampled look-ups since.
    observed_since_room: usize,
    /// What tells near look-ups from far ones, where every one is told.
    recent: Option<RecentBlocks>,
    /// Whether the real cache's answers are told.
    knows_outcomes: bool,
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
            uncounted_uses: false,
            distinct_gates: if counts {
                [1 << 32; CLASSES]
            } else {
                [0; CLASSES]
            },
            class_lookups: [0.0; CLASSES],
            moved_lookups: 0.0,
            last_room: 0.0,
            observed_since_room: 0,
            recent: config.sees_all.then(RecentBlocks::new),
            knows_outcomes: false,
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
            self.end_tick(now);
        }
        self.told.0 += u64::from(access.counted);
        let near = access.inserts
            && access.charge_bytes > 0
            && (self.recent.as_mut()).is_some_and(|recent| recent.replace(access.hash));
        // One measure for all traces: some tell no answers, and what the others tell is of a cache of unknown size.
        let missed = match self.recent {
            Some(_) => !near,
            None => access.outcome == Outcome::Miss,
        };
        self.told.1 += u64::from(access.counted & missed);
        let class = class_of(access.charge_bytes);
        // One branch for all that most look-ups are not.
        let sampled = access.hash < self.strata.thresholds().limit(class);
        let may_be_new = access.hash & u64::from(u32::MAX) < self.distinct_gates[class];
        if sampled | may_be_new | (access.charge_bytes == 0) {
            self.look_closer(access, missed, capacity_bytes, now);
        }
    }

    /// Takes in a look-up that is counted, of a block that may be in the sample, or may not have been counted yet. Not inlined, so that
    /// all other look-ups need not save the registers that this one uses.
    #[inline(never)]
    fn look_closer(&mut self, access: &Access, missed: bool, capacity_bytes: u64, now: Duration) {
        self.uncounted_uses |= !access.counted || !access.inserts || access.charge_bytes == 0;
        if let Some(distinct) = &mut self.distinct
            && access.charge_bytes > 0
            && access.refreshes()
        {
            let class = class_of(access.charge_bytes);
            if access.hash & u64::from(u32::MAX) < self.distinct_gates[class] {
                distinct[class].add(access.hash);
                self.distinct_gates[class] = distinct[class].gate();
            }
        }
        self.observe_in(access, missed, capacity_bytes, now);
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
        self.observe_in(access, access.outcome == Outcome::Miss, capacity_bytes, now);
    }

    /// `missed`: among the recent blocks where there are such, else in the real cache.
    fn observe_in(&mut self, access: &Access, missed: bool, capacity_bytes: u64, now: Duration) {
        if access.hash >= self.strata.thresholds().ceiling() {
            return;
        }
        self.advance(now);
        let known = self.stack.find(access.hash);
        let charge_bytes = match (access.charge_bytes, known) {
            (0, Some(id)) => u64::from(self.stack.get(id).charge_bytes),
            (0, None) => self.mean_charge_bytes(),
            (charge_bytes, _) => charge_bytes,
        };
        let class = class_of(charge_bytes);
        if let Some(id) = known {
            let before = class_of(u64::from(self.stack.get(id).charge_bytes));
            if before != class {
                self.moved_lookups += self.strata.weight(before);
            }
        }
        if access.hash >= self.strata.thresholds().limit(class) {
            // A block that has changed its size may belong to a stratum that does not sample it.
            if let Some(id) = known {
                self.stack.remove(id);
            }
            return;
        }
        self.observed_since_room += 1;
        self.knows_outcomes |= access.counted && access.outcome != Outcome::Unknown;
        self.calibration.note_capacity(capacity_bytes);
        if access.inserts && access.outcome == Outcome::Miss {
            let bytes = charge_bytes as f64 * self.strata.weight(class);
            self.calibration.note_insert(bytes);
        }
        match known {
            Some(id) => self.observe_reuse(id, access, missed, charge_bytes),
            None => self.observe_first(access, missed, charge_bytes, capacity_bytes),
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
        let all_seen = self.strata.sample_all() && self.config.half_life.is_none();
        if samples < ENOUGH_SAMPLES && !(all_seen && samples > 0.0) {
            return None;
        }
        let profile = StackProfile::of(&self.stack);
        let known = readout::Known {
            axis_bytes: self.calibration.known_bytes(),
            told_of_total: self.told_of_total(),
            live_bytes: self.live_bytes,
            first_lookups: self.first_lookups(),
        };
        Some(readout::curve(&self.aged, &profile, &known, shape))
    }

    /// Aged number of sampled counted accesses behind the curve.
    #[must_use]
    pub fn samples(&self) -> f64 {
        self.aged.samples()
    }

    /// Aged share of look-ups that missed in the real cache; `None` before the first look-up, or if its outcomes are not known.
    #[must_use]
    pub fn measured_miss_ratio(&self) -> Option<f64> {
        self.aged.missed_share().filter(|_| self.knows_outcomes)
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
            + self.recent.as_ref().map_or(0, RecentBlocks::memory_bytes)
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

    #[cold]
    fn end_tick(&mut self, now: Duration) {
        self.publish_told();
        self.advance(now);
    }

    /// Brings counts and weights up to date before a reading.
    fn settle(&mut self, now: Duration) {
        if self.aged.ends_before(now) {
            self.end_tick(now);
        }
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

    /// Bytes below which everything would have been noticed.
    fn watched_bytes(&self) -> u64 {
        if self.before_rise.is_some() {
            self.stack.bytes_since_mark()
        } else {
            self.stack.total_bytes()
        }
    }
}
