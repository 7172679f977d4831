//! Commands and options.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use weir_testbed::artefacts::FlinkLine;

use crate::queries;

/// Nexmark on Flink: run queries, measure them, compare measurements, check answers.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Nexmark {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run queries one after the other and measure each.
    Run(RunOptions),
    /// Print two result files of `nexmark run` side by side.
    Compare {
        /// The first result file.
        before: PathBuf,
        /// The second.
        after: PathBuf,
    },
    /// Write the events of a stream as person.csv, auction.csv and bid.csv.
    Export {
        /// How many events, such as 100k.
        #[arg(long, value_parser = count)]
        events: u64,
        /// Seed of the generator.
        #[arg(long, default_value_t = 1)]
        seed: i64,
        /// Events a second, in event time.
        #[arg(long, default_value_t = 10_000, value_parser = count)]
        rate: u64,
        /// Folder to write into.
        #[arg(long)]
        out: PathBuf,
    },
    /// Run all queries on the same bounded events and hold every answer against DuckDB's.
    Check(CheckOptions),
    /// Print how Flink would run queries, for one shape of the tables or for both; nothing runs.
    Explain(ExplainOptions),
    /// Ask the source for several rates and measure what it emits, over subtasks and after a rescale.
    Limiter(LimiterOptions),
    /// Measure the native source beside the same connector in plain Java, on one core.
    Sources(SourcesOptions),
}

/// What to run, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunOptions {
    /// Queries, separated by commas, such as q20,q9; or a category: all, oa (q0 to q23), cep (cep0 to cep3).
    #[arg(value_delimiter = ',', required = true, value_parser = query)]
    pub(crate) queries: Vec<Vec<String>>,
    /// How many events to measure, such as 10M.
    #[arg(long, default_value = "10M", value_parser = at_least_one)]
    pub(crate) events: u64,
    /// Events a second over all subtasks, such as 50k; or max.
    #[arg(long, default_value = "max", value_parser = rate)]
    pub(crate) rate: Rate,
    /// Subtasks of every operator.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) parallelism: u32,
    /// Events before the measured ones, which fill the state.
    #[arg(long, default_value = "0", value_parser = count)]
    pub(crate) warmup_events: u64,
    /// After the warm-up, stop the job with a savepoint and measure a second job that is restored from it.
    #[arg(long, requires = "warmup_events")]
    pub(crate) savepoint: bool,
    /// Keep that savepoint below this folder; its path is printed. Without it the savepoint is gone when the run ends.
    #[arg(long, value_name = "FOLDER", requires = "savepoint")]
    pub(crate) keep_savepoint: Option<PathBuf>,
    /// Measure a job that is restored from this savepoint of another run's, of the same query, tables and seed. --warmup-events says how
    /// many events that one had read.
    #[arg(
        long,
        value_name = "PATH",
        requires = "warmup_events",
        conflicts_with = "savepoint"
    )]
    pub(crate) from_savepoint: Option<String>,
    /// The shape of the tables.
    #[arg(long, value_enum, default_value_t = Tables::Stream)]
    pub(crate) tables: Tables,
    /// REST address of a running Flink cluster, such as http://127.0.0.1:8081. Without it one is started for the run.
    #[arg(long)]
    pub(crate) flink: Option<String>,
    /// Which Flink to start.
    #[arg(long, value_enum, default_value_t = Line::V1, conflicts_with = "flink")]
    pub(crate) line: Line,
    /// Start Flink with Weir's agent and this memory mode; none: without.
    #[arg(long, value_enum, default_value_t = Mode::None, conflicts_with = "flink")]
    pub(crate) mode: Mode,
    /// Seed of the generator.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// An option of the generator, such as auction.num-in-flight=10000; may be given several times.
    #[arg(long = "set", value_name = "OPTION=VALUE", value_parser = pair)]
    pub(crate) settings: Vec<(String, String)>,
    /// A key of Flink's for the job; may be given several times.
    #[arg(long = "conf", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) configuration: Vec<(String, String)>,
    /// A job that reads no event for so many seconds is stalled.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) stall_seconds: u64,
    /// What becomes of the answers.
    #[arg(long, value_enum, default_value_t = Sink::Count)]
    pub(crate) sink: Sink,
    /// Write the results into this file too.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Print what would be run, and do not.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Which plans to print.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExplainOptions {
    /// Queries, separated by commas, such as q20,q9; or a category: all, oa (q0 to q23), cep (cep0 to cep3).
    #[arg(value_delimiter = ',', required = true, value_parser = query)]
    pub(crate) queries: Vec<Vec<String>>,
    /// Which Flink plans them.
    #[arg(long, value_enum, default_value_t = Line::V1)]
    pub(crate) line: Line,
    /// The shape of the tables; two shapes come side by side.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Tables::Stream])]
    pub(crate) tables: Vec<Tables>,
    /// What the plan says besides; json-execution-plan comes after it.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Detail::EstimatedCost, Detail::ChangelogMode])]
    pub(crate) detail: Vec<Detail>,
    /// Print all that Flink says: the tree as parsed and the execution plan, too.
    #[arg(long)]
    pub(crate) all: bool,
    /// Columns of the page where two plans stand side by side.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(40..))]
    pub(crate) width: u16,
    /// Subtasks of every operator.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) parallelism: u32,
    /// A key of Flink's for the job, such as table.exec.mini-batch.enabled=true; may be given several times.
    #[arg(long = "conf", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) configuration: Vec<(String, String)>,
}

