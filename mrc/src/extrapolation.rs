//! How the miss ratio goes on beyond the sizes that were watched: a generalised Pareto tail.
//!
//! Whatever the distribution of reuse distances is, what lies beyond a large threshold nearly follows a generalised Pareto law
//! (Pickands, 1975). Its members have a meaning here: blocks that are all used alike make the miss ratio fall in a straight line, to
//! nothing where the last block fits (shape -1, Chao's estimate of unseen species); rates that are spread over blocks by a gamma law
//! bend it (shapes between -1 and 0); Zipf's law makes it an exponential or a power of the size (0 and above). The shape and the scale
//! are those of greatest likelihood for the look-ups beyond the threshold; censored ones count as far as they were watched.
//!
//! Where the live bytes are known the tail ends there. A law that would end earlier is made to end there, by its shape; from one that
//! would go on, a straight line is taken off, which leaves it convex, as the curve of any independent look-ups is.

use crate::bins;

/// The threshold is this share of the bytes that were watched.
const THRESHOLD: f64 = 0.25;
/// Shapes tried, straight lines that end far beyond what was watched among them.
const TRIALS: std::ops::RangeInclusive<i32> = -16..=16;
const TRIAL_STEP: f64 = 1.0 / 16.0;
/// How often the step is halved around the best trial.
const REFINEMENTS: usize = 6;
/// The last trial's logarithm of `1 + theta` times the width of the window; those before are closer to one another the closer to 0.
const WIDEST: f64 = 5.0;

/// The likelihood of a shape, where it lies among the trials, `theta` and `power`.
type Trial = (f64, f64, f64, f64);

/// Look-ups in one bin beyond the threshold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AtRisk {
    pub(crate) bin: usize,
    /// Look-ups known to reach the bin.
    pub(crate) look_ups: f64,
    /// Those that end in it.
    pub(crate) ending: f64,
    /// Those that were watched up to it, no further.
    pub(crate) censored: f64,
}

/// The rate at which look-ups end, by distance: `power * theta / (1 + theta * x)`, `x` bytes beyond the threshold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParetoTail {
    threshold_bytes: f64,
    theta: f64,
    power: f64,
    /// Nothing is left from here on.
    end_bytes: Option<f64>,
}

// === impl ParetoTail ===

impl ParetoTail {
    /// Where the threshold lies if so many bytes were watched.
    pub(crate) fn threshold_bytes(watched_bytes: f64) -> f64 {
        watched_bytes * THRESHOLD
    }

    /// The likeliest tail; `None` if no look-up ends beyond the threshold. `samples` is how many independent samples a look-up is worth.
    pub(crate) fn fit(at_risk: &[AtRisk], samples: f64, live_bytes: Option<f64>) -> Option<Self> {
        let (first, last) = (at_risk.first()?, at_risk.last()?);
        let threshold_bytes = lower_edge(first.bin);
        let width = bins::upper_edge(last.bin) as f64 - threshold_bytes;
        let ending: f64 = at_risk.iter().map(|r| r.ending).sum();
        if ending <= 0.0 {
            return None;
        }
        // The likelihood of a shape, with the best scale for it.
        let trial = |way: f64| {
            let theta = (WIDEST * way * way.abs()).exp_m1() / width;
            // An exponential tail, nearly.
            let theta = if theta == 0.0 { 1e-4 / width } else { theta };
            let (exposure, logarithms) = sums(at_risk, theta);
            let mut power = ending / exposure;
            if theta < 0.0 {
                // Steeper than a straight line: it would end in a cliff that nothing tells of.
                power = power.min(-1.0);
            }
            let fit = ending * (power * theta).ln() - logarithms - power * exposure;
            // Few look-ups make no extreme shapes.
            let likelihood = samples * fit - (1.0 / power).powi(2) / 2.0;
            (likelihood, way, theta, power)
        };
        let likelier = |a: Trial, b: Trial| if b.0 > a.0 { b } else { a };
        let mut best = TRIALS
            .map(|t| trial(f64::from(t) * TRIAL_STEP))
            .reduce(likelier)?;
        let mut step = TRIAL_STEP;
        for _ in 0..REFINEMENTS {
            step /= 2.0;
            best = [best.1 - step, best.1 + step]
                .map(trial)
                .into_iter()
                .fold(best, likelier);
        }
        let (.., mut theta, mut power) = best;
        if let Some(live) = live_bytes {
            let ends_there = -1.0 / (live - threshold_bytes);
            if theta < ends_there {
                theta = ends_there;
                power = ending / sums(at_risk, theta).0;
            }
        }
        Some(Self {
            threshold_bytes,
            theta,
            power,
            end_bytes: live_bytes,
        })
    }

