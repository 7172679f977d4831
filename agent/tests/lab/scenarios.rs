//! The agent on the RocksDB that Flink ships: counts, curves, lifetimes, and live resizing, compared with RocksDB itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::curves::{self, measured_against_predicted};
use crate::lab::{
    BUDGET, CACHE_BUDGET, Cache, Database, SkewedKeys, Statistics, WriteBuffers, agent, allocate,
    release, report_of,
};
use crate::promtool;
use weir_protocol::{
    BlockRole, CacheId, Caller, HookState, LookupResult, RefusalKind, WriteCounts,
};

const MIB: u64 = 1 << 20;

/// A database of `keys` values of 100 bytes, on disk.
fn filled(cache: &Cache, keys: u64) -> Database {
    let db = Database::open(cache);
    for key in 0..keys {
        db.put(key, &[3_u8; 100]);
    }
    db.flush();
    db
}

/// Resident memory of this process.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = pages
        .split(' ')
        .nth(1)
        .expect("a second field")
        .parse()
        .expect("a number");
    pages * 4096
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
    let db = curves::database(&cache, &Statistics::new());
    measured_against_predicted(&agent, id, &[db]);
    release(&agent, id);
}

#[test]
fn what_a_database_writes_is_counted_and_its_listener_goes_with_it() {
    let (agent, _turn) = agent();
    let cache = Cache::new(MIB as usize);
    let id = cache.register(&agent, "Rank[3] -> Sink (2/4)#1");
    let number = u32::try_from(id.0).unwrap();
    let build = agent.hooked().unwrap();
    let listener = agent.caches.lock().make_listener(build).unwrap();
    let db = Database::open_heard(&cache, &Statistics::new(), None, Some(listener));
    agent.caches.lock().listen_to(number, listener);
    assert_eq!(
        report_of(&agent, id).write_counts,
        Some(WriteCounts::default())
    );
    // RocksDB has a reference of its own by now.
    agent.caches.lock().drop_listener(listener);
    let mut keys = SkewedKeys::new(1, 50_000, 1.0);
    for _ in 0..6 {
        for _ in 0..5_000 {
            db.put(keys.next(), &[7_u8; 200]);
        }
        db.flush();
    }
    // Waits for those under way; the last state is that of one level without stalls, of which the listener hears a moment later.
    db.compact();
    let read = || report_of(&agent, id).write_counts.unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let counts = loop {
        let counts = read();
        std::thread::sleep(Duration::from_millis(20));
        if read() == counts {
            break counts;
        }
        assert!(Instant::now() < deadline, "writes are held back for ever");
    };
    for (ours, ticker) in [
        (counts.flushed_bytes, "rocksdb.flush.write.bytes"),
        (counts.compacted_bytes, "rocksdb.compact.write.bytes"),
    ] {
        // RocksDB's tickers count its notes about the files, too.
        let theirs = db.ticker(ticker);
        assert!(
            ours <= theirs && theirs - ours < theirs / 1000,
            "{counts:?}, {ticker} is {theirs}"
        );
    }
    let read = db.ticker("rocksdb.compact.read.bytes");
    assert!(
        counts.compaction_read_bytes.abs_diff(read) < read / 10,
        "{counts:?}, RocksDB read {read} bytes, here it is files that count"
    );
    assert_eq!(
        counts.live_bytes,
        Some(db.property("rocksdb.live-sst-files-size"))
    );
    assert!(counts.stalled_micros > 0, "{counts:?}");
    let metrics = weir_agent::metrics::render(&agent).unwrap();
    promtool::assert_clean(&metrics);
    for line in [
        format!(" {}", counts.flushed_bytes),
        format!("direction=\"read\"}} {}", counts.compaction_read_bytes),
    ] {
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }

    let totals = agent.caches.lock().entries[&id].operators[&number]
        .writes
        .clone()
        .unwrap();
    release(&agent, id);
    assert_eq!(std::sync::Arc::strong_count(&totals), 2);
    drop(db);
    assert_eq!(
        std::sync::Arc::strong_count(&totals),
        1,
        "the listener went with its database"
    );
    assert_eq!(agent.caches.lock().listeners(), 0);
}

