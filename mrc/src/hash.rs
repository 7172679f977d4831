//! The hash of a block key: the one computation that every look-up of the cache pays for.

use std::hash::{BuildHasher, Hasher};

/// Odd constants without pattern in their bits: fractional parts of the square roots of 2, 3 and 5.
const SEEDS: [u64; 3] = [
    0x6a09_e667_f3bc_c909,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
];

/// Multiply-mix hash of a block key.
///
/// Keys of one cache differ mostly in their last bytes (a file's prefix, then the offset in it), so every byte must reach every
/// bit of the result: a 64 by 64 bit multiplication folded upon itself does that in a few cycles and without a table. The high
/// bits decide about sampling, the low ones about the group of the error band; both are mixed well. Keys are trusted: this is no
/// defence against an adversary.
///
/// Nearly all keys have 8 to 16 bytes; they are hashed where they are, the others elsewhere.
#[inline(always)]
#[must_use]
pub fn hash_key(key: &[u8]) -> u64 {
    let length = key.len();
    if (8..=16).contains(&length) {
        let state = SEEDS[0] ^ length as u64;
        let (a, b) = (word64(key, 0), word64(key, length - 8));
        fold(fold(a ^ SEEDS[1], b ^ state), SEEDS[2] ^ state)
    } else {
        hash_other_key(key)
    }
}

#[cold]
#[inline(never)]
fn hash_other_key(key: &[u8]) -> u64 {
    hash_key_seeded(key, 0)
}

/// [`hash_key`] under a seed: another seed is another choice of sampled blocks, and seed 0 is `hash_key` itself.
#[inline]
#[must_use]
pub fn hash_key_seeded(key: &[u8], seed: u64) -> u64 {
    let length = key.len();
    let mut state = SEEDS[0] ^ length as u64 ^ seed.wrapping_mul(SEEDS[1]);
    let (a, b) = match length {
        0..=3 => (short(key), 0),
        4..=7 => (word32(key, 0), word32(key, length - 4)),
        8..=16 => (word64(key, 0), word64(key, length - 8)),
        _ => {
            // Whole 16-byte strides, then the last 16 bytes, which may overlap the stride before them.
            let mut at = 0;
            while at + 16 < length {
                state = fold(word64(key, at) ^ SEEDS[1], word64(key, at + 8) ^ state);
                at += 16;
            }
            (word64(key, length - 16), word64(key, length - 8))
        }
    };
    fold(fold(a ^ SEEDS[1], b ^ state), SEEDS[2] ^ state)
}

/// Both halves of the 128-bit product, each disturbed by the other.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

#[inline]
fn word64(key: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&key[at..at + 8]);
    u64::from_le_bytes(bytes)
}

#[inline]
fn word32(key: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&key[at..at + 4]);
    u64::from(u32::from_le_bytes(bytes))
}

#[inline]
fn short(key: &[u8]) -> u64 {
    key.iter()
        .fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

/// For tables whose keys are hashes of [`hash_key`] already.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BuildHashOfHash;

/// Mixes a hash so that small numbers in tests spread, too.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HashOfHash(u64);

impl BuildHasher for BuildHashOfHash {
    type Hasher = HashOfHash;
    fn build_hasher(&self) -> HashOfHash {
        HashOfHash::default()
    }
}

impl Hasher for HashOfHash {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash_key(bytes);
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = fold(hash, SEEDS[1]);
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Keys as FRocksDB builds them: a file's prefix, then the block's offset as a varint.
    fn block_keys(prefix_length: usize) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        for file in 0..16_u8 {
            for block in 0..4_096_u64 {
                let mut key = vec![0xa5; prefix_length];
                key[prefix_length - 1] = file;
                let mut offset = block * 4_101;
                while offset >= 0x80 {
                    key.push(offset as u8 | 0x80);
                    offset >>= 7;
                }
                key.push(offset as u8);
                keys.push(key);
            }
        }
        keys
    }

    /// Chi-square of 256 cells chosen by eight bits of the hash, as standard deviations from its mean.
    fn unevenness(hashes: &[u64], shift: u32) -> f64 {
        let mut cells = [0_u32; 256];
        for hash in hashes {
            cells[(hash >> shift) as usize & 0xff] += 1;
        }
        let expected = hashes.len() as f64 / 256.0;
        let chi: f64 = cells
            .iter()
            .map(|c| (f64::from(*c) - expected).powi(2) / expected)
            .sum();
        (chi - 255.0) / (2.0_f64 * 255.0).sqrt()
    }

    #[test]
    fn keys_that_differ_in_their_last_bytes_spread_evenly() {
        for prefix in [3, 8, 11, 14, 17, 30, 31] {
            let keys = block_keys(prefix);
            let hashes: Vec<u64> = keys.iter().map(|k| hash_key(k)).collect();
            let distinct: HashSet<u64> = hashes.iter().copied().collect();
            assert_eq!(distinct.len(), keys.len(), "prefix of {prefix} bytes");
            for shift in [56, 48, 24, 0] {
                let sigmas = unevenness(&hashes, shift);
                assert!(
                    sigmas.abs() < 5.0,
                    "prefix of {prefix} bytes, bits from {shift}: {sigmas:.1} sigma"
                );
            }
        }
    }

    #[test]
    fn every_bit_of_the_key_flips_about_half_of_the_hash() {
        for length in [1, 3, 5, 8, 12, 16, 17, 24, 32, 33, 41] {
            let key: Vec<u8> = (0..length).map(|i| (i * 37 + 11) as u8).collect();
            let hash = hash_key(&key);
            for bit in 0..length * 8 {
                let mut other = key.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                let flipped = (hash ^ hash_key(&other)).count_ones();
                assert!(
                    (10..=54).contains(&flipped),
                    "length {length}, bit {bit}: {flipped} bits flipped"
                );
            }
        }
    }

    #[test]
    fn seeds_choose_other_blocks() {
        let low = |seed| -> HashSet<Vec<u8>> {
            let sampled = |key: &Vec<u8>| hash_key_seeded(key, seed) < u64::MAX / 4;
            block_keys(8).into_iter().filter(sampled).collect()
        };
        let (one, other) = (low(1), low(2));
        let shared = one.intersection(&other).count() as f64;
        let expected = one.len() as f64 / 4.0;
        assert!(
            (shared / expected - 1.0).abs() < 0.1,
            "{shared} of {expected}"
        );
        let key = [7; 48];
        for length in 0..=key.len() {
            let key = &key[..length];
            assert_eq!(hash_key_seeded(key, 0), hash_key(key));
        }
    }

    #[test]
    fn length_counts() {
        let zeros = [0_u8; 48];
        let hashes: HashSet<u64> = (0..=48).map(|n| hash_key(&zeros[..n])).collect();
        assert_eq!(hashes.len(), 49);
    }
}
