//! `weir simulate`: policies against a scenario in virtual time.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use comfy_table::{CellAlignment, Table, presets};
use weir_scaling::sim::{Outcome, Scenario, oracle, simulate};
use weir_scaling::{Limits, POLICY_NAMES, Policy, policy_by_name};

use crate::Failure;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct SimulateOptions {
    /// The scenario's TOML file; CSV files it names lie beside it.
    pub scenario: PathBuf,
    /// Names of policies.
    pub policies: Vec<String>,
    /// Whether to add the cheapest static shapes.
    pub oracle: bool,
    /// Whether to print JSON, one object a policy and line.
    pub json: bool,
}

/// Simulates and prints to `out`.
///
/// # Errors
///
/// [`Failure::Usage`] for a scenario or a policy that cannot be, naming it.
pub fn run(options: &SimulateOptions, out: &mut impl Write) -> Result<(), Failure> {
    let scenario = read(&options.scenario)?;
    let policies: Vec<_> = options
        .policies
        .iter()
        .map(|name| policy(name))
        .collect::<Result<_, _>>()?;
    let mut outcomes = Vec::new();
    for policy in &policies {
        outcomes.push(simulate(&scenario, policy.as_ref()));
    }
    if options.oracle {
        let best = oracle(&scenario).map_err(|e| Failure::Usage(anyhow!("--oracle: {e}")))?;
        outcomes.push(best);
    }
    let text = if options.json {
        let lines: Result<Vec<String>, _> = outcomes.iter().map(serde_json::to_string).collect();
        lines.map_err(|e| Failure::Failed(e.into()))?.join("\n")
    } else {
        table(&outcomes)
    };
    writeln!(out, "{text}").map_err(|e| Failure::Failed(e.into()))
}

fn policy(name: &str) -> Result<Box<dyn Policy + Send + Sync>, Failure> {
    policy_by_name(name, Limits::default()).ok_or_else(|| {
        let known = POLICY_NAMES.join(", ");
        Failure::Usage(anyhow!("--policy: `{name}` is unknown; there are {known}"))
    })
}

fn read(file: &Path) -> Result<Scenario, Failure> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("--scenario: cannot read {}", file.display()))
        .map_err(Failure::Usage)?;
    let beside = file.parent().unwrap_or(Path::new("."));
    let load = |name: &str| {
        let path = beside.join(name);
        std::fs::read_to_string(&path).map_err(|e| {
            let shown = path.display();
            format!(
                "cannot read {shown}: {e}; give a path relative to the scenario, or an absolute one"
            )
        })
    };
    Scenario::parse(&text, load)
        .with_context(|| file.display().to_string())
        .map_err(Failure::Usage)
}

/// The outcomes side by side, then every change of shape.
fn table(outcomes: &[Outcome]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut header = vec![String::new()];
    header.extend(outcomes.iter().map(|o| o.policy.clone()));
    table.set_header(header);
    type Row = (&'static str, fn(&Outcome) -> String);
    let rows: [Row; 11] = [
        ("cost", |o| format!("{:.0}", o.cost)),
        ("slot seconds", |o| format!("{:.0}", o.slot_seconds)),
        ("GiB seconds", |o| format!("{:.0}", o.gib_seconds)),
        ("seconds below target", |o| o.below_target_s.to_string()),
        ("the same with grace", |o| {
            o.below_target_with_grace_s.to_string()
        }),
        ("phases missed", |o| o.missed_phases.to_string()),
        ("restarts", |o| o.restarts.to_string()),
        ("resizes", |o| o.resizes.to_string()),
        ("late actions", |o| o.late_actions.to_string()),
        ("plans over budget", |o| o.refused.to_string()),
        ("longest backlog, s", |o| format!("{:.0}", o.backlog_max_s)),
    ];
    for (name, value) in rows {
        let mut row = vec![name.to_owned()];
        row.extend(outcomes.iter().map(value));
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = table.trim_fmt();
    for outcome in outcomes {
        text.push_str(&format!("\n\n{}\n", outcome.policy));
        let lines = outcome.decisions.iter().map(|d| {
            format!(
                "  {:>6} s  {}: {} x {:.1} MiB  {}",
                d.at_s, d.operator, d.parallelism, d.cache_mib, d.why
            )
        });
        text.push_str(&lines.collect::<Vec<_>>().join("\n"));
    }
    text
}
