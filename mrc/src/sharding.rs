//! What shards do to reuse distances.
//!
//! A cache of `N` shards is `N` LRU lists, each with an `N`th of the capacity, and a block belongs to one of them by its hash. Of the
//! bytes used since a block's last use, its own shard holds an `N`th on average. Many small blocks come close to the average; a few
//! large ones do not: one of half a megabyte more or less in a shard of a megabyte decides. So each distance is replaced by a
//! distribution: that of the sum of the blocks that happen to share the shard, each with probability `1/N`, plus the block itself.
//! Multiplied by `N` it is the capacity at which the look-up hits.

use crate::aged::AgedBookings;
use crate::bins;
use crate::profile::{SizeAbove, StackProfile};
use crate::readout::Distances;
use crate::strata::SIZES;

/// Draws for each distance and size of block.
const DRAWS: usize = 64;
/// More blocks of a class of sizes than this in a shard are summed as a normal variate instead of one by one.
const MANY: f64 = 24.0;

/// A sequence of numbers that look random, the same at every reading.
struct Draws(u64);

/// Replaces every distance by its distribution in a cache of so many shards.
pub(crate) fn spread(
    distances: &mut Distances,
    bookings: &AgedBookings,
    profile: &StackProfile,
    shards: u32,
) {
    let shards = f64::from(shards);
    let sizes: [Vec<f64>; SIZES] = std::array::from_fn(|class| profile.sizes(class));
    let depths: Vec<f64> = (0..bins::INFINITE)
        .map(|bin| bins::upper_edge(bin) as f64)
        .collect();
    let above = profile.above(&depths);
    let mut draws = Draws(1);
    let mut spread = vec![0.0; bins::COUNT];
    spread[bins::INFINITE] = distances.seen[bins::INFINITE];
    for (bin, &depth) in depths.iter().enumerate() {
        let weight = distances.seen[bin];
        if weight == 0.0 {
            continue;
        }
        let by_class = bookings.sizes(bins::coarse_of(bin));
        let all: f64 = by_class.iter().sum();
        for class in 0..SIZES {
            let share = if all > 0.0 {
                by_class[class] / all
            } else {
                f64::from(u8::from(class == 0))
            };
            if share == 0.0 {
                continue;
            }
            for _ in 0..DRAWS {
                let own = draws.one_of(&sizes[class]).min(depth);
                // What lies above the block is the distance less the block.
                let others = bins::bin_of((depth - own) as u64).min(bins::INFINITE - 1);
                let beside = draws.bytes_in_shard(&above[others], &sizes, shards);
                let beside = scale_to(beside, &above[others], depth - own);
                let distance = (own + beside) * shards;
                spread[bins::bin_of(distance as u64)] += weight * share / DRAWS as f64;
            }
        }
    }
    distances.seen = spread;
}

/// The stack at one moment is not deep to the byte where a distance ends: the rest is made up in proportion.
fn scale_to(drawn_bytes: f64, above: &[SizeAbove; SIZES], bytes: f64) -> f64 {
    let known: f64 = above.iter().map(|c| c.bytes).sum();
    if known > 0.0 {
        drawn_bytes * bytes / known
    } else {
        drawn_bytes
    }
}

// === impl Draws ===

impl Draws {
    /// Evenly in `0.0..1.0` (Steele et al., SplitMix64).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn one_of(&mut self, sizes: &[f64]) -> f64 {
        let i = (self.unit() * sizes.len() as f64) as usize;
        sizes.get(i).copied().unwrap_or(0.0)
    }

    /// Normal with mean 0 and variance 1, as a sum of twelve (the tails beyond six do not matter here).
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// Poisson, by the product of uniform variates (Knuth).
    fn poisson(&mut self, mean: f64) -> u32 {
        let end = (-mean).exp();
        let mut product = self.unit();
        let mut count = 0;
        while product > end {
            product *= self.unit();
            count += 1;
        }
        count
    }

    fn bytes_in_shard(
        &mut self,
        above: &[SizeAbove; SIZES],
        sizes: &[Vec<f64>; SIZES],
        shards: f64,
    ) -> f64 {
        let mut bytes = 0.0;
        for (class, sizes) in above.iter().zip(sizes) {
            let blocks = class.blocks / shards;
            if blocks > MANY {
                let deviation = (class.square_bytes / shards).sqrt();
                bytes += (class.bytes / shards + deviation * self.normal()).max(0.0);
            } else if blocks > 0.0 {
                for _ in 0..self.poisson(blocks) {
                    bytes += self.one_of(sizes);
                }
            }
        }
        bytes
    }
}
