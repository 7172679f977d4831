//! What Weir costs a job end to end: Nexmark queries as fast as they go, with and without it, in turns on the same machine.
//!
//! `weir-overhead [--queries q20,q4,q9] [--pairs 5] [--seconds 30] [--mode observe]` prints every run and, for each query, the
//! median throughput with Weir over that without, and the same of the TaskManager's processor time, which other users of the machine
//! and its disk disturb less. Both sides have a cluster of their own that lives through all runs, of which the
//! idle one costs next to nothing; both read past the page cache, and in mode `observe` both have the caches that Flink makes, so
//! that the difference is what watching costs. A run is one job over a number of events that takes about so many seconds, found by
//! runs that are not counted. Its state outgrows the block caches in the first of them.
//!
//! Index blocks are partitioned on both sides. Undivided they outgrow a shard of the cache here, and whether one fits is luck: the same
//! side did the same run with 31,000 or with 5,000 events a second.
#![allow(clippy::print_stdout, reason = "what the program is for")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use weir_testbed::artefacts::{self, FlinkLine};
use weir_testbed::state_dir::StateDir;
use weir_testbed::{Cluster, ClusterOptions, NexmarkJob};

/// More than any machine generates: the job sets the pace.
const UNLIMITED: u64 = 50_000_000;
const LONGEST_RUN: Duration = Duration::from_secs(900);
/// Of the first two runs of a side, which warm its JVMs up; the second tells how many events a run takes.
const FIRST_EVENTS: u64 = 300_000;
/// The options factory of the side without Weir.
const PLAIN_FACTORY: &str = include_str!("DirectReads.java");

/// What to run.
struct Plan {
    queries: Vec<String>,
    pairs: usize,
    seconds: f64,
    mode: String,
}

/// One side.
struct Side {
    name: &'static str,
    cluster: Cluster,
    jar: String,
    rates: Vec<f64>,
    cpu_micros: Vec<f64>,
}

impl Plan {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut plan = Self {
            queries: ["q20", "q4", "q9"].map(str::to_owned).into(),
            pairs: 5,
            seconds: 30.0,
            mode: "observe".to_owned(),
        };
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--queries" => plan.queries = value.split(',').map(str::to_owned).collect(),
                "--pairs" => plan.pairs = value.parse().context("--pairs takes a number")?,
                "--seconds" => plan.seconds = value.parse().context("--seconds takes a number")?,
                "--mode" => plan.mode = value,
                _ => bail!(
                    "there is no option {name}; there are --queries, --pairs, --seconds and --mode"
                ),
            }
        }
        ensure!(plan.pairs > 0, "--pairs must be at least 1");
        ensure!(plan.seconds > 0.0, "--seconds must be more than 0");
        Ok(plan)
    }
}

impl Side {
    fn with_weir(mode: &str) -> Result<Self> {
        Self::start(
            "with",
            &ClusterOptions::with_weir()?.set("weir.memory.mode", mode),
        )
    }

    /// `jar` holds what sets the options that a profile sets on the other side.
    fn without_weir(jar: PathBuf) -> Result<Self> {
        let options = ClusterOptions {
            jars: vec![jar],
            ..ClusterOptions::without_weir()?
        };
        Self::start(
            "without",
            &options.set("state.backend.rocksdb.options-factory", "DirectReads"),
        )
    }

    fn start(name: &'static str, options: &ClusterOptions) -> Result<Self> {
        // A checkpoint flushes: with short runs their number would differ from one to the next.
        let options = options
            .clone()
            .set("execution.checkpointing.interval", "10 min")
            .set(
                "state.backend.rocksdb.memory.partitioned-index-filters",
                "true",
            );
        let cluster = Cluster::start(&options)?;
        let jar = cluster.rest().upload(&artefacts::nexmark_jar()?)?;
        Ok(Self {
            name,
            cluster,
            jar,
            rates: Vec::new(),
            cpu_micros: Vec::new(),
        })
    }

