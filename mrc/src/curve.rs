//! The miss ratio curve: what share of lookups would miss at every cache size.

use serde::{Deserialize, Serialize};

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
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MissRatioCurve {
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

impl MissRatioCurve {
    /// Miss ratio at a capacity, interpolated between the neighbouring points; 1 for an empty curve.
    #[must_use]
    pub fn miss_ratio_at(&self, bytes: u64) -> MissRatio {
        let all = MissRatio {
            value: 1.0,
            low: 1.0,
            high: 1.0,
        };
        self.points
            .iter()
            .rev()
            .find(|p| p.bytes <= bytes)
            .map_or(all, |p| MissRatio {
                value: p.miss_ratio,
                low: p.low,
                high: p.high,
            })
    }

    /// The points, ascending in bytes.
    #[must_use]
    pub fn points(&self) -> &[CurvePoint] {
        &self.points
    }
}
