//! A trace goes through the estimator, and through the exact computation if asked; what comes out is a measured curve.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::anyhow;
use weir_mrc::trace::{BlockRole, Caller, TraceAccess, TraceError};
use weir_mrc::{Access, CacheShape, Estimator, MissRatioCurve, Outcome, hash_key_seeded};

use super::exact::Exact;
use super::input::{Input, TraceFormat};
use super::options::{Callers, HalfLife, MrcArgs};
use super::progress::Progress;
use super::report::{Measured, Point};
use crate::Failure;

/// Accesses between two looks at the clock.
const LOOK_EVERY: u64 = 1 << 16;

/// Everything that watches the trace go by.
struct Watch<'a> {
    arguments: &'a MrcArgs,
    estimator: Estimator,
    exact: Option<Exact>,
    /// Accesses in the trace.
    read: u64,
    /// Those that count.
    counted: u64,
    /// Time of the first access.
    start: Duration,
    now: Duration,
}

/// Reads the trace and measures its curve.
pub fn measure(arguments: &MrcArgs, mut input: Input) -> Result<Measured, Failure> {
    let format = match arguments.format {
        Some(format) => format,
        None => {
            let format = input.guess_format()?;
            if std::io::stderr().is_terminal() || !arguments.json {
                eprintln!("weir: {} looks like {}", input.name(), format.name());
            }
            format
        }
    };
    let name = input.name().to_owned();
    let (total, read) = (input.total_bytes, std::rc::Rc::clone(&input.read_bytes));
    let mut watch = Watch::new(arguments);
    let mut progress = Progress::new("reading");
    input.for_each(format, |access| {
        watch.take(&access)?;
        if watch.read.is_multiple_of(LOOK_EVERY) {
            progress.update(read.get(), total, || format!("{} accesses", watch.read));
        }
        Ok::<(), Failure>(())
    })?;
    drop(progress);
    watch.measured(name, format)
}

// === impl Watch ===

impl<'a> Watch<'a> {
    fn new(arguments: &'a MrcArgs) -> Self {
        Self {
            arguments,
            estimator: Estimator::new(arguments.estimator()),
            exact: arguments.exact.then(|| Exact::new(arguments)),
            read: 0,
            counted: 0,
            start: Duration::ZERO,
            now: Duration::ZERO,
        }
    }

    #[inline]
    fn take(&mut self, access: &TraceAccess) -> Result<(), Failure> {
        if self.arguments.half_life.is_some() {
            self.tell_time(access.time)?;
        }
        self.read += 1;
        if !self.arguments.has_role(access.role) {
            return Ok(());
        }
        let counted = self.arguments.callers == Callers::All || access.caller == Caller::User;
        self.counted += u64::from(counted);
        let access = Access {
            hash: hash_key_seeded(&access.key.to_le_bytes(), self.arguments.seed),
            charge_bytes: access.size_bytes,
            outcome: access.outcome.unwrap_or(Outcome::Unknown),
            inserts: access.inserts,
            counted,
            high_priority: access.role != BlockRole::Data,
        };
        let capacity = self.arguments.capacity.unwrap_or(0);
        self.estimator.look_up(&access, capacity, self.now);
        if let Some(exact) = &mut self.exact {
            exact.take(&access, self.now);
        }
        Ok(())
    }

    /// Time since the first access, or the number of accesses in its place.
    fn tell_time(&mut self, time: Option<Duration>) -> Result<(), Failure> {
        self.now = match (self.arguments.half_life, time) {
            (Some(HalfLife::Accesses(_)), _) => Duration::from_micros(self.read),
            (_, Some(time)) => {
                if self.read == 0 {
                    self.start = time;
                }
                time.saturating_sub(self.start).max(self.now)
            }
            (_, None) => {
                return Err(Failure::Usage(anyhow!(
                    "half-life: the trace has no times; write a number of accesses, such as 100000"
                )));
            }
        };
        Ok(())
    }

    fn measured(mut self, trace: String, format: TraceFormat) -> Result<Measured, Failure> {
        let shape = self.arguments.shape();
        let curve = if shape == CacheShape::IDEAL {
            self.estimator.curve(self.now)
        } else {
            self.estimator.curve_for(shape, self.now)
        };
        let Some(curve) = curve.filter(|_| self.counted > 0) else {
            let hint = match self.counted {
                0 => "none of the callers and roles that were asked for; see --callers and --roles",
                _ => {
                    "too few of them, or too old ones, in the sample for a curve; see --samples and --half-life"
                }
            };
            return Err(Failure::Failed(anyhow!(
                "{trace}: {} accesses, {hint}",
                self.read
            )));
        };
        let working_set_bytes = match &self.exact {
            Some(exact) => exact.working_set_bytes(),
            None => self.estimator.working_set_bytes(),
        };
        let grid = self.arguments.grid.sizes(working_set_bytes);
        let marked = self.arguments.capacity;
        let sizes: Vec<u64> = grid.iter().copied().chain(marked).collect();
        let exact = self.exact.as_mut().map(|exact| exact.miss_ratios(&sizes));
        let mut points = points(&curve, &sizes, exact.as_deref());
        let capacity = marked.and_then(|_| points.pop());
        Ok(Measured {
            trace,
            format: format.name(),
            accesses: self.counted,
            accesses_read: self.read,
            working_set_bytes,
            samples: self.arguments.samples,
            seed: self.arguments.seed,
            shards: shape.shards,
            high_pri_ratio: shape.high_pri_ratio,
            cold: self.arguments.cold.name(),
            estimator_memory_bytes: self.estimator.memory_bytes(),
            points,
            capacity,
        })
    }
}

fn points(curve: &MissRatioCurve, sizes: &[u64], exact: Option<&[f64]>) -> Vec<Point> {
    let point = |(index, bytes): (usize, &u64)| {
        let ratio = curve.miss_ratio_at(*bytes);
        Point {
            bytes: *bytes,
            miss_ratio: ratio.value,
            low: ratio.low,
            high: ratio.high,
            exact: exact.map(|exact| exact[index]),
            beside: None,
        }
    };
    sizes.iter().enumerate().map(point).collect()
}

impl From<TraceError> for Failure {
    fn from(error: TraceError) -> Self {
        Self::Failed(error.into())
    }
}
