/** Schedules are what their names say, and an event is due exactly when it is said to be. */
package io.weir.nexmark.generator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class RateScheduleTest {

    private static final long SECOND = 1_000_000_000L;

    private static final List<RateSchedule> ALL =
            List.of(
                    RateSchedule.constant(3),
                    RateSchedule.constant(999_983),
                    RateSchedule.step(10, 1_000, 7_000),
                    RateSchedule.square(0, 777, 333),
                    RateSchedule.sine(100, 5_000, 10_000),
                    RateSchedule.csv(List.of("second,rate", "0,10", "1.5,0", "2.5,333", "4,1")));

    @Test
    void anEventIsDueWhenItIsSaidToBeAndNotANanosecondBefore() {
        for (RateSchedule schedule : ALL) {
            for (long n = 0; n < 200_000; n += 1 + n / 50) {
                long due = schedule.dueNanos(n);
                assertTrue(schedule.eventsDue(due) > n, "event " + n);
                assertTrue(due == 0 || schedule.eventsDue(due - 1) <= n, "event " + n);
                assertEquals(schedule.millis(n), due / 1_000_000, 1, "event " + n);
                assertTrue(schedule.dueNanos(n + 1) >= due);
            }
        }
    }

    @Test
    void stepsOnce() {
        RateSchedule schedule = RateSchedule.step(100, 300, 10_000);
        assertEquals(1_001, schedule.eventsDue(10 * SECOND));
        assertEquals(1_301, schedule.eventsDue(11 * SECOND));
        assertEquals(301_001, schedule.eventsDue(1_010 * SECOND));
    }

    @Test
    void squareAlternates() {
        RateSchedule schedule = RateSchedule.square(100, 300, 10_000);
        assertEquals(501, schedule.eventsDue(5 * SECOND));
        assertEquals(2_001, schedule.eventsDue(10 * SECOND));
        assertEquals(2_501, schedule.eventsDue(15 * SECOND));
        assertEquals(4_001, schedule.eventsDue(20 * SECOND));
    }

    @Test
    void sineGoesFromTheFirstRateToTheSecondAndBack() {
        RateSchedule schedule = RateSchedule.sine(1_000, 9_000, 32_000);
        long[] rates = schedule.rates();
        assertEquals(1_000, rates[0], 50);
        assertEquals(9_000, rates[16], 50);
        assertEquals(5_000 * 32 + 1, schedule.eventsDue(32 * SECOND), 32);
    }

    @Test
    void aRecordedLoadIsReplayed() {
        RateSchedule schedule = RateSchedule.csv(List.of("0,10", "2,0", "3,100"));
        assertEquals(20, schedule.eventsDue(2 * SECOND));
        assertEquals(20, schedule.eventsDue(3 * SECOND - 1));
        assertEquals(121, schedule.eventsDue(4 * SECOND));
    }

    @Test
    void impossibleRatesAreRefused() {
        assertRefused("a rate is -1", () -> RateSchedule.constant(-1));
        assertRefused("the last rate is 0", () -> RateSchedule.step(5, 0, 1_000));
        assertRefused("all rates are 0", () -> RateSchedule.square(0, 0, 1_000));
        assertRefused("line 2 of the rates is '1;5'", () -> RateSchedule.csv(List.of("0,5", "1;5")));
        assertRefused("a rate begins at 1000 ms", () -> RateSchedule.csv(List.of("0,5", "2,5", "1,6")));
        assertRefused("must begin with a line for second 0", () -> RateSchedule.csv(List.of("5,5")));
    }

    private static void assertRefused(String hint, Runnable schedule) {
        String message = assertThrows(IllegalArgumentException.class, schedule::run).getMessage();
        assertTrue(message.contains(hint), message);
    }
}
