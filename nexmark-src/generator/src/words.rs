//! Text as little-endian words of eight letters, so that it is written with a few stores of fixed width and no copying of odd lengths.

/// Bytes of a word.
pub(crate) const WORD: usize = 8;

/// A constant text of at most `N` words, zeros behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<const N: usize> {
    pub(crate) words: [u64; N],
    /// Bytes of text.
    pub(crate) len: usize,
}

// === impl Words ===

impl<const N: usize> Words<N> {
    /// Nothing, to begin with.
    pub(crate) const EMPTY: Self = Self {
        words: [0; N],
        len: 0,
    };

    /// The text with more behind it.
    pub(crate) const fn with(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            self.words[self.len / WORD] |= (bytes[i] as u64) << (8 * (self.len % WORD));
            self.len += 1;
            i += 1;
        }
        self
    }

    /// The text alone.
    pub(crate) const fn of(text: &str) -> Self {
        Self::EMPTY.with(text)
    }
}

/// The first letters of a word, zeros behind them; at most eight.
#[inline]
pub(crate) fn first_letters(word: u64, count: usize) -> u64 {
    if count >= WORD {
        word
    } else {
        word & ((1 << (8 * count)) - 1)
    }
}

/// A number below 10 000 in decimal, and how many digits those are.
#[inline]
pub(crate) fn decimal(number: u64) -> (u64, usize) {
    let (hundreds, rest) = (number / 100, number % 100);
    let four = (hundreds / 10) | (hundreds % 10) << 8 | (rest / 10) << 16 | (rest % 10) << 24;
    let len =
        1 + usize::from(number >= 10) + usize::from(number >= 100) + usize::from(number >= 1000);
    ((four | 0x3030_3030) >> (8 * (4 - len)), len)
}

#[cfg(test)]
mod tests {
    use super::{Words, decimal, first_letters};

    #[test]
    fn decimals_are_what_formatting_makes_of_them() {
        for number in 0..10_000_u64 {
            let (word, len) = decimal(number);
            assert_eq!(
                &word.to_le_bytes()[..len],
                number.to_string().as_bytes(),
                "{number}"
            );
            assert_eq!(first_letters(word, len), word);
        }
    }

    #[test]
    fn text_lies_in_words_in_the_order_of_its_letters() {
        const TEXT: Words<2> = Words::of("nexmark").with(".com");
        assert_eq!(TEXT.len, 11);
        assert_eq!(&TEXT.words[0].to_le_bytes(), b"nexmark.");
        assert_eq!(&TEXT.words[1].to_le_bytes(), b"com\0\0\0\0\0");
    }
}
