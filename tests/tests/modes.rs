//! The memory modes in which Flink's own caches stay: watched as they are, or resized; with Flink's bound on RocksDB's memory and without.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::time::Duration;

use weir_protocol::{Allocation, CacheCapacity, CacheReport, MemoryMode, Report};
use weir_testbed::nexmark::STEADY_RATE;
use weir_testbed::{Cluster, ClusterOptions, NexmarkJob, wait};

/// Time for the first write buffers to be flushed, so that there is something to look up.
const FIRST_LOOKUPS: Duration = Duration::from_secs(240);
/// Two queries of one stateful operator each, in two subtasks.
const OPERATORS: usize = 4;

#[test]
fn observe_tells_apart_the_operators_of_a_slot_and_changes_nothing() {
    let (cluster, report) = watched("observe", true);
    assert_eq!(report.agent.mode, MemoryMode::Observe);
    two_slots_share(&report);
    let agent = cluster.agent(FIRST_LOOKUPS).unwrap();
    let cache = &report.caches[0];
    let refused = agent.allocate(&Allocation {
        generation: report.generation + 1,
        write_buffers: Vec::new(),
        caches: vec![CacheCapacity {
            id: cache.id,
            capacity_bytes: cache.capacity_bytes / 2,
        }],
    });
    let (status, refusal) = refused.unwrap().unwrap_err();
    println!("refused with {status}: {}", refusal.message);
    assert!(refusal.message.contains("observe"), "{}", refusal.message);
    let after = agent.report().unwrap();
    assert_eq!(after.caches[0].capacity_bytes, cache.capacity_bytes);
}

#[test]
fn shared_resizes_the_cache_of_a_slot() {
    let (cluster, report) = watched("shared", true);
    assert_eq!(report.agent.mode, MemoryMode::Shared);
    two_slots_share(&report);
    let agent = cluster.agent(FIRST_LOOKUPS).unwrap();
    let cache = &report.caches[0];
    let smaller = cache.capacity_bytes - (1 << 20);
    agent.resize(&[(cache.id, smaller)]).unwrap();
    let resized = agent.report().unwrap();
    let resized = resized.caches.iter().find(|c| c.id == cache.id).unwrap();
    assert_eq!(resized.capacity_bytes, smaller);
    assert_eq!(resized.operators.len(), 2);
}

/// A size of one's own in place of managed memory: Flink's formulas, write buffers charged to the cache.
#[test]
fn a_fixed_size_for_each_slot_holds_blocks_and_write_buffers() {
    const SLOT: u64 = 24 << 20;
    let options = ClusterOptions::with_weir()
        .unwrap()
        .set("weir.memory.mode", "observe")
        .set("state.backend.rocksdb.memory.managed", false)
        .set("state.backend.rocksdb.memory.fixed-per-slot", SLOT);
    let (_cluster, report) = watched_on(&options);
    two_slots_share(&report);
    for cache in &report.caches {
        // The template's ratio is 0.8: (3 - 0.8) / 3 of the size.
        assert_eq!(cache.capacity_bytes, SLOT * 22 / 30);
        assert!(cache.write_buffers.is_some());
    }
}

#[test]
fn without_flinks_bound_observe_watches_a_cache_for_each_state() {
    let (_cluster, report) = watched("observe", false);
    assert!(
        report.caches.len() > OPERATORS,
        "{} caches",
        report.caches.len()
    );
    let heard = |cache: &&CacheReport| cache.operators.iter().any(|o| o.write_counts.is_some());
    assert_eq!(
        report.caches.iter().filter(heard).count(),
        OPERATORS,
        "a database is counted once, whatever the number of its states"
    );
    for cache in &report.caches {
        // What Flink configures for a state where it bounds nothing.
        assert_eq!(cache.capacity_bytes, 8 << 20);
        // Nothing bounds write buffers either.
        assert_eq!(cache.write_buffers, None);
    }
}

#[test]
fn without_flinks_bound_shared_has_one_cache_for_all() {
    let (_cluster, report) = watched("shared", false);
    assert_eq!(report.caches.len(), 1);
    assert!(report.caches[0].write_buffers.is_some(), "Weir's own bound");
    assert_eq!(report.caches[0].operators.len(), OPERATORS);
    assert_eq!(report.health.unattributed_lookups, 0);
}

/// A cluster in a mode, and the agent's report once every operator's lookups were seen.
fn watched(mode: &str, bound_by_flink: bool) -> (Cluster, Report) {
    let options = ClusterOptions::with_weir()
        .unwrap()
        .set("weir.memory.mode", mode)
        .set("state.backend.rocksdb.memory.managed", bound_by_flink);
    watched_on(&options)
}

fn watched_on(options: &ClusterOptions) -> (Cluster, Report) {
    let cluster = Cluster::start(options).unwrap();
    NexmarkJob::q20_and_q18(STEADY_RATE)
        .submit(cluster.rest())
        .unwrap();
    let agent = cluster.agent(FIRST_LOOKUPS).unwrap();
    let report = wait::until("lookups of every operator", FIRST_LOOKUPS, || {
        let report = agent.report()?;
        let mut seen: Vec<_> = owners_with_lookups(&report);
        seen.sort_unstable();
        seen.dedup();
        Ok((seen.len() == OPERATORS).then_some(report))
    });
    let report = report.unwrap_or_else(|error| {
        let log = cluster.task_manager().log_tail();
        panic!("{error:#}\nTaskManager log ends:\n{log}")
    });
    assert_eq!(report.health.panics_caught, 0);
    (cluster, report)
}

/// Name and subtask of every operator that has looked something up.
fn owners_with_lookups(report: &Report) -> Vec<(String, u32)> {
    let mut owners = Vec::new();
    for cache in &report.caches {
        if cache.operators.is_empty() && cache.count(|_| true) > 0 {
            let owner = &cache.operator;
            owners.push((owner.operator_name.clone(), owner.subtask_index));
        }
        for behind in cache.operators.iter().filter(|o| !o.lookups.is_empty()) {
            let owner = &behind.operator;
            owners.push((owner.operator_name.clone(), owner.subtask_index));
        }
    }
    owners
}

/// Slot sharing puts one subtask of each query into a slot, and Flink gives the slot one cache.
fn two_slots_share(report: &Report) {
    assert_eq!(report.caches.len(), 2);
    for cache in &report.caches {
        let mut names: Vec<_> = cache
            .operators
            .iter()
            .map(|o| &o.operator.operator_name)
            .collect();
        names.dedup();
        assert_eq!(names.len(), 2, "{names:?} behind one cache");
        let of_operators: u64 = cache
            .operators
            .iter()
            .flat_map(|o| &o.lookups)
            .map(|l| l.count)
            .sum();
        assert_eq!(
            of_operators,
            cache.count(|_| true),
            "every lookup has its operator"
        );
    }
    assert_eq!(report.health.unattributed_lookups, 0);
}
