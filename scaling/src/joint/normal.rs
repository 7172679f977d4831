//! The normal distribution: how sure a margin makes.

/// Probability that a standard normal variable is below `z`; off by at most 1e-7 (Abramowitz and Stegun, 26.2.17).
pub(crate) fn probability_below(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let polynomial = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt() * polynomial;
    if z > 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles() {
        for (z, p) in [(0.0, 0.5), (1.2816, 0.9), (1.6449, 0.95), (-2.3263, 0.01)] {
            assert!((probability_below(z) - p).abs() < 1e-4, "{z}");
        }
        assert_eq!(probability_below(f64::INFINITY), 1.0);
    }
}
