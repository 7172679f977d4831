//! From booked reuse distances to a curve: tails over exact look-ups, with a band.
//!
//! The exact number of look-ups is known, and differs from what the sample stands for by the luck of the draw. The difference is
//! distributed by regression (Cochran, *Sampling Techniques*, section 7): each bin gets what its covariance with the total asks
//! for. Where few hot blocks make the luck, that is near the top of the stack (the correction of SHARDS-adj); where all blocks are
//! used alike, it is everywhere in proportion.
//!
//! Two errors make the band, and both vanish where every block is sampled. Which blocks were sampled: the scatter of the tails
//! between groups of keys. How many bytes lie between two uses: as many sampled blocks as that is, so precise the distance; the
//! slope of the curve says what it means. Where outcomes have shown how deep the real cache reaches, the axis is known there, and
//! only the blocks between there and the point in question are in doubt.

use std::ops::Range;

use crate::aged::{AgedBookings, GROUPS, Stratum};
use crate::bins;
use crate::profile::StackProfile;
use crate::{CacheShape, CurvePoint, MissRatioCurve, pool, sharding, survival};

/// Two-sided 90 % quantile of Student's t with `GROUPS - 1` degrees of freedom.
const T90: f64 = 1.753;
/// A point is left out if the lines between its neighbours pass its ratio and the ends of its band this closely.
const THINNING_TOLERANCES: [f64; 3] = [0.000_2, 0.002, 0.002];
/// The steepest and the flattest slope of a ratio and of the ends of its band, before any point has narrowed them.
const ALL_SLOPES: [(f64, f64); 3] = [(f64::NEG_INFINITY, f64::INFINITY); 3];

/// What is known besides the sample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// The distance at which outcomes have set the axis right, 0 if nowhere.
    pub(crate) axis_bytes: u64,
    /// Share of the sample's variance in the bytes of the whole stack that counting the blocks has explained.
    pub(crate) told_of_total: f64,
    /// Bytes of all live blocks.
    pub(crate) live_bytes: Option<u64>,
    /// How many look-ups were first ones, where that was counted.
    pub(crate) first_lookups: Option<Counted>,
}

/// A count that errs, too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) count: f64,
    pub(crate) variance: f64,
}

impl Stratum {
    /// How many first look-ups there were more than were booked: as the exact number of all look-ups has it, and as they were counted
    /// themselves, each as far as its variance says.
    fn more_first(&self, first: Counted) -> f64 {
        let (slope, left) = self.first_by_total();
        let regressed = (self.exact - self.weight) * slope;
        let trust = if left > 0.0 {
            left / (left + first.variance)
        } else {
            0.0
        };
        let counted = first.count - self.seen[bins::INFINITE];
        regressed + (counted - regressed) * trust
    }

    /// Variance of the number of first look-ups after that.
    fn first_variance_left(&self, first: Counted) -> f64 {
        let (_, left) = self.first_by_total();
        if left > 0.0 {
            left * first.variance / (left + first.variance)
        } else {
            0.0
        }
    }

    /// By how much first look-ups go up when all do by one, and the variance that this leaves.
    fn first_by_total(&self) -> (f64, f64) {
        let together: f64 = self.covariance.iter().sum();
        let shared = self.covariance[bins::INFINITE];
        let slope = if together > 0.0 {
            shared / together
        } else {
            0.0
        };
        (slope, (self.first_variance - shared * slope).max(0.0))
    }
}

/// Look-ups by reuse distance, made to agree with the exact counts.
#[derive(Debug, Clone)]
pub(crate) struct Distances {
    /// Look-ups by bin; the infinite bin last.
    pub(crate) seen: Vec<f64>,
    /// Look-ups by lower bound.
    pub(crate) censored: Vec<f64>,
    pub(crate) lookups: f64,
    /// Independent samples that a look-up is worth.
    pub(crate) samples_per_lookup: f64,
}

