//! What Weir costs a job end to end: Nexmark queries as fast as they go, with and without it, in turns on the same machine.
//!
//! `weir-overhead [--queries q20,q4,q9] [--pairs 5] [--events 2000000] [--mode per-operator]` prints every run and, for each
//! query, the median throughput with Weir over that without. A run is one job over a fixed number of events on a cluster of its own.
#![allow(clippy::print_stdout, reason = "what the program is for")]

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use weir_testbed::{Cluster, ClusterOptions, NexmarkJob};

/// More than any machine generates: the job sets the pace.
const UNLIMITED: u64 = 50_000_000;
const LONGEST_RUN: Duration = Duration::from_secs(900);

/// What to run.
struct Plan {
    queries: Vec<String>,
    pairs: usize,
    events: u64,
    mode: String,
}

impl Plan {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut plan = Self {
            queries: ["q20", "q4", "q9"].map(str::to_owned).into(),
            pairs: 5,
            events: 2_000_000,
            mode: "per-operator".to_owned(),
        };
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--queries" => plan.queries = value.split(',').map(str::to_owned).collect(),
                "--pairs" => plan.pairs = value.parse().context("--pairs takes a number")?,
                "--events" => plan.events = value.parse().context("--events takes a number")?,
                "--mode" => plan.mode = value,
                _ => bail!(
                    "there is no option {name}; there are --queries, --pairs, --events and --mode"
                ),
            }
        }
        ensure!(plan.pairs > 0, "--pairs must be at least 1");
        Ok(plan)
    }
}

/// Events a second of one run.
fn throughput(plan: &Plan, query: &'static str, with_weir: bool) -> Result<f64> {
    let options = if with_weir {
        ClusterOptions::with_weir()?.set("weir.memory.mode", &plan.mode)
    } else {
        ClusterOptions::without_weir()?
    };
    let cluster = Cluster::start(&options)?;
    let job = NexmarkJob {
        queries: vec![query],
        events: plan.events,
        ..NexmarkJob::q20_and_q18(UNLIMITED)
    };
    let id = job.submit(cluster.rest())?;
    let state = cluster.rest().wait_until_ended(&id, LONGEST_RUN)?;
    if state != "FINISHED" {
        bail!(
            "{query} ended as {state}:\n{}",
            cluster.rest().root_exception(&id)?
        );
    }
    let ran = cluster.rest().job(&id)?.running_time();
    Ok(plan.events as f64 / ran.as_secs_f64())
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn main() -> Result<()> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    for query in &plan.queries {
        // A handful of names for the life of the program.
        let query: &'static str = query.clone().leak();
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for pair in 0..plan.pairs {
            // Neither side is always the one that runs first.
            for with_weir in [pair.is_multiple_of(2), !pair.is_multiple_of(2)] {
                let rate = throughput(&plan, query, with_weir)?;
                let side = if with_weir { "with" } else { "without" };
                println!("{query} pair {} {side} Weir: {rate:.0} events/s", pair + 1);
                if with_weir { &mut with } else { &mut without }.push(rate);
            }
        }
        let ratio = median(&mut with) / median(&mut without);
        println!("{query}: median with Weir / without: {ratio:.4}");
    }
    Ok(())
}
