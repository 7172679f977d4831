//! The times of events that come one after the other, without a division for each.

use crate::RateSchedule;

/// When an event happens, by a schedule. Within a stretch of constant rate the next time follows from the last by an addition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clock {
    millis: u64,
    /// Of the division of thousandths of events by the rate, what [`Clock::millis`] is rounded down by.
    rest: u64,
    rate: u64,
    /// The same two for one event.
    millis_per_event: u64,
    rest_per_event: u64,
    /// Events that follow in the same stretch.
    left: u64,
}

// === impl Clock ===

impl Clock {
    pub(crate) fn at(number: u64, schedule: &RateSchedule) -> Self {
        let stretch = schedule.stretch_of(number);
        let rate = stretch.rate;
        Self {
            millis: stretch.start_millis + stretch.milli_events / rate,
            rest: stretch.milli_events % rate,
            rate,
            millis_per_event: 1000 / rate,
            rest_per_event: 1000 % rate,
            left: stretch.events_left,
        }
    }

    /// Whole milliseconds after event 0, as [`RateSchedule::millis`] has it.
    #[inline]
    pub(crate) fn millis(&self) -> u64 {
        self.millis
    }

    /// Goes to the event after the last, whose number is given.
    #[inline]
    pub(crate) fn advance(&mut self, number: u64, schedule: &RateSchedule) {
        if self.left == 0 {
            *self = Self::at(number, schedule);
            return;
        }
        self.left -= 1;
        self.rest += self.rest_per_event;
        let carry = self.rest >= self.rate;
        self.rest -= if carry { self.rate } else { 0 };
        self.millis += self.millis_per_event + u64::from(carry);
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use crate::RateSchedule;

    #[test]
    fn walking_tells_the_time_that_the_schedule_has() {
        let all = [
            RateSchedule::constant(3),
            RateSchedule::constant(1_000),
            RateSchedule::constant(999_983),
            RateSchedule::step(10, 1_000, 7_000),
            RateSchedule::square(0, 777, 333),
            RateSchedule::sine(100, 5_000, 10_000),
            RateSchedule::csv("second,rate\n0,10\n1.5,0\n2.5,333\n4,1\n"),
        ];
        for schedule in all {
            let schedule = schedule.unwrap();
            for from in [0, 1, 123_456_789] {
                let mut clock = Clock::at(from, &schedule);
                for number in from..from + 20_000 {
                    assert_eq!(
                        clock.millis(),
                        schedule.millis(number),
                        "{schedule:?} event {number}"
                    );
                    clock.advance(number + 1, &schedule);
                }
            }
        }
    }
}