    /// Events a second of one run, and microseconds of processor time for each.
    fn run(&self, query: &'static str, events: u64) -> Result<(f64, f64)> {
        let job = NexmarkJob {
            queries: vec![query],
            events,
            ..NexmarkJob::q20_and_q18(UNLIMITED)
        };
        let rest = self.cluster.rest();
        let before = self.cluster.task_manager().cpu_time()?;
        let id = job.run(rest, &self.jar)?;
        let state = rest.wait_until_ended(&id, LONGEST_RUN)?;
        if state != "FINISHED" {
            bail!("{query} ended as {state}:\n{}", rest.root_exception(&id)?);
        }
        let cpu_time = self.cluster.task_manager().cpu_time()? - before;
        let rate = events as f64 / rest.job(&id)?.running_time().as_secs_f64();
        Ok((rate, cpu_time.as_secs_f64() * 1e6 / events as f64))
    }
}

/// Compiles the options factory of the side without Weir and packs it.
fn plain_factory(scratch: &Path) -> Result<PathBuf> {
    let source = scratch.join("DirectReads.java");
    std::fs::write(&source, PLAIN_FACTORY)?;
    let lib = artefacts::flink_distribution(FlinkLine::V1)?.join("lib/*");
    let run = |command: &mut Command| -> Result<()> {
        let status = command
            .current_dir(scratch)
            .status()
            .with_context(|| format!("cannot run {command:?}"))?;
        ensure!(status.success(), "{command:?} failed");
        Ok(())
    };
    run(Command::new("javac")
        .args(["--release", "11", "-cp"])
        .arg(lib)
        .arg(&source))?;
    run(Command::new("jar").args(["cf", "direct-reads.jar", "DirectReads.class"]))?;
    Ok(scratch.join("direct-reads.jar"))
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// How one side compares with the other: by the medians, and pair by pair.
fn ratios(with: &[f64], without: &[f64]) -> String {
    let of_pairs: Vec<f64> = with.iter().zip(without).map(|(a, b)| a / b).collect();
    let lowest = of_pairs.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = of_pairs.iter().copied().fold(0.0, f64::max);
    format!(
        "medians {:.4}; median of the pairs {:.4}, from {lowest:.4} to {highest:.4}",
        median(with.to_vec()) / median(without.to_vec()),
        median(of_pairs),
    )
}

fn compare(plan: &Plan, query: &'static str, plain: &Path) -> Result<()> {
    let mut sides = [
        Side::with_weir(&plan.mode)?,
        Side::without_weir(plain.to_owned())?,
    ];
    let mut slowest = f64::INFINITY;
    for side in &sides {
        // The first is over before the JVM has compiled what it runs.
        side.run(query, FIRST_EVENTS)?;
        slowest = slowest.min(side.run(query, FIRST_EVENTS)?.0);
    }
    let events = (slowest * plan.seconds) as u64;
    println!("{query}: {events} events a run");
    for pair in 0..plan.pairs {
        // Neither side is always the one that runs first.
        for turn in 0..2 {
            let side = &mut sides[(pair + turn) % 2];
            let (rate, cpu_micros) = side.run(query, events)?;
            side.rates.push(rate);
            side.cpu_micros.push(cpu_micros);
            println!(
                "{query} pair {} {} Weir: {rate:.0} events/s, {cpu_micros:.2} µs of processor time an event",
                pair + 1,
                side.name
            );
        }
    }
    let [with, without] = sides;
    let task_manager = with.cluster.task_manager();
    let own_share = task_manager.cpu_time_of_threads("weir-")?.as_secs_f64()
        / task_manager.cpu_time()?.as_secs_f64();
    println!(
        "{query}: Weir's own threads used {:.2} % of their TaskManager's processor time",
        own_share * 100.0
    );
    println!(
        "{query}: throughput with Weir / without: {}",
        ratios(&with.rates, &without.rates)
    );
    println!(
        "{query}: processor time with Weir / without: {}",
        ratios(&with.cpu_micros, &without.cpu_micros)
    );
    Ok(())
}

fn main() -> Result<()> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    let scratch = StateDir::create()?;
    let plain = plain_factory(scratch.path())?;
    for query in &plan.queries {
        // A handful of names for the life of the program.
        compare(&plan, query.clone().leak(), &plain)?;
    }
    Ok(())
}
