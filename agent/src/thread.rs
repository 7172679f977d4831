//! What the hook keeps per thread: its ring, its kind, and the miss that waits for its insert.
//!
//! A thread-local variable of a library that was opened at run time costs a call into the dynamic linker on every access. The
//! hooks cannot afford that, so they find their thread's slot by the address of its control block, which one instruction
//! reads, in a table of their own. A look-up that hits on the task thread does not even need the slot: the thread's address
//! says all.
#![allow(
    unsafe_code,
    reason = "reads the thread pointer, and shares a table whose slots belong to one thread each"
)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crossbeam::utils::CachePadded;
use weir_protocol::Caller;

use crate::collector;
use crate::operator::OperatorContext;
use crate::ring::{Pushed, Ring};
use crate::sample::Sample;

/// Threads told apart at once. A TaskManager has a task thread per subtask and RocksDB a handful of its own; what threads
/// beyond this do is counted as that of [`Caller::Other`] and not sampled.
const SLOTS: usize = 1024;
/// Neighbours tried when two threads want the same slot.
const PROBES: usize = 16;

static TABLE: [CachePadded<ThreadSlot>; SLOTS] =
    [const { CachePadded::new(ThreadSlot::new()) }; SLOTS];
static LOST_WITHOUT_RING: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Gives the slot back when the thread ends. Touched once in a thread's life.
    static GUARD: SlotGuard = const { SlotGuard(Cell::new(None)) };
}

/// A failed look-up whose insert has not come yet.
#[derive(Debug, Clone, Copy)]
pub struct PendingMiss {
    /// Whose look-up failed.
    pub operator: &'static OperatorContext,
    /// Its number then.
    pub operator_id: u32,
    /// Hash of the key.
    pub hash: u64,
    /// Monotonic nanoseconds of the failure; 0 if it is not timed.
    pub started_nanos: u64,
    /// Whether it has been counted already; if not, its insert tells the role it counts for.
    pub is_counted: bool,
}

/// State of one thread that was seen in a hook.
///
/// `pointer` and `ring` may be read by anyone. The cells belong to the thread whose pointer the slot holds.
#[derive(Debug)]
struct ThreadSlot {
    /// Address of the thread's control block; 0 while free.
    pointer: AtomicUsize,
    caller: Cell<Caller>,
    pending: Cell<Option<PendingMiss>>,
    /// Stays with the slot when the thread ends: the next one goes on with it. `None` inside: there was no memory for it.
    ring: OnceLock<Option<Ring>>,
}

// SAFETY: `pointer` and `ring` are made for sharing. The cells are reached only through `CurrentThread`, which stays on the
// thread the slot belongs to; from one owner to the next it passes by a release store and an acquiring exchange of `pointer`.
unsafe impl Sync for ThreadSlot {}

/// The slot of the running thread; it cannot be taken to another one.
#[derive(Debug, Clone, Copy)]
pub struct CurrentThread {
    slot: &'static ThreadSlot,
    stays_here: PhantomData<*const ()>,
}

struct SlotGuard(Cell<Option<&'static ThreadSlot>>);

/// Address of this thread's control block: no two live threads share one.
#[inline]
#[must_use]
pub fn pointer() -> usize {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    {
        let pointer: usize;
        // SAFETY: on x86-64 Linux the first word of the control block holds its own address (System V ABI, thread-local
        // storage, variant II).
        unsafe {
            std::arch::asm!(
                "mov {}, fs:[0]",
                out(reg) pointer,
                options(nostack, pure, readonly, preserves_flags)
            );
        }
        pointer
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    {
        // SAFETY: has no preconditions.
        unsafe { libc::pthread_self() as usize }
    }
}

/// The slot of this thread; `None` if there are too many threads, or if this one is being torn down.
#[inline]
#[must_use]
pub fn current() -> Option<CurrentThread> {
    let pointer = pointer();
    let first = &*TABLE[first_index(pointer)];
    let slot = if first.pointer.load(Ordering::Relaxed) == pointer {
        first
    } else {
        elsewhere(pointer)?
    };
    Some(CurrentThread {
        slot,
        stays_here: PhantomData,
    })
}

#[cold]
fn elsewhere(pointer: usize) -> Option<&'static ThreadSlot> {
    slots_of(pointer)
        .find(|slot| slot.pointer.load(Ordering::Relaxed) == pointer)
        .or_else(|| introduce(pointer))
}

/// First contact: takes a free slot, and finds out what kind of thread this is.
fn introduce(pointer: usize) -> Option<&'static ThreadSlot> {
    GUARD
        .try_with(|guard| {
            // Acquire: what the slot's last owner did with its cells comes first.
            let slot = slots_of(pointer).find(|slot| {
                slot.pointer
                    .compare_exchange(0, pointer, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok()
            })?;
            slot.caller.set(caller_by_name(&thread_name()));
            slot.pending.set(None);
            guard.0.set(Some(slot));
            Some(slot)
        })
        .ok()?
}

fn slots_of(pointer: usize) -> impl Iterator<Item = &'static ThreadSlot> {
    let first = first_index(pointer);
    (0..PROBES).map(move |step| &*TABLE[(first + step) % SLOTS])
}

