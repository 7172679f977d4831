//! Why a trace cannot be read, and where.

use std::io;

use super::LARGEST_BLOCK_BYTES;

/// What is wrong with a trace, and where.
#[derive(Debug, thiserror::Error)]
#[error("{trace}{position}: {fault}")]
pub struct TraceError {
    /// Name of the trace, as its reader was told.
    pub trace: String,
    /// Where in it.
    pub position: Position,
    /// What.
    pub fault: TraceFault,
}

/// A place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The trace as a whole.
    Whole,
    /// A line of text, the first being 1.
    Line(u64),
    /// A binary record, the first being 1, and the offset of its first byte.
    Record {
        /// Its number.
        number: u64,
        /// Where it begins.
        byte_offset: u64,
    },
}

/// What can be wrong with a trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceFault {
    /// It could not be read at all.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// There is no access in it.
    #[error("no access in it; a trace has one at least")]
    Empty,
    /// The first line names no `key` or no `size`, or one of the known columns twice.
    #[error(
        "`{header}` is no header; expected column names parted by commas, `key` and `size` among them, \
         and optionally `role`, `caller`, `time`, `hit`, each once"
    )]
    Header {
        /// The line.
        header: String,
    },
    /// A line has too few or too many fields.
    #[error("{found} fields; expected {expected}")]
    Fields {
        /// As many as there are.
        found: usize,
        /// As many as there should be.
        expected: usize,
    },
    /// A field cannot be what it should be.
    #[error("{field} is `{text}`; expected {expected}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What it says.
        text: String,
        /// What would be right.
        expected: &'static str,
    },
    /// No block has this size.
    #[error("size {size}; a block has 1 to {LARGEST_BLOCK_BYTES} bytes")]
    Size {
        /// The size.
        size: u64,
    },
    /// A line has no end.
    #[error("longer than {longest} bytes; is this a text file, parted into lines?")]
    LongLine {
        /// As long as a line may be.
        longest: usize,
    },
    /// A quoted field has no second quote, or text after it.
    #[error("a quoted field does not end with a quote before the next comma")]
    Quote,
    /// The trace ends within a record.
    #[error(
        "ends after {found} of a record's {expected} bytes; is the file truncated, or of another format?"
    )]
    Truncated {
        /// Bytes of the last record.
        found: usize,
        /// Bytes of a whole one.
        expected: usize,
    },
}

// === impl Position ===

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Line(number) => write!(f, ", line {number}"),
            Self::Record {
                number,
                byte_offset,
            } => write!(f, ", record {number} at byte {byte_offset}"),
        }
    }
}

// === impl TraceFault ===

impl TraceFault {
    /// A field that cannot be what it should be; of a long one only the beginning is shown.
    pub(super) fn field(field: &'static str, text: &[u8], expected: &'static str) -> Self {
        Self::Field {
            field,
            text: shown(text),
            expected,
        }
    }

    pub(super) fn header(header: &[u8]) -> Self {
        Self::Header {
            header: shown(header),
        }
    }
}

/// Bytes of a trace in a message: readable, and never long.
fn shown(bytes: &[u8]) -> String {
    const LONGEST: usize = 60;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]);
    let mut shown: String = text.chars().flat_map(char::escape_debug).collect();
    if bytes.len() > LONGEST {
        shown.push('…');
    }
    shown
}
