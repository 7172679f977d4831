//! The lines of a text trace, counted, and their fields.

use std::io::{BufRead, Read};

use super::{Position, TraceAccess, TraceError, TraceFault};

/// As long as a line may be: what is longer is no line of a trace, and would only fill the memory.
const LONGEST_LINE: usize = 64 << 10;

/// Reads line by line into one buffer.
#[derive(Debug)]
pub(super) struct Lines<R> {
    trace: String,
    input: R,
    line: Vec<u8>,
    number: u64,
    /// Whether an access was found.
    any: bool,
    ended: bool,
}

// === impl Lines ===

impl<R: BufRead> Lines<R> {
    pub(super) fn new(trace: String, input: R) -> Self {
        Self {
            trace,
            input,
            line: Vec::new(),
            number: 0,
            any: false,
            ended: false,
        }
    }

    /// Moves to the next line that is not blank; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool, TraceError> {
        loop {
            self.line.clear();
            self.number += 1;
            // One more than allowed, for the line feed.
            let mut rest = self.input.by_ref().take(LONGEST_LINE as u64 + 1);
            let length = match rest.read_until(b'\n', &mut self.line) {
                Ok(length) => length,
                Err(error) => return Err(self.error(error)),
            };
            if length == 0 {
                return Ok(false);
            }
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
            } else if length > LONGEST_LINE {
                return Err(self.error(TraceFault::LongLine {
                    longest: LONGEST_LINE,
                }));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// What `parse` makes of the next line that is not blank; after an error or the end there is nothing more. A trace without any is
    /// an error.
    pub(super) fn next_access(
        &mut self,
        parse: impl FnOnce(&[u8]) -> Result<TraceAccess, TraceFault>,
    ) -> Option<Result<TraceAccess, TraceError>> {
        if self.ended {
            return None;
        }
        let next = match self.advance() {
            Ok(true) => Some(parse(self.line()).map_err(|fault| self.error(fault))),
            Ok(false) if self.any => None,
            Ok(false) => Some(Err(self.empty())),
            Err(error) => Some(Err(error)),
        };
        self.any = true;
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }

    /// The present line, without its end and the white space around it.
    pub(super) fn line(&self) -> &[u8] {
        self.line.trim_ascii()
    }

    /// An error in the present line.
    pub(super) fn error(&self, fault: impl Into<TraceFault>) -> TraceError {
        TraceError {
            trace: self.trace.clone(),
            position: Position::Line(self.number),
            fault: fault.into(),
        }
    }

    /// The error of a trace without an access.
    pub(super) fn empty(&self) -> TraceError {
        TraceError {
            trace: self.trace.clone(),
            position: Position::Whole,
            fault: TraceFault::Empty,
        }
    }
}

/// Fields of a line, parted by commas, without the white space around them.
pub(super) fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// A number of decimal digits that fits; nothing else, no sign either.
#[inline]
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit_or_are_none() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for text in [
            "",
            "18446744073709551616",
            "-1",
            "+1",
            "1.0",
            "1e3",
            "0x1",
            " 1",
        ] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn lines_are_counted_and_blank_ones_passed() {
        let mut lines = Lines::new("t".to_owned(), &b"a\r\n\n  \nb"[..]);
        assert!(lines.advance().unwrap());
        assert_eq!(lines.line(), b"a");
        assert!(lines.advance().unwrap());
        assert_eq!(lines.line(), b"b");
        assert_eq!(lines.error(TraceFault::Quote).position, Position::Line(4));
        assert!(!lines.advance().unwrap());
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_fills_the_memory() {
        let longest = [vec![b'x'; LONGEST_LINE], vec![b'\n']].concat();
        assert!(Lines::new("t".to_owned(), &longest[..]).advance().unwrap());
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        let error = Lines::new("t".to_owned(), endless).advance().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("t, line 1: longer than 65536 bytes")
        );
    }
}
