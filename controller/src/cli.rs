//! The command line.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Parser, Subcommand};

use crate::check_config::CheckConfigArgs;
use crate::decide::DecideArgs;
use crate::doctor::DoctorArgs;
use crate::gen_config::GenConfigArgs;
use crate::lsm::LsmArgs;
use crate::mrc::MrcArgs;
use crate::option_profiles::OptionsCommand;
use crate::raw_settings::RawSettings;
use crate::settings::{Settings, base_url};
use crate::simulate::SimulateOptions;
use crate::sweep::SweepArgs;
use crate::top::TopOptions;
use crate::{Failure, duration};

/// Measures and regulates the memory of stateful stream processing.
#[derive(Debug, Parser)]
#[command(name = "weir", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the controller: observe, decide, and act where allowed.
    Run(Box<RunArgs>),
    /// Look at agents once and print what would be done; changes nothing.
    Advise(AdviseArgs),
    /// Decide on files: recorded dataflows, or a snapshot.
    Decide(DecideArgs),
    /// Show a controller's live table.
    Top(TopArgs),
    /// Look at agents, Flink and controller, and say what is wrong and what to do.
    Doctor(DoctorArgs),
    /// List, check and explain RocksDB option profiles.
    #[command(subcommand)]
    Options(OptionsCommand),
    /// Run policies against a scenario in virtual time.
    Simulate(SimulateArgs),
    /// Measure the miss ratio curve of a recorded trace of block look-ups.
    Mrc(Box<MrcArgs>),
    /// Show what happened to LSM trees, out of the LOG files that RocksDB wrote: flushes, compactions, levels, stalls.
    Lsm(LsmArgs),
    /// Give a running job's caches one size after another, and hold what is measured against what the curves predicted.
    Sweep(SweepArgs),
    /// Check Flink's configuration and the controller's before anything starts.
    CheckConfig(CheckConfigArgs),
    /// Print a complete configuration of Flink's, or of the controller.
    GenConfig(GenConfigArgs),
}

/// Arguments of `weir run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// TOML file with the keys below; flags come before it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The settings.
    #[command(flatten)]
    pub settings: RawSettings,
}

/// Arguments of `weir advise`.
#[derive(Debug, Args)]
pub struct AdviseArgs {
    /// TOML file as for `weir run`.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Agent to ask (may be repeated).
    #[arg(long, value_name = "URL")]
    pub agent: Option<Vec<String>>,
    /// Flink's REST API.
    #[arg(long, value_name = "URL")]
    pub flink: Option<String>,
    /// Time over which lookups are counted [default: 10s].
    #[arg(long, value_name = "TIME")]
    pub window: Option<String>,
    /// `weir`, `ds2`, `justin`, `a4s`, `static`, ... [default: all of them side by side].
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Print snapshot, plan and reasons as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `weir top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// The controller.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9240")]
    pub controller: String,
    /// Time from one look to the next.
    #[arg(long, value_name = "TIME", default_value = "1s")]
    pub interval: String,
    /// Look once and end.
    #[arg(long)]
    pub once: bool,
    /// Print the status as JSON, a line each time.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `weir simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// TOML file with operators, plants, targets, prices and budgets (docs/simulator.md).
    #[arg(long, value_name = "FILE")]
    pub scenario: PathBuf,
    /// Policies to compare, by name.
    #[arg(
        long,
        value_name = "NAME,...",
        value_delimiter = ',',
        default_value = "weir"
    )]
    pub policy: Vec<String>,
    /// Add the cheapest static shapes that meet the targets, found by exhaustive search.
    #[arg(long)]
    pub oracle: bool,
    /// Print JSON, one line a policy.
    #[arg(long)]
    pub json: bool,
}

// === impl RunArgs ===

impl RunArgs {
    /// The settings, complete and checked.
    pub fn settings(self) -> Result<Settings, Failure> {
        settings(self.config, self.settings)
    }
}

// === impl AdviseArgs ===

impl AdviseArgs {
    /// The settings, complete and checked.
    pub fn settings(self) -> Result<Settings, Failure> {
        let flags = RawSettings {
            agent: self.agent,
            flink: self.flink,
            window: self.window,
            policy: self.policy,
            ..RawSettings::default()
        };
        settings(self.config, flags)
    }
}

// === impl TopArgs ===

impl TopArgs {
    /// The options, checked.
    pub fn options(self) -> Result<TopOptions, Failure> {
        let usage = |message: String| Failure::Usage(anyhow!(message));
        let interval =
            duration::parse(&self.interval).map_err(|e| usage(format!("interval: {e}")))?;
        if interval.is_zero() {
            return Err(usage(
                "interval: must be longer than zero, such as `1s`".to_owned(),
            ));
        }
        Ok(TopOptions {
            controller: base_url(&self.controller).map_err(Failure::Usage)?,
            interval,
            once: self.once,
            json: self.json,
        })
    }
}

// === impl SimulateArgs ===

impl SimulateArgs {
    /// The options.
    #[must_use]
    pub fn options(self) -> SimulateOptions {
        SimulateOptions {
            scenario: self.scenario,
            policies: self.policy,
            oracle: self.oracle,
            json: self.json,
        }
    }
}

fn settings(file: Option<PathBuf>, flags: RawSettings) -> Result<Settings, Failure> {
    let file = file.as_deref().map(RawSettings::read).transpose();
    let raw = file.map_err(Failure::Usage)?.unwrap_or_default();
    flags.or(raw).check().map_err(Failure::Usage)
}
