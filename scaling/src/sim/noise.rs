//! Seeded measurement noise: a small generator, so that the same scenario and seed give the same run on every machine.

/// Pseudo-random numbers: SplitMix64 (Steele, Lea and Flood, OOPSLA '14).
#[derive(Debug, Clone)]
pub(crate) struct Noise {
    state: u64,
    /// Relative standard deviation of what is measured.
    relative: f64,
}

// === impl Noise ===

impl Noise {
    /// Beyond three standard deviations a draw is repeated: no instrument is off without bound.
    const LIMIT: f64 = 3.0;

    pub fn new(seed: u64, relative: f64) -> Self {
        Self {
            state: seed,
            relative,
        }
    }

    /// Relative standard deviation of an error.
    pub fn relative(&self) -> f64 {
        self.relative
    }

    /// A measured value: the true one times one plus a normal error.
    pub fn measure(&mut self, truth: f64) -> f64 {
        truth * self.factor()
    }

    /// One plus a normal error; exactly one without noise.
    pub fn factor(&mut self) -> f64 {
        if self.relative == 0.0 {
            return 1.0;
        }
        loop {
            let normal = self.normal();
            if normal.abs() <= Self::LIMIT {
                // An error of a third or more must not turn a count negative.
                return (1.0 + self.relative * normal).max(0.01);
            }
        }
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        // In (0, 1]: the logarithm of zero is none.
        let radius = (1.0 - self.uniform()).ln() * -2.0;
        let angle = std::f64::consts::TAU * self.uniform();
        radius.sqrt() * angle.cos()
    }

    /// Uniform in [0, 1).
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_deviation_asked_for_and_no_bias() {
        let mut noise = Noise::new(7, 0.1);
        let draws: Vec<f64> = (0..20_000).map(|_| noise.measure(5.0) / 5.0).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!((mean - 1.0).abs() < 0.003, "{mean}");
        assert!((variance.sqrt() - 0.1).abs() < 0.003, "{variance}");
    }

    #[test]
    fn no_noise_is_the_truth_and_a_seed_repeats() {
        assert_eq!(Noise::new(1, 0.0).measure(3.25), 3.25);
        let run = |seed| {
            let mut n = Noise::new(seed, 0.15);
            [n.factor(), n.factor(), n.factor()]
        };
        assert_eq!(run(4), run(4));
        assert_ne!(run(4), run(5));
    }
}