/// What a plan says besides itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Detail {
    /// Nothing.
    Plan,
    /// Rows, processor time, bytes, as the planner guesses them.
    EstimatedCost,
    /// Whether rows are inserted, updated, taken back.
    ChangelogMode,
    /// What the planner would advise.
    PlanAdvice,
    /// The job's vertices as JSON.
    JsonExecutionPlan,
}

/// On what to check answers.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckOptions {
    /// Queries, separated by commas, such as q20,q9; or a category: oa (q0 to q23), cep (cep0 to cep3); without any: all.
    #[arg(value_delimiter = ',', value_parser = query)]
    pub(crate) queries: Vec<Vec<String>>,
    /// How many events; some windows need a thousand to be worth looking at.
    #[arg(long, default_value = "100k", value_parser = at_least_a_thousand)]
    pub(crate) events: u64,
    /// Seed of the generator.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Events a second, in event time.
    #[arg(long, default_value = "1000", value_parser = at_least_one)]
    pub(crate) rate: u64,
    /// Which lines of Flink.
    #[arg(long = "line", value_enum, value_delimiter = ',', default_values_t = [Line::V1, Line::V2])]
    pub(crate) lines: Vec<Line>,
    /// Which memory modes of Weir; none: without Weir.
    #[arg(long = "mode", value_enum, value_delimiter = ',', default_values_t = [Mode::None, Mode::Observe, Mode::Shared, Mode::PerOperator])]
    pub(crate) modes: Vec<Mode>,
    /// Which shapes of tables.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Tables::Stream, Tables::Keyed])]
    pub(crate) tables: Vec<Tables>,
    /// How many jobs run at a time in a cluster of four slots.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=4))]
    pub(crate) jobs: u32,
    /// Write the report into this file too, after every query.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Do not repeat what the report in the file has as equal.
    #[arg(long, requires = "json")]
    pub(crate) resume: bool,
    /// Print what would be run, and do not.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What rates to ask for.
#[derive(Debug, Clone, Args)]
pub(crate) struct LimiterOptions {
    /// Events a second.
    #[arg(long, value_delimiter = ',', default_value = "1k,10k,100k,1M", value_parser = at_least_one)]
    pub(crate) rates: Vec<u64>,
    /// How long to count.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: u64,
    /// Which Flink to start.
    #[arg(long, value_enum, default_value_t = Line::V1)]
    pub(crate) line: Line,
}

/// How to compare the native source with the one in Java.
#[derive(Debug, Clone, Args)]
pub(crate) struct SourcesOptions {
    /// Rounds of runs that count; one before them does not.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Events of a run; with few the JVM compiles for most of it.
    #[arg(long, default_value = "40M", value_parser = at_least_one)]
    pub(crate) events: u64,
    /// The query.
    #[arg(long, default_value = "q0")]
    pub(crate) query: String,
    /// The shape of the tables.
    #[arg(long, value_enum, default_value_t = Tables::Stream)]
    pub(crate) tables: Tables,
    /// Which Flink to start.
    #[arg(long, value_enum, default_value_t = Line::V1)]
    pub(crate) line: Line,
}

/// A line of Flink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Line {
    #[value(name = "1.20")]
    #[serde(rename = "1.20")]
    V1,
    #[value(name = "2")]
    #[serde(rename = "2")]
    V2,
}

/// Weir's memory mode; none: without Weir.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    None,
    Observe,
    Shared,
    PerOperator,
}

/// The shape of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tables {
    /// One event stream with views.
    Stream,
    /// A table for each kind of event, with its key.
    Keyed,
}

