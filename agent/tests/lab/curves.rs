//! Curves against reality: what the curve says of eight capacities, and what RocksDB then misses there.

use std::time::Duration;

use weir_agent::agent::Agent;
use weir_protocol::CacheId;

use crate::lab::{Cache, Database, SkewedKeys, Statistics, allocate, report_of};

const MIB: u64 = 1 << 20;
/// Of 200 bytes each: some 40 MiB of data.
const KEYS: u64 = 200_000;
/// Look-ups until the cache has filled and the curve has forgotten what was before, and look-ups that are then measured.
const SETTLE: usize = 100_000;
const MEASURE: usize = 80_000;
/// Furthest from reality that any capacity may be, in miss ratio.
const TOLERANCE: f64 = 0.03;

/// A database whose look-ups miss more or less at every capacity tried.
pub fn database(cache: &Cache, statistics: &Statistics) -> Database {
    let db = Database::open_with(cache, statistics);
    for key in 0..KEYS {
        db.put(key, &[1_u8; 200]);
    }
    db.flush();
    db.compact();
    db
}

/// Takes the curve at 12 MiB, then gives the cache eight capacities in turn and compares.
pub fn measured_against_predicted(agent: &Agent, id: CacheId, databases: &[Database]) {
    let mut keys = SkewedKeys::new(7, KEYS, 3.0);
    let mut miss_ratio = |count: usize| {
        let before = report_of(agent, id).task_hits_and_misses();
        for n in 0..count {
            let db = &databases[n % databases.len()];
            assert!(db.get(keys.next()).is_some());
            if n.is_multiple_of(2_000) {
                // Two cores, shared with the collector: leave it time, as a job at a steady rate does.
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let after = report_of(agent, id).task_hits_and_misses();
        let (hits, misses) = (after.0 - before.0, after.1 - before.1);
        misses as f64 / (hits + misses) as f64
    };
    let resize = |capacity_bytes| {
        allocate(agent, &[(id, capacity_bytes)], &[]).expect("within the budget");
        let found = report_of(agent, id);
        assert_eq!(found.capacity_bytes, capacity_bytes);
    };
    resize(12 * MIB);
    miss_ratio(2 * SETTLE);
    let curve = report_of(agent, id);
    let mut furthest = 0.0_f64;
    for mib in [4, 6, 8, 12, 16, 24, 32, 48] {
        let predicted = curve.predicted_miss_ratio(mib * MIB).expect("a curve");
        resize(mib * MIB);
        miss_ratio(SETTLE);
        let measured = miss_ratio(MEASURE);
        println!("{mib} MiB: predicted {predicted:.4}, measured {measured:.4}");
        furthest = furthest.max((predicted - measured).abs());
    }
    assert!(furthest < TOLERANCE, "off by {furthest}");
}
