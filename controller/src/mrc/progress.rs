//! How far a long computation is: one line on standard error, if that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Time between two updates of the line.
const PAUSE: Duration = Duration::from_millis(200);
const WIDTH: usize = 30;

/// The line.
#[derive(Debug)]
pub struct Progress {
    label: String,
    shown: bool,
    next: Instant,
    dirty: bool,
}

// === impl Progress ===

impl Progress {
    /// Nothing is shown before the first [`Self::update`].
    #[must_use]
    pub fn new(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            shown: io::stderr().is_terminal(),
            next: Instant::now() + PAUSE,
            dirty: false,
        }
    }

    /// Shows how much is done, if it is time to. `total` is `None` where the end is not known.
    pub fn update(&mut self, done: u64, total: Option<u64>, note: impl FnOnce() -> String) {
        if !self.shown || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + PAUSE;
        self.dirty = true;
        let line = line(&self.label, done, total, &note());
        // A terminal that cannot be written to is no reason to fail.
        let _ = write!(io::stderr(), "\r{line}\x1b[K");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.dirty {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(label: &str, done: u64, total: Option<u64>, note: &str) -> String {
    match total {
        Some(total) if total > 0 => {
            let share = (done as f64 / total as f64).min(1.0);
            let full = (share * WIDTH as f64) as usize;
            let bar = "#".repeat(full) + &" ".repeat(WIDTH - full);
            format!("{label} [{bar}] {:3.0} %  {note}", share * 100.0)
        }
        _ => format!("{label}  {note}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills() {
        assert_eq!(
            line("reading", 1, Some(2), "x"),
            format!("reading [{}{}]  50 %  x", "#".repeat(15), " ".repeat(15))
        );
        assert!(line("reading", 9, Some(2), "").contains("100 %"));
        assert_eq!(line("reading", 7, None, "7 B"), "reading  7 B");
        assert_eq!(line("reading", 7, Some(0), "7 B"), "reading  7 B");
    }
}
