//! The agent on the RocksDB that Flink ships: counts, curves, lifetimes, and live resizing, compared with RocksDB itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::lab::{CACHE_BUDGET, Cache, Database, SkewedKeys, agent, release};
use weir_agent::agent::Agent;
use weir_protocol::{
    Allocation, BlockRole, CacheCapacity, CacheId, CacheReport, Caller, HookState, LookupResult,
    RefusalKind,
};

const MIB: u64 = 1 << 20;

fn report_of(agent: &Agent, id: CacheId) -> CacheReport {
    let report = agent.report();
    report
        .caches
        .into_iter()
        .find(|cache| cache.id == id)
        .expect("a live cache is in the report")
}

fn resize(agent: &Agent, id: CacheId, capacity_bytes: u64) {
    let mut caches = agent.caches.lock();
    let allocation = Allocation {
        generation: caches.ledger.generation() + 1,
        write_buffers: Vec::new(),
        caches: vec![CacheCapacity { id, capacity_bytes }],
    };
    let applied = caches.apply(&allocation).expect("within the budget");
    let in_force = applied.caches.iter().find(|cache| cache.id == id);
    assert_eq!(
        in_force.map(|cache| cache.capacity_bytes),
        Some(capacity_bytes)
    );
}

#[test]
fn exact_counts_equal_rocksdbs_own() {
    let (agent, _turn) = agent();
    let cache = Cache::new(MIB as usize);
    let id = cache.register(&agent, "Rank[3] -> Sink (2/4)#1");
    let db = Database::open(&cache);
    let value = [7_u8; 200];
    let mut keys = SkewedKeys::new(1, 50_000, 1.0);
    for round in 0..4 {
        for _ in 0..20_000 {
            db.put(keys.next(), &value);
        }
        db.flush();
        for _ in 0..20_000 {
            db.get(keys.next() + round % 2);
        }
    }
    db.compact();
    for _ in 0..20_000 {
        db.get(keys.next());
    }
    let found = report_of(&agent, id);
    let of = |result| found.count(|c| c.result == result);
    assert_eq!(of(LookupResult::Hit), db.ticker("rocksdb.block.cache.hit"));
    assert_eq!(
        of(LookupResult::Miss),
        db.ticker("rocksdb.block.cache.miss")
    );
    for (role, hit, miss) in [
        (BlockRole::Data, "data.hit", "data.miss"),
        (BlockRole::Index, "index.hit", "index.miss"),
        (BlockRole::Filter, "filter.hit", "filter.miss"),
    ] {
        for (result, name) in [(LookupResult::Hit, hit), (LookupResult::Miss, miss)] {
            let ours = found.count(|c| c.role == role && c.result == result);
            let theirs = db.ticker(&format!("rocksdb.block.cache.{name}"));
            // The first few inserts come before the kinds of blocks can be told apart.
            assert!(
                ours.abs_diff(theirs) <= 40,
                "{role:?} {result:?}: ours {ours}, RocksDB's {theirs}"
            );
        }
    }
    let by_compaction = found.count(|c| c.caller == Caller::Compaction);
    assert!(
        by_compaction > 100,
        "compaction reads are told apart: {by_compaction}"
    );
    let (hits, misses) = found.task_hits_and_misses();
    assert!(
        hits + misses > 100_000,
        "the registering thread is the task thread"
    );
    assert_eq!(found.operator.operator_name, "Rank[3]");
    assert_eq!(agent.hook_state(), HookState::Hooked);
    assert!(found.miss_seconds.is_some_and(|s| s > 0.0));
    drop(db);
    release(&agent, id);
}