/// The curve of what was booked.
pub(crate) fn curve(
    bookings: &AgedBookings,
    profile: &StackProfile,
    known: &Known,
    shape: CacheShape,
) -> MissRatioCurve {
    let mut distances = distances(bookings, known.first_lookups);
    let errors = errors(bookings, known.first_lookups);
    if shape.shards > 1 {
        sharding::spread(&mut distances, bookings, profile, shape.shards);
    }
    let mut tail = survival::of(&distances, known.live_bytes);
    if shape.high_pri_ratio > 0.0 {
        let ratio = shape.high_pri_ratio.min(1.0);
        pool::protect(&mut tail.ratios, &distances, bookings, profile, ratio);
    }
    let axis = known.axis_bytes as f64;
    let ratio_at = |bytes: f64| ratio_at(&tail.ratios, bytes);
    let mut points: Vec<CurvePoint> = Vec::with_capacity(bins::INFINITE);
    for (bin, &ratio) in tail.ratios.iter().enumerate() {
        let bytes = bins::upper_edge(bin) as f64;
        // The error of a distance grows with the blocks between it and where it is known. Without any cache it is known, too: below
        // the capacity the error is that of a bridge.
        let reach = if axis > 0.0 {
            let doubtful = if bytes < axis {
                profile.variance(axis) * (axis - bytes) * bytes / (axis * axis)
            } else {
                (profile.variance(bytes) - profile.variance(axis)).max(0.0)
            };
            doubtful.sqrt()
        } else {
            profile.axis_error(bytes, known.told_of_total)
        };
        // A shift of the axis moves the curve sideways: next to a cliff it may stand as high as that, or as low, but no further.
        let reach = T90 * reach;
        let error = T90 * errors[bins::coarse_of(bin)];
        let above = error.hypot((ratio_at(bytes - reach) - ratio).max(0.0));
        let below = error.hypot((ratio - ratio_at(bytes + reach)).max(0.0));
        points.push(CurvePoint {
            bytes: bins::upper_edge(bin),
            miss_ratio: ratio,
            low: (ratio - below - tail.doubt_below[bin]).clamp(0.0, ratio),
            high: (ratio + above + tail.doubt_above[bin]).clamp(ratio, 1.0),
        });
    }
    make_bands_fall(&mut points);
    // Beyond its last point a curve is flat anyway.
    while let [.., before, end] = points[..]
        && before.miss_ratio == end.miss_ratio
        && before.low == end.low
        && before.high == end.high
    {
        points.pop();
    }
    MissRatioCurve::from_falling(thin(points))
}

/// Share of look-ups that lie beyond all that was watched.
pub(crate) fn floor(bookings: &AgedBookings) -> f64 {
    survival::of(&distances(bookings, None), None).watched_ratio
}

/// What was booked, made to agree with the exact counts.
fn distances(bookings: &AgedBookings, first_lookups: Option<Counted>) -> Distances {
    let (missed, others) = (&bookings.missed, &bookings.others);
    let lookups = bookings.raw_lookups();
    let mut distances = Distances {
        seen: vec![0.0; bins::COUNT],
        censored: vec![0.0; bins::COUNT],
        lookups,
        samples_per_lookup: (1.0 - bookings.unseen_share()).max(1e-9),
    };
    if let Some(first) = first_lookups.filter(|_| bookings.knows_misses()) {
        // None of them was near: they are a part of those that missed whose total is known.
        let booked = missed.seen[bins::INFINITE];
        let more = missed
            .more_first(first)
            .clamp(-booked, (missed.exact - booked).max(0.0));
        distances.add(
            &[missed],
            0..bins::INFINITE,
            missed.exact - missed.weight - more,
        );
        distances.seen[bins::INFINITE] += booked + more;
        distances.add(&[others], 0..bins::COUNT, others.exact - others.weight);
    } else if bookings.knows_misses() {
        distances.add(&[missed], 0..bins::COUNT, missed.exact - missed.weight);
        distances.add(&[others], 0..bins::COUNT, others.exact - others.weight);
    } else {
        let lacking = lookups - missed.weight - others.weight;
        distances.add(&[missed, others], 0..bins::COUNT, lacking);
    }
    distances.make_non_negative();
    distances
}

impl Distances {
    /// Adds these bins of strata whose total weight is `lacking` less than it should be.
    fn add(&mut self, strata: &[&Stratum], bins: Range<usize>, lacking: f64) {
        let sum = |values: &[f64]| values[bins.clone()].iter().sum::<f64>();
        let total: f64 = strata
            .iter()
            .map(|s| sum(&s.covariance) + sum(&s.censored_covariance))
            .sum();
        let share = if total > 0.0 { lacking / total } else { 0.0 };
        for stratum in strata {
            for bin in bins.clone() {
                self.seen[bin] += stratum.seen[bin] + share * stratum.covariance[bin];
                self.censored[bin] +=
                    stratum.censored[bin] + share * stratum.censored_covariance[bin];
            }
        }
        if total == 0.0 {
            self.seen[0] += lacking;
        }
    }

    /// A bin that got less than nothing takes from the next smaller distance, so that the tails beyond are kept.
    fn make_non_negative(&mut self) {
        for weights in [&mut self.censored, &mut self.seen] {
            let mut debt = 0.0;
            for weight in weights.iter_mut().rev() {
                *weight += debt;
                debt = weight.min(0.0);
                *weight = weight.max(0.0);
            }
        }
    }
}

