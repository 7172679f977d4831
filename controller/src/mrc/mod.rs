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
mod options;
pub(crate) mod plot;
pub(crate) mod progress;
mod report;

use std::io::Write;

use anyhow::Context;

pub use options::MrcArgs;

use crate::Failure;
use input::Input;

/// Measures the curve and prints it.
///
/// # Errors
///
/// [`Failure::Usage`] if the arguments make no sense, together or for this trace; [`Failure::Failed`] if the trace cannot be read or is
/// broken, or the plot cannot be written.
pub fn mrc(arguments: &MrcArgs, out: &mut impl Write) -> Result<(), Failure> {
    arguments.check()?;
    let input = Input::open(&arguments.trace)?;
    let measured = measure::measure(arguments, input)?;
    let text = if arguments.json {
        let json = serde_json::to_string(&measured).context("cannot write the curve as JSON")?;
        json + "\n"
    } else {
        report::text(&measured)
    };
    if let Some(file) = &arguments.plot {
        plot::draw(&measured, file)?;
    }
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot print the curve")?;
    Ok(())
}
