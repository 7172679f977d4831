//! How many distinct blocks were used, exactly enough to correct the luck of the sample.
//!
//! The registers of HyperLogLog (Flajolet et al., 2007) with the historic inverse probability estimate (Cohen, 2014; Ting, 2014):
//! whenever a register changes, the count grows by the inverse of the probability that a new block would change one. That is
//! unbiased at every moment, also for few blocks, and its relative standard error is `0.833 / sqrt(registers)`.

/// Registers: 0.46 % of error, half of a first-level cache.
const REGISTERS: usize = 1 << 15;
/// Spreads hashes anew: which blocks are counted must not depend on which are sampled.
const SPREAD: u64 = 0xd6e8_feb8_6659_fd93;

/// A counter of distinct hashes.
#[derive(Debug, Clone)]
pub(crate) struct DistinctCounter {
    registers: Box<[u8]>,
    /// Sum over the registers of `2^-register`.
    open: f64,
    count: f64,
}

// === impl DistinctCounter ===

impl DistinctCounter {
    /// Variance of the relative error.
    pub(crate) const VARIANCE: f64 = 0.694 / REGISTERS as f64;

    pub(crate) fn new() -> Self {
        Self {
            registers: vec![0; REGISTERS].into_boxed_slice(),
            open: REGISTERS as f64,
            count: 0.0,
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, hash: u64) {
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(SPREAD);
        let rank = ((mixed << 15) | (1 << 14)).leading_zeros() as u8 + 1;
        let register = &mut self.registers[(mixed >> 49) as usize];
        if rank > *register {
            self.count += REGISTERS as f64 / self.open;
            self.open += (-f64::from(rank)).exp2() - (-f64::from(*register)).exp2();
            *register = rank;
        }
    }

    /// Estimated number of distinct hashes.
    pub(crate) fn count(&self) -> f64 {
        self.count
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.registers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash_key;

    #[test]
    fn counts_within_four_standard_errors_at_every_size() {
        for seed in 0..5_u64 {
            let mut counter = DistinctCounter::new();
            let mut added = 0_u64;
            for target in [10, 1_000, 30_000, 100_000, 400_000] {
                while added < target {
                    counter.add(hash_key(&[seed, added].map(u64::to_le_bytes).concat()));
                    added += 1;
                }
                let error = counter.count() / target as f64 - 1.0;
                let tolerance = 4.0 * DistinctCounter::VARIANCE.sqrt();
                assert!(error.abs() < tolerance, "{error} at {target}, seed {seed}");
            }
        }
    }

    #[test]
    fn counts_every_block_once() {
        let mut counter = DistinctCounter::new();
        let hashes: Vec<u64> = (0..5_000_u64).map(|i| hash_key(&i.to_le_bytes())).collect();
        hashes.iter().for_each(|hash| counter.add(*hash));
        let once = counter.count();
        hashes.iter().for_each(|hash| counter.add(*hash));
        assert_eq!(counter.count(), once);
    }
}
