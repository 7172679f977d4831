//! Polling with a deadline: ask until there is an answer, or say what never came.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(250);

/// Asks until `question` answers `Some`. An error is taken for "not yet" and quoted when the deadline has passed.
pub fn until<T>(
    what: &str,
    deadline: Duration,
    mut question: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let last = match question() {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => String::new(),
            Err(error) => format!("; last error: {error:#}"),
        };
        if start.elapsed() > deadline {
            bail!(
                "waited {} s for {what}, it did not come{last}",
                deadline.as_secs()
            );
        }
        sleep(PAUSE);
    }
}

/// Like [`until`] for a plain condition.
pub fn until_true(
    what: &str,
    deadline: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    until(what, deadline, || Ok(condition()?.then_some(())))
}
