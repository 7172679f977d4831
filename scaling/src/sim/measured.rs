//! A plant of measured points: total rate at (parallelism, cache per instance), from a CSV file.
//!
//! - **Parallelism**: only measured ones can be had. A plan for another is carried out with the next larger one measured, or
//!   else the largest: nobody measured what three instances do, and Flink's autoscaler aligns parallelism in the same way.
//! - **More cache never slows an instance**: at each parallelism the rate is the largest measured with no more cache. Single
//!   runs scatter by ten percent, and a dip between two runs is scatter.
//! - **Between caches** the time per record is linear in the logarithm of the bytes. Less than the smallest cache cannot be had,
//!   more than the largest is as fast as the largest.
//! - **Below the smallest cache** of a parallelism, an agent's curve still has to say something: it falls as the next smaller
//!   parallelism was measured to with the same bytes over all instances.
//!
//! What an agent would report is derived from the time per record `s(M) = parallelism / rate`. One lookup a record; a hit takes a
//! tenth and a miss eleven tenths of the longest `s` measured anywhere, so that a miss costs the same everywhere; the miss ratio
//! has to fall by `s` over that cost; it ends at [`MeasuredPlant::FLOOR`]. What remains of `s` is CPU time. Neither the split nor
//! the floor changes any sum a policy can form: only the falling part of the curve moves the rate.

use std::collections::BTreeMap;

use weir_mrc::{CurvePoint, MissRatioCurve};

use super::plant::{MIB, Shape, Truth};

/// A plant of measured points.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredPlant {
    /// By parallelism: (cache bytes of one instance, seconds per record of one instance), bytes ascending, seconds never rising.
    points: BTreeMap<u32, Vec<(u64, f64)>>,
    /// What a miss takes longer than a hit.
    miss_penalty_seconds: f64,
}

/// A row of the file that the filter let through.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeasuredPoint {
    /// Instances.
    pub parallelism: u32,
    /// Cache of one instance, MiB.
    pub cache_mib: f64,
    /// Records per second, all instances together.
    pub rate_per_s: f64,
}

// === impl MeasuredPlant ===

impl MeasuredPlant {
    /// Miss ratio that no cache size gets rid of.
    const FLOOR: f64 = 0.02;
    /// Points of the curve between two measured ones: the time is linear in the logarithm of the bytes, a curve in bytes.
    const STEPS: u32 = 8;

    /// A plant through these points.
    ///
    /// # Errors
    ///
    /// Says which point cannot be, or that there is none.
    pub fn new(rows: &[MeasuredPoint]) -> Result<Self, String> {
        if rows.is_empty() {
            return Err("no row of the file passes the filter `where`".to_owned());
        }
        let mut points: BTreeMap<u32, Vec<(u64, f64)>> = BTreeMap::new();
        for row in rows {
            let positive = |v: f64| v.is_finite() && v > 0.0;
            if row.parallelism == 0 || !positive(row.cache_mib) || !positive(row.rate_per_s) {
                return Err(format!(
                    "a row with parallelism {}, cache_mib {} and {} records/s; all must be above zero",
                    row.parallelism, row.cache_mib, row.rate_per_s
                ));
            }
            let seconds = f64::from(row.parallelism) / row.rate_per_s;
            let at = (row.cache_mib * MIB).round() as u64;
            points
                .entry(row.parallelism)
                .or_default()
                .push((at, seconds));
        }
        let mut longest: f64 = 0.0;
        for of_one in points.values_mut() {
            of_one.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
            // Two runs with the same shape: the faster one, as between caches.
            of_one.dedup_by_key(|p| p.0);
            for i in 1..of_one.len() {
                of_one[i].1 = of_one[i].1.min(of_one[i - 1].1);
            }
            longest = longest.max(of_one[0].1);
        }
        Ok(Self {
            points,
            miss_penalty_seconds: longest,
        })
    }

    pub(crate) fn parallelisms(&self) -> Vec<u32> {
        self.points.keys().copied().collect()
    }

    pub(crate) fn min_cache_bytes(&self) -> u64 {
        let smallest = self.points.values().filter_map(|p| p.first());
        smallest.map(|p| p.0).min().unwrap_or(0)
    }

