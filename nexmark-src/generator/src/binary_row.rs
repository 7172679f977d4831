//! Flink's `BinaryRowData`: an event's columns in the bytes in which Flink's operators read them.
//!
//! A row has a header of whole words, of which the first byte is the kind of change (0: insert) and the following bits say which columns
//! are null; then eight bytes for each column; then what did not fit there, each at a multiple of eight, padded with zeros. All numbers
//! are little-endian, as the JVM reads them on the machines that Flink runs on. A text of up to seven bytes lies in its eight bytes, its
//! length with the highest bit set in the last of them; a longer one, or a row within the row, is referred to by offset (upper half) and
//! length. Source: the class comments of `org.apache.flink.table.data.binary.BinaryRowData` and `BinarySection`.

use thiserror::Error;

use crate::columns::{ColumnType, LONGEST_TEXT, LazyEvent, column_types, longest_filler};
use crate::config::GeneratorConfig;
use crate::numbering::Kind;
use crate::text::{SLACK, Text};

const WORD: usize = 8;
/// Bits before the null bits: the kind of change.
const HEADER_BITS: usize = 8;
const LONGEST_INLINE_TEXT: usize = 7;

/// A column of the event stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The kind of the event, an INT.
    EventType,
    /// All columns of a kind as one row; null in events of other kinds.
    Whole(Kind),
    /// One column of a kind; null in events of other kinds.
    Of(Kind, usize),
}

/// There is no such column.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the event stream has no column at {0:?}; expected [0], [1..3], or [1..3, column of the kind]"
)]
pub struct UnknownColumn(pub Vec<usize>);

/// Which columns rows have, worked out for each kind of event.
#[derive(Debug, Clone)]
pub struct RowPlan {
    columns: Vec<Column>,
    /// Bytes before the first column.
    header: usize,
    /// For each kind the header and empty columns, to begin a row with.
    blank: [Vec<u8>; 3],
    /// For each kind what is not null: column of the row, and of what.
    present: [Vec<(usize, Column)>; 3],
}

// === impl Column ===

impl Column {
    /// Of a path into the event stream's schema: `[0]` the kind, `[3]` the whole bid, `[3, 2]` its price.
    pub fn of_path(path: &[usize]) -> Result<Self, UnknownColumn> {
        let kind = |column: usize| {
            column
                .checked_sub(1)
                .and_then(|kind| Kind::ALL.get(kind).copied())
        };
        match *path {
            [0] => Some(Self::EventType),
            [column] => kind(column).map(Self::Whole),
            [column, of] => kind(column)
                .filter(|&kind| of < column_types(kind).len())
                .map(|kind| Self::Of(kind, of)),
            _ => None,
        }
        .ok_or_else(|| UnknownColumn(path.to_vec()))
    }

    fn is_of(self, kind: Kind) -> bool {
        match self {
            Self::EventType => true,
            Self::Whole(of) | Self::Of(of, _) => of == kind,
        }
    }
}

// === impl RowPlan ===

impl RowPlan {
    /// A plan for rows of these columns.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        let header = header_bytes(columns.len());
        let blank = Kind::ALL.map(|kind| {
            let mut row = vec![0; header + columns.len() * WORD];
            for (i, column) in columns.iter().enumerate() {
                if !column.is_of(kind) {
                    let bit = i + HEADER_BITS;
                    row[bit / 8] |= 1 << (bit % 8);
                }
            }
            row
        });
        let present = Kind::ALL.map(|kind| {
            columns
                .iter()
                .copied()
                .enumerate()
                .filter(|(_, column)| column.is_of(kind))
                .collect()
        });
        Self {
            columns,
            header,
            blank,
            present,
        }
    }

    /// No row is longer, and none needs more room while it is written.
    #[must_use]
    pub fn longest_row(&self, config: &GeneratorConfig) -> usize {
        let of = |kind: Kind, column: usize| match column_types(kind)[column] {
            ColumnType::Number => 0,
            ColumnType::Text => LONGEST_TEXT
                .max(longest_filler(config, kind))
                .next_multiple_of(WORD),
        };
        let variable: usize = self
            .columns
            .iter()
            .map(|column| match *column {
                Column::EventType => 0,
                Column::Of(kind, column) => of(kind, column),
                Column::Whole(kind) => {
                    let count = column_types(kind).len();
                    header_bytes(count)
                        + count * WORD
                        + (0..count).map(|column| of(kind, column)).sum::<usize>()
                }
            })
            .sum();
        self.header + self.columns.len() * WORD + variable + 2 * SLACK
    }

    /// Writes the row of an event to the beginning of a slice that is at least [`RowPlan::longest_row`] long; returns the row's length.
    #[inline]
    pub(crate) fn write(&self, event: &LazyEvent<'_>, out: &mut [u8]) -> usize {
        let kind = event.kind();
        let blank = &self.blank[kind as usize];
        out[..blank.len()].copy_from_slice(blank);
        let mut end = blank.len();
        for &(i, column) in &self.present[kind as usize] {
            let field = self.header + i * WORD;
            match column {
                Column::EventType => put(out, field, kind as u64),
                Column::Of(_, column) => write_column(event, column, out, field, 0, &mut end),
                Column::Whole(_) => {
                    let start = end;
                    write_whole(event, out, &mut end);
                    put(out, field, (start as u64) << 32 | (end - start) as u64);
                }
            }
        }
        end
    }
}

/// Writes all columns of an event as a row that begins at `end`.
fn write_whole(event: &LazyEvent<'_>, out: &mut [u8], end: &mut usize) {
    let start = *end;
    let count = column_types(event.kind()).len();
    let header = header_bytes(count);
    *end += header + count * WORD;
    out[start..*end].fill(0);
    for column in 0..count {
        write_column(
            event,
            column,
            out,
            start + header + column * WORD,
            start,
            end,
        );
    }
}

/// Writes a column's eight bytes at `field`, and what does not fit there at `end`, in a row that begins at `row`.
#[inline]
fn write_column(
    event: &LazyEvent<'_>,
    column: usize,
    out: &mut [u8],
    field: usize,
    row: usize,
    end: &mut usize,
) {
    if column_types(event.kind())[column] == ColumnType::Number {
        put(out, field, event.number(column) as u64);
        return;
    }
    let mut text = Text::new(&mut out[*end..]);
    event.text(column, &mut text);
    let len = text.len();
    if len <= LONGEST_INLINE_TEXT {
        // Only what is text: behind it may lie letters that were one too many.
        let letters = get(out, *end) & ((1 << (8 * len)) - 1);
        put(out, field, letters | (len as u64 | 0x80) << 56);
        return;
    }
    let padded = len.next_multiple_of(WORD);
    out[*end + len..*end + padded].fill(0);
    put(out, field, ((*end - row) as u64) << 32 | len as u64);
    *end += padded;
}

fn header_bytes(columns: usize) -> usize {
    (columns + HEADER_BITS).div_ceil(64) * WORD
}

#[inline]
fn put(out: &mut [u8], at: usize, value: u64) {
    out[at..at + WORD].copy_from_slice(&value.to_le_bytes());
}

#[inline]
fn get(out: &[u8], at: usize) -> u64 {
    let mut word = [0; WORD];
    word.copy_from_slice(&out[at..at + WORD]);
    u64::from_le_bytes(word)
}
