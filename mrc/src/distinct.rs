//! How many distinct blocks were used, exactly enough to correct the luck of the sample.
//!
//! The registers of HyperLogLog (Flajolet et al., 2007) with the historic inverse probability estimate (Cohen, 2014; Ting, 2014):
//! whenever a register changes, the count grows by the inverse of the probability that a new block would change one. That is
//! unbiased at every moment, also for few blocks, and its relative standard error is `0.833 / sqrt(registers)`.

/// Spreads hashes anew: which blocks are counted must not depend on which are sampled.
const SPREAD: u64 = 0xd6e8_feb8_6659_fd93;

/// A counter of distinct hashes.
#[derive(Debug, Clone)]
pub(crate) struct DistinctCounter {
    registers: Box<[u8]>,
    /// Sum over the registers of `2^-register`.
    open: f64,
    count: f64,
    /// `log2` of the registers.
    bits: u32,
}

// === impl DistinctCounter ===

impl DistinctCounter {
    /// A counter with `2^bits` registers of a byte each.
    pub(crate) fn new(bits: u32) -> Self {
        Self {
            registers: vec![0; 1 << bits].into_boxed_slice(),
            open: f64::from(1 << bits),
            count: 0.0,
            bits,
        }
    }

    /// Variance of the relative error.
    pub(crate) fn variance(&self) -> f64 {
        0.694 / self.registers.len() as f64
    }

    #[inline]
    pub(crate) fn add(&mut self, hash: u64) {
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(SPREAD);
        let rank = ((mixed << self.bits) | 1).leading_zeros() as u8 + 1;
        let registers = self.registers.len() as f64;
        let register = &mut self.registers[(mixed >> (64 - self.bits)) as usize];
        if rank > *register {
            self.count += registers / self.open;
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
            let mut counter = DistinctCounter::new(15);
            let mut added = 0_u64;
            for target in [10, 1_000, 30_000, 100_000, 400_000] {
                while added < target {
                    counter.add(hash_key(&[seed, added].map(u64::to_le_bytes).concat()));
                    added += 1;
                }
                let error = counter.count() / target as f64 - 1.0;
                let tolerance = 4.0 * counter.variance().sqrt();
                assert!(error.abs() < tolerance, "{error} at {target}, seed {seed}");
            }
        }
    }

    #[test]
    fn counts_every_block_once() {
        let mut counter = DistinctCounter::new(15);
        let hashes: Vec<u64> = (0..5_000_u64).map(|i| hash_key(&i.to_le_bytes())).collect();
        hashes.iter().for_each(|hash| counter.add(*hash));
        let once = counter.count();
        hashes.iter().for_each(|hash| counter.add(*hash));
        assert_eq!(counter.count(), once);
    }
}
