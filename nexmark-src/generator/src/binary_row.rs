//! Flink's `BinaryRowData`: an event's columns in the bytes in which Flink's operators read them.
//!
//! A row has a header of whole words, of which the first byte is the kind of change (0: insert) and the following bits say which columns
//! are null; then eight bytes for each column; then what did not fit there, each at a multiple of eight, padded with zeros. All numbers
//! are little-endian, as the JVM reads them on the machines that Flink runs on. A text of up to seven bytes lies in its eight bytes, its
//! length with the highest bit set in the last of them; a longer one, or a row within the row, is referred to by offset (upper half) and
//! length. Source: the class comments of `org.apache.flink.table.data.binary.BinaryRowData` and `BinarySection`.

use std::hint::select_unpredictable;

use crate::random::ColumnRandom;
use crate::words::{WORD, Words, first_letters};

/// Bits before the null bits: the kind of change.
pub(crate) const HEADER_BITS: usize = 8;
const LONGEST_INLINE_TEXT: usize = 7;

/// Writes one row, and rows within it, to the beginning of a slice that is long enough for all of it.
#[derive(Debug)]
pub(crate) struct RowWriter<'a> {
    bytes: &'a mut [u8],
    /// Where the row begins that is being written; offsets count from there.
    row: usize,
    /// Behind all that is written.
    end: usize,
}

/// Bytes before the first column of a row of so many.
pub(crate) fn header_bytes(columns: usize) -> usize {
    (columns + HEADER_BITS).div_ceil(64) * WORD
}

// === impl RowWriter ===

impl<'a> RowWriter<'a> {
    /// For a row whose header and columns have so many bytes.
    #[inline]
    pub(crate) fn new(bytes: &'a mut [u8], fixed_bytes: usize) -> Self {
        Self {
            bytes,
            row: 0,
            end: fixed_bytes,
        }
    }

    /// Bytes of the row.
    #[inline]
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// Eight bytes of the row that is being written.
    #[inline]
    pub(crate) fn put(&mut self, at: usize, word: u64) {
        let at = self.row + at;
        self.bytes[at..at + WORD].copy_from_slice(&word.to_le_bytes());
    }

    /// A text that is known before.
    #[inline]
    pub(crate) fn put_text<const N: usize>(&mut self, at: usize, text: &Words<N>) {
        if text.len <= LONGEST_INLINE_TEXT {
            self.put_inline(at, text.words[0], text.len);
        } else {
            self.put_words(at, &text.words, text.len);
        }
    }

    /// A text of more than seven letters; behind it there are zeros. Words that it does not reach into may be written, but are not part
    /// of the row.
    #[inline]
    pub(crate) fn put_words<const N: usize>(&mut self, at: usize, words: &[u64; N], len: usize) {
        let room = &mut self.bytes[self.end..self.end + N * WORD];
        for (eight, word) in room.chunks_exact_mut(WORD).zip(words) {
            eight.copy_from_slice(&word.to_le_bytes());
        }
        self.refer(at, len);
    }

    /// A text of at most two words, zeros behind it, of which cannot be foreseen whether it lies in the column: both are worked out. Words
    /// that it does not reach into may be written, but are not part of the row.
    #[inline]
    pub(crate) fn put_short(&mut self, at: usize, words: [u64; 2], len: usize) {
        let room = &mut self.bytes[self.end..self.end + 2 * WORD];
        room[..WORD].copy_from_slice(&words[0].to_le_bytes());
        room[WORD..].copy_from_slice(&words[1].to_le_bytes());
        let is_inline = len <= LONGEST_INLINE_TEXT;
        let inline = words[0] | (len as u64 | 0x80) << 56;
        let far = reference(self.end - self.row, len);
        self.put(at, select_unpredictable(is_inline, inline, far));
        self.end += select_unpredictable(is_inline, 0, len.next_multiple_of(WORD));
    }

    /// That many random letters and digits.
    #[inline]
    pub(crate) fn put_letters(&mut self, at: usize, random: &mut ColumnRandom, count: usize) {
        if count <= LONGEST_INLINE_TEXT {
            let word = if count == 0 {
                0
            } else {
                random.eight_letters()
            };
            self.put_inline(at, first_letters(word, count), count);
            return;
        }
        let (whole, rest) = (count / WORD * WORD, count % WORD);
        let room = &mut self.bytes[self.end..self.end + whole];
        for eight in room.chunks_exact_mut(WORD) {
            eight.copy_from_slice(&random.eight_letters().to_le_bytes());
        }
        if rest > 0 {
            let last = first_letters(random.eight_letters(), rest);
            let at = self.end + whole;
            self.bytes[at..at + WORD].copy_from_slice(&last.to_le_bytes());
        }
        self.refer(at, count);
    }

    /// Begins a row within the row; returns what [`RowWriter::end_inner`] needs.
    #[inline]
    pub(crate) fn begin_inner(&mut self, fixed_bytes: usize) -> usize {
        self.row = self.end;
        self.end += fixed_bytes;
        self.row
    }

    /// Ends it and refers to it.
    #[inline]
    pub(crate) fn end_inner(&mut self, at: usize, start: usize) {
        self.row = 0;
        self.put(at, reference(start, self.end - start));
    }

    #[inline]
    fn put_inline(&mut self, at: usize, word: u64, len: usize) {
        self.put(at, word | (len as u64 | 0x80) << 56);
    }

    /// Refers to a text that stands at the end, which moves behind it.
    #[inline]
    fn refer(&mut self, at: usize, len: usize) {
        self.put(at, reference(self.end - self.row, len));
        self.end += len.next_multiple_of(WORD);
    }
}

#[inline]
fn reference(offset: usize, len: usize) -> u64 {
    (offset as u64) << 32 | len as u64
}