#[test]
fn five_hundred_caches_come_and_go_without_a_trace() {
    let (agent, _turn) = agent();
    let (mut hooks, mut resident) = (0, 0);
    for cycle in 0..500 {
        let cache = Cache::new(MIB as usize);
        let id = cache.register(&agent, &format!("Agg (1/1)#{cycle}"));
        let build = agent.hooked().expect("hooked");
        let listener = agent.caches.lock().make_listener(build).expect("listeners");
        let number = u32::try_from(id.0).expect("32 bits");
        agent.caches.lock().listen_to(number, listener);
        if cycle % 50 == 0 {
            let db = Database::open_heard(&cache, &Statistics::new(), None, Some(listener));
            db.put(0, &[3_u8; 100]);
            db.flush();
            assert_eq!(db.get(0), Some(100));
        }
        release(&agent, id);
        agent.caches.lock().drop_listener(listener);
        if cycle == 100 {
            hooks = agent.caches.lock().hooks();
            resident = resident_bytes();
        }
    }
    let caches = agent.caches.lock();
    assert!(caches.entries.is_empty());
    assert_eq!(caches.listeners(), 0);
    assert_eq!(
        caches.hooks(),
        hooks,
        "500 caches need no more hooks than 100"
    );
    assert_eq!(caches.ledger.allocated_bytes(), 0);
    let growth = resident_bytes().saturating_sub(resident);
    // An estimator alone is 1 MiB: 400 left behind would show.
    assert!(
        growth < 32 * MIB,
        "{growth} bytes more after 400 more caches"
    );
}

#[test]
fn a_cache_destroyed_without_a_word_is_let_go() {
    let (agent, _turn) = agent();
    let cache = Cache::new(MIB as usize);
    let charged = Cache::new(MIB as usize);
    let write_buffers = WriteBuffers::new(64 << 20, &charged);
    let id = cache.register(&agent, "Join (1/1)#0");
    write_buffers.behind(&agent, id);
    // As a restore does that fails half-way, or a garbage collector: the agent is not told. Its collector reads sizes ten times a
    // second, and reports read them, too.
    drop((write_buffers, cache));
    for _ in 0..50 {
        // The same sizes, so that the memory is taken again and does not look as it did.
        let mut others: Vec<Cache> = (0..4).map(|_| Cache::new(MIB as usize)).collect();
        let report = agent.report();
        let found = report.caches.iter().find(|cache| cache.id == id);
        assert!(found.is_none_or(|cache| (cache.capacity_bytes, cache.write_buffers) == (0, None)));
        others.clear();
        std::thread::sleep(Duration::from_millis(10));
    }
    agent.caches.lock().sweep();
    let caches = agent.caches.lock();
    assert!(caches.entries.is_empty(), "swept away");
    assert_eq!(caches.ledger.allocated_bytes(), 0, "its part is free");
    drop(caches);
    release(&agent, id); // too late, and harmless
}

