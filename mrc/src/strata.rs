//! Which blocks are in the sample: strata by size, each with its own sampling rate.
//!
//! One index or filter block of half a megabyte weighs as much as a hundred data blocks and is looked up far more often. Sampled
//! like any other block, such blocks spoil the curve whether they are drawn or not. So blocks are divided by size, and every
//! stratum is sampled by hash at a rate of its own (stratified sampling; Neyman, 1934): few large blocks are kept as a whole while
//! many small ones are thinned out.
//!
//! Rates are powers of `2^(1/16)`, so that a rate is a small number, a *level*, and many blocks leave the sample at once instead of
//! one by one: no heap is needed.

/// Strata by size.
pub(crate) const CLASSES: usize = 5;
/// Blocks below this size share the first stratum: RocksDB's default block is 4 KiB. Each further stratum spans a factor of four.
const FIRST_BOUND_BITS: u32 = 14;
/// Levels in which a rate halves.
const LEVELS_PER_HALVING: u16 = 16;
/// `2^(part/16)`.
const PARTS: [f64; LEVELS_PER_HALVING as usize] = [
    1.0,
    1.0442737824274138,
    1.0905077326652577,
    1.1387886347566916,
    1.189207115002721,
    1.241857812073484,
    1.2968395546510096,
    1.3542555469368927,
    std::f64::consts::SQRT_2,
    1.4768261459394993,
    1.5422108254079407,
    1.6104903319492543,
    1.681792830507429,
    1.7562521603732995,
    1.8340080864093424,
    1.9152065613971474,
];
/// The rate of this level, `2^-60`, is lower than any cache will ever need.
const LAST_LEVEL: u16 = 60 * LEVELS_PER_HALVING;

/// Finer classes of sizes than strata, two an octave from the first bound on; how blocks fall into shards depends on them.
pub(crate) const SIZES: usize = 18;

/// The class of a size.
#[inline]
pub(crate) fn size_class_of(charge_bytes: u64) -> usize {
    let octave = (charge_bytes | 1).ilog2();
    match octave.checked_sub(FIRST_BOUND_BITS) {
        None => 0,
        Some(above) => {
            let upper_half = (charge_bytes >> (octave - 1)) as usize & 1;
            (1 + 2 * above as usize + upper_half).min(SIZES - 1)
        }
    }
}

/// The hashes to sample, by the size of the block. Small and cheap to copy; pass it to whoever rejects look-ups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SamplingThresholds {
    limits: [u64; CLASSES],
}

/// Sampling levels of all strata.
#[derive(Debug, Clone)]
pub(crate) struct Strata {
    by_size: bool,
    levels: [u16; CLASSES],
    /// How many blocks a sampled one of each level stands for.
    weights: [f64; CLASSES],
    thresholds: SamplingThresholds,
}

/// The stratum of a block of this size.
#[inline]
pub(crate) fn class_of(charge_bytes: u64) -> usize {
    let above = (charge_bytes | 1) >> FIRST_BOUND_BITS;
    if above == 0 {
        return 0;
    }
    (above.ilog2() as usize / 2 + 1).min(CLASSES - 1)
}

/// How many blocks a sampled one of this level stands for.
#[inline]
pub(crate) fn weight_of(level: u16) -> f64 {
    let (halvings, part) = (level / LEVELS_PER_HALVING, level % LEVELS_PER_HALVING);
    (1_u64 << halvings) as f64 * PARTS[usize::from(part)]
}

fn limit_of(level: u16) -> u64 {
    match level {
        0 => u64::MAX,
        _ => (2.0_f64.powi(64) / weight_of(level)) as u64,
    }
}

// === impl SamplingThresholds ===

impl SamplingThresholds {
    /// Every block is sampled.
    pub const ALL: Self = Self {
        limits: [u64::MAX; CLASSES],
    };
    /// No block is.
    pub const NONE: Self = Self {
        limits: [0; CLASSES],
    };
    /// How many strata there are.
    pub const STRATA: usize = CLASSES;
    /// Blocks below this size are in the first stratum, number 0.
    pub const SMALL_BYTES: u64 = 1 << FIRST_BOUND_BITS;

    /// The stratum of a block of this size.
    #[inline]
    #[must_use]
    pub fn stratum_of(charge_bytes: u64) -> usize {
        class_of(charge_bytes)
    }

    /// By stratum: hashes below are sampled.
    #[must_use]
    pub fn limits(&self) -> [u64; Self::STRATA] {
        self.limits
    }

