//! From booked reuse distances to a curve: tails over exact look-ups, with a band.
//!
//! Look-ups that missed in the real cache and those that hit are two strata with known totals. The sampled misses stand for all
//! misses, whatever share of them was drawn. Of the hits, the sampled weight *beyond* a capacity counts as it is; what was not sampled
//! is near the top of the stack (the correction of SHARDS-adj: few blocks get most of the hits, and one of them is sampled or not).
//!
//! Two errors make the band, and both vanish where every block is sampled. Which blocks were sampled: the scatter of the tails
//! between groups of keys. How many bytes lie between two uses: as many sampled blocks as that is, so precise the distance; the
//! slope of the curve says what it means. Where outcomes have shown how deep the real cache reaches, the axis is known there, and
//! only the blocks between there and the point in question are in doubt.

use crate::aged::{AgedBookings, GROUPS};
use crate::bins;
use crate::{CurvePoint, MissRatioCurve};

/// Two-sided 90 % quantile of Student's t with `GROUPS - 1` degrees of freedom.
const T90: f64 = 1.753;
/// A point is left out if the line between its neighbours passes it this closely.
const THINNING_TOLERANCE: f64 = 0.000_5;

/// A miss ratio, and the standard error that the choice of sampled blocks gives it.
#[derive(Debug, Clone, Copy, Default)]
struct Estimate {
    ratio: f64,
    error: f64,
}

/// The curve of what was booked.
///
/// `block_bytes_over_rate` is the size of a typical sampled byte's block over the sampling rate: how many bytes of the real stack
/// one sampled block stands for. `known_bytes` is the distance at which outcomes have set the axis right, 0 if nowhere.
pub(crate) fn curve(
    bookings: &AgedBookings,
    block_bytes_over_rate: f64,
    known_bytes: u64,
) -> MissRatioCurve {
    let estimates = estimates(bookings);
    let unseen = bookings.unseen_share();
    let known = known_bytes as f64;
    let mut points: Vec<CurvePoint> = Vec::with_capacity(bins::INFINITE);
    for (bin, Estimate { ratio, error }) in estimates.iter().enumerate() {
        let bytes = bins::upper_edge(bin) as f64;
        // The error of a distance grows with the blocks between it and where it is known. Without any cache it is known, too: below
        // the capacity the error is that of a bridge.
        let doubtful_bytes = if bytes < known {
            (known - bytes) * bytes / known
        } else {
            bytes - known
        };
        let reach = (doubtful_bytes * block_bytes_over_rate * unseen).sqrt();
        let slope = ratio_at(&estimates, bytes - reach) - ratio_at(&estimates, bytes + reach);
        let half_width = T90 * error.hypot(slope / 2.0);
        points.push(CurvePoint {
            bytes: bins::upper_edge(bin),
            miss_ratio: *ratio,
            low: (ratio - half_width).max(0.0),
            high: (ratio + half_width).min(1.0),
        });
    }
    make_bands_fall(&mut points);
    // Beyond its last point a curve is flat anyway.
    while let [.., before, end] = points[..]
        && before.miss_ratio == end.miss_ratio
    {
        points.pop();
    }
    MissRatioCurve::from_falling(thin(points))
}

/// Miss ratios at the upper edges of the finite bins.
fn estimates(bookings: &AgedBookings) -> Vec<Estimate> {
    let lookups = bookings.raw_lookups();
    let unseen = bookings.unseen_share();
    let miss_scale = bookings.miss_scale();
    let mut missed = [0.0; GROUPS];
    for bin in 0..bins::COUNT {
        add(&mut missed, bookings.raw_misses(bin));
    }
    let all_missed: f64 = missed.iter().sum();
    let mut estimates = vec![Estimate::default(); bins::INFINITE];
    let (mut miss_tails, mut hit_tails) = ([0.0; GROUPS], [0.0; GROUPS]);
    for (bin, estimate) in estimates.iter_mut().enumerate().rev() {
        add(&mut miss_tails, bookings.raw_misses(bin + 1));
        add(&mut hit_tails, bookings.raw_hits(bin + 1));
        let miss_tail: f64 = miss_tails.iter().sum();
        let tail = miss_scale * miss_tail + hit_tails.iter().sum::<f64>();
        // Where all misses are known, a group with many of them is no surprise.
        let expected = if bookings.knows_misses() {
            miss_tail / all_missed
        } else {
            0.0
        };
        let scatter: [f64; GROUPS] = std::array::from_fn(|g| {
            miss_scale * (miss_tails[g] - expected * missed[g]) + hit_tails[g]
        });
        let mean = scatter.iter().sum::<f64>() / GROUPS as f64;
        let squares: f64 = scatter.iter().map(|s| (s - mean).powi(2)).sum();
        let variance = unseen * squares * GROUPS as f64 / (GROUPS - 1) as f64;
        *estimate = Estimate {
            ratio: (tail / lookups).clamp(0.0, 1.0),
            error: variance.sqrt() / lookups,
        };
    }
    estimates
}

fn add(sums: &mut [f64; GROUPS], weights: &[f64]) {
    for (sum, weight) in sums.iter_mut().zip(weights) {
        *sum += weight;
    }
}

/// The miss ratio between the edges of a bin.
fn ratio_at(estimates: &[Estimate], bytes: f64) -> f64 {
    let bin = bins::bin_of(bytes.max(0.0) as u64).min(bins::INFINITE - 1);
    let (from, start) = match bin.checked_sub(1) {
        Some(below) => (estimates[below].ratio, bins::upper_edge(below) as f64),
        None => (1.0, 0.0),
    };
    let way = (bytes - start) / (bins::upper_edge(bin) as f64 - start);
    from + (estimates[bin].ratio - from) * way.clamp(0.0, 1.0)
}

/// Makes both ends of the band fall with the capacity, as the curve does; they only move outwards.
fn make_bands_fall(points: &mut [CurvePoint]) {
    let mut lowest = 1.0_f64;
    for point in points.iter_mut() {
        lowest = lowest.min(point.low);
        point.low = lowest;
    }
    let mut highest = 0.0_f64;
    for point in points.iter_mut().rev() {
        highest = highest.max(point.high);
        point.high = highest;
    }
}

/// Leaves out points that interpolation restores, so that a curve is some dozens of points long.
///
/// From each kept point a cone of slopes is narrowed by every point passed; the last point inside of it is kept next.
fn thin(points: Vec<CurvePoint>) -> Vec<CurvePoint> {
    let mut kept: Vec<CurvePoint> = Vec::new();
    let mut anchor = CurvePoint::ORIGIN;
    let (mut steepest, mut flattest) = (f64::NEG_INFINITY, f64::INFINITY);
    let mut last: Option<CurvePoint> = None;
    for point in points {
        if let Some(passed) = last {
            let width = (passed.bytes - anchor.bytes) as f64;
            let drop = passed.miss_ratio - anchor.miss_ratio;
            steepest = steepest.max((drop - THINNING_TOLERANCE) / width);
            flattest = flattest.min((drop + THINNING_TOLERANCE) / width);
            let slope =
                (point.miss_ratio - anchor.miss_ratio) / (point.bytes - anchor.bytes) as f64;
            if !(steepest..=flattest).contains(&slope) {
                kept.push(passed);
                anchor = passed;
                (steepest, flattest) = (f64::NEG_INFINITY, f64::INFINITY);
            }
        }
        last = Some(point);
    }
    kept.extend(last);
    kept
}
