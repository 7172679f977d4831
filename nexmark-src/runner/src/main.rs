//! The command line `nexmark`: runs Nexmark's queries on a Flink cluster, measures, compares and checks them.
//!
//! | file | what |
//! |---|---|
//! | `cli` | commands and options |
//! | `queries` | which queries there are, and which Flink SQL cannot express |
//! | `run`, `cluster_metrics`, `progress` | one query after the other, measured |
//! | `result` | what was measured, as table and JSON, and the comparison of two of them |
//! | `export` | events as CSV |
//! | `check`, `expected`, `check_report` | answers held against another engine's |
#![forbid(unsafe_code)]

mod check;
mod check_report;
mod cli;
mod cluster_metrics;
mod expected;
mod export;
mod progress;
mod queries;
mod result;
mod run;

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
