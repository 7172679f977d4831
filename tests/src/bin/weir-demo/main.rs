//! `make demo`: the whole loop on a cluster of its own: two queries, one budget, memory that moves, a live table, a summary.
//!
//! Ends by itself after `DEMO_SECONDS`, or on Ctrl-C at any moment; either way no process and no temporary file stays.
#![forbid(unsafe_code)]

mod steps;
mod summary;

use std::io::IsTerminal;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use weir_protocol::CacheReport;
use weir_testbed::controller::ControllerOptions;
use weir_testbed::nexmark::STEADY_RATE;
use weir_testbed::{
    Agent, Cluster, ClusterOptions, Controller, NexmarkJob, Prometheus, artefacts, ports, process,
    wait,
};

use crate::steps::Steps;
use crate::summary::Summary;

const DEFAULT_SECONDS: u64 = 180;
/// Time for a JVM on a loaded machine to get going.
const START: Duration = Duration::from_secs(180);
/// Length of the windows that the summary compares, at the start and at the end.
const WINDOW: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nweir-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let seconds = number_from_environment("DEMO_SECONDS", DEFAULT_SECONDS)?;
    let rate = number_from_environment("DEMO_RATE", STEADY_RATE)?;
    process::clean_up_on_signals()?;
    let mut steps = Steps::new(7);

    steps.begin("finding what was built, and a Flink 1.20 to run it on");
    let weir = artefacts::weir_binary()?;
    artefacts::nexmark_jar()?;
    let controller_port = ports::free_port()?;
    let controller_url = format!("http://127.0.0.1:{controller_port}");
    let options = ClusterOptions::with_weir()?.set("weir.controller.url", &controller_url);
    steps.done(
        &artefacts::flink_distribution(artefacts::FlinkLine::V1)?
            .display()
            .to_string(),
    );

    steps.begin("starting a cluster: JobManager, one TaskManager, four slots");
    let cluster = Cluster::start(&options)?;
    steps.done(cluster.rest().url());

    steps.begin("starting the controller");
    let dir = cluster.state().subdir("controller")?;
    let controller = ControllerOptions {
        act: true,
        configuration: String::new(),
        history: dir.join("history.jsonl"),
        port: Some(controller_port),
        interval_seconds: 5,
    };
    let controller = Controller::start(&dir, &controller, &[], cluster.rest())?;
    steps.done(controller.url());

    steps.begin("submitting Nexmark q20 (bids with their auctions) and q18 (last bid per bidder and auction) as one job");
    let job = NexmarkJob::q20_and_q18(rate);
    let id = job.submit(cluster.rest())?;
    let agent = cluster.agent(Duration::from_secs(120))?;
    steps.done(&format!("{rate} events/s, agent at {}", agent.url()));

    steps.begin("starting Prometheus");
    let prometheus = if artefacts::system_program("prometheus", "prometheus").is_ok() {
        let dir = cluster.state().subdir("prometheus")?;
        let prometheus = Prometheus::start(&dir, controller.authority())?;
        steps.done(prometheus.url());
        Some(prometheus)
    } else {
        steps.done("not installed, so the demo goes without (Debian: apt-get install prometheus)");
        None
    };

    steps.begin("guessing sizes wrongly, as a configuration might: least for the join's caches, the rest for q18's");
    let caches = job.queries.len() * job.parallelism as usize;
    guess_wrongly(&agent, caches)?;
    steps.done("the controller's to put right");

    steps.begin(
        "waiting for the first write buffers to be flushed, so that there is something to look up",
    );
    agent.wait_for_curves(caches, START)?;
    let start = agent.observe(WINDOW)?;
    steps.done("every operator subtask has a curve");
    let incarnation = cluster.rest().incarnation(&id)?;

    println!("\nWatching for {seconds} s (DEMO_SECONDS); Ctrl-C ends it sooner.\n");
    show_live_table(&weir, controller.url(), Duration::from_secs(seconds))?;

    println!("\nMeasuring the outcome for {} s ...", WINDOW.as_secs());
    let end = agent.observe(WINDOW)?;
    let summary = Summary::new(&start, &end, &controller.metrics()?);
    print!("{summary}");
    ensure!(
        cluster.rest().incarnation(&id)? == incarnation,
        "the job restarted while its memory moved; see the log of the TaskManager"
    );
    println!("The job ran through: no restart, every subtask still in its first attempt.\n");

    println!("Shutting down.");
    drop((prometheus, controller, cluster));
    Ok(())
}

/// Gives every cache of a join the smallest size allowed, and divides the rest among the others.
fn guess_wrongly(agent: &Agent, caches: usize) -> Result<()> {
    let report = wait::until("every operator to open its state", START, || {
        Ok(Some(agent.report()?).filter(|r| r.caches.len() == caches))
    })?;
    let smallest = report.budget.min_cache_bytes;
    let is_join = |c: &CacheReport| c.operator.operator_name.starts_with("Join");
    let joins = report.caches.iter().filter(|c| is_join(c)).count();
    ensure!(
        joins > 0 && joins < caches,
        "the job should have joins and other stateful operators, it has {joins} of {caches}"
    );
    let rest = report.budget.cache_bytes - joins as u64 * smallest;
    let share = rest / (caches - joins) as u64;
    let sizes: Vec<_> = report
        .caches
        .iter()
        .map(|c| (c.id, if is_join(c) { smallest } else { share }))
        .collect();
    agent.resize(&sizes)?;
    Ok(())
}

/// Runs `weir top` on this terminal for a while.
fn show_live_table(weir: &std::path::Path, controller: &str, length: Duration) -> Result<()> {
    let mut top = Command::new(weir);
    // A log file wants a table now and then, a terminal one that is refreshed in place.
    let interval = if std::io::stdout().is_terminal() {
        "1s"
    } else {
        "15s"
    };
    top.args(["top", "--controller", controller, "--interval", interval]);
    if let Some(status) = process::run_in_terminal(&top, length)? {
        bail!("`weir top` ended early with {status}");
    }
    Ok(())
}

fn number_from_environment(name: &str, default: u64) -> Result<u64> {
    let Ok(text) = std::env::var(name) else {
        return Ok(default);
    };
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => bail!("the environment variable {name}={text:?} is not a positive whole number"),
    }
}
