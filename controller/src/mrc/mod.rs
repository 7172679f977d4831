//! `weir mrc TRACE`: the miss ratio curve of a recorded trace.
//!
//! ```text
//! file --Input--> TraceAccess --Watch--> Estimator, Exact --> Measured --> table, JSON, plot
//! ```
//!
//! The trace streams through; memory does not grow with it, unless the exact curve is asked for.

mod exact;
mod grid;
mod input;
mod measure;
mod mrc_bin;
mod options;
pub(crate) mod plot;
pub(crate) mod progress;
mod report;

use std::io::Write;

use anyhow::Context;

pub use options::MrcArgs;

use crate::Failure;
use input::Input;
use mrc_bin::BlockCurve;

/// Measures the curve and prints it.
///
/// # Errors
///
/// [`Failure::Usage`] if the arguments make no sense, together or for this trace; [`Failure::Failed`] if the trace cannot be read or is
/// broken, or the plot cannot be written.
pub fn mrc(arguments: &MrcArgs, out: &mut impl Write) -> Result<(), Failure> {
    arguments.check()?;
    let input = Input::open(&arguments.trace)?;
    let other = match (&arguments.beside, arguments.block_bytes) {
        (Some(file), Some(block_bytes)) => Some((BlockCurve::read(file)?, block_bytes)),
        _ => None,
    };
    let mut measured = measure::measure(arguments, input)?;
    if let Some((other, block_bytes)) = other {
        for point in measured.points.iter_mut().chain(&mut measured.capacity) {
            point.beside = Some(other.at(point.bytes, block_bytes));
        }
    }
    let text = if arguments.json {
        let json = serde_json::to_string(&measured).context("cannot write the curve as JSON")?;
        json + "\n"
    } else {
        report::text(&measured)
    };
    if let (Some(file), Some(block_bytes)) = (&arguments.write_mrc, arguments.block_bytes) {
        let points = measured.points.iter().chain(&measured.capacity);
        let sizes = points.map(|p| (p.bytes, p.exact.unwrap_or(p.miss_ratio)));
        BlockCurve::of(sizes, block_bytes).write(file)?;
    }
    if let Some(file) = &arguments.plot {
        plot::draw(&measured, file)?;
    }
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot print the curve")?;
    Ok(())
}
