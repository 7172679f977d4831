//! How many events are due by when: the rate over time.
//!
//! Stretches of constant rate, one after the other; at the end they begin again, or the last one goes on for ever. All arithmetic is on
//! whole numbers, so that every implementation of it agrees to the nanosecond.

use serde::Deserialize;
use thiserror::Error;

/// A sine is drawn with so many stretches.
const SINE_STRETCHES: u64 = 32;
const HIGHEST_RATE: u64 = 1_000_000_000;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Stretches")]
pub struct RateSchedule {
    /// When each stretch begins, in milliseconds, ascending; the first at 0.
    start_millis: Vec<u64>,
    /// Events per second of each stretch.
    rate: Vec<u64>,
    /// Thousandths of events that are due before each stretch.
    milli_events_before: Vec<u64>,
    /// After which all begins again; 0: never.
    period_millis: u64,
    /// Thousandths of events in a period; 0 without one.
    milli_events_per_period: u64,
}

/// A schedule as others write it down.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stretches {
    start_millis: Vec<u64>,
    rate: Vec<u64>,
    period_millis: u64,
}

/// An event's place in a stretch of constant rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WithinStretch {
    /// When the stretch begins.
    pub(crate) start_millis: u64,
    /// Events per second, at least 1.
    pub(crate) rate: u64,
    /// Thousandths of events since then.
    pub(crate) milli_events: u64,
    /// How many events follow in the same stretch.
    pub(crate) events_left: u64,
}

/// Why there is no such schedule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidSchedule {
    /// Beyond what the arithmetic holds.
    #[error("a rate is {0} but must be at most 1000000000 events per second")]
    TooFast(u64),
    /// Stretches must follow each other, the first from 0 on, and all of them within the period.
    #[error(
        "the rates must begin at ascending times from 0 on and before the period ends, one rate for each; the one at {0} ms does not"
    )]
    Order(u64),
    /// Nothing would ever come again.
    #[error(
        "the last rate, or where they repeat at least one, must be 1 event per second or more: it goes on for ever"
    )]
    Ends,
    /// A line that is not `second,rate`.
    #[error("line {number} of the rates is '{line}'; expected second,rate")]
    Line {
        /// Counted from 1.
        number: usize,
        /// As it stands there.
        line: String,
    },
}

// === impl RateSchedule ===

impl RateSchedule {
    fn new(
        start_millis: Vec<u64>,
        rate: Vec<u64>,
        period_millis: u64,
    ) -> Result<Self, InvalidSchedule> {
        if let Some(&fast) = rate.iter().find(|&&rate| rate > HIGHEST_RATE) {
            return Err(InvalidSchedule::TooFast(fast));
        }
        if start_millis.first() != Some(&0) || start_millis.len() != rate.len() {
            return Err(InvalidSchedule::Order(
                start_millis.first().copied().unwrap_or(0),
            ));
        }
        let mut milli_events_before = vec![0];
        for i in 1..rate.len() {
            if start_millis[i] <= start_millis[i - 1]
                || (period_millis > 0 && start_millis[i] >= period_millis)
            {
                return Err(InvalidSchedule::Order(start_millis[i]));
            }
            let length = start_millis[i] - start_millis[i - 1];
            milli_events_before.push(milli_events_before[i - 1] + length * rate[i - 1]);
        }
        let last = rate.len() - 1;
        let milli_events_per_period = match period_millis {
            0 => 0,
            period => milli_events_before[last] + (period - start_millis[last]) * rate[last],
        };
        let goes_on = if period_millis == 0 {
            rate[last]
        } else {
            milli_events_per_period
        };
        if goes_on == 0 {
            return Err(InvalidSchedule::Ends);
        }
        Ok(Self {
            start_millis,
            rate,
            milli_events_before,
            period_millis,
            milli_events_per_period,
        })
    }

