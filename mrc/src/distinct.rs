//! How many distinct blocks were used, exactly enough to correct the luck of the sample.
//!
//! The registers of HyperLogLog (Flajolet et al., 2007) with the historic inverse probability estimate (Cohen, 2014; Ting, 2014):
//! whenever a register changes, the count grows by the inverse of the probability that a new block would change one. That is
//! unbiased at every moment, also for few blocks, and its relative standard error is `0.833 / sqrt(registers)`.
//!
//! Most blocks of a large count could change but few registers. All registers are raised to a *floor* that grows with the count, and
//! hashes whose rank does not exceed it are turned away by one comparison with [`DistinctCounter::gate`]. The estimate stays unbiased,
//! for it asks of a register only that blocks counted once do not change it again; its standard error becomes
//! `1.03 / sqrt(registers)` at most.

/// Spreads hashes over the registers.
const SPREAD: u64 = 0xd6e8_feb8_6659_fd93;
/// The floor rises when the count passes so many blocks a register, and from then on whenever it doubles.
const BLOCKS_PER_REGISTER: f64 = 2.0;

/// A counter of distinct hashes.
#[derive(Debug, Clone)]
pub(crate) struct DistinctCounter {
    registers: Box<[u8]>,
    /// Sum over the registers of `2^-register`.
    open: f64,
    count: f64,
    /// `log2` of the registers.
    bits: u32,
    /// No register is lower.
    floor: u8,
    /// Count at which the floor rises.
    rises_at: f64,
}

// === impl DistinctCounter ===

impl DistinctCounter {
    /// A counter with `2^bits` registers of a byte each.
    pub(crate) fn new(bits: u32) -> Self {
        let registers = f64::from(1 << bits);
        Self {
            registers: vec![0; 1 << bits].into_boxed_slice(),
            open: registers,
            count: 0.0,
            bits,
            floor: 0,
            rises_at: BLOCKS_PER_REGISTER * registers,
        }
    }

    /// Variance of the relative error.
    pub(crate) fn variance(&self) -> f64 {
        let factor = if self.floor == 0 { 0.694 } else { 1.06 };
        factor / self.registers.len() as f64
    }

    /// Only hashes whose lower half is below this can change the count.
    pub(crate) fn gate(&self) -> u64 {
        1 << (32 - u32::from(self.floor.min(32)))
    }

    /// Counts a block, if it is new.
    ///
    /// The rank comes from the upper bits of the hash's lower half: which blocks are counted must not depend on which are sampled.
    #[inline]
    pub(crate) fn add(&mut self, hash: u64) {
        let rank = (hash as u32 | 1).leading_zeros() as u8 + 1;
        let register = (hash.wrapping_mul(SPREAD) >> (64 - self.bits)) as usize;
        if rank > self.registers[register] {
            self.raise(register, rank);
        }
    }

    #[cold]
    fn raise(&mut self, register: usize, rank: u8) {
        self.count += self.registers.len() as f64 / self.open;
        self.open += share(rank) - share(self.registers[register]);
        self.registers[register] = rank;
        while self.count >= self.rises_at {
            self.floor += 1;
            self.rises_at *= 2.0;
            for register in &mut self.registers {
                *register = (*register).max(self.floor);
            }
            self.open = self.registers.iter().map(|register| share(*register)).sum();
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

/// Share of new hashes in a register that exceed its value.
fn share(register: u8) -> f64 {
    (-f64::from(register)).exp2()
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