#[test]
fn memory_moves_between_write_buffers_and_caches_and_comes_back_after_a_restart() {
    let (agent, _turn) = agent();
    let slot = Cache::new(64 << 20);
    let manager = WriteBuffers::new(96 << 20, &slot);
    // Names of this test alone: what an allocation gave is remembered by them.
    let start = |attempt: u32| {
        let names = ["Window (1/1)", "Dedup (1/1)"].map(|name| format!("{name}#{attempt}"));
        let caches = [Cache::new(MIB as usize), Cache::new(MIB as usize)];
        let ids = [0, 1].map(|n| caches[n].register(&agent, &names[n]));
        for id in ids {
            manager.behind(&agent, id);
        }
        (caches, ids)
    };
    let sizes = |ids: [CacheId; 2]| {
        let report = agent.report();
        let capacities = ids.map(|id| report_of(&agent, id).capacity_bytes);
        let buffers = ids.map(|id| report_of(&agent, id).write_buffers.expect("known"));
        assert_eq!(buffers[0], buffers[1], "one manager behind both");
        (capacities, buffers[0].capacity_bytes, report.budget)
    };
    let (caches, ids) = start(0);
    let even = CACHE_BUDGET / 2;
    let (capacities, buffers, budget) = sizes(ids);
    assert_eq!((capacities, buffers), ([even, even], 96 * MIB));
    assert_eq!(budget.cache_bytes, CACHE_BUDGET);
    assert_eq!(budget.total_bytes, BUDGET);

    // 64 MiB less for memtables are 96 MiB more for blocks.
    let (large, small) = (CACHE_BUDGET, 96 * MIB);
    let wanted = [(ids[0], large), (ids[1], small)];
    let refused = allocate(&agent, &wanted, &[(ids[0], 33 * MIB)]).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::OverBudget);
    assert_eq!(sizes(ids).1, 96 * MIB, "all or nothing");
    let applied = allocate(&agent, &wanted, &[(ids[1], 32 * MIB)]).unwrap();
    assert_eq!(applied.cache_budget_bytes, CACHE_BUDGET + 96 * MIB);
    assert_eq!(applied.allocated_bytes, large + small);
    assert_eq!(applied.write_buffers.len(), 1);
    assert_eq!(applied.write_buffers[0].capacity_bytes, 32 * MIB);
    let (capacities, buffers, budget) = sizes(ids);
    assert_eq!((capacities, buffers), ([large, small], 32 * MIB));
    assert_eq!(budget.cache_bytes_with(32 * MIB, 96 * MIB), CACHE_BUDGET);

    // It is in force: memtables are flushed before they hold much more than that.
    let statistics = Statistics::new();
    let db = Database::open_writing_through(&caches[0], &statistics, Some(&manager));
    let mut most = 0;
    for key in 0..60_000 {
        db.put(key, &[1_u8; 1000]);
        if key.is_multiple_of(100) {
            let used = report_of(&agent, ids[0]).write_buffers.expect("known");
            most = most.max(used.used_bytes);
        }
    }
    assert!(most > MIB && most < 48 * MIB, "{most} bytes of memtables");
    drop(db);

    // A restart: all leave, and the manager of the slot, which stays, has its own size again.
    ids.into_iter().for_each(|id| release(&agent, id));
    let bare = Cache::new(MIB as usize);
    let other = bare.register(&agent, "Other (1/1)#0");
    manager.behind(&agent, other);
    let found = report_of(&agent, other).write_buffers.expect("known");
    assert_eq!(found.capacity_bytes, 96 * MIB, "left as it came");
    release(&agent, other);
    let (again, ids) = start(1);
    let (capacities, buffers, _) = sizes(ids);
    assert_eq!((capacities, buffers), ([large, small], 32 * MIB), "back");
    ids.into_iter().for_each(|id| release(&agent, id));
    drop((caches, again));
}

#[test]
fn eight_threads_of_traffic_during_attach_resize_and_detach() {
    let (agent, _turn) = agent();
    let cache = Cache::new(8 << 20);
    let db = filled(&cache, 60_000);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 1..=8 {
            let (db, stop) = (&db, &stop);
            scope.spawn(move || {
                let mut keys = SkewedKeys::new(seed, 60_000, 2.0);
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(db.get(keys.next()), Some(100));
                }
            });
        }
        let mut seen = 0;
        for cycle in 0..60_u64 {
            let id = cache.register(&agent, "Join (1/1)#0");
            for capacity in [2 * MIB, 64 * MIB, 8 * MIB] {
                allocate(&agent, &[(id, capacity)], &[]).unwrap();
                std::thread::sleep(Duration::from_millis(2 + cycle % 5));
            }
            seen += report_of(&agent, id).count(|c| c.caller == Caller::Other);
            release(&agent, id);
        }
        stop.store(true, Ordering::Relaxed);
        assert!(seen > 10_000, "{seen} look-ups were seen");
    });
    assert_eq!(db.get(1), Some(100));
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
    let databases = caches.each_ref().map(|cache| filled(cache, 60_000));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            let (db, stop) = (&databases[seed as usize % 2], &stop);
            scope.spawn(move || {
                let mut keys = SkewedKeys::new(seed, 60_000, 2.0);
                while !stop.load(Ordering::Relaxed) {
                    assert!(db.get(keys.next()).is_some());
                }
            });
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
            let refused = allocate(&agent, &[(ids[0], a + 1), (ids[1], b)], &[]).unwrap_err();
            assert_eq!(refused.kind, RefusalKind::OverBudget);
            let applied = allocate(&agent, &[(ids[0], a), (ids[1], b)], &[]).unwrap();
            assert!(applied.allocated_bytes <= CACHE_BUDGET);
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
