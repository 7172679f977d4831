/** The schedule gives the rate asked for, also after a pause. */
package io.weir.nexmark.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class PaceTest {

    private static final long SECOND = 1_000_000_000L;

    @Test
    void asManyEventsAsTheRateSays() {
        Pace pace = new Pace();
        pace.restart(40_000, 123);
        assertEquals(40_000, emitUntil(pace, 123 + SECOND - 1));
    }

    @Test
    void catchesUpAfterAPause() {
        Pace pace = new Pace();
        pace.restart(1_000, 0);
        long events = emitUntil(pace, SECOND - 1);
        events += emitUntil(pace, 10 * SECOND - 1);
        assertEquals(10_000, events);
    }

    @Test
    void noLimit() {
        Pace pace = new Pace();
        pace.restart(Double.POSITIVE_INFINITY, 0);
        for (int i = 0; i < 1_000; i++) {
            assertTrue(pace.nanosUntilDue(0) <= 0);
            pace.emitted();
        }
    }

    private static long emitUntil(Pace pace, long now) {
        long events = 0;
        while (pace.nanosUntilDue(now) <= 0) {
            pace.emitted();
            events++;
        }
        return events;
    }
}
