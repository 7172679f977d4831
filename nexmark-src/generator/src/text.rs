//! Appends text to a slice, without a check for room at every letter and without allocation.

use crate::random::ColumnRandom;

/// Letters are written eight at a time, so that a slice must have this much more room than the text needs.
pub(crate) const SLACK: usize = 8;

/// Text that grows within `bytes`. Panics where the slice is too short, so whoever makes one knows the longest text.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

// === impl Text ===

impl<'a> Text<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn push_str(&mut self, text: &str) {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text.as_bytes());
        self.len += text.len();
    }

    #[inline]
    pub(crate) fn push(&mut self, letter: u8) {
        self.bytes[self.len] = letter;
        self.len += 1;
    }

    /// A number of at most four digits.
    #[inline]
    pub(crate) fn push_number(&mut self, number: u64) {
        for power in [1000, 100, 10] {
            if number >= power {
                self.push(b'0' + (number / power % 10) as u8);
            }
        }
        self.push(b'0' + (number % 10) as u8);
    }

    /// That many random letters and digits.
    #[inline]
    pub(crate) fn push_letters(&mut self, random: &mut ColumnRandom, count: usize) {
        let target = &mut self.bytes[self.len..self.len + count.next_multiple_of(SLACK)];
        for eight in target.chunks_exact_mut(SLACK) {
            eight.copy_from_slice(&random.eight_letters().to_le_bytes());
        }
        self.len += count;
    }
}
