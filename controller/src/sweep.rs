//! `weir sweep`: gives the caches of a running job one size after another, without a restart, and holds the miss ratios that are measured
//! against those that the curves predicted at the start.

mod measure;
mod patient;
mod plan;
mod plot;
mod point;
mod show;
mod subject;

use std::fs;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use weir_scaling::Bytes;

use crate::Failure;
use crate::agent_client::AgentClient;
use crate::clock::now_ms;
use crate::mrc::plot::PlotFile;
use measure::Meter;
use plan::SweepPlan;
use point::{FoundSize, Line, Point};
use subject::Subject;

/// Arguments of `weir sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// TOML file with agents, operators, sizes and a file for the results (docs/operate.md).
    pub plan: PathBuf,
    /// Say what would be done and what is predicted, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Print the points as JSON.
    #[arg(long)]
    pub json: bool,
    /// Write the points as CSV too.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Draw predicted and measured miss ratios; .svg or .png.
    #[arg(long, value_name = "FILE", value_parser = PlotFile::parse)]
    pub plot: Option<PlotFile>,
}

/// Sweeps, or goes on with a sweep that was ended before its time. The sizes are put back whatever happens, also when `stop` comes.
pub async fn sweep(
    args: &SweepArgs,
    stop: impl Future<Output = ()>,
    out: &mut (impl Write + Send),
) -> Result<(), Failure> {
    let plan = SweepPlan::read(&args.plan).map_err(Failure::Usage)?;
    let client = AgentClient::new(plan.timeout, plan.agent_token.clone())?;
    let mut lines = point::read(&plan.results)?;
    if let Some(left) = point::left_behind(&lines).filter(|_| !args.dry_run) {
        eprintln!("the last sweep was killed; its sizes are put back first");
        restore(&client, &plan.results, left).await?;
    }
    let subject = Subject::find(&client, &plan)
        .await
        .map_err(Failure::Usage)?;
    let done = measured_before(&lines, &subject, &plan)?;
    let left: Vec<u64> = plan
        .sizes
        .iter()
        .copied()
        .filter(|size| !done.iter().any(|p| p.bytes == *size))
        .collect();
    if args.dry_run {
        return print(out, &dry_run(&plan, &subject, &done));
    }
    let mut ended = Ok(());
    if !left.is_empty() {
        let found = subject.found();
        let start = Line::Start {
            at_ms: now_ms(),
            found: found.clone(),
        };
        point::append(&plan.results, &start)?;
        let swept = tokio::select! {
            swept = measure_all(&client, &plan, &subject, &left) => swept,
            () = stop => Err(anyhow!("interrupted; run it again to go on with the sizes that are left")),
        };
        let restored = restore(&client, &plan.results, &found).await;
        ended = swept.and(restored);
        lines = point::read(&plan.results)?;
    }
    let points: Vec<Point> = measured_before(&lines, &subject, &plan)?;
    if let Some(file) = &args.csv {
        fs::write(file, show::csv(&points))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = args.plot.as_ref().filter(|_| !points.is_empty()) {
        plot::draw(&points, file)?;
    }
    let text = if args.json {
        let json = show::json(&points);
        serde_json::to_string_pretty(&json).context("cannot write the points as JSON")? + "\n"
    } else {
        show::table(&points)
    };
    print(out, &text)?;
    ended.map_err(Failure::Failed)
}

async fn measure_all(
    client: &AgentClient,
    plan: &SweepPlan,
    subject: &Subject,
    left: &[u64],
) -> anyhow::Result<()> {
    let meter = Meter::new(client, plan, subject)?;
    let is_terminal = std::io::stderr().is_terminal();
    for (number, size) in left.iter().enumerate() {
        let label = format!("size {} of {}, {}", number + 1, left.len(), Bytes(*size));
        let mut last = String::new();
        let mut say = |what: &str| {
            if is_terminal {
                eprint!("\r{label}: {what}\x1b[K");
            } else if !what.starts_with("counting") || !last.starts_with("counting") {
                // A file gets a line for each step, not one a second.
                eprintln!("{label}: {what}");
            }
            last = what.to_owned();
        };
        let point = meter.measure(*size, &mut say).await?;
        if is_terminal {
            eprint!("\r\x1b[K");
        }
        point::append(&plan.results, &Line::Point(point))?;
    }
    Ok(())
}

/// Puts the sizes back and writes down that it was done.
async fn restore(client: &AgentClient, results: &Path, found: &[FoundSize]) -> anyhow::Result<()> {
    subject::put_back(client, found).await?;
    point::append(results, &Line::PutBack { at_ms: now_ms() })
}

/// Points of the plan's sizes that are in the file already, of the same operators.
fn measured_before(
    lines: &[Line],
    subject: &Subject,
    plan: &SweepPlan,
) -> Result<Vec<Point>, Failure> {
    let mut names: Vec<String> = subject.operators().into_keys().map(|o| o.name).collect();
    names.sort();
    let mut points: Vec<Point> = Vec::new();
    for point in point::points(lines) {
        let operators = point.operators.iter();
        let mut theirs: Vec<&str> = operators.map(|o| o.operator.as_str()).collect();
        theirs.sort_unstable();
        if theirs != names {
            return Err(Failure::Usage(anyhow!(
                "{} holds a sweep of {}, and this one is of {}; name another file for the results",
                plan.results.display(),
                theirs.join(", "),
                names.join(", ")
            )));
        }
        if plan.sizes.contains(&point.bytes) && !points.iter().any(|p| p.bytes == point.bytes) {
            points.push(point.clone());
        }
    }
    Ok(points)
}

fn dry_run(plan: &SweepPlan, subject: &Subject, done: &[Point]) -> String {
    let mut text = String::new();
    for size in &plan.sizes {
        let is_done = done.iter().any(|p| p.bytes == *size);
        for operator in subject.operators().keys() {
            let prediction = subject.predict(operator, *size);
            text.push_str(&format!(
                "{} at {}: {:.2} % predicted ({:.2} - {:.2} %){}\n",
                operator.name,
                Bytes(*size),
                prediction.value * 100.0,
                prediction.low * 100.0,
                prediction.high * 100.0,
                if is_done { ", measured already" } else { "" }
            ));
        }
    }
    text.push_str("nothing was changed (--dry-run)\n");
    text
}

fn print(out: &mut impl Write, text: &str) -> Result<(), Failure> {
    out.write_all(text.as_bytes()).context("cannot write")?;
    Ok(())
}
