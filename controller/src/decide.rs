//! `weir decide`: decisions on files, without any cluster.
//!
//! `--dataflow FILE` holds one dataflow with the rates of its instances on every line, and gets DS2's `{operator: parallelism}` on
//! every line. `--snapshot FILE` holds a snapshot as the history and `weir advise --json` write it, and gets the policy's plan after
//! the guard.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::{Deserialize, Serialize};
use weir_scaling::{DataflowRecord, Guard, History, JobLimits, Limits, Plan, Snapshot};

use crate::policies::PolicyName;
use crate::{Failure, table};

/// Arguments of `weir decide`.
#[derive(Debug, clap::Args)]
pub struct DecideArgs {
    /// Dataflows with rates, one JSON object a line (policy `ds2` only).
    #[arg(long, value_name = "FILE", conflicts_with = "snapshot")]
    pub dataflow: Option<PathBuf>,
    /// A snapshot, or a line of the history that holds one, as JSON.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// What is known of the past, as JSON; with --snapshot.
    #[arg(long, value_name = "FILE", requires = "snapshot")]
    pub history: Option<PathBuf>,
    /// Name of the policy [default: ds2 for dataflows, weir for snapshots].
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Share of instances that DS2 adds to what the target needs; with --dataflow.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub scaling_factor: f64,
    /// Print the plan as JSON; with --snapshot.
    #[arg(long)]
    pub json: bool,
}

/// A line of the history that holds a snapshot.
#[derive(Deserialize)]
struct Within {
    snapshot: Snapshot,
}

#[derive(Serialize)]
struct Decision<'a> {
    plan: &'a Plan,
    sentences: Vec<String>,
}

/// Decides on files, and writes to `out`.
pub fn decide(args: &DecideArgs, out: &mut impl Write) -> Result<(), Failure> {
    match (&args.dataflow, &args.snapshot) {
        (Some(path), _) => decide_dataflows(args, path, out),
        (None, Some(path)) => decide_snapshot(args, path, out),
        (None, None) => Err(Failure::Usage(anyhow!(
            "nothing to decide on; name a file with --dataflow or --snapshot"
        ))),
    }
}

fn decide_dataflows(args: &DecideArgs, path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let policy = args.policy.as_deref().unwrap_or("ds2");
    if policy != "ds2" {
        return Err(Failure::Usage(anyhow!(
            "policy: `{policy}` cannot decide on a dataflow, which has rates alone; use ds2, or --snapshot"
        )));
    }
    let factor = args.scaling_factor;
    if !factor.is_finite() || factor < 0.0 {
        return Err(Failure::Usage(anyhow!(
            "scaling-factor: {factor} is not a share; write a number from 0, such as 0.2"
        )));
    }
    let text = read(path)?;
    for (line, number) in text.lines().zip(1..).filter(|(l, _)| !l.trim().is_empty()) {
        let place = || format!("{}, line {number}", path.display());
        let record: DataflowRecord = serde_json::from_str(line)
            .with_context(place)
            .map_err(Failure::Usage)?;
        let dataflow = record
            .dataflow()
            .with_context(place)
            .map_err(Failure::Usage)?;
        let decided = dataflow
            .decide(factor)
            .with_context(place)
            .map_err(Failure::Usage)?;
        write_json(&decided, out)?;
    }
    Ok(())
}

fn decide_snapshot(args: &DecideArgs, path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let name = args.policy.as_deref().unwrap_or("weir");
    let limits = Limits::default();
    let policy = name
        .parse::<PolicyName>()
        .map_err(Failure::Usage)?
        .build(limits);
    let snapshot = parse_snapshot(&read(path)?)
        .with_context(|| format!("{} holds no snapshot", path.display()))
        .map_err(Failure::Usage)?;
    let history = match &args.history {
        Some(path) => serde_json::from_str(&read(path)?)
            .with_context(|| format!("{} holds no history", path.display()))
            .map_err(Failure::Usage)?,
        None => History::default(),
    };
    let guard = Guard::new(limits).with_job_limits(JobLimits::default());
    let plan = guard.review(policy.decide(&snapshot, &history), &snapshot, &history);
    if args.json {
        let sentences = table::sentences(&plan);
        let plan = &plan;
        return write_json(&Decision { plan, sentences }, out);
    }
    write!(out, "{}", table::advice(&plan)).map_err(|e| Failure::Failed(e.into()))
}

/// A snapshot, bare or within a line of the history; an error names the field.
fn parse_snapshot(text: &str) -> serde_json::Result<Snapshot> {
    #[derive(Deserialize)]
    struct Kind {
        snapshot: Option<serde::de::IgnoredAny>,
    }
    let kind: Kind = serde_json::from_str(text)?;
    match kind.snapshot {
        Some(_) => serde_json::from_str::<Within>(text).map(|line| line.snapshot),
        None => serde_json::from_str(text),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .map_err(Failure::Usage)
}

fn write_json(value: &impl Serialize, out: &mut impl Write) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|e| Failure::Failed(e.into()))?;
    writeln!(out, "{text}").map_err(|e| Failure::Failed(e.into()))
}