/// What becomes of a query's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sink {
    /// Its rows are counted and thrown away.
    Count,
    /// Flink's own connector, which only throws them away.
    Blackhole,
}

/// How fast events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rate {
    Max,
    PerSecond(u64),
}

// === impl Line ===

impl Line {
    /// As users name it.
    pub(crate) fn name(self) -> &'static str {
        self.flink().name()
    }

    pub(crate) fn flink(self) -> FlinkLine {
        match self {
            Self::V1 => FlinkLine::V1,
            Self::V2 => FlinkLine::V2,
        }
    }
}

// === impl Mode ===

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Observe => "observe",
            Self::Shared => "shared",
            Self::PerOperator => "per-operator",
        }
    }

    /// For people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::None => "without Weir",
            mode => mode.name(),
        }
    }
}

// === impl Tables ===

impl Tables {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Keyed => "keyed",
        }
    }
}

// === impl Sink ===

impl Sink {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Blackhole => "blackhole",
        }
    }
}

// === impl Rate ===

impl Rate {
    pub(crate) fn argument(self) -> String {
        match self {
            Self::Max => "max".to_owned(),
            Self::PerSecond(rate) => rate.to_string(),
        }
    }
}

fn query(text: &str) -> Result<Vec<String>, String> {
    let named = queries::named(text);
    if named.is_empty() {
        return Err(format!(
            "there is no query {text}; there are {}",
            queries::KNOWN
        ));
    }
    Ok(named)
}

/// A whole number, where `k`, `M` and `G` stand for thousands, millions and thousands of millions.
fn count(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "" => Some(1),
        "k" | "K" => Some(1_000),
        "m" | "M" => Some(1_000_000),
        "g" | "G" => Some(1_000_000_000_u64),
        _ => None,
    };
    factor
        .and_then(|factor| digits.parse::<u64>().ok()?.checked_mul(factor))
        .ok_or_else(|| {
            format!("{text} is not a count; expected a whole number such as 100000, 100k or 10M")
        })
}

impl Detail {
    /// As the job's command line has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::EstimatedCost => "estimated_cost",
            Self::ChangelogMode => "changelog_mode",
            Self::PlanAdvice => "plan_advice",
            Self::JsonExecutionPlan => "json_execution_plan",
        }
    }
}

fn at_least_one(text: &str) -> Result<u64, String> {
    match count(text)? {
        0 => Err("0 is too few; expected 1 or more".to_owned()),
        count => Ok(count),
    }
}

fn at_least_a_thousand(text: &str) -> Result<u64, String> {
    match count(text)? {
        count if count >= 1_000 => Ok(count),
        count => Err(format!("{count} is too few; expected 1000 or more")),
    }
}

fn rate(text: &str) -> Result<Rate, String> {
    match text.strip_suffix("/s").unwrap_or(text) {
        "max" => Ok(Rate::Max),
        number => at_least_one(number).map(Rate::PerSecond),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("{text} is not of the form key=value")),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Command, Nexmark, Rate};

    #[test]
    fn the_command_line_is_consistent_and_takes_what_it_promises() {
        Nexmark::command().debug_assert();
        let line = "nexmark run q20,q9 --events 10M --rate 50k/s --parallelism 2 --warmup-events 2M --savepoint";
        let Command::Run(run) = Nexmark::parse_from(line.split(' ')).command else {
            panic!("not a run");
        };
        assert_eq!(run.queries.concat(), ["q20", "q9"]);
        assert_eq!(run.events, 10_000_000);
        assert_eq!(run.rate, Rate::PerSecond(50_000));
        assert_eq!(run.warmup_events, 2_000_000);
        assert!(run.savepoint);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, hint) in [
            ("nexmark run q24", "there are q0 to q23"),
            ("nexmark run cep4", "cep0 to cep3"),
            ("nexmark run q1 --events 0", "expected 1 or more"),
            ("nexmark run q1 --events 5x", "not a count"),
            ("nexmark run q1 --rate fast", "not a count"),
            ("nexmark run q1 --set price", "key=value"),
            ("nexmark run q1 --from-savepoint /s", "--warmup-events"),
            (
                "nexmark run q1 --from-savepoint /s --warmup-events 1k --savepoint",
                "cannot be used with",
            ),
            ("nexmark run q1 --keep-savepoint /s", "--savepoint"),
            (
                "nexmark run q1 --flink http://localhost --line 2",
                "cannot be used with",
            ),
        ] {
            let error = Nexmark::try_parse_from(line.split(' '))
                .unwrap_err()
                .to_string();
            assert!(error.contains(hint), "{line}: {error}");
        }
    }
}