    /// What share of the look-ups that reach `from` reach `to`, too.
    pub(crate) fn share(&self, from_bytes: f64, to_bytes: f64) -> f64 {
        let grown = |bytes: f64| (1.0 + self.theta * (bytes - self.threshold_bytes)).max(0.0);
        let share = |to: f64| (grown(to) / grown(from_bytes)).powf(-self.power);
        match self.end_bytes {
            Some(end) if to_bytes >= end => 0.0,
            Some(end) => {
                let way = (to_bytes - from_bytes) / (end - from_bytes);
                (share(to_bytes) - share(end) * way).max(0.0)
            }
            None => share(to_bytes),
        }
    }

    /// Share of look-ups that end per byte.
    pub(crate) fn hazard(&self, bytes: f64) -> f64 {
        self.power * self.theta / (1.0 + self.theta * (bytes - self.threshold_bytes)).max(1e-9)
    }
}

/// Sums of the logarithms of `1 + theta x`: what every look-up was exposed to, and at the ends of those that ended.
fn sums(at_risk: &[AtRisk], theta: f64) -> (f64, f64) {
    let start = at_risk.first().map_or(0.0, |r| lower_edge(r.bin));
    let (mut exposure, mut logarithms) = (0.0, 0.0);
    let mut below = 0.0;
    for risk in at_risk {
        let x = bins::upper_edge(risk.bin) as f64 - start;
        let above = (1.0 + theta * x).max(1e-9).ln();
        // Those that leave in the bin leave in its middle.
        let exposed = risk.look_ups - (risk.ending + risk.censored) / 2.0;
        exposure += exposed * (above - below);
        logarithms += risk.ending * (above + below) / 2.0;
        below = above;
    }
    (exposure, logarithms)
}

fn lower_edge(bin: usize) -> f64 {
    match bin.checked_sub(1) {
        Some(before) => bins::upper_edge(before) as f64,
        None => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Look-ups whose distances have this tail, watched up to `watched` bytes, in bins from a quarter of it.
    fn at_risk(watched: f64, tail: impl Fn(f64) -> f64) -> Vec<AtRisk> {
        let last = bins::bin_of(watched as u64);
        let first = bins::bin_of(ParetoTail::threshold_bytes(watched) as u64) + 1;
        (first..=last)
            .map(|bin| {
                let look_ups = 1e5 * tail(lower_edge(bin));
                AtRisk {
                    bin,
                    look_ups,
                    ending: look_ups - 1e5 * tail(bins::upper_edge(bin) as f64),
                    censored: 0.0,
                }
            })
            .collect()
    }

    /// What is left at four times the bytes watched, of what was left there.
    fn left(watched: f64, tail: impl Fn(f64) -> f64, live_bytes: Option<f64>) -> (f64, f64) {
        let risks = at_risk(watched, &tail);
        let end = bins::upper_edge(risks.last().expect("a bin").bin) as f64;
        let fitted = ParetoTail::fit(&risks, 1.0, live_bytes).expect("a tail");
        let to = 4.0 * end;
        (fitted.share(end, to), tail(to) / tail(end))
    }

    #[test]
    fn finds_straight_lines_exponentials_and_powers() {
        let straight = |bytes: f64| 1.0 - bytes / 6e8;
        let exponential = |bytes: f64| (-bytes / 5e8).exp();
        let power = |bytes: f64| (1.0 + bytes / 1e8).powf(-0.7);
        for (is, should) in [
            left(1e8, straight, None),
            left(1e8, straight, Some(6e8)),
            left(1e8, exponential, None),
            left(1e8, power, None),
        ] {
            assert!((is - should).abs() < 0.03, "{is} for {should}");
        }
    }

    #[test]
    fn nothing_is_left_where_the_live_bytes_end() {
        let exponential = |bytes: f64| (-bytes / 5e8).exp();
        for live in [1.5e8, 4e8, 4e9] {
            let risks = at_risk(1e8, exponential);
            let tail = ParetoTail::fit(&risks, 1.0, Some(live)).expect("a tail");
            assert_eq!(tail.share(1e8, live), 0.0);
            let mut before = 1.0;
            for step in 1..100 {
                let left = tail.share(1e8, 1e8 + (live - 1e8) * f64::from(step) / 100.0);
                assert!((0.0..before).contains(&left), "{left} after {before}");
                before = left;
            }
        }
    }

    #[test]
    fn where_no_look_up_ended_there_is_no_tail() {
        assert!(ParetoTail::fit(&at_risk(1e8, |_| 1.0), 1.0, None).is_none());
        assert!(ParetoTail::fit(&[], 1.0, Some(1e9)).is_none());
    }
}