    /// The same rate for ever, in events per second.
    pub fn constant(rate: u64) -> Result<Self, InvalidSchedule> {
        Self::new(vec![0], vec![rate], 0)
    }

    /// The first rate for so many milliseconds, then the second for ever.
    pub fn step(first: u64, second: u64, after_millis: u64) -> Result<Self, InvalidSchedule> {
        Self::new(vec![0, after_millis], vec![first, second], 0)
    }

    /// Half a period of the first rate, half a period of the second, and again.
    pub fn square(first: u64, second: u64, period_millis: u64) -> Result<Self, InvalidSchedule> {
        Self::new(
            vec![0, period_millis / 2],
            vec![first, second],
            period_millis,
        )
    }

    /// From the first rate to the second and back within a period, along a cosine drawn in 32 stretches.
    pub fn sine(first: u64, second: u64, period_millis: u64) -> Result<Self, InvalidSchedule> {
        let starts = (0..SINE_STRETCHES)
            .map(|i| period_millis * i / SINE_STRETCHES)
            .collect();
        let (first, second) = (first as f64, second as f64);
        let rates = (0..SINE_STRETCHES).map(|i| {
            let angle = std::f64::consts::TAU * (i as f64 + 0.5) / SINE_STRETCHES as f64;
            ((first + second) / 2.0 + (first - second) / 2.0 * angle.cos()).round() as u64
        });
        Self::new(starts, rates.collect(), period_millis)
    }

    /// A recorded load: lines `second,rate` with ascending seconds from 0 on, each rate until the next line's second, the last for ever. A
    /// header line is skipped.
    pub fn csv(text: &str) -> Result<Self, InvalidSchedule> {
        let mut starts = Vec::new();
        let mut rates = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || (i == 0 && line.starts_with(char::is_alphabetic)) {
                continue;
            }
            let cells = line.split_once(',').and_then(|(second, rate)| {
                let second: f64 = second.trim().parse().ok()?;
                let rate: f64 = rate.trim().parse().ok()?;
                (second >= 0.0 && rate >= 0.0).then_some((second, rate))
            });
            let Some((second, rate)) = cells else {
                return Err(InvalidSchedule::Line {
                    number: i + 1,
                    line: line.to_owned(),
                });
            };
            starts.push((second * 1000.0).round() as u64);
            rates.push(rate.round() as u64);
        }
        Self::new(starts, rates, 0)
    }

    /// When an event happens: whole milliseconds after event 0, rounded down.
    #[must_use]
    pub fn millis(&self, event: u64) -> u64 {
        let stretch = self.stretch_of(event);
        stretch.start_millis + stretch.milli_events / stretch.rate
    }

    /// When an event is due: nanoseconds after event 0, rounded up.
    #[must_use]
    pub fn due_nanos(&self, event: u64) -> u64 {
        let stretch = self.stretch_of(event);
        let (within, rate) = (stretch.milli_events, stretch.rate);
        (stretch.start_millis + within / rate) * NANOS_PER_MILLI
            + (within % rate * NANOS_PER_MILLI).div_ceil(rate)
    }

    /// Where in which stretch an event is.
    pub(crate) fn stretch_of(&self, event: u64) -> WithinStretch {
        let mut milli_events = event * 1000;
        if self.rate.len() == 1 && self.period_millis == 0 {
            return WithinStretch {
                start_millis: 0,
                rate: self.rate[0],
                milli_events,
                events_left: u64::MAX,
            };
        }
        let periods = milli_events
            .checked_div(self.milli_events_per_period)
            .unwrap_or(0);
        milli_events -= periods * self.milli_events_per_period;
        let i = self
            .milli_events_before
            .partition_point(|&before| before <= milli_events)
            - 1;
        let end = match self.milli_events_before.get(i + 1) {
            Some(&end) => end,
            None if self.period_millis > 0 => self.milli_events_per_period,
            None => u64::MAX,
        };
        WithinStretch {
            start_millis: periods * self.period_millis + self.start_millis[i],
            rate: self.rate[i],
            milli_events: milli_events - self.milli_events_before[i],
            events_left: (end - milli_events - 1) / 1000,
        }
    }

    /// How many events are due so many nanoseconds after event 0, that one included.
    #[must_use]
    pub fn events_due(&self, nanos: u64) -> u64 {
        let mut millis = nanos / NANOS_PER_MILLI;
        let periods = millis.checked_div(self.period_millis).unwrap_or(0);
        millis -= periods * self.period_millis;
        let i = self.start_millis.partition_point(|&start| start <= millis) - 1;
        let milli_events = periods * self.milli_events_per_period
            + self.milli_events_before[i]
            + (millis - self.start_millis[i]) * self.rate[i]
            + nanos % NANOS_PER_MILLI * self.rate[i] / NANOS_PER_MILLI;
        // While the rate is 0 an event that is just not due waits for the next stretch, as `due_nanos` has it.
        if self.rate[i] == 0 {
            milli_events.div_ceil(1000)
        } else {
            milli_events / 1000 + 1
        }
    }
}

