/** When a reader may emit its next event. */
package io.weir.nexmark.source;

/**
 * A schedule, not a token bucket: the event after {@code n} emitted ones is due {@code n / rate} after the start. A reader
 * that was held up catches up, as one that reads a log does, so the mean rate is the one asked for whenever the job can keep
 * up. Time is given by the caller, in nanoseconds from any origin.
 */
final class Pace {

    private static final double NANOS_PER_SECOND = 1e9;

    private double eventsPerSecond;
    private long startNanos;
    private long emitted;

    /** Starts a new schedule; a reader's rate changes with its splits. */
    void restart(double eventsPerSecond, long nowNanos) {
        this.eventsPerSecond = eventsPerSecond;
        this.startNanos = nowNanos;
        this.emitted = 0;
    }

    void emitted() {
        emitted++;
    }

    /** Nanoseconds until the next event is due; 0 or less if it is. */
    long nanosUntilDue(long nowNanos) {
        return (long) (emitted / eventsPerSecond * NANOS_PER_SECOND) - (nowNanos - startNanos);
    }
}
