//! Operators that share Flink's cache are told apart, on every thread, and the cache is resized or only watched.

use std::time::Duration;

use weir_agent::agent::Agent;
use weir_agent::caches::RefusedCache;
use weir_agent::frocksdb;
use weir_agent::settings::Settings;
use weir_protocol::{
    Allocation, BlockRole, CacheCapacity, CacheReport, Caller, LookupResult, OperatorReport,
    RefusalKind,
};

use crate::curves::{self, measured_against_predicted};
use crate::lab::{BUDGET, Cache, Database, SkewedKeys, Statistics, agent, allocate};
use crate::promtool;

const MIB: u64 = 1 << 20;

fn only_cache(agent: &Agent) -> CacheReport {
    let mut caches = agent.report().caches;
    assert_eq!(caches.len(), 1, "several operators, one cache");
    caches.remove(0)
}

fn of(cache: &CacheReport, id: u32) -> &OperatorReport {
    let is_it = |operator: &&OperatorReport| operator.id == u64::from(id);
    cache.operators.iter().find(is_it).expect("the operator")
}

fn count(operator: &OperatorReport, role: BlockRole, result: LookupResult) -> u64 {
    let counts = operator.lookups.iter();
    counts
        .filter(|c| c.role == role && c.result == result)
        .map(|c| c.count)
        .sum()
}

#[test]
fn two_operators_of_one_thread_are_told_apart_to_the_last_look_up() {
    let (agent, _turn) = agent();
    let cache = Cache::new(16 << 20);
    let statistics = [Statistics::new(), Statistics::new()];
    // Chained into one task: same thread, same name.
    let ids = statistics
        .each_ref()
        .map(|one| cache.share(&agent, "Join[1] -> Rank[2] (1/1)#0", one));
    let databases = statistics
        .each_ref()
        .map(|one| Database::open_with(&cache, one));
    let mut keys = SkewedKeys::new(1, 40_000, 1.0);
    for round in 0..3 {
        for (n, db) in databases.iter().enumerate() {
            for _ in 0..10_000 * (n + 1) {
                db.put(keys.next(), &[7_u8; 200]);
            }
            db.flush();
            for _ in 0..10_000 * (2 - n) {
                db.get(keys.next() + round % 2);
            }
        }
    }
    databases.iter().for_each(Database::compact);
    let found = only_cache(&agent);
    for (&id, db) in ids.iter().zip(&databases) {
        let mine = of(&found, id);
        for (role, name) in [
            (BlockRole::Data, "data"),
            (BlockRole::Index, "index"),
            (BlockRole::Filter, "filter"),
        ] {
            for (result, word) in [(LookupResult::Hit, "hit"), (LookupResult::Miss, "miss")] {
                let ours = count(mine, role, result);
                let theirs = db.ticker(&format!("rocksdb.block.cache.{name}.{word}"));
                assert!(
                    ours.abs_diff(theirs) <= 40,
                    "{role:?} {result:?}: ours {ours}, RocksDB's {theirs}"
                );
            }
        }
        let by_compaction = mine
            .lookups
            .iter()
            .filter(|c| c.caller == Caller::Compaction);
        assert!(by_compaction.map(|c| c.count).sum::<u64>() > 100);
        assert!(mine.miss_seconds.is_some_and(|s| s > 0.0));
    }
    assert_eq!(agent.health().unattributed_lookups, 0);
    let metrics = weir_agent::metrics::render(&agent).unwrap();
    let of_cache = metrics
        .lines()
        .filter(|l| l.starts_with("weir_block_cache_capacity_bytes"));
    assert_eq!(of_cache.count(), 1, "operators of equal names are added up");
    promtool::assert_clean(&metrics);
    let sum: u64 = ids
        .iter()
        .flat_map(|&id| &of(&found, id).lookups)
        .map(|c| c.count)
        .sum();
    assert_eq!(found.count(|_| true), sum, "the whole is the sum");
    assert_eq!(found.capacity_bytes, 16 * MIB, "it keeps what it came with");
    drop(databases);
    for id in ids {
        agent.caches.lock().release(id);
    }
    assert!(agent.report().caches.is_empty());
}