impl TryFrom<Stretches> for RateSchedule {
    type Error = InvalidSchedule;

    fn try_from(stretches: Stretches) -> Result<Self, InvalidSchedule> {
        Self::new(
            stretches.start_millis,
            stretches.rate,
            stretches.period_millis,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidSchedule, RateSchedule};

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn an_event_is_due_when_it_is_said_to_be_and_not_a_nanosecond_before() {
        let all = [
            RateSchedule::constant(3),
            RateSchedule::constant(999_983),
            RateSchedule::step(10, 1_000, 7_000),
            RateSchedule::square(0, 777, 333),
            RateSchedule::sine(100, 5_000, 10_000),
            RateSchedule::csv("second,rate\n0,10\n1.5,0\n2.5,333\n4,1\n"),
        ];
        for schedule in all {
            let schedule = schedule.unwrap();
            for n in (0..50_000).chain([1_000_000, 123_456_789]) {
                let due = schedule.due_nanos(n);
                assert!(schedule.events_due(due) > n, "{schedule:?} event {n}");
                assert!(
                    due == 0 || schedule.events_due(due - 1) <= n,
                    "{schedule:?} event {n}"
                );
                assert!(due / 1_000_000 - schedule.millis(n) <= 1);
            }
        }
    }

    #[test]
    fn shapes_are_what_their_names_say() {
        let step = RateSchedule::step(100, 300, 10_000).unwrap();
        assert_eq!(step.events_due(11 * SECOND), 1_301);
        let square = RateSchedule::square(100, 300, 10_000).unwrap();
        assert_eq!(square.events_due(15 * SECOND), 2_501);
        let sine = RateSchedule::sine(1_000, 9_000, 32_000).unwrap();
        assert!(sine.events_due(32 * SECOND).abs_diff(5_000 * 32) < 32);
        assert!(sine.events_due(SECOND) < 1_100);
        let recorded = RateSchedule::csv("0,10\n2,0\n3,100\n").unwrap();
        assert_eq!(recorded.events_due(3 * SECOND - 1), 20);
        assert_eq!(recorded.events_due(4 * SECOND), 121);
    }

    #[test]
    fn impossible_rates_are_refused() {
        use InvalidSchedule::{Ends, Line, Order, TooFast};
        assert_eq!(RateSchedule::constant(0), Err(Ends));
        assert_eq!(RateSchedule::constant(1 << 40), Err(TooFast(1 << 40)));
        assert_eq!(RateSchedule::csv("0,5\n2,5\n1,6"), Err(Order(1_000)));
        assert_eq!(RateSchedule::csv("5,5"), Err(Order(5_000)));
        let line = "1;5".to_owned();
        assert_eq!(RateSchedule::csv("0,5\n1;5"), Err(Line { number: 2, line }));
    }
}
