//! The command line `nexmark`: runs Nexmark's queries on a Flink cluster, measures, compares and checks them.
//!
//! | file | what |
//! |---|---|
//! | `cli` | commands and options |
//! | `queries` | which queries there are, and which Flink SQL cannot express |
//! | `run`, `job`, `cluster_metrics`, `progress` | one query after the other, measured |
//! | `result` | what was measured, as table and JSON, and the comparison of two of them |
//! | `export` | events as CSV |
//! | `explain` | how Flink would run a query |
//! | `limiter`, `sources` | whether the source keeps a rate; how fast it is beside one in plain Java |
//! | `check`, `expected`, `check_report` | answers held against another engine's |
#![forbid(unsafe_code)]

mod check;
mod check_report;
mod cli;
mod cluster_metrics;
mod expected;
mod explain;
mod export;
mod job;
mod limiter;
mod progress;
mod queries;
mod result;
mod run;
mod sources;
#[cfg(test)]
mod stand_in;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Command, Nexmark};

fn main() -> ExitCode {
    let outcome = match Nexmark::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Compare { before, after } => result::compare(&before, &after).map(|()| true),
        Command::Export {
            events,
            seed,
            rate,
            out,
        } => export::export(events, seed, rate, &out).map(|()| true),
        Command::Check(options) => check::check(&options),
        Command::Explain(options) => explain::explain(&options).map(|()| true),
        Command::Limiter(options) => limiter::limiter(&options),
        Command::Sources(options) => sources::sources(&options),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("nexmark: {error:#}");
            ExitCode::FAILURE
        }
    }
}
