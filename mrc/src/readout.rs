//! From booked reuse distances to a curve: tails over exact look-ups, with a band.
//!
//! Look-ups that missed in the real cache and those that hit are two strata with known totals. The sampled misses stand for all
//! misses, whatever share of them was drawn. Of the hits, the sampled weight *beyond* a capacity counts as it is; what was not sampled
//! is near the top of the stack (the correction of SHARDS-adj: few blocks get most of the hits, and one of them is sampled or not).
//!
//! Two errors make the band. Which blocks were sampled: the scatter of the tails between groups of keys. How many bytes lie between
//! two uses: as many sampled blocks as that is, so precise the distance; the slope of the curve says what it means. Both come
//! from the same choice of blocks and mostly have the same sign, so they add up. Both vanish where every block is sampled.

use crate::aged::{AgedBookings, GROUPS};
use crate::bins;
use crate::{CurvePoint, MissRatioCurve};

/// Two-sided 90 % quantile of Student's t with `GROUPS - 1` degrees of freedom.
const T90: f64 = 1.753;
/// A point is left out if the line between its neighbours passes it this closely.
const THINNING_TOLERANCE: f64 = 0.000_5;

/// The curve of what was booked. `block_bytes_over_rate` is the size of a typical sampled byte's block over the sampling rate:
/// how many bytes of the real stack one sampled block stands for.
pub(crate) fn curve(bookings: &AgedBookings, block_bytes_over_rate: f64) -> MissRatioCurve {
    let lookups = bookings.raw_lookups();
    let unseen = bookings.unseen_share();
    let miss_scale = bookings.miss_scale();
    let mut missed = [0.0; GROUPS];
    for bin in 0..bins::COUNT {
        add(&mut missed, bookings.raw_misses(bin));
    }
    let all_missed: f64 = missed.iter().sum();
    let mut points = vec![CurvePoint::ORIGIN; bins::INFINITE];
    let (mut miss_tails, mut hit_tails) = ([0.0; GROUPS], [0.0; GROUPS]);
    for bin in (0..bins::INFINITE).rev() {
        add(&mut miss_tails, bookings.raw_misses(bin + 1));
        add(&mut hit_tails, bookings.raw_hits(bin + 1));
        let miss_tail: f64 = miss_tails.iter().sum();
        let tail = miss_scale * miss_tail + hit_tails.iter().sum::<f64>();
        // What a group's misses would have beyond this distance, were they like all misses, is known without error.
        let share = if all_missed > 0.0 && miss_scale != 1.0 {
            miss_tail / all_missed
        } else {
            0.0
        };
        let scatter: [f64; GROUPS] = std::array::from_fn(|g| {
            miss_scale * (miss_tails[g] - share * missed[g]) + hit_tails[g]
        });
        let mean = scatter.iter().sum::<f64>() / GROUPS as f64;
        let squares: f64 = scatter.iter().map(|s| (s - mean).powi(2)).sum();
        let variance = squares * GROUPS as f64 / (GROUPS - 1) as f64 * unseen;
        let point = &mut points[bin];
        point.bytes = bins::upper_edge(bin);
        point.miss_ratio = (tail / lookups).clamp(0.0, 1.0);
        // Kept here until the band is made of it.
        point.low = variance.sqrt() / lookups;
    }
    let plain: Vec<f64> = points.iter().map(|p| p.miss_ratio).collect();
    for point in &mut points {
        let bytes = point.bytes as f64;
        let reach = bytes * (unseen * block_bytes_over_rate / bytes).sqrt();
        let (shallow, deep) = ((bytes - reach).max(0.0), bytes + reach);
        let slope = interpolate(&plain, shallow as u64) - interpolate(&plain, deep as u64);
        let half_width = T90 * (point.low + slope / 2.0);
        point.low = (point.miss_ratio - half_width).max(0.0);
        point.high = (point.miss_ratio + half_width).min(1.0);
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

fn add(sums: &mut [f64; GROUPS], weights: &[f64]) {
    for (sum, weight) in sums.iter_mut().zip(weights) {
        *sum += weight;
    }
}

/// Reads the ratios at the bins' upper edges in between.
fn interpolate(ratios: &[f64], bytes: u64) -> f64 {
    let bin = bins::bin_of(bytes).min(bins::INFINITE - 1);
    let (from, start) = match bin.checked_sub(1) {
        Some(below) => (ratios[below], bins::upper_edge(below)),
        None => (1.0, 0),
    };
    let way = bytes.saturating_sub(start) as f64 / (bins::upper_edge(bin) - start) as f64;
    from + (ratios[bin] - from) * way.min(1.0)
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
