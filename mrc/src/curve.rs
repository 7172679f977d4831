//! The miss ratio curve: what share of lookups would miss at every cache size.

use serde::{Deserialize, Serialize};

use crate::hull;

/// One point of a curve: the miss ratio at a capacity, with its error band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Cache capacity in bytes available to unpinned blocks.
    pub bytes: u64,
    /// Share of lookups that miss, in `0.0..=1.0`.
    pub miss_ratio: f64,
    /// Lower end of the 90 % band.
    pub low: f64,
    /// Upper end of the 90 % band.
    pub high: f64,
}

/// A miss ratio curve: points in ascending `bytes`, `miss_ratio` never rising.
///
/// Between points it is linear; it starts at a ratio of 1 with no cache at all (unless a point at 0 bytes says otherwise), and
/// beyond its last point it is flat. A curve without points is 1 everywhere.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "UncheckedCurve")]
pub struct MissRatioCurve {
    points: Vec<CurvePoint>,
}

/// What a curve looks like before anybody looked at it.
#[derive(Deserialize)]
struct UncheckedCurve {
    points: Vec<CurvePoint>,
}

/// A miss ratio read off a curve, with its band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MissRatio {
    /// The estimate.
    pub value: f64,
    /// Lower end of the 90 % band.
    pub low: f64,
    /// Upper end of the 90 % band.
    pub high: f64,
}

/// Why points are not a curve.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum CurveError {
    /// Capacities must ascend.
    #[error(
        "point {index} of the curve: {bytes} bytes after {before} bytes; capacities must ascend"
    )]
    NotAscending {
        /// Zero-based number of the point.
        index: usize,
        /// Its capacity.
        bytes: u64,
        /// The capacity before it.
        before: u64,
    },
    /// A ratio or an end of its band is no share, or the ratio lies outside of its band.
    #[error(
        "point {index} of the curve: miss ratio {miss_ratio} with band {low} to {high}; \
         expected 0 <= low <= miss ratio <= high <= 1"
    )]
    NotAShare {
        /// Zero-based number of the point.
        index: usize,
        /// Its ratio.
        miss_ratio: f64,
        /// Lower end of its band.
        low: f64,
        /// Upper end of its band.
        high: f64,
    },
    /// A larger LRU cache never misses more often.
    #[error(
        "point {index} of the curve: miss ratio {miss_ratio} after {before}; it must not rise with the capacity"
    )]
    Rising {
        /// Zero-based number of the point.
        index: usize,
        /// Its ratio.
        miss_ratio: f64,
        /// The ratio before it.
        before: f64,
    },
}

// === impl MissRatio ===

impl MissRatio {
    /// No cache, no hit.
    const ALL: Self = Self {
        value: 1.0,
        low: 1.0,
        high: 1.0,
    };
}

// === impl CurvePoint ===

impl CurvePoint {
    /// Where every curve begins.
    pub(crate) const ORIGIN: Self = Self {
        bytes: 0,
        miss_ratio: 1.0,
        low: 1.0,
        high: 1.0,
    };

    fn ratio(&self) -> MissRatio {
        MissRatio {
            value: self.miss_ratio,
            low: self.low,
            high: self.high,
        }
    }
}

// === impl MissRatioCurve ===

impl MissRatioCurve {
    /// A curve through the given points.
    ///
    /// # Errors
    ///
    /// [`CurveError`] names the first point that no miss ratio curve can have.
    pub fn new(points: Vec<CurvePoint>) -> Result<Self, CurveError> {
        let mut before = CurvePoint::ORIGIN;
        for (index, point) in points.iter().enumerate() {
            let CurvePoint {
                bytes,
                miss_ratio,
                low,
                high,
            } = *point;
            if index > 0 && bytes <= before.bytes {
                return Err(CurveError::NotAscending {
                    index,
                    bytes,
                    before: before.bytes,
                });
            }
            // Written so that NaN fails as well.
            if !(0.0 <= low && low <= miss_ratio && miss_ratio <= high && high <= 1.0) {
                return Err(CurveError::NotAShare {
                    index,
                    miss_ratio,
                    low,
                    high,
                });
            }
            if miss_ratio > before.miss_ratio {
                return Err(CurveError::Rising {
                    index,
                    miss_ratio,
                    before: before.miss_ratio,
                });
            }
            before = *point;
        }
        Ok(Self { points })
    }

    /// A curve through points that fall by construction.
    pub(crate) fn from_falling(points: Vec<CurvePoint>) -> Self {
        debug_assert_eq!(Self::new(points.clone()).err(), None);
        Self { points }
    }

    /// Miss ratio at a capacity, interpolated between the neighbouring points; 1 for an empty curve.
    #[must_use]
    pub fn miss_ratio_at(&self, bytes: u64) -> MissRatio {
        let after = self.points.partition_point(|p| p.bytes <= bytes);
        let before = match after.checked_sub(1) {
            Some(i) => self.points[i],
            None => CurvePoint::ORIGIN,
        };
        let Some(next) = self.points.get(after) else {
            return if self.points.is_empty() {
                MissRatio::ALL
            } else {
                before.ratio()
            };
        };
        let way = (bytes - before.bytes) as f64 / (next.bytes - before.bytes) as f64;
        let between = |from: f64, to: f64| from + (to - from) * way;
        MissRatio {
            value: between(before.miss_ratio, next.miss_ratio),
            low: between(before.low, next.low),
            high: between(before.high, next.high),
        }
    }

    /// The smallest capacity with at most this miss ratio; `None` if no capacity reaches it.
    #[must_use]
    pub fn bytes_for(&self, miss_ratio: f64) -> Option<u64> {
        if miss_ratio >= 1.0 {
            return Some(0);
        }
        let reached = self.points.partition_point(|p| p.miss_ratio > miss_ratio);
        let next = self.points.get(reached)?;
        let before = match reached.checked_sub(1) {
            Some(i) => self.points[i],
            None => CurvePoint::ORIGIN,
        };
        let drop = before.miss_ratio - next.miss_ratio;
        if drop <= 0.0 {
            return Some(next.bytes);
        }
        let way = ((before.miss_ratio - miss_ratio) / drop).clamp(0.0, 1.0);
        let bytes = before.bytes + (way * (next.bytes - before.bytes) as f64).ceil() as u64;
        Some(bytes.min(next.bytes))
    }

    /// By how much the miss ratio falls if a cache of `bytes` gets `more_bytes`; never negative.
    #[must_use]
    pub fn marginal_gain(&self, bytes: u64, more_bytes: u64) -> f64 {
        let now = self.miss_ratio_at(bytes).value;
        let then = self.miss_ratio_at(bytes.saturating_add(more_bytes)).value;
        (now - then).max(0.0)
    }

    /// The lower convex hull, from no cache to the last point: along it every byte gains less than the one before, so that giving
    /// memory greedily to the steepest hull is optimal (Talus, HPCA '15). Its points are points of the curve, and the origin.
    #[must_use]
    pub fn convex_hull(&self) -> Vec<CurvePoint> {
        hull::lower_convex_hull(&self.points)
    }

    /// The points, ascending in bytes.
    #[must_use]
    pub fn points(&self) -> &[CurvePoint] {
        &self.points
    }
}

impl TryFrom<UncheckedCurve> for MissRatioCurve {
    type Error = CurveError;

    fn try_from(curve: UncheckedCurve) -> Result<Self, CurveError> {
        Self::new(curve.points)
    }
}