    pub(crate) fn largest_useful_cache_bytes(&self, parallelism: u32) -> u64 {
        let (_, points) = self.points_for(parallelism);
        let fastest = points[points.len() - 1].1;
        let first = points.iter().find(|p| p.1 <= fastest);
        first.map_or(0, |p| p.0)
    }

    pub(crate) fn feasible(&self, shape: Shape) -> Shape {
        let (parallelism, points) = self.points_for(shape.parallelism);
        Shape {
            parallelism,
            cache_bytes: shape.cache_bytes.max(points[0].0),
            ..shape
        }
    }

    pub(crate) fn capacity_per_s(&self, shape: &Shape) -> f64 {
        let (parallelism, _) = self.points_for(shape.parallelism);
        f64::from(parallelism) / self.service_seconds(parallelism, shape.cache_bytes)
    }

    pub(crate) fn truth(&self, shape: &Shape) -> Vec<Truth> {
        let (parallelism, _) = self.points_for(shape.parallelism);
        let service_seconds = self.service_seconds(parallelism, shape.cache_bytes);
        let points = self.extended(parallelism);
        let fastest = points[points.len() - 1].1;
        let ratio_at =
            |seconds: f64| (Self::FLOOR + (seconds - fastest) / self.miss_penalty_seconds).min(1.0);
        // Interpolation may err by a rounding, a curve may not rise.
        let mut before = 1.0_f64;
        let mut point = |bytes: u64| {
            let miss_ratio = ratio_at(seconds_at(&points, bytes)).min(before);
            before = miss_ratio;
            CurvePoint {
                bytes,
                miss_ratio,
                low: miss_ratio,
                high: miss_ratio,
            }
        };
        let between = |pair: &[(u64, f64)]| {
            let (from, to) = (pair[0].0 as f64, pair[1].0 as f64);
            let step = (to / from).powf(1.0 / f64::from(Self::STEPS));
            (0..Self::STEPS)
                .map(|i| (from * step.powi(i as i32)).round() as u64)
                .collect::<Vec<_>>()
        };
        let mut bytes: Vec<u64> = points.windows(2).flat_map(between).collect();
        bytes.push(points[points.len() - 1].0);
        bytes.dedup();
        let curve = MissRatioCurve::new(bytes.into_iter().map(&mut point).collect());
        let truth = Truth {
            share: 1.0 / f64::from(parallelism),
            service_seconds,
            lookups_per_record: 1.0,
            hit_seconds: self.miss_penalty_seconds * 0.1,
            miss_seconds: self.miss_penalty_seconds * 1.1,
            miss_ratio: ratio_at(service_seconds),
            curve: curve.unwrap_or_default(),
            write: None,
        };
        vec![truth; parallelism as usize]
    }

    /// The measured parallelism that a wish is carried out with, and its points.
    fn points_for(&self, parallelism: u32) -> (u32, &[(u64, f64)]) {
        let next = self.points.range(parallelism..).next();
        let found = next.or_else(|| self.points.iter().next_back());
        found.map_or((0, &[][..]), |(p, points)| (*p, &points[..]))
    }

    /// Seconds per record of one instance.
    fn service_seconds(&self, parallelism: u32, cache_bytes: u64) -> f64 {
        seconds_at(self.points_for(parallelism).1, cache_bytes)
    }

    /// The points of a parallelism, and below them those of smaller ones with the same bytes over all instances, scaled to join.
    fn extended(&self, parallelism: u32) -> Vec<(u64, f64)> {
        let mut points = self.points_for(parallelism).1.to_vec();
        for (&fewer, measured) in self.points.range(..parallelism).rev() {
            let (lowest, seconds) = points[0];
            let per_instance = |bytes: u64| bytes * u64::from(fewer) / u64::from(parallelism);
            let join = lowest * u64::from(parallelism) / u64::from(fewer);
            let factor = seconds / seconds_at(measured, join);
            let below = measured.iter().map(|p| (per_instance(p.0), p.1 * factor));
            let mut below: Vec<(u64, f64)> = below.filter(|p| p.0 < lowest).collect();
            below.append(&mut points);
            points = below;
        }
        points
    }
}

