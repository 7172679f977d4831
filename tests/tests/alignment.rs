//! The keyed tables' sources go through event time together: however fast the source of auctions is, of which there is one for fifteen
//! bids, it waits for that of bids. Without alignment it runs ahead to its end.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

use std::time::Duration;

use anyhow::Result;
use weir_testbed::{Cluster, ClusterOptions, FlinkRest, NexmarkJob, wait};

const DRIFT: &str = "scan.watermark.alignment.max-drift";
/// Event time between two watermarks of different sources that is allowed.
const ALLOWED_SECONDS: i64 = 10;
/// Besides: the rows of one poll, and what passes while Flink collects the metrics of one source after the other's.
const SLACK_SECONDS: i64 = 10;
/// Twice what the alignment allows, so that the two jobs cannot be taken for each other.
const APART_SECONDS: i64 = 2 * (ALLOWED_SECONDS + SLACK_SECONDS);
/// Times at which both sources have got further, and were compared.
const LOOKS: usize = 10;
const DEADLINE: Duration = Duration::from_secs(120);

#[test]
fn a_source_that_could_run_ahead_waits_for_the_others() {
    let options = ClusterOptions::without_weir()
        .unwrap()
        .set("metrics.fetcher.update-interval", "500 ms");
    let cluster = Cluster::start(&options).unwrap();
    let flink = cluster.rest();

    let id = joined_at_full_speed(1_000_000).submit(flink).unwrap();
    let mut furthest = i64::MIN;
    wait::until_true(
        "auctions to run ahead where nothing holds them",
        DEADLINE,
        || {
            furthest = furthest.max(lead(flink, &id)?.map_or(i64::MIN, |lead| lead.seconds));
            Ok(furthest >= APART_SECONDS)
        },
    )
    .unwrap();
    flink.cancel(&id).unwrap();
    println!("not aligned: {furthest} s ahead");

    let aligned = joined_at_full_speed(ALLOWED_SECONDS);
    // Otherwise a source looks how far it may go only a few times a second, and goes as far as it gets in between.
    let aligned = aligned.set("scan.watermark.emit.strategy", "on-event");
    let id = aligned.submit(flink).unwrap();
    let mut leads: Vec<Lead> = Vec::new();
    wait::until_true("both sources to go on", DEADLINE, || {
        let Some(lead) = lead(flink, &id)? else {
            return Ok(false);
        };
        let goes_on = |last: &Lead| lead.bid > last.bid && lead.auction > last.auction;
        if leads.last().is_none_or(goes_on) {
            leads.push(lead);
        }
        Ok(leads.len() == LOOKS)
    })
    .unwrap();
    flink.cancel(&id).unwrap();
    let seconds: Vec<i64> = leads.iter().map(|lead| lead.seconds).collect();
    println!("aligned: {seconds:?} s ahead");
    let furthest = seconds.into_iter().max().unwrap();
    assert!(furthest <= ALLOWED_SECONDS + SLACK_SECONDS);
}

/// Bids with their auctions, as fast as they can be joined; a second of event time has ten thousand events.
fn joined_at_full_speed(drift_seconds: i64) -> NexmarkJob {
    NexmarkJob {
        queries: vec!["q20"],
        tables: "keyed",
        parallelism: 1,
        ..NexmarkJob::q20_and_q18(10_000)
    }
    .set("max-emit-speed", true)
    .set(DRIFT, format!("{drift_seconds} s"))
}

/// How far the two sources have got in event time.
struct Lead {
    /// Milliseconds since 1970.
    auction: i64,
    bid: i64,
    /// Of auctions before bids.
    seconds: i64,
}

/// None before both sources have emitted a watermark.
fn lead(flink: &FlinkRest, job: &str) -> Result<Option<Lead>> {
    let auction = watermark(flink, job, "Source__auction")?;
    let bid = watermark(flink, job, "Source__bid")?;
    Ok(auction.zip(bid).map(|(auction, bid)| Lead {
        auction,
        bid,
        seconds: (auction - bid) / 1000,
    }))
}

fn watermark(flink: &FlinkRest, job: &str, source: &str) -> Result<Option<i64>> {
    for vertex in flink.job(job)?.vertices {
        let metrics = format!("/jobs/{job}/vertices/{}/subtasks/metrics", vertex.id);
        let known = flink.json(&metrics)?;
        let mut names = known.as_array().into_iter().flatten();
        let is_watermark =
            |name: &&str| name.starts_with(source) && name.ends_with("].currentOutputWatermark");
        let Some(name) = names.find_map(|metric| metric["id"].as_str().filter(|n| is_watermark(n)))
        else {
            continue;
        };
        let values = flink.json(&format!("{metrics}?get={name}&agg=min"))?;
        return Ok(values[0]["min"]
            .as_f64()
            .filter(|at| *at > 0.0)
            .map(|at| at as i64));
    }
    Ok(None)
}
