/** What is due and not yet emitted: the backlog of a log that nobody has to store. */
package io.weir.nexmark.source;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/** Written by the task's thread, read by those that report metrics. */
final class Backlog {

    private final Emission emission;
    private final LongSupplier epochNanos;
    /** Share of all events that become a row: less than 1 where the table is of one kind. */
    private final double rowsPerEvent;

    private volatile boolean known;
    private volatile long position;
    private volatile long startMillis;
    private volatile long end;
    private volatile double share;

    Backlog(Emission emission, LongSupplier epochNanos, double rowsPerEvent) {
        this.emission = emission;
        this.epochNanos = epochNanos;
        this.rowsPerEvent = rowsPerEvent;
    }

    /** So many of all splits are this reader's, and there are so many events. */
    void share(int splits, int ofAll, long end) {
        this.share = (double) splits / ofAll;
        this.end = end;
    }

    void at(long position, long startMillis) {
        this.position = position;
        this.startMillis = startMillis;
        this.known = true;
    }

    void finished() {
        known = false;
    }

    /** Rows of this reader that are due and not emitted; of a source without a rate, all that are left. */
    long pendingRecords() {
        if (!known) {
            return 0;
        }
        long due = emission.paced ? Math.min(emission.schedule.eventsDue(sinceStart()), end) : end;
        return Math.round(Math.max(due - position, 0) * share * rowsPerEvent);
    }

    /** For how long the next event has been due, in milliseconds; 0 for a source without a rate. */
    long lagMillis() {
        if (!known || !emission.paced || position >= end) {
            return 0;
        }
        return Math.max(TimeUnit.NANOSECONDS.toMillis(sinceStart() - emission.schedule.dueNanos(position)), 0);
    }

    private long sinceStart() {
        return epochNanos.getAsLong() - TimeUnit.MILLISECONDS.toNanos(startMillis);
    }
}