    /// Samples what either does.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            limits: std::array::from_fn(|class| self.limits[class].max(other.limits[class])),
        }
    }

    /// No block with a hash from here on is sampled, whatever its size.
    #[inline]
    #[must_use]
    pub fn ceiling(&self) -> u64 {
        let mut ceiling = 0;
        for limit in self.limits {
            ceiling = ceiling.max(limit);
        }
        ceiling
    }

    /// Whether a block of this hash and size is sampled.
    #[inline]
    #[must_use]
    pub fn samples(&self, hash: u64, charge_bytes: u64) -> bool {
        hash < self.limits[class_of(charge_bytes)]
    }

    /// Hashes below this are sampled in the given stratum.
    #[inline]
    pub(crate) fn limit(&self, class: usize) -> u64 {
        self.limits[class]
    }
}

// === impl Strata ===

impl Strata {
    /// Everything is sampled; `by_size`: strata differ.
    pub(crate) fn new(by_size: bool) -> Self {
        Self {
            by_size,
            levels: [0; CLASSES],
            weights: [1.0; CLASSES],
            thresholds: SamplingThresholds::ALL,
        }
    }

    pub(crate) fn thresholds(&self) -> &SamplingThresholds {
        &self.thresholds
    }

    /// Whether every block is sampled.
    pub(crate) fn sample_all(&self) -> bool {
        self.levels == [0; CLASSES]
    }

    /// Whether strata have rates of their own.
    pub(crate) fn differ(&self) -> bool {
        self.by_size
    }

    /// Samples all strata at the lowest rate of any, from now on.
    pub(crate) fn sample_alike(&mut self) {
        if self.by_size {
            self.by_size = false;
            let level = self.levels.into_iter().fold(0, u16::max);
            (0..CLASSES).for_each(|class| self.set(class, level));
        }
    }

    pub(crate) fn level(&self, class: usize) -> u16 {
        self.levels[class]
    }

    /// How many blocks of a stratum a sampled one stands for.
    #[inline]
    pub(crate) fn weight(&self, class: usize) -> f64 {
        self.weights[class]
    }

    /// Thins a stratum out by one level; all of them alike where size does not matter. False if it cannot be any thinner.
    pub(crate) fn thin(&mut self, class: usize) -> bool {
        let level = (self.levels[class] + 1).min(LAST_LEVEL);
        let changed = level != self.levels[class];
        if self.by_size {
            self.set(class, level);
        } else {
            (0..CLASSES).for_each(|class| self.set(class, level));
        }
        changed
    }

    /// Samples `factor` times as many blocks at most. False if nothing changed.
    pub(crate) fn rise(&mut self, factor: f64) -> bool {
        let levels = (factor.log2() * f64::from(LEVELS_PER_HALVING)) as u16;
        let before = self.levels;
        for (class, level) in before.into_iter().enumerate() {
            self.set(class, level.saturating_sub(levels));
        }
        before != self.levels
    }

    fn set(&mut self, class: usize, level: u16) {
        self.levels[class] = level;
        self.weights[class] = weight_of(level);
        self.thresholds.limits[class] = limit_of(level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strata_span_a_factor_of_four() {
        let sizes = [0, 16_383, 16_384, 65_535, 65_536, 262_143, 262_144, 1 << 20];
        assert_eq!(sizes.map(class_of), [0, 0, 1, 1, 2, 2, 3, 4]);
        assert_eq!(class_of(u64::MAX), CLASSES - 1);
        let sizes = [0, 16_383, 16_384, 24_576, 32_768, 49_152, 65_536, 1 << 40];
        assert_eq!(sizes.map(size_class_of), [0, 0, 1, 2, 3, 4, 5, SIZES - 1]);
    }

    #[test]
    fn a_threshold_is_the_rate_and_its_weight_the_inverse() {
        let mut strata = Strata::new(true);
        for _ in 0..160 {
            strata.thin(2);
        }
        assert!((strata.weight(2) - 1024.0).abs() < 1e-9);
        let rate = strata.thresholds().limit(2) as f64 / 2.0_f64.powi(64);
        assert!((rate * 1024.0 - 1.0).abs() < 1e-9);
        assert!(!strata.thresholds().samples(1 << 60, 100_000));
        assert!(strata.thresholds().samples(1 << 60, 4_000));
        assert_eq!(strata.thresholds().ceiling(), u64::MAX);
        assert!(strata.rise(32.0));
        assert!((strata.weight(2) - 32.0).abs() < 1e-9);
    }

    #[test]
    fn where_size_does_not_matter_all_strata_are_alike() {
        let mut strata = Strata::new(false);
        strata.thin(0);
        assert_eq!(strata.levels, [1; CLASSES]);
        for _ in 0..2_000 {
            strata.thin(3);
        }
        assert!(!strata.thin(0), "as thin as it gets");
        assert!(strata.thresholds().ceiling() > 0);
    }
}