/// Linear in the logarithm of the bytes between points, flat beyond them.
fn seconds_at(points: &[(u64, f64)], bytes: u64) -> f64 {
    let after = points.partition_point(|p| p.0 <= bytes);
    if after == 0 {
        return points[0].1;
    }
    let from = points[after - 1];
    let Some(to) = points.get(after) else {
        return from.1;
    };
    let ln = |bytes: u64| (bytes as f64).ln();
    let way = (ln(bytes) - ln(from.0)) / (ln(to.0) - ln(from.0));
    from.1 + (to.1 - from.1) * way
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plant() -> MeasuredPlant {
        let row = |parallelism, cache_mib, rate_per_s| MeasuredPoint {
            parallelism,
            cache_mib,
            rate_per_s,
        };
        MeasuredPlant::new(&[
            row(1, 32.0, 1_000.0),
            row(1, 128.0, 2_000.0),
            row(1, 256.0, 1_900.0),
            row(4, 32.0, 6_000.0),
        ])
        .unwrap()
    }

    fn shape(parallelism: u32, mib: f64) -> Shape {
        Shape {
            parallelism,
            cache_bytes: (mib * MIB) as u64,
            write_buffer_bytes: 0,
        }
    }

    #[test]
    fn measured_points_are_met_and_a_dip_is_levelled() {
        let p = plant();
        for (mib, rate) in [
            (32.0, 1_000.0),
            (128.0, 2_000.0),
            (256.0, 2_000.0),
            (999.0, 2_000.0),
        ] {
            assert!(
                (p.capacity_per_s(&shape(1, mib)) - rate).abs() < 1e-6,
                "{mib}"
            );
        }
        assert_eq!(p.largest_useful_cache_bytes(1), 128 << 20);
    }

    #[test]
    fn between_two_caches_the_time_per_record_is_linear_in_the_logarithm() {
        let middle = plant().capacity_per_s(&shape(1, 64.0));
        assert!(
            (1.0 / middle - (1e-3 + 5e-4) / 2.0).abs() < 1e-9,
            "{middle}"
        );
    }

    #[test]
    fn parallelism_not_measured_is_taken_to_the_next_and_bytes_to_the_smallest() {
        let p = plant();
        assert_eq!(p.feasible(shape(2, 8.0)), shape(4, 32.0));
        assert_eq!(p.feasible(shape(9, 64.0)).parallelism, 4);
    }

    #[test]
    fn what_is_reported_adds_up_to_the_measured_rate() {
        let p = plant();
        let price = |mib: f64| {
            let t = p.truth(&shape(1, mib)).remove(0);
            let ratio = t.curve.miss_ratio_at((mib * MIB) as u64).value;
            let state = t.hit_seconds + ratio * (t.miss_seconds - t.hit_seconds);
            (t.service_seconds, state * t.lookups_per_record)
        };
        let (small, large) = (price(32.0), price(128.0));
        // The CPU term is the same at both sizes.
        assert!((small.0 - small.1 - (large.0 - large.1)).abs() < 1e-9);
    }

    #[test]
    fn below_the_smallest_cache_the_curve_goes_on_as_fewer_instances_were_measured() {
        let p = plant();
        let curve = p.truth(&shape(4, 32.0)).remove(0).curve;
        let ratio = |mib: f64| curve.miss_ratio_at((mib * MIB) as u64).value;
        assert!(
            ratio(8.0) > ratio(16.0) && ratio(16.0) > ratio(32.0),
            "{curve:?}"
        );
        assert_eq!(ratio(32.0), ratio(64.0));
    }

    #[test]
    fn a_filter_that_leaves_nothing_and_a_rate_of_zero_are_refused() {
        assert!(MeasuredPlant::new(&[]).is_err());
        let zero = MeasuredPoint {
            parallelism: 1,
            cache_mib: 1.0,
            rate_per_s: 0.0,
        };
        assert!(
            MeasuredPlant::new(&[zero])
                .unwrap_err()
                .contains("0 records/s")
        );
    }
}