#[test]
fn the_whole_has_a_curve_and_each_operator_has_its_own() {
    let (agent, _turn) = agent();
    let cache = Cache::new(8 << 20);
    let statistics = [Statistics::new(), Statistics::new()];
    let ids = statistics
        .each_ref()
        .map(|one| cache.share(&agent, "Agg[3] (1/1)#0", one));
    let databases = statistics
        .each_ref()
        .map(|one| Database::open_with(&cache, one));
    // Some 4 MiB and 16 MiB of data.
    let sizes = [20_000, 80_000];
    for (db, keys) in databases.iter().zip(sizes) {
        for key in 0..keys {
            db.put(key, &[1_u8; 200]);
        }
        db.flush();
        db.compact();
    }
    let mut keys = sizes.map(|keys| SkewedKeys::new(keys, keys, 1.0));
    for n in 0..200_000 {
        assert!(databases[n % 2].get(keys[n % 2].next()).is_some());
        if n % 2_000 == 0 {
            // Two cores, shared with the collector: leave it time, as a job at a steady rate does.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let found = only_cache(&agent);
    let miss = |curve: &Option<weir_mrc::MissRatioCurve>, bytes| {
        let curve = curve.as_ref().expect("a curve");
        curve.miss_ratio_at(bytes).value
    };
    // Alone, the small one would fit into 8 MiB, the large one would not, and together they would not either.
    let [small, large] = ids.map(|id| miss(&of(&found, id).curve, 8 * MIB));
    let together = miss(&found.curve, 8 * MIB);
    assert!(small < 0.05, "the small one alone: {small}");
    assert!(large > 0.10, "the large one alone: {large}");
    assert!(together > 0.10, "together: {together}");
    let (hits, misses) = found.task_hits_and_misses();
    let measured = misses as f64 / (hits + misses) as f64;
    println!("small {small:.3}, large {large:.3}, together {together:.3}, measured {measured:.3}");
    assert!(miss(&found.curve, 40 * MIB) < 0.05, "all fits");
    drop(databases);
    for id in ids {
        agent.caches.lock().release(id);
    }
}

#[test]
fn the_curve_of_a_cache_with_shards_and_a_pool_predicts_what_other_sizes_do() {
    let (agent, _turn) = agent();
    // As Flink makes it, with fewer shards: of 64 each would hold but a few blocks at the smallest capacity.
    let cache = Cache::with_shape(12 << 20, 3, 0.1);
    let statistics = [Statistics::new(), Statistics::new()];
    let ids = statistics
        .each_ref()
        .map(|one| cache.share(&agent, "Rank[5] (1/1)#0", one));
    let databases = statistics
        .each_ref()
        .map(|one| curves::database(&cache, one));
    let found = only_cache(&agent).id;
    let shape = agent.caches.lock().entries[&found].shape;
    assert_eq!((shape.shards, shape.high_pri_ratio), (8, 0.1));
    measured_against_predicted(&agent, found, &databases);
    drop(databases);
    for id in ids {
        agent.caches.lock().release(id);
    }
}

#[test]
fn reports_and_the_collector_do_not_wait_for_each_other() {
    let (agent, _turn) = agent();
    let cache = Cache::new(1 << 20);
    let statistics = Statistics::new();
    let id = cache.share(&agent, "Join[1] (1/1)#0", &statistics);
    let db = Database::open_with(&cache, &statistics);
    for key in 0..20_000 {
        db.put(key, &[7_u8; 200]);
    }
    db.flush();
    let (done, reports) = std::sync::mpsc::channel();
    let reader = agent.clone();
    std::thread::spawn(move || {
        for _ in 0..5_000 {
            let report = reader.report();
            let whole = &report.caches[0];
            let parts = whole.operators.iter().flat_map(|o| &o.lookups);
            let parts: u64 = parts.map(|l| l.count).sum();
            assert_eq!(whole.count(|_| true), parts, "while look-ups go on");
        }
        done.send(()).expect("the test waits");
    });
    // Samples all the while, so that the collector is at work.
    let mut keys = SkewedKeys::new(1, 20_000, 0.5);
    let start = std::time::Instant::now();
    while reports.try_recv().is_err() {
        for _ in 0..1_000 {
            db.get(keys.next());
        }
        if start.elapsed() > Duration::from_secs(300) {
            // Whoever has the lock never gives it back: every other test of this process would hang.
            eprintln!("reports and the collector wait for each other");
            std::process::abort();
        }
    }
    drop(db);
    agent.caches.lock().release(id);
}

#[test]
fn it_is_resized_within_flinks_bounds_and_serves_the_next_job() {
    let (agent, _turn) = agent();
    let cache = Cache::new(64 << 20);
    let statistics = Statistics::new();
    let first = cache.share(&agent, "Join[1] (1/1)#0", &statistics);
    let id = only_cache(&agent).id;
    let apply = |capacity_bytes| allocate(&agent, &[(id, capacity_bytes)], &[]);
    assert_eq!(
        apply(100 * MIB).unwrap().caches[0].capacity_bytes,
        100 * MIB
    );
    // Flink's cache holds what its write buffer manager reserves, too: five sixths of the budget.
    let refused = apply(BUDGET * 5 / 6 + MIB).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::OverBudget);
    // Released by its last operator, but alive, because the slot keeps it for the next task.
    agent.caches.lock().release(first);
    assert!(agent.report().caches.is_empty());
    let next = Statistics::new();
    let second = cache.share(&agent, "Join[1] (1/1)#1", &next);
    let db = Database::open_with(&cache, &next);
    db.put(1, b"x");
    db.flush();
    assert_eq!(db.get(1), Some(1));
    let found = only_cache(&agent);
    assert_eq!(found.operator.attempt, 1);
    assert!(count(of(&found, second), BlockRole::Data, LookupResult::Miss) > 0);
    drop(db);
    agent.caches.lock().release(second);
}

#[test]
fn who_cannot_be_told_apart_is_not_taken_in() {
    let (agent, _turn) = agent();
    let cache = Cache::new(8 << 20);
    let nothing = cache.try_register(&agent, "A (1/1)#0", std::ptr::null_mut());
    assert!(matches!(nothing, Err(RefusedCache::NoStatistics)));
    assert!(agent.report().caches.is_empty(), "nothing is left behind");
    let statistics = Statistics::new();
    let id = cache.share(&agent, "A (1/1)#0", &statistics);
    let again = cache.try_register(&agent, "B (1/1)#0", statistics.0);
    assert!(matches!(again, Err(RefusedCache::NoPlace)));
    // A database that nobody told of works, and what it does is nobody's.
    let db = Database::open(&cache);
    db.put(1, b"x");
    db.flush();
    assert_eq!(db.get(1), Some(1));
    assert!(agent.health().unattributed_lookups > 0);
    drop(db);
    agent.caches.lock().release(id);
}

#[test]
fn a_cache_that_is_only_observed_keeps_its_size() {
    let (_agent, _turn) = agent();
    let pairs = [("mode", "observe"), ("budget-bytes", "1000000000")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let observer = Agent::new(Settings::parse(&pairs).unwrap(), Box::new(|_, _| {}));
    let cache = Cache::new(2_000_000_000);
    let statistics = Statistics::new();
    let id = cache.share(&observer, "A (1/1)#0", &statistics);
    let found = only_cache(&observer);
    assert_eq!(
        found.capacity_bytes, 2_000_000_000,
        "above the budget or not"
    );
    let allocation = Allocation {
        generation: 1,
        write_buffers: Vec::new(),
        caches: vec![CacheCapacity {
            id: found.id,
            capacity_bytes: 8 * MIB,
        }],
    };
    let refused = observer.caches.lock().apply(&allocation, None).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Unavailable);
    assert!(refused.message.contains("observe"), "{}", refused.message);
    observer.caches.lock().release(id);
}

#[test]
fn silenced_statistics_count_nothing_and_still_tell_the_operator() {
    let (agent, _turn) = agent();
    let cache = Cache::new(8 << 20);
    let statistics = Statistics::new();
    #[allow(unsafe_code, reason = "a live handle")]
    // SAFETY: the statistics are live.
    unsafe { frocksdb::silence(statistics.0) }.expect("a known layout");
    let id = cache.share(&agent, "A (1/1)#0", &statistics);
    let db = Database::open_with(&cache, &statistics);
    for key in 0..1000 {
        db.put(key, b"x");
    }
    db.flush();
    for key in 0..1000 {
        assert!(db.get(key).is_some());
    }
    assert_eq!(db.ticker("rocksdb.block.cache.hit"), 0);
    let found = only_cache(&agent);
    let data = |result| count(of(&found, id), BlockRole::Data, result);
    assert_eq!(data(LookupResult::Hit) + data(LookupResult::Miss), 1000);
    drop(db);
    agent.caches.lock().release(id);
}
