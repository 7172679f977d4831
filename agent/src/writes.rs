//! What one operator's database wrote, added up as RocksDB tells it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_protocol::WriteCounts;

/// No flush yet, so nobody has asked.
const UNKNOWN: u64 = u64::MAX;

/// Counted by RocksDB's background threads, a few times a second at most.
#[derive(Debug)]
pub struct WriteTotals {
    flushed_bytes: AtomicU64,
    compaction_read_bytes: AtomicU64,
    compacted_bytes: AtomicU64,
    live_bytes: AtomicU64,
    stalls: Mutex<Stalls>,
    /// Whether a file was compared with what RocksDB says of it, and whether it was not that.
    is_proved: AtomicBool,
    is_wrong: AtomicBool,
}

/// Time during which at least one state held writes back.
#[derive(Debug, Default)]
struct Stalls {
    states: u32,
    since: Option<Instant>,
    over: Duration,
}

// === impl WriteTotals ===

impl Default for WriteTotals {
    fn default() -> Self {
        Self {
            flushed_bytes: AtomicU64::new(0),
            compaction_read_bytes: AtomicU64::new(0),
            compacted_bytes: AtomicU64::new(0),
            live_bytes: AtomicU64::new(UNKNOWN),
            stalls: Mutex::default(),
            is_proved: AtomicBool::new(false),
            is_wrong: AtomicBool::new(false),
        }
    }
}

impl WriteTotals {
    /// A flush wrote a file.
    pub fn add_flushed(&self, bytes: u64) {
        self.flushed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A compaction has ended.
    pub fn add_compacted(&self, read_bytes: u64, written_bytes: u64) {
        self.compaction_read_bytes
            .fetch_add(read_bytes, Ordering::Relaxed);
        self.compacted_bytes
            .fetch_add(written_bytes, Ordering::Relaxed);
    }

    /// What the files of the newest version hold.
    pub fn set_live(&self, bytes: u64) {
        self.live_bytes.store(bytes, Ordering::Relaxed);
    }

    /// A state starts or stops holding writes back.
    pub fn change_stall(&self, was_stalled: bool, is_stalled: bool) {
        let mut stalls = self.stalls.lock();
        match (was_stalled, is_stalled) {
            (false, true) => {
                stalls.states += 1;
                stalls.since.get_or_insert_with(Instant::now);
            }
            (true, false) => {
                stalls.states = stalls.states.saturating_sub(1);
                if stalls.states == 0
                    && let Some(since) = stalls.since.take()
                {
                    stalls.over += since.elapsed();
                }
            }
            _ => {}
        }
    }

    /// Whether a file was compared with what RocksDB says of it.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        self.is_proved.load(Ordering::Relaxed)
    }

    /// Notes the outcome of that; if it was not the same, there are no counts.
    pub fn prove(&self, is_same: bool) {
        self.is_proved.store(true, Ordering::Relaxed);
        if !is_same {
            self.is_wrong.store(true, Ordering::Relaxed);
        }
    }

    /// As far as they go; `None` if they cannot be trusted.
    #[must_use]
    pub fn counts(&self) -> Option<WriteCounts> {
        if self.is_wrong.load(Ordering::Relaxed) {
            return None;
        }
        let stalled = {
            let stalls = self.stalls.lock();
            stalls.over + stalls.since.map_or(Duration::ZERO, |since| since.elapsed())
        };
        let live_bytes = self.live_bytes.load(Ordering::Relaxed);
        Some(WriteCounts {
            flushed_bytes: self.flushed_bytes.load(Ordering::Relaxed),
            compaction_read_bytes: self.compaction_read_bytes.load(Ordering::Relaxed),
            compacted_bytes: self.compacted_bytes.load(Ordering::Relaxed),
            stalled_micros: u64::try_from(stalled.as_micros()).unwrap_or(u64::MAX),
            live_bytes: (live_bytes != UNKNOWN).then_some(live_bytes),
        })
    }
}

/// Adds counts up; what one does not know the sum does not either, of live bytes it is what is known.
pub fn add(sum: Option<WriteCounts>, counts: Option<WriteCounts>) -> Option<WriteCounts> {
    let (Some(a), Some(b)) = (sum, counts) else {
        return sum.or(counts);
    };
    Some(WriteCounts {
        flushed_bytes: a.flushed_bytes + b.flushed_bytes,
        compaction_read_bytes: a.compaction_read_bytes + b.compaction_read_bytes,
        compacted_bytes: a.compacted_bytes + b.compacted_bytes,
        stalled_micros: a.stalled_micros + b.stalled_micros,
        live_bytes: match (a.live_bytes, b.live_bytes) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalls_of_several_states_are_counted_once() {
        let totals = WriteTotals::default();
        let stalled = || totals.counts().unwrap().stalled_micros;
        assert_eq!(stalled(), 0);
        totals.change_stall(false, true);
        totals.change_stall(false, true);
        totals.change_stall(true, true);
        totals.change_stall(true, false);
        std::thread::sleep(Duration::from_millis(2));
        assert!(stalled() >= 2000, "one is stalled still");
        totals.change_stall(true, false);
        let over = stalled();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(stalled(), over);
        totals.change_stall(true, false);
        assert_eq!(stalled(), over, "an end without a beginning is nothing");
    }

    #[test]
    fn counts_that_a_file_disproves_are_not_told() {
        let totals = WriteTotals::default();
        totals.add_flushed(3);
        assert_eq!(totals.counts().unwrap().flushed_bytes, 3);
        assert_eq!(totals.counts().unwrap().live_bytes, None);
        totals.prove(false);
        assert_eq!(totals.counts(), None);
    }
}
