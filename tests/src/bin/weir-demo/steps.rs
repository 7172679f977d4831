//! Progress of the long steps: `[2/6] starting a cluster ... 7 s: http://...`.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A dot every so often says that a long step is alive.
const DOT: Duration = Duration::from_secs(2);

/// Numbers and times the steps.
pub struct Steps {
    total: usize,
    number: usize,
    started: Instant,
    dots: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Steps {
    /// `total` steps are to come.
    pub fn new(total: usize) -> Self {
        Self {
            total,
            number: 0,
            started: Instant::now(),
            dots: None,
        }
    }

    /// Announces the next step.
    pub fn begin(&mut self, what: &str) {
        self.number += 1;
        self.started = Instant::now();
        say(&format!("[{}/{}] {what} ", self.number, self.total));
        let (stop, stopped) = channel();
        let ticker = std::thread::spawn(move || {
            while stopped.recv_timeout(DOT) == Err(RecvTimeoutError::Timeout) {
                say(".");
            }
        });
        self.dots = Some((stop, ticker));
    }

    /// Ends it with its outcome.
    pub fn done(&mut self, outcome: &str) {
        if let Some((stop, ticker)) = self.dots.take() {
            drop(stop);
            let _ = ticker.join();
        }
        println!(" {} s: {outcome}", self.started.elapsed().as_secs());
    }
}

fn say(text: &str) {
    print!("{text}");
    let _ = std::io::stdout().flush();
}