/// Standard errors of the ratios at the coarse edges, as the choice of sampled blocks makes them.
fn errors(bookings: &AgedBookings, first_lookups: Option<Counted>) -> Vec<f64> {
    let lookups = bookings.raw_lookups();
    let (missed, others) = (&bookings.missed, &bookings.others);
    let all = bins::COARSE_COUNT;
    let mut variances = vec![0.0; all];
    if !bookings.knows_misses() {
        let responses = responses(&[missed, others], all);
        scatter(&[missed, others], all, &responses, &mut variances);
    } else {
        let first = first_lookups.map(|first| missed.first_variance_left(first));
        // First look-ups are counted on their own: what remains of their error is taken from all the others that missed.
        let coarse = if first.is_some() { all - 1 } else { all };
        let responses_of_missed = responses(&[missed], coarse);
        scatter(&[missed], coarse, &responses_of_missed, &mut variances);
        for (variance, response) in variances.iter_mut().zip(&responses_of_missed) {
            *variance += first.unwrap_or(0.0) * (1.0 - response).powi(2);
        }
        let responses = responses(&[others], all);
        scatter(&[others], all, &responses, &mut variances);
    }
    variances.iter().map(|v| v.sqrt() / lookups).collect()
}

/// Adds the variances of the tails of strata whose total is known, of their first coarse bins.
fn scatter(strata: &[&Stratum], coarse_bins: usize, responses: &[f64], variances: &mut [f64]) {
    let mut totals = [0.0; GROUPS];
    for stratum in strata {
        let groups = stratum.groups[..coarse_bins].iter();
        groups.for_each(|g| add(&mut totals, g));
    }
    let mut tails = [0.0; GROUPS];
    for coarse in (0..coarse_bins - 1).rev() {
        for stratum in strata {
            add(&mut tails, &stratum.groups[coarse + 1]);
        }
        // A group with many look-ups is no surprise as far as the exact count tells of it.
        let response = responses[coarse];
        let rest: [f64; GROUPS] = std::array::from_fn(|g| tails[g] - response * totals[g]);
        let mean = rest.iter().sum::<f64>() / GROUPS as f64;
        let squares: f64 = rest.iter().map(|r| (r - mean).powi(2)).sum();
        variances[coarse] += squares * GROUPS as f64 / (GROUPS - 1) as f64;
    }
}

/// By how much the tail beyond each coarse edge goes up when the total of the first coarse bins goes up by one.
fn responses(strata: &[&Stratum], coarse_bins: usize) -> Vec<f64> {
    let mut by_coarse = vec![0.0; bins::COARSE_COUNT];
    for stratum in strata {
        for bin in 0..bins::COUNT {
            by_coarse[bins::coarse_of(bin)] +=
                stratum.covariance[bin] + stratum.censored_covariance[bin];
        }
    }
    by_coarse.truncate(coarse_bins);
    let total: f64 = by_coarse.iter().sum();
    let mut tail = 0.0;
    let mut responses = vec![0.0; bins::COARSE_COUNT];
    for coarse in (0..coarse_bins - 1).rev() {
        tail += by_coarse[coarse + 1];
        responses[coarse] = if total > 0.0 { tail / total } else { 0.0 };
    }
    responses
}

fn add(sums: &mut [f64; GROUPS], weights: &[f64; GROUPS]) {
    for (sum, weight) in sums.iter_mut().zip(weights) {
        *sum += weight;
    }
}

/// The ratio between the edges of a bin.
fn ratio_at(ratios: &[f64], bytes: f64) -> f64 {
    let bin = bins::bin_of(bytes.max(0.0) as u64).min(bins::INFINITE - 1);
    let (from, start) = match bin.checked_sub(1) {
        Some(below) => (ratios[below], bins::upper_edge(below) as f64),
        None => (1.0, 0.0),
    };
    let way = (bytes - start) / (bins::upper_edge(bin) as f64 - start);
    from + (ratios[bin] - from) * way.clamp(0.0, 1.0)
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
/// From each kept point a cone of slopes is narrowed by every point passed, for the ratio and for both ends of its band; the last point
/// inside of all cones is kept next.
fn thin(points: Vec<CurvePoint>) -> Vec<CurvePoint> {
    let values = |point: &CurvePoint| [point.miss_ratio, point.low, point.high];
    let mut kept: Vec<CurvePoint> = Vec::new();
    let mut anchor = CurvePoint::ORIGIN;
    let mut cones = ALL_SLOPES;
    let mut last: Option<CurvePoint> = None;
    for point in points {
        if let Some(passed) = last {
            let slopes = |to: CurvePoint, tolerance: f64| {
                let width = (to.bytes - anchor.bytes) as f64;
                let (from, to) = (values(&anchor), values(&to));
                std::array::from_fn::<_, 3, _>(|i| {
                    let off = tolerance * THINNING_TOLERANCES[i];
                    (to[i] - from[i] + off) / width
                })
            };
            let (steepest, flattest) = (slopes(passed, -1.0), slopes(passed, 1.0));
            for (i, (steep, flat)) in cones.iter_mut().enumerate() {
                *steep = steep.max(steepest[i]);
                *flat = flat.min(flattest[i]);
            }
            let inside =
                |((steep, flat), slope): (&(f64, f64), f64)| (*steep..=*flat).contains(&slope);
            if !cones.iter().zip(slopes(point, 0.0)).all(inside) {
                kept.push(passed);
                anchor = passed;
                cones = ALL_SLOPES;
            }
        }
        last = Some(point);
    }
    kept.extend(last);
    kept
}
