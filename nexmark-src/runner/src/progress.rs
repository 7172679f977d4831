//! How far a job is, on one line of the terminal, and whether it still moves.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

const BAR: usize = 30;

/// A bar for one job.
#[derive(Debug)]
pub(crate) struct Progress {
    title: String,
    /// Events until the end.
    total: u64,
    done: u64,
    moved: Instant,
    drawn: bool,
}

// === impl Progress ===

impl Progress {
    pub(crate) fn new(title: String, total: u64) -> Self {
        Self {
            title,
            total,
            done: 0,
            moved: Instant::now(),
            drawn: false,
        }
    }

    /// Notes how many events are done.
    pub(crate) fn at(&mut self, done: u64) {
        if done > self.done {
            self.done = done;
            self.moved = Instant::now();
        }
        if io::stderr().is_terminal() {
            eprint!("\r{}", self.line());
            // A bar that cannot be drawn stops no measurement.
            let _ = io::stderr().flush();
            self.drawn = true;
        }
    }

    /// Most events that were noted.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    /// For how long nothing has moved.
    pub(crate) fn still_for(&self) -> Duration {
        self.moved.elapsed()
    }

    fn line(&self) -> String {
        let share = (self.done as f64 / self.total.max(1) as f64).min(1.0);
        let full = (share * BAR as f64) as usize;
        format!(
            "{:<24} [{}{}] {:>3.0} %  {} of {} events",
            self.title,
            "#".repeat(full),
            " ".repeat(BAR - full),
            share * 100.0,
            self.done,
            self.total
        )
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            eprintln!();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;

    #[test]
    fn the_bar_fills_and_never_goes_back() {
        let mut progress = Progress::new("q20".to_owned(), 200);
        progress.at(100);
        progress.at(50);
        assert_eq!(progress.done(), 100);
        assert!(
            progress
                .line()
                .contains("[###############               ]  50 %"),
            "{}",
            progress.line()
        );
        progress.at(300);
        assert!(progress.line().contains("100 %"));
    }
}
