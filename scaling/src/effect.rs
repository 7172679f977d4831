//! What an allocation would cost by the curves: weighted misses of all caches that have data, with the bands' noise.

use crate::{CacheState, Effect, Objective, TaskManagerState};

/// What one cache's misses weigh.
pub(crate) struct Weights<'a> {
    pub objective: Objective,
    /// Caches with data, in an order that does not depend on the snapshot's, so that sums are the same to the last bit.
    pub caches: Vec<Weighted<'a>>,
}

pub(crate) struct Weighted<'a> {
    pub cache: &'a CacheState,
    /// Cost per second of missing every lookup.
    pub weight: f64,
}

impl<'a> Weights<'a> {
    /// Weights of the caches that `usable` accepts: lookups per second, times the miss time if every cache has one.
    pub fn of(tm: &'a TaskManagerState, usable: impl Fn(&CacheState) -> bool) -> Self {
        let mut caches: Vec<&CacheState> = tm.caches.iter().filter(|c| usable(c)).collect();
        caches.sort_by(|a, b| (&a.operator, a.id).cmp(&(&b.operator, b.id)));
        let timed = caches.iter().all(|c| c.miss_seconds.is_some());
        let weigh = |cache: &'a CacheState| {
            let rate = cache.load?.lookups_per_second()?;
            let seconds = cache.miss_seconds.filter(|_| timed).unwrap_or(1.0);
            Some(Weighted {
                cache,
                weight: rate * seconds,
            })
        };
        Self {
            objective: if timed {
                Objective::MissSeconds
            } else {
                Objective::Misses
            },
            caches: caches.into_iter().filter_map(weigh).collect(),
        }
    }

    /// Cost of an allocation given by cache id.
    pub fn cost(&self, size_of: impl Fn(&CacheState) -> u64) -> f64 {
        self.caches.iter().map(|w| w.cost(size_of(w.cache))).sum()
    }

    /// Cost before and after a change of sizes; the noise adds up as squares, since caches are sampled independently.
    pub fn effect(&self, size_of: impl Fn(&CacheState) -> u64) -> Effect {
        let changed = self
            .caches
            .iter()
            .filter(|w| size_of(w.cache) != w.cache.capacity_bytes);
        let variance: f64 = changed
            .map(|w| (w.weight * noise_between(w.cache, size_of(w.cache))).powi(2))
            .sum();
        Effect {
            objective: self.objective,
            before: self.cost(|c| c.capacity_bytes),
            after: self.cost(size_of),
            noise: variance.sqrt(),
        }
    }
}

impl Weighted<'_> {
    /// Cost per second at a capacity.
    pub fn cost(&self, capacity_bytes: u64) -> f64 {
        let ratio = self.cache.predicted_at(capacity_bytes);
        ratio.map_or(0.0, |r| r.value * self.weight)
    }
}

/// How far the predicted difference of miss ratios between the present capacity and another may be off (90 %).
///
/// Both ends lie on one curve, so what they are both off by cancels out: the difference depends on the accesses whose reuse
/// distance lies between them alone. A band of half-width `h` at miss ratio `m` is that of `n = m (1 - m) / h^2` independent
/// accesses (in units of the band's own quantile); a share `d` of as many is off by `sqrt(d (1 - d) / n)`.
fn noise_between(cache: &CacheState, other_bytes: u64) -> f64 {
    let ends = [cache.capacity_bytes, other_bytes].map(|bytes| cache.predicted_at(bytes));
    let [Some(here), Some(there)] = ends else {
        return 0.0;
    };
    let difference = (here.value - there.value).abs();
    // A curve that is off from what is measured here and now is no better known than that, whatever its samples say.
    let measured = cache.window.and_then(|w| w.miss_ratio());
    let off = measured.map_or(0.0, |m| (m - here.value).abs());
    let half_bands = [(here.high - here.low) / 2.0, (there.high - there.low) / 2.0];
    // Per access; the end that is known worse counts.
    let per_access = |ratio: f64, half: f64| {
        // A ratio of nearly 0 or 1 is known no better than its band.
        let ratio = ratio.max(half).min(1.0 - half).clamp(0.0, 1.0);
        let spread = ratio * (1.0 - ratio);
        if spread > 0.0 {
            half * half / spread
        } else {
            0.0
        }
    };
    let variance = [
        per_access(here.value, half_bands[0].max(off)),
        per_access(there.value, half_bands[1]),
    ];
    (difference * (1.0 - difference) * variance[0].max(variance[1])).sqrt()
}

#[cfg(test)]
mod tests {
    use weir_mrc::{CurvePoint, MissRatioCurve};

    use super::*;

    fn cache(points: &[(u64, f64, f64)]) -> CacheState {
        let point = |&(bytes, miss_ratio, half): &(u64, f64, f64)| CurvePoint {
            bytes,
            miss_ratio,
            low: miss_ratio - half,
            high: miss_ratio + half,
        };
        CacheState {
            id: 1,
            operator: crate::OperatorKey {
                job_id: crate::Name::from(""),
                operator_name: crate::Name::from(""),
                subtask_index: 0,
            },
            task_name: crate::Name::from(""),
            parallelism: 1,
            attempt: 0,
            capacity_bytes: 100,
            usage_bytes: 100,
            pinned_bytes: 0,
            age_ms: 0,
            load: None,
            window: None,
            curve: Some(MissRatioCurve::new(points.iter().map(point).collect()).unwrap()),
            miss_seconds: None,
            hit_seconds: None,
            write_path: None,
        }
    }

    #[test]
    fn a_difference_is_known_as_well_as_the_accesses_between_allow() {
        // 100 accesses: at a ratio of one half the band is 0.05 either side.
        let c = cache(&[(100, 0.5, 0.05), (200, 0.4, 0.04898979)]);
        let expected = (0.1_f64 * 0.9 / 100.0).sqrt();
        assert!((noise_between(&c, 200) - expected).abs() < 1e-6);
    }

    #[test]
    fn a_curve_that_is_off_from_what_is_measured_is_known_no_better_than_that() {
        let mut c = cache(&[(100, 0.5, 0.0), (200, 0.4, 0.0)]);
        assert_eq!(noise_between(&c, 200), 0.0);
        c.window = Some(crate::Window {
            millis: 1_000,
            lookups: 1_000,
            misses: 550,
        });
        let expected = (0.1_f64 * 0.9 / 100.0).sqrt();
        assert!((noise_between(&c, 200) - expected).abs() < 1e-6);
    }

    #[test]
    fn no_difference_has_no_noise_and_a_wide_band_at_zero_is_not_certain() {
        let flat = cache(&[(100, 0.4, 0.3), (200, 0.4, 0.3)]);
        assert_eq!(noise_between(&flat, 200), 0.0);
        let mut c = cache(&[(100, 0.3, 0.0), (200, 0.01, 0.01)]);
        c.curve = MissRatioCurve::new(vec![
            CurvePoint {
                bytes: 100,
                miss_ratio: 0.3,
                low: 0.3,
                high: 0.3,
            },
            CurvePoint {
                bytes: 200,
                miss_ratio: 0.0,
                low: 0.0,
                high: 0.2,
            },
        ])
        .ok();
        assert!(noise_between(&c, 200) > 0.1);
    }
}
