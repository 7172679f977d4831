//! A curve whose watching has just begun: a tenth of the trace seen, the outcome known at one capacity.

mod replay;
mod traces;

use std::time::Duration;

use replay::Replay;
use traces::{Lookup, uniform, zipf};
use weir_mrc::exact::ExactStack;
use weir_mrc::{Access, EstimatorConfig, Outcome};

/// Bytes of all blocks, and how often they miss once each was seen: what the curve should know from the start.
fn settled(trace: &[Lookup]) -> ExactStack {
    let mut exact = ExactStack::new();
    let (warming, counted) = trace.split_at(trace.len() / 2);
    for (part, window) in [(warming, false), (counted, true)] {
        if window {
            exact.start_window();
        }
        for lookup in part {
            exact.access(&Access {
                hash: lookup.hash,
                charge_bytes: lookup.charge_bytes,
                outcome: Outcome::Unknown,
                inserts: true,
                counted: true,
                high_priority: false,
            });
        }
    }
    exact
}

/// Errors in points at four capacities, of the curve and of the plain stack.
fn check(name: &str, blocks: u64, trace: &[Lookup]) {
    let exact = settled(trace);
    let live: u64 = (0..blocks).map(|n| traces::block(0, n).charge_bytes).sum();
    let capacity = live / 10;
    let mut config = EstimatorConfig::online(Duration::from_secs(3_600));
    config.samples = 4_096;
    let mut replay = Replay::new(capacity, config);
    replay.run(&trace[..trace.len() / 10]);
    replay.estimator.set_live_bytes(Some(live));
    let curve = replay.curve();
    let truth = exact.miss_ratio_at(4 * capacity);
    let ours = curve.miss_ratio_at(4 * capacity);
    let plain = replay
        .exact
        .as_ref()
        .expect("exact stack")
        .miss_ratio_at(4 * capacity);
    println!("{name}: truth {truth:.4}, curve {ours:.4?}, plain stack {plain:.4}");
    assert!((ours.value - truth).abs() <= 0.03, "{name}");
    assert!((plain - truth).abs() > 0.06, "{name}: nothing to show");
}

#[test]
fn a_tenth_of_the_look_ups_tells_of_four_capacities() {
    for seed in [1, 2] {
        check("zipf 0.99", 60_000, &zipf(seed, 60_000, 0.99, 600_000));
        check("zipf 0.8", 60_000, &zipf(seed, 60_000, 0.8, 600_000));
        check("uniform", 60_000, &uniform(seed, 60_000, 600_000));
    }
}

#[test]
fn the_floor_is_what_was_written_since() {
    // One look-up in five asks for a block that did not exist before.
    let mut new = 1_000_000;
    let trace: Vec<Lookup> = zipf(5, 10_000, 0.8, 400_000)
        .into_iter()
        .enumerate()
        .map(|(i, lookup)| {
            if i % 5 == 0 {
                new += 1;
                traces::block(5, new)
            } else {
                lookup
            }
        })
        .collect();
    let live: u64 = (0..10_000).map(|n| traces::block(5, n).charge_bytes).sum();
    let mut config = EstimatorConfig::online(Duration::from_secs(3_600));
    config.samples = 4_096;
    let mut replay = Replay::new(live / 4, config);
    let (start, rest) = trace.split_at(4_000);
    replay.run(start);
    replay.estimator.set_live_bytes(Some(live));
    assert_eq!(
        replay.estimator.invalidation_floor(replay.now),
        None,
        "too early"
    );
    replay.run(rest);
    let floor = replay.estimator.invalidation_floor(replay.now).unwrap();
    println!("floor {floor:.4}");
    assert!((floor - 0.2).abs() < 0.03, "{floor}");
}
