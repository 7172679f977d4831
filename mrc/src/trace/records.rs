//! Packed records of one length, nothing else in the file.

use std::io::{self, BufRead};

use super::{Position, TraceAccess, TraceError, TraceFault};

/// Reads records of `N` bytes.
#[derive(Debug)]
pub(super) struct Records<R, const N: usize> {
    trace: String,
    input: R,
    /// Records taken so far.
    number: u64,
    /// The last one was taken, or there was an error.
    ended: bool,
}

// === impl Records ===

impl<R: BufRead, const N: usize> Records<R, N> {
    /// Reads nothing yet. `trace` names the trace in errors.
    pub(super) fn new(trace: String, input: R) -> Self {
        Self {
            trace,
            input,
            number: 0,
            ended: false,
        }
    }

    /// The next record; most of them lie in the buffer as a whole.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<[u8; N]>, TraceFault> {
        if let Ok(buffer) = self.input.fill_buf()
            && let Some(record) = buffer.first_chunk::<N>()
        {
            let record = *record;
            self.input.consume(N);
            return Ok(Some(record));
        }
        self.torn()
    }

    /// What [`Self::next`] gave is understood: an error after this is about the one after it.
    #[inline]
    pub(super) fn taken(&mut self) {
        self.number += 1;
    }

    /// Whether [`Self::item`] has seen the end or an error: nothing more comes.
    #[inline]
    pub(super) fn have_ended(&self) -> bool {
        self.ended
    }

    /// An access as an item of the trace.
    #[inline]
    pub(super) fn item(
        &mut self,
        access: Result<Option<TraceAccess>, TraceFault>,
    ) -> Option<Result<TraceAccess, TraceError>> {
        match access {
            Ok(Some(access)) => Some(Ok(access)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(fault) => {
                self.ended = true;
                Some(Err(self.error(fault)))
            }
        }
    }

    /// The record at the end of the buffer, or at the end of the trace, or the error that `fill_buf` had.
    #[cold]
    fn torn(&mut self) -> Result<Option<[u8; N]>, TraceFault> {
        let mut record = [0; N];
        let mut found = 0;
        while found < N {
            match self.input.read(&mut record[found..]) {
                Ok(0) => break,
                Ok(bytes) => found += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        match found {
            0 if self.number == 0 => Err(TraceFault::Empty),
            0 => Ok(None),
            whole if whole == N => Ok(Some(record)),
            _ => Err(TraceFault::Truncated { found, expected: N }),
        }
    }

    /// Says where it is.
    #[cold]
    fn error(&self, fault: TraceFault) -> TraceError {
        let position = match fault {
            TraceFault::Empty => Position::Whole,
            _ => Position::Record {
                number: self.number + 1,
                byte_offset: self.number * N as u64,
            },
        };
        TraceError {
            trace: self.trace.clone(),
            position,
            fault,
        }
    }
}
