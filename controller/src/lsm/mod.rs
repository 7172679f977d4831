//! `weir lsm LOG...`: what happened to LSM trees, out of the LOG files that RocksDB wrote beside them.
//!
//! ```text
//! files --logs--> lines --line--> Said --timeline--> flushes, compactions, shapes --interval--> table, JSON, plot
//! ```
//!
//! Nothing has to run, and nothing of Weir has to have run: any database's log will do.

mod interval;
mod line;
mod logs;
mod plot;
mod report;
#[cfg(test)]
mod tests;
mod timeline;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;

use crate::mrc::plot::PlotFile;
use crate::{Failure, duration};
use interval::Intervals;

/// Rows of a table where no interval is asked for.
const ROWS: u64 = 20;
/// Rows of a table at most; more are a mistake in the unit.
const MOST_ROWS: u64 = 100_000;

/// Arguments of `weir lsm`.
#[derive(Debug, Args)]
pub struct LsmArgs {
    /// LOG files of RocksDB's, also `LOG.old.*`; or folders, which are searched for them. Files of one database are read as one.
    #[arg(required = true, value_name = "LOG")]
    pub logs: Vec<PathBuf>,
    /// Time from one row to the next, such as `10s` [default: a twentieth of the time that the logs cover, rounded].
    #[arg(long, value_name = "TIME")]
    pub interval: Option<String>,
    /// Print JSON: totals, intervals, and every flush, compaction and stall.
    #[arg(long)]
    pub json: bool,
    /// Draw bytes and files by level, flushes, compactions and stalls over time into this file, `.svg` or `.png`; several databases
    /// are added up.
    #[arg(long, value_name = "FILE", value_parser = PlotFile::parse)]
    pub plot: Option<PlotFile>,
}

/// Reads the logs and shows what happened.
///
/// # Errors
///
/// [`Failure::Usage`] if the interval makes no sense for these logs; [`Failure::Failed`] if a log cannot be read or is none, or the plot
/// cannot be written.
pub fn lsm(arguments: &LsmArgs, out: &mut impl Write) -> Result<(), Failure> {
    let asked = arguments.interval.as_deref().map(duration::parse);
    let asked = asked
        .transpose()
        .map_err(|e| Failure::Usage(anyhow!("interval: {e}")))?;
    let mut read = Vec::new();
    for log in logs::find(&arguments.logs)? {
        read.push(logs::read(log)?);
    }
    for warning in read.iter().flat_map(|log| &log.warnings) {
        tracing::warn!("{warning}");
    }
    let spans = read.iter().filter_map(|log| log.timeline.span);
    let span = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let (start, end) = span.unwrap_or((0, 0));
    let micros = width(asked, end - start)?;
    let intervals = Intervals {
        start_micros: start,
        end_micros: end,
        width_micros: micros,
    };
    let report = report::of(&read, intervals);
    if let Some(file) = &arguments.plot {
        plot::draw(&read, intervals, file)?;
    }
    let text = if arguments.json {
        serde_json::to_string(&report).context("cannot write the timeline as JSON")? + "\n"
    } else {
        report::text(&report)
    };
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot print the timeline")?;
    Ok(())
}

/// Width of an interval in microseconds.
fn width(asked: Option<Duration>, span_micros: u64) -> Result<u64, Failure> {
    let Some(asked) = asked else {
        return Ok(round_width(span_micros / ROWS));
    };
    let micros = u64::try_from(asked.as_micros()).unwrap_or(u64::MAX);
    if micros == 0 || span_micros / micros >= MOST_ROWS {
        return Err(Failure::Usage(anyhow!(
            "interval: {asked:?} over logs of {:?} would be more than {MOST_ROWS} rows; write a longer one, such as `{:?}`",
            Duration::from_micros(span_micros),
            Duration::from_micros(round_width(span_micros / ROWS))
        )));
    }
    Ok(micros)
}

/// The next width above that people count in.
fn round_width(micros: u64) -> u64 {
    const MILLIS: u64 = 1_000;
    const SECONDS: u64 = 1_000_000;
    const MINUTES: u64 = 60 * SECONDS;
    const HOURS: u64 = 60 * MINUTES;
    let small = [1, 2, 5, 10, 20, 50, 100, 200, 500].map(|n| n * MILLIS);
    let seconds = [1, 2, 5, 10, 20, 30].map(|n| n * SECONDS);
    let minutes = [1, 2, 5, 10, 20, 30].map(|n| n * MINUTES);
    let hours = [1, 2, 4, 6, 12, 24].map(|n| n * HOURS);
    let widths = small.into_iter().chain(seconds).chain(minutes).chain(hours);
    let day = 24 * HOURS;
    let days = micros.div_ceil(day).saturating_mul(day);
    widths.into_iter().find(|w| *w >= micros).unwrap_or(days)
}
