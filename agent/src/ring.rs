//! A bounded single-producer, single-consumer ring of samples: full means drop and count, never wait.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

use crate::sample::Sample;

/// Slots per ring. 2,048 samples of 24 bytes are 48 KiB a thread, and last 10 ms at 200,000 sampled look-ups a second.
pub const SLOTS: usize = 2048;
/// Filled this far, the collector is called: the rest lasts until it comes.
const WAKE_AT: usize = SLOTS / 4;

/// What came of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for the collector.
    Waits,
    /// So it does, and the collector had better come soon.
    WaitsAndFills,
    /// The ring was full.
    Dropped,
}

/// Samples on their way from one thread to the collector.
///
/// Every slot is three relaxed atomic words, which on x86-64 are plain moves; the cursors order them. So the ring
/// needs no `unsafe`.
#[derive(Debug)]
pub struct Ring {
    /// Next slot the producer writes. Padded against `tail`, which the collector writes at another time.
    head: CachePadded<AtomicU32>,
    /// Next slot the collector reads.
    tail: CachePadded<AtomicU32>,
    /// Samples lost because the ring was full.
    dropped: AtomicU64,
    slots: Vec<[AtomicU64; 3]>,
}

impl Ring {
    /// An empty ring; `None` if there is no memory for it, which is no reason to end the process.
    #[must_use]
    pub fn try_new() -> Option<Self> {
        Self::with_slots(SLOTS)
    }

    fn with_slots(count: usize) -> Option<Self> {
        let mut slots = Vec::new();
        slots.try_reserve_exact(count).ok()?;
        slots.resize_with(count, || [const { AtomicU64::new(0) }; 3]);
        Some(Self {
            head: CachePadded::new(AtomicU32::new(0)),
            tail: CachePadded::new(AtomicU32::new(0)),
            dropped: AtomicU64::new(0),
            slots,
        })
    }

    /// Appends a sample, unless the ring is full. Only the owning thread may call this.
    pub fn push(&self, sample: Sample) -> Pushed {
        let head = self.head.load(Ordering::Relaxed);
        // Acquire: the collector must be done with a slot before it is written again.
        let tail = self.tail.load(Ordering::Acquire);
        let waiting = head.wrapping_sub(tail) as usize;
        if waiting >= SLOTS {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Pushed::Dropped;
        }
        let slot = &self.slots[head as usize % SLOTS];
        for (cell, word) in slot.iter().zip(sample.to_words()) {
            cell.store(word, Ordering::Relaxed);
        }
        // Release: the words above are visible to whoever sees the new head.
        self.head.store(head.wrapping_add(1), Ordering::Release);
        match waiting {
            WAKE_AT => Pushed::WaitsAndFills,
            _ => Pushed::Waits,
        }
    }

    /// Hands every waiting sample to `take`. Only the collector may call this.
    pub fn drain(&self, mut take: impl FnMut(Sample)) {
        let head = self.head.load(Ordering::Acquire);
        let mut tail = self.tail.load(Ordering::Relaxed);
        while tail != head {
            let slot = &self.slots[tail as usize % SLOTS];
            let words = [0, 1, 2].map(|i: usize| slot[i].load(Ordering::Relaxed));
            tail = tail.wrapping_add(1);
            self.tail.store(tail, Ordering::Release);
            take(Sample::from_words(words));
        }
    }

    /// Samples lost so far.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::SampleKind;

    fn sample(n: u64) -> Sample {
        Sample {
            hash: n,
            operator_id: n as u32,
            charge_bytes: 4096,
            kind: SampleKind::Hit,
            role: weir_protocol::BlockRole::Data,
            is_task: true,
            nanos: 0,
        }
    }

    #[test]
    fn a_full_ring_drops_and_counts_and_keeps_the_oldest() {
        let ring = Ring::try_new().unwrap();
        for n in 0..SLOTS as u64 + 5 {
            let pushed = match n as usize {
                WAKE_AT => Pushed::WaitsAndFills,
                SLOTS.. => Pushed::Dropped,
                _ => Pushed::Waits,
            };
            assert_eq!(ring.push(sample(n)), pushed);
        }
        assert_eq!(ring.dropped(), 5);
        let mut seen = Vec::new();
        ring.drain(|s| seen.push(s.hash));
        assert_eq!(seen, (0..SLOTS as u64).collect::<Vec<_>>());
        assert_eq!(
            ring.push(sample(7)),
            Pushed::Waits,
            "a drained ring takes samples again"
        );
    }

    #[test]
    fn no_memory_means_no_ring() {
        assert!(Ring::with_slots(isize::MAX as usize / 24).is_none());
    }

    #[test]
    fn everything_pushed_by_another_thread_arrives_in_order() {
        let ring = std::sync::Arc::new(Ring::try_new().unwrap());
        let producer = {
            let ring = ring.clone();
            std::thread::spawn(move || {
                let mut sent = 0_u64;
                while sent < 200_000 {
                    match ring.push(sample(sent)) {
                        Pushed::Dropped => std::thread::yield_now(),
                        _ => sent += 1,
                    }
                }
            })
        };
        let mut next = 0;
        while next < 200_000 {
            ring.drain(|s| {
                assert_eq!((s.hash, s.operator_id), (next, next as u32));
                next += 1;
            });
        }
        producer.join().unwrap();
        assert_eq!(next, 200_000);
    }
}
