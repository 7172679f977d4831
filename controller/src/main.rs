//! `weir`: the controller daemon and command line. Exit code 0 done, 1 failed, 64 bad usage or configuration.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use tracing_subscriber::EnvFilter;
use weir_controller::cli::{Cli, Command};
use weir_controller::{
    Failure, advise, check_config, daemon, decide, doctor, gen_config, lsm, mrc, option_profiles,
    simulate, sweep, top,
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come as errors too; a closed pipe is no reason to complain about either.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(Failure::USAGE),
            };
        }
    };
    log_to_stderr();
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("weir: {failure}");
            failure.exit_code()
        }
    }
}

fn execute(command: Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::Failed(e.into()))?;
    match command {
        Command::Run(args) => {
            let settings = args.settings()?;
            runtime.block_on(daemon::run(settings, daemon::signalled()))
        }
        Command::Advise(args) => {
            let json = args.json;
            let only = args.policy.is_some();
            let settings = args.settings()?;
            let only = only.then_some(settings.policy);
            runtime.block_on(advise::advise(&settings, only, json, &mut io::stdout()))
        }
        Command::Decide(args) => decide::decide(&args, &mut io::stdout()),
        Command::Doctor(args) => runtime.block_on(doctor::doctor(&args, &mut io::stdout())),
        Command::Top(args) => {
            let options = args.options()?;
            runtime.block_on(top::top(&options, daemon::signalled()))
        }
        Command::Options(command) => option_profiles::execute(command, &mut io::stdout()),
        Command::Simulate(args) => simulate::run(&args.options(), &mut io::stdout()),
        Command::Mrc(args) => mrc::mrc(&args, &mut io::stdout()),
        Command::Lsm(args) => lsm::lsm(&args, &mut io::stdout()),
        Command::Sweep(args) => {
            runtime.block_on(sweep::sweep(&args, daemon::signalled(), &mut io::stdout()))
        }
        Command::CheckConfig(args) => check_config::check_config(&args, &mut io::stdout()),
        Command::GenConfig(args) => gen_config::gen_config(&args, &mut io::stdout()),
    }
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
}
