//! A CPU-bound SQL job whose source steps up, measured first: what a policy that changes parallelism is tried on.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::{Cluster, NexmarkJob};

/// Until the first records have warmed the JVM up, and then to count over.
const FLAT_OUT: Duration = Duration::from_secs(20);
/// Persons, auctions and bids of so many events: few of the former, so that the state, which holds each of them, grows little while
/// the job runs, and what an instance can process stays what it was.
const PROPORTIONS: [u64; 3] = [1, 1, 198];

/// The job: `before` events a second, and `after` half a minute later.
#[must_use]
pub fn stepping_job(before: u64, after: u64) -> NexmarkJob {
    cpu_bound(after)
        .set("rate.shape", "step")
        .set("first-event.rate", before)
        .set("rate.period", "30 s")
}

/// Events a second that one instance of everything digests when there is no end of them.
pub fn capacity_of_one_instance(cluster: &Cluster) -> Result<f64> {
    let rest = cluster.rest();
    let id = cpu_bound(1_000_000)
        .set("max-emit-speed", true)
        .submit(rest)?;
    sleep(FLAT_OUT);
    let (first, began) = (rest.records_read(&id)?, Instant::now());
    sleep(FLAT_OUT);
    let read = rest.records_read(&id)?.saturating_sub(first);
    let bids_per_second = read as f64 / began.elapsed().as_secs_f64();
    rest.cancel(&id)?;
    ensure!(bids_per_second > 0.0, "no records flow");
    let [_, _, bids] = PROPORTIONS;
    Ok(bids_per_second * PROPORTIONS.iter().sum::<u64>() as f64 / bids as f64)
}

/// Fifteen aggregates, eight of them over distinct values: many times the work of reading a bid.
fn cpu_bound(events_per_second: u64) -> NexmarkJob {
    NexmarkJob {
        queries: vec!["q16"],
        tables: "stream",
        rate: events_per_second,
        events: 0,
        parallelism: 1,
        output: None,
        seed: 1,
        settings: Vec::new(),
        flink: Vec::new(),
    }
    .set("person.proportion", PROPORTIONS[0])
    .set("auction.proportion", PROPORTIONS[1])
    .set("bid.proportion", PROPORTIONS[2])
}
