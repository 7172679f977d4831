//! Curves of several subtasks, and of another parallelism.
//!
//! Subtasks of one operator partition its keys by hash, so they behave alike: `p` caches of `C` bytes, one per subtask, miss what one
//! cache of `p * C` bytes would miss if it saw all look-ups. That is the model behind both functions here, and its limit: a subtask
//! with a hot key of its own is not like the others, and blocks that hold keys of several subtasks (index and filter blocks, and
//! every block right after a rescale) do not shrink as the share of keys does.

use crate::{CurvePoint, MissRatioCurve};

impl MissRatioCurve {
    /// The curve of a subtask after its operator went from `from` to `to` subtasks: the same ratios at `from / to` of the bytes,
    /// because each subtask holds so much of what it held. Zero counts as one.
    #[must_use]
    pub fn rescaled(&self, from: u32, to: u32) -> Self {
        let scale = f64::from(from.max(1)) / f64::from(to.max(1));
        let mut points: Vec<CurvePoint> = Vec::with_capacity(self.points().len());
        for point in self.points() {
            let bytes = (point.bytes as f64 * scale).round() as u64;
            // Points that rounding puts on one another are one point, the last.
            if let Some(last) = points.last_mut()
                && last.bytes == bytes
            {
                *last = CurvePoint { bytes, ..*point };
            } else {
                points.push(CurvePoint { bytes, ..*point });
            }
        }
        Self::from_falling(points)
    }

    /// What all subtasks together miss if each gets the same number of bytes: the mean of their curves, weighted by look-ups. The
    /// bands are averaged likewise, which is too wide where errors are independent, and right where they are not. `None` without
    /// any look-ups.
    #[must_use]
    pub fn merged(subtasks: &[(Self, f64)]) -> Option<Self> {
        let lookups: f64 = subtasks.iter().map(|(_, lookups)| lookups.max(0.0)).sum();
        if lookups <= 0.0 {
            return None;
        }
        let mut sizes: Vec<u64> = subtasks
            .iter()
            .flat_map(|(curve, _)| curve.points().iter().map(|p| p.bytes))
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        let mut before = CurvePoint::ORIGIN;
        let mut points = Vec::with_capacity(sizes.len());
        for bytes in sizes {
            let mut mean = CurvePoint {
                bytes,
                miss_ratio: 0.0,
                low: 0.0,
                high: 0.0,
            };
            for (curve, own) in subtasks {
                let at = curve.miss_ratio_at(bytes);
                let share = own.max(0.0) / lookups;
                mean.miss_ratio += at.value * share;
                mean.low += at.low * share;
                mean.high += at.high * share;
            }
            // Sums of rounded products may rise by the last digit.
            mean.miss_ratio = mean.miss_ratio.min(before.miss_ratio);
            mean.low = mean.low.clamp(0.0, mean.miss_ratio);
            mean.high = mean.high.clamp(mean.miss_ratio, 1.0);
            before = mean;
            points.push(mean);
        }
        Some(Self::from_falling(points))
    }

    /// Where more memory stops to pay: the size at which the curve is farthest below the straight line from no cache to its end,
    /// over the logarithm of the size ("kneedle", Satopaa et al., 2011). `None` for a curve of fewer than three points, or one that
    /// is nowhere below that line.
    #[must_use]
    pub fn knee(&self) -> Option<CurvePoint> {
        let points = self.points();
        let [start, .., end] = points else {
            return None;
        };
        let log = |point: &CurvePoint| (point.bytes.max(1) as f64).ln();
        let span = log(end) - log(start);
        let drop = start.miss_ratio - end.miss_ratio;
        if points.len() < 3 || span <= 0.0 || drop <= 0.0 {
            return None;
        }
        let below = |point: &CurvePoint| {
            let way = (log(point) - log(start)) / span;
            (start.miss_ratio - point.miss_ratio) / drop - way
        };
        let knee = points.iter().max_by(|a, b| below(a).total_cmp(&below(b)))?;
        (below(knee) > 0.0).then_some(*knee)
    }
}
