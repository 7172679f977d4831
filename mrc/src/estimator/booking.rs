//! A sampled look-up is booked: at its reuse distance, or at what a first use says of it.

use super::Estimator;
use super::sample::LONG_HALF_LIVES;
use crate::aged::{Booking, FirstUse, GROUPS, TICKS_PER_HALF_LIFE};
use crate::stack::BlockId;
use crate::strata::{class_of, size_class_of, weight_of};
use crate::{Access, FirstTouch, Outcome, bins, pool};

impl Estimator {
    #[inline]
    pub(super) fn observe_reuse(
        &mut self,
        id: BlockId,
        access: &Access,
        missed: bool,
        charge_bytes: u64,
    ) {
        let distance_bytes = self.stack.bytes_above(id).saturating_add(charge_bytes);
        let class = class_of(charge_bytes);
        let weight = self.strata.weight(class);
        let block = *self.stack.get(id);
        let tick = self.aged.tick();
        let left = self.aged.left_since(block.tick);
        let represented = f64::from(block.represented) * left;
        if access.counted && access.outcome != Outcome::Unknown {
            self.calibration
                .record(Some(distance_bytes), missed, weight);
        }
        let distance_bytes = self.calibration.correct(distance_bytes);
        let bin = bins::bin_of(distance_bytes);
        if access.counted {
            let first = FirstUse {
                bin: block.first_bin,
                censored: block.first_censored,
                represented: ((weight_of(block.first_level) - 1.0) * left) as f32,
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

    pub(super) fn observe_first(
        &mut self,
        access: &Access,
        missed: bool,
        charge_bytes: u64,
        capacity_bytes: u64,
    ) {
        let class = class_of(charge_bytes);
        let weight = self.strata.weight(class);
        let (bin, censored) = self.place_of_a_first_use(access, charge_bytes, capacity_bytes);
        if access.counted {
            if access.outcome != Outcome::Unknown {
                self.calibration.record(None, missed, weight);
            }
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
}

fn group_of(hash: u64) -> usize {
    hash as usize % GROUPS
}