#[test]
fn the_curve_predicts_what_other_sizes_do() {
    let (agent, _turn) = agent();
    let cache = Cache::new(MIB as usize);
    let id = cache.register(&agent, "Join[1] (1/1)#0");
    let db = Database::open(&cache);
    // 400 k keys of 200 bytes: some 80 MiB of data.
    let keys = 400_000;
    for key in 0..keys {
        db.put(key, &[1_u8; 200]);
    }
    db.flush();
    db.compact();
    resize(&agent, id, 16 * MIB);
    let mut key = SkewedKeys::new(7, keys, 3.0);
    let mut read = |count: usize| {
        let before = report_of(&agent, id);
        for n in 0..count {
            assert!(db.get(key.next()).is_some());
            if n % 2_000 == 0 {
                // Two cores, shared with the collector: leave it time, as a job at a steady rate does.
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let after = report_of(&agent, id);
        let (hits, misses) = after.task_hits_and_misses();
        let (old_hits, old_misses) = before.task_hits_and_misses();
        let (hits, misses) = (hits - old_hits, misses - old_misses);
        (misses as f64 / (hits + misses) as f64, after)
    };
    read(300_000);
    let (measured, report) = read(200_000);
    let here = report.predicted_miss_ratio(16 * MIB).expect("a curve");
    assert!(
        (here - measured).abs() < 0.02,
        "at 16 MiB: curve {here}, measured {measured}"
    );
    for capacity in [8 * MIB, 32 * MIB, 48 * MIB] {
        let predicted = report.predicted_miss_ratio(capacity).expect("a curve");
        resize(&agent, id, capacity);
        read(250_000);
        let (measured, _) = read(150_000);
        println!(
            "{} MiB: predicted {predicted:.4}, measured {measured:.4}",
            capacity / MIB
        );
        assert!(
            (predicted - measured).abs() < 0.03,
            "at {} MiB: predicted {predicted}, measured {measured}",
            capacity / MIB
        );
    }
    drop(db);
    release(&agent, id);
}

#[test]
fn hooks_are_reused_once_rocksdb_has_destroyed_their_caches() {
    let (agent, _turn) = agent();
    let mut made = 0;
    for cycle in 0..300 {
        let cache = Cache::new(MIB as usize);
        let id = cache.register(&agent, "Agg (1/1)#0");
        if cycle % 50 == 0 {
            let db = Database::open(&cache);
            db.put(1, b"x");
            db.flush();
            assert_eq!(db.get(1), Some(1));
        }
        release(&agent, id);
        if cycle == 10 {
            made = agent.caches.lock().hooks();
        }
    }
    let caches = agent.caches.lock();
    assert!(caches.entries.is_empty());
    assert_eq!(
        caches.hooks(),
        made,
        "300 caches need no more hooks than ten"
    );
    assert_eq!(caches.ledger.allocated_bytes(), 0);
}

#[test]
fn a_hook_is_not_reused_while_its_cache_lives() {
    let (agent, _turn) = agent();
    let kept = Cache::new(MIB as usize);
    let first = kept.register(&agent, "A (1/1)#0");
    let db = Database::open(&kept);
    release(&agent, first); // released, but the database still has it
    let other = Cache::new(MIB as usize);
    let second = other.register(&agent, "B (1/1)#0");
    for key in 0..100 {
        db.put(key, b"value");
    }
    db.flush();
    for key in 0..100 {
        assert!(
            db.get(key).is_some(),
            "a released cache still serves its database"
        );
    }
    let report = report_of(&agent, second);
    assert!(report.lookups.is_empty(), "the other cache was not touched");
    release(&agent, second);
}

#[test]
fn resizing_under_traffic_keeps_to_the_budget_and_loses_no_count() {
    let (agent, _turn) = agent();
    let caches = [Cache::new(MIB as usize), Cache::new(MIB as usize)];
    let ids = caches
        .each_ref()
        .map(|cache| cache.register(&agent, "Join (1/1)#0"));
    let databases = caches.each_ref().map(Database::open);
    for db in &databases {
        for key in 0..60_000 {
            db.put(key, &[3_u8; 100]);
        }
        db.flush();
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (n, db) in databases.iter().enumerate() {
            for thread in 0..2 {
                let stop = &stop;
                scope.spawn(move || {
                    let mut keys = SkewedKeys::new(n as u64 * 2 + thread + 1, 60_000, 2.0);
                    while !stop.load(Ordering::Relaxed) {
                        assert!(db.get(keys.next()).is_some());
                    }
                });
            }
        }
        let started = Instant::now();
        let mut turn = 0;
        while started.elapsed() < Duration::from_secs(2) {
            turn += 1;
            let (small, large) = (4 * MIB, CACHE_BUDGET - 4 * MIB);
            let (a, b) = if turn % 2 == 0 {
                (small, large)
            } else {
                (large, small)
            };
            let mut locked = agent.caches.lock();
            let allocation = |generation, a, b| Allocation {
                generation,
                write_buffers: Vec::new(),
                caches: [(ids[0], a), (ids[1], b)]
                    .map(|(id, capacity_bytes)| CacheCapacity { id, capacity_bytes })
                    .into(),
            };
            let generation = locked.ledger.generation() + 1;
            let refused = locked.apply(&allocation(generation, a + 1, b)).unwrap_err();
            assert_eq!(refused.kind, RefusalKind::OverBudget);
            let applied = locked.apply(&allocation(generation, a, b)).unwrap();
            assert!(applied.allocated_bytes <= CACHE_BUDGET);
            drop(locked);
            std::thread::sleep(Duration::from_millis(10));
        }
        stop.store(true, Ordering::Relaxed);
        assert!(turn > 20, "{turn} turns");
    });
    for (id, db) in ids.into_iter().zip(&databases) {
        let found = report_of(&agent, id);
        let of = |result| found.count(|c| c.result == result);
        assert_eq!(of(LookupResult::Hit), db.ticker("rocksdb.block.cache.hit"));
        // Threads that ended between a miss and its insert would be missing; none does.
        assert_eq!(
            of(LookupResult::Miss),
            db.ticker("rocksdb.block.cache.miss")
        );
    }
    drop(databases);
    for id in ids {
        release(&agent, id);
    }
}

#[test]
fn a_cache_belongs_to_one_operator() {
    let (agent, _turn) = agent();
    let cache = Cache::new(MIB as usize);
    let id = cache.register(&agent, "A (1/1)#0");
    let again = cache.try_register(&agent, "B (1/1)#0", std::ptr::null_mut());
    let message = again.unwrap_err().to_string();
    assert!(message.contains("already registered"), "{message}");
    release(&agent, id);
}
