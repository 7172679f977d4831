//! How many blocks are sampled: room is made when the sample is full, and more are taken in when it has become small.

use std::time::Duration;

use super::Estimator;
use crate::FirstTouch;
use crate::aged::TICKS_PER_HALF_LIFE;
use crate::distinct::DistinctCounter;
use crate::readout::Counted;
use crate::stack::{BlockId, BlockStack};
use crate::strata::{CLASSES, weight_of};

/// A block that was not used for so many half-lives may be dropped from the sample: all that it counted for counts a sixteenth at
/// most by now.
pub(super) const LONG_HALF_LIVES: u32 = 4;
/// It is dropped if look-ups that come back after so long are rarer than this.
const DROPPABLE_SHARE: f64 = 0.002;
/// If blocks come back in another stratum more often than this, strata are sampled alike: where they are not, a block that moves to one
/// that samples more passes for a new one.
const MOVING_SHARE: f64 = 0.005;
/// Share of a full sample that is given up at once to make room.
const ROOM: f64 = 1.0 / 32.0;
/// So much is given up at most where new blocks come in a rush on a live cache: making room takes time in which samples are lost.
const MOST_ROOM: f64 = 1.0 / 4.0;

impl Estimator {
    #[inline]
    pub(super) fn make_room_for_a_use(&mut self) {
        if self.stack.is_due_to_pack() {
            self.pack();
        }
    }

    /// Lowers sampling rates until there is room for more blocks.
    #[cold]
    pub(super) fn thin_out(&mut self) {
        if self.moved_lookups > MOVING_SHARE * self.class_lookups.iter().sum::<f64>() {
            self.strata.sample_alike();
            // It has counted such blocks once in every stratum.
            self.distinct = None;
            self.distinct_gates = [0; CLASSES];
        }
        let room = ((self.config.samples as f64 * self.room()) as usize).max(1);
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
                if self.strata.differ() {
                    expected[most] *= left;
                } else {
                    expected.iter_mut().for_each(|blocks| *blocks *= left);
                }
            }
            self.pack();
        }
    }

    /// Share of the sample that is given up this time: more and more on a live cache while new blocks come in a rush.
    fn room(&mut self) -> f64 {
        let since_last = std::mem::take(&mut self.observed_since_room);
        let is_rush = since_last < self.config.samples / 2 && !self.config.sees_all;
        self.last_room = if is_rush {
            (self.last_room * 2.0).clamp(ROOM, MOST_ROOM)
        } else {
            ROOM
        };
        self.last_room
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

    pub(super) fn pack(&mut self) {
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
            let (weight, blocks) = (self.strata.weight(class), f64::from(sampled[class]));
            if blocks == 0.0 || weight == 1.0 {
                return 1.0;
            }
            let trust = trust(weight, blocks, &distinct[class]);
            let ratio = distinct[class].count() / (blocks * weight);
            1.0 + (ratio - 1.0) * trust
        })
    }

    /// Share of the sample's variance in the bytes of the whole stack that the counted blocks explain.
    pub(super) fn told_of_total(&self) -> f64 {
        let Some(distinct) = &self.distinct else {
            return 0.0;
        };
        let (mut told, mut all) = (0.0, 0.0);
        for class in 0..CLASSES {
            let weight = self.strata.weight(class);
            let blocks = f64::from(self.stack.class_blocks()[class]);
            if blocks > 0.0 && weight > 1.0 {
                let bytes = self.stack.class_bytes()[class] as f64;
                let variance = bytes * bytes * (1.0 - 1.0 / weight) / blocks;
                told += variance * trust(weight, blocks, &distinct[class]);
                all += variance;
            }
        }
        if all > 0.0 { told / all } else { 0.0 }
    }

    /// How many look-ups were first ones: as many as there are distinct blocks, if all look-ups count and insert.
    pub(super) fn first_lookups(&self) -> Option<Counted> {
        let distinct = self.distinct.as_ref()?;
        if self.uncounted_uses || self.config.first_touch == FirstTouch::Censored {
            return None;
        }
        let (mut count, mut variance) = (0.0, 0.0);
        for (class, distinct) in distinct.iter().enumerate() {
            if self.strata.weight(class) == 1.0 {
                count += f64::from(self.stack.class_blocks()[class]);
            } else {
                count += distinct.count();
                variance += distinct.count().powi(2) * distinct.variance();
            }
        }
        Some(Counted { count, variance })
    }

    pub(super) fn drop_beyond_horizon(&mut self) {
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
    pub(super) fn advance(&mut self, now: Duration) {
        let before = self.aged.tick();
        if self.aged.advance(now) {
            let left = self.aged.left_since(before);
            self.class_lookups.iter_mut().for_each(|w| *w *= left);
            self.moved_lookups *= left;
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

/// How far the counted blocks are to be trusted, and not the sampled ones: weights inverse to the variances of both.
fn trust(weight: f64, blocks: f64, distinct: &DistinctCounter) -> f64 {
    let drawn = (1.0 - 1.0 / weight) / blocks;
    drawn / (drawn + distinct.variance())
}
