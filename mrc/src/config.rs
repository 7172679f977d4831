//! What an estimator may spend, how long it remembers, and what it makes of a block's first look-up.

use std::time::Duration;

/// What the first look-up of a block says about larger caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstTouch {
    /// It misses in every cache: the convention of offline curves. The curve ends above 0.
    Miss,
    /// Nothing but that its reuse distance exceeds the bytes watched so far: the convention for a cache that was there before the
    /// watching began. Sizes of which nothing was seen are inferred from the look-ups that were watched long enough.
    Censored,
}

/// What an estimator may spend, and how long it remembers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EstimatorConfig {
    /// Blocks in the sample at most, in `1..=2^30`. Memory is about 76 bytes each, plus 280 KiB.
    pub samples: usize,
    /// Age at which a look-up counts half in the curve; `None`: all count alike for ever.
    pub half_life: Option<Duration>,
    /// Largest cache anybody will ask about; blocks that lie deeper in the stack are dropped, which leaves more of the sample to the
    /// others. `None`: no limit.
    pub horizon_bytes: Option<u64>,
    /// What a block's first look-up means.
    pub first_touch: FirstTouch,
    /// Whether blocks are sampled by size: few large ones as a whole, many small ones at a lower rate. Then
    /// [`crate::Estimator::thresholds`] decides which look-ups to observe, and a single threshold is not enough.
    pub by_size: bool,
    /// Whether [`crate::Estimator::look_up`] is told of every look-up. Then look-ups that come back to a block at once are told apart
    /// and counted, for 16 KiB; and, where there is neither a half-life nor a horizon, distinct blocks are counted, which makes the
    /// byte axis more precise, for 96 KiB.
    pub sees_all: bool,
}

// === impl EstimatorConfig ===

impl EstimatorConfig {
    /// Blocks in the sample: errors of some tenths of a point, in less than a mebibyte.
    pub const SAMPLES: usize = 8192;

    /// For a trace of which every look-up is at hand: cold misses count, nothing ages.
    #[must_use]
    pub fn offline(samples: usize) -> Self {
        Self {
            samples,
            half_life: None,
            horizon_bytes: None,
            first_touch: FirstTouch::Miss,
            by_size: true,
            sees_all: true,
        }
    }

    /// For a live cache that only passes look-ups below [`crate::Estimator::thresholds`]: first look-ups are censored, all age.
    #[must_use]
    pub fn online(half_life: Duration) -> Self {
        Self {
            samples: Self::SAMPLES,
            half_life: Some(half_life),
            horizon_bytes: None,
            first_touch: FirstTouch::Censored,
            by_size: true,
            sees_all: false,
        }
    }
}

impl Default for EstimatorConfig {
    /// Everything counts alike, cold misses included, and a single threshold decides.
    fn default() -> Self {
        Self {
            by_size: false,
            sees_all: false,
            ..Self::offline(Self::SAMPLES)
        }
    }
}