#[inline]
fn first_index(pointer: usize) -> usize {
    // Control blocks lie at the ends of equally large stacks: only a product mixes what differs in them.
    pointer.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (usize::BITS - SLOTS.trailing_zeros())
}

/// Rings of all threads, of ended ones too.
pub fn rings() -> impl Iterator<Item = &'static Ring> {
    TABLE.iter().filter_map(|slot| slot.ring.get()?.as_ref())
}

/// Live threads seen in a hook.
#[must_use]
pub fn live() -> usize {
    let is_live = |slot: &&CachePadded<ThreadSlot>| slot.pointer.load(Ordering::Relaxed) != 0;
    TABLE.iter().filter(is_live).count()
}

/// Samples lost so far, because a ring was full or could not be made.
#[must_use]
pub fn samples_dropped() -> u64 {
    LOST_WITHOUT_RING.load(Ordering::Relaxed) + rings().map(Ring::dropped).sum::<u64>()
}

// === impl ThreadSlot ===

impl ThreadSlot {
    const fn new() -> Self {
        Self {
            pointer: AtomicUsize::new(0),
            caller: Cell::new(Caller::Other),
            pending: Cell::new(None),
            ring: OnceLock::new(),
        }
    }
}

// === impl CurrentThread ===

impl CurrentThread {
    /// What this thread is where it is not the task thread.
    #[inline]
    #[must_use]
    pub fn caller(self) -> Caller {
        self.slot.caller.get()
    }

    /// The miss that waits for its insert, which afterwards waits no more.
    #[inline]
    pub fn take_pending(self) -> Option<PendingMiss> {
        self.slot.pending.take()
    }

    /// Whether a miss waits for its insert.
    #[inline]
    pub fn has_pending(self) -> bool {
        self.slot.pending.get().is_some()
    }

    /// Remembers a miss until its insert.
    #[inline]
    pub fn set_pending(self, miss: PendingMiss) {
        self.slot.pending.set(Some(miss));
    }

    /// Hands a sample to the collector; false if it was lost.
    pub fn push(self, sample: Sample) -> bool {
        let Some(ring) = self.slot.ring.get_or_init(Ring::try_new) else {
            LOST_WITHOUT_RING.fetch_add(1, Ordering::Relaxed);
            return false;
        };
        let pushed = ring.push(sample);
        if pushed == Pushed::WaitsAndFills {
            collector::wake();
        }
        pushed != Pushed::Dropped
    }
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            slot.pending.set(None);
            // Release: the next owner finds the cells as they are now.
            slot.pointer.store(0, Ordering::Release);
        }
    }
}

/// RocksDB names its pools `rocksdb:low`, `rocksdb:high`, `rocksdb:bottom`, older versions with a number behind.
fn caller_by_name(name: &str) -> Caller {
    if name.starts_with("rocksdb:high") {
        Caller::Flush
    } else if name.starts_with("rocksdb:low") || name.starts_with("rocksdb:bottom") {
        Caller::Compaction
    } else {
        Caller::Other
    }
}

/// Name of this thread as the kernel has it (15 characters), which is where RocksDB puts its own.
fn thread_name() -> String {
    std::fs::read_to_string("/proc/thread-self/comm")
        .map(|name| name.trim_end().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_told_by_their_names() {
        for (name, caller) in [
            ("rocksdb:low0", Caller::Compaction),
            ("rocksdb:low", Caller::Compaction),
            ("rocksdb:bottom1", Caller::Compaction),
            ("rocksdb:high0", Caller::Flush),
            ("Join[7] -> Calc", Caller::Other),
            ("", Caller::Other),
        ] {
            assert_eq!(caller_by_name(name), caller, "{name}");
        }
    }

    #[test]
    fn a_thread_keeps_its_slot_and_leaves_it_behind() {
        let mine = current().unwrap().slot;
        assert!(std::ptr::eq(mine, current().unwrap().slot));
        assert_eq!(mine.pointer.load(Ordering::Relaxed), pointer());
        let other = std::thread::Builder::new()
            .name("rocksdb:low3".into())
            .spawn(|| {
                let thread = current().unwrap();
                assert_eq!(thread.caller(), Caller::Compaction);
                (thread.slot, pointer())
            })
            .unwrap()
            .join()
            .unwrap();
        assert!(!std::ptr::eq(mine, other.0), "threads do not share a slot");
        assert_ne!(
            other.0.pointer.load(Ordering::Relaxed),
            other.1,
            "an ended thread has no slot"
        );
    }

    #[test]
    fn many_threads_at_once_have_slots_of_their_own() {
        let barrier = std::sync::Barrier::new(200);
        let slots: std::collections::HashSet<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..200)
                .map(|_| {
                    scope.spawn(|| {
                        let slot = current().map(|thread| std::ptr::from_ref(thread.slot) as usize);
                        barrier.wait();
                        slot.unwrap()
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(slots.len(), 200);
    }
}
