//! The random numbers of one column of one event.
//!
//! A counter-based generator (`SplitMix64`: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014), started
//! anew from seed, event number and column.

const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
const COLUMN_GAMMA: u64 = 0xD1B5_4A32_D192_ED03;

/// Prices have this many steps per order of magnitude, with straight lines between them.
const STEPS: usize = 1024;
/// 10^(1/1024).
const STEP: f64 = 1.002_251_148_292_912_8;
/// Bits of a price's fraction in [`POWERS`].
const PRICE_FRACTION: u32 = 20;
/// From 100 to 1000, with [`PRICE_FRACTION`] bits of fraction. Multiplied up instead of asked of a mathematical library, so that every
/// implementation gets the same bits.
static POWERS: [u64; STEPS + 1] = {
    let mut powers = [0; STEPS + 1];
    let mut power = 100.0;
    let mut i = 0;
    while i <= STEPS {
        powers[i] = (power * (1_u64 << PRICE_FRACTION) as f64) as u64;
        power *= STEP;
        i += 1;
    }
    powers
};
static MAGNITUDES: [u64; 6] = [1, 10, 100, 1_000, 10_000, 100_000];

/// Where the random numbers of an event begin.
#[derive(Debug, Clone, Copy)]
pub struct EventRandom(u64);

/// The random numbers of one column.
#[derive(Debug, Clone)]
pub struct ColumnRandom(u64);

// === impl EventRandom ===

impl EventRandom {
    /// Those of event `number`; `mixed_seed` is [`mix`] of the seed.
    #[inline]
    #[must_use]
    pub fn new(mixed_seed: u64, number: u64) -> Self {
        Self(mixed_seed ^ mix(number.wrapping_mul(GOLDEN_GAMMA).wrapping_add(1)))
    }

    /// Those of a column.
    #[inline]
    #[must_use]
    pub fn column(self, column: u64) -> ColumnRandom {
        ColumnRandom(self.0.wrapping_add((column + 1).wrapping_mul(COLUMN_GAMMA)))
    }
}

// === impl ColumnRandom ===

impl ColumnRandom {
    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        mix(self.0)
    }

    /// A number from 0 up to but not including the bound, which must be from 1 to 2^62.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias of the multiplication is bound / 2^64, far below what any query could see.
        ((u128::from(self.bits() >> 1) * u128::from(bound << 1)) >> 64) as u64
    }

    /// A number from 0 up to but not including 1.
    #[inline]
    pub fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as i64 as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// From 100 to 100 million, every order of magnitude equally likely.
    #[inline]
    pub fn price(&mut self) -> i64 {
        // 53 random bits times the number of magnitudes: above them which one, below ten bits of step and 32 of place within the step.
        let magnitude = (self.bits() >> 11) * MAGNITUDES.len() as u64;
        let step = (magnitude >> 43) as usize % STEPS;
        let within = (magnitude >> 11) & 0xFFFF_FFFF;
        let power = POWERS[step] + ((within * (POWERS[step + 1] - POWERS[step])) >> 32);
        ((power * MAGNITUDES[(magnitude >> 53) as usize]) >> PRICE_FRACTION) as i64
    }

    /// Eight letters and digits in the order of the bytes, 32 of them equally likely.
    #[inline]
    pub fn eight_letters(&mut self) -> u64 {
        // In every byte at once: 0-25 become a-z, 26-31 become 0-5.
        let index = self.bits() & 0x1F1F_1F1F_1F1F_1F1F;
        let is_digit = ((index + 0x6666_6666_6666_6666) >> 7) & 0x0101_0101_0101_0101;
        index + 0x6161_6161_6161_6161 - is_digit * u64::from(b'a' + 26 - b'0')
    }
}

/// Spreads the bits of a number over all of it; the finaliser of `SplitMix64`.
#[inline]
#[must_use]
pub fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::{EventRandom, mix};

    #[test]
    fn letters_are_all_thirty_two_and_nothing_else() {
        let mut random = EventRandom::new(mix(1), 7).column(3);
        let mut seen = [0_u32; 256];
        for _ in 0..10_000 {
            for letter in random.eight_letters().to_le_bytes() {
                seen[letter as usize] += 1;
            }
        }
        let expected = b"abcdefghijklmnopqrstuvwxyz012345";
        for (letter, &count) in seen.iter().enumerate() {
            let wanted = expected.contains(&(letter as u8));
            assert_eq!(count > 0, wanted, "{letter}");
            assert!(!wanted || count.abs_diff(2_500) < 250, "{letter}: {count}");
        }
    }

    #[test]
    fn prices_are_spread_over_six_orders_of_magnitude() {
        let mut magnitudes = [0_u32; 6];
        for number in 0..60_000 {
            let price = EventRandom::new(mix(1), number).column(2).price();
            assert!((100..100_000_000).contains(&price), "{price}");
            magnitudes[price.ilog10() as usize - 2] += 1;
        }
        assert!(
            magnitudes.iter().all(|m| m.abs_diff(10_000) < 500),
            "{magnitudes:?}"
        );
    }

    #[test]
    fn fractions_and_bounds_hold() {
        for number in 0..10_000 {
            let mut random = EventRandom::new(mix(9), number).column(0);
            assert!((0.0..1.0).contains(&random.fraction()));
            assert!(random.below(10) < 10);
            assert_eq!(random.below(1), 0);
        }
    }
}
