//! After its birth an estimator takes no memory, and at 8,192 samples it never has more than a mebibyte.
#![allow(
    unsafe_code,
    reason = "a counting allocator is one by nature; tests only"
)]

mod traces;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use traces::{Random, block, zipf};
use weir_mrc::{Access, Estimator, EstimatorConfig, Outcome};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn check(config: EstimatorConfig) {
    let mut estimator = Estimator::new(config);
    let trace = zipf(1, 300_000, 0.7, 400_000);
    let mut random = Random(3);
    let before = ALLOCATIONS.with(Cell::get);
    for (i, lookup) in trace.iter().enumerate() {
        let large = i % 7 == 0;
        let lookup = if large {
            block(9, random.below(3_000))
        } else {
            *lookup
        };
        let access = Access {
            hash: lookup.hash,
            charge_bytes: lookup.charge_bytes * if large { 90 } else { 1 },
            outcome: if i % 3 == 0 {
                Outcome::Miss
            } else {
                Outcome::Hit
            },
            inserts: i % 11 != 0,
            counted: i % 13 != 0,
            high_priority: large,
        };
        estimator.look_up(&access, 64 << 20, Duration::from_millis(i as u64));
        if i % 5 == 0 {
            estimator.erase(trace[i / 2].hash);
        }
    }
    assert_eq!(
        ALLOCATIONS.with(Cell::get),
        before,
        "allocations while observing"
    );
    let bytes = estimator.memory_bytes();
    println!("{bytes} bytes");
    assert!(bytes <= 1 << 20, "{bytes} bytes");
    assert!(estimator.curve(Duration::from_secs(400)).is_some());
}

#[test]
fn offline_and_online_estimators_stay_within_a_mebibyte_and_allocate_nothing() {
    check(EstimatorConfig::offline(EstimatorConfig::SAMPLES));
    check(EstimatorConfig::online(Duration::from_secs(60)));
}
