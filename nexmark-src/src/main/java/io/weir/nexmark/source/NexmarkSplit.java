/** Every so-manieth event of the stream, from a position on. */
package io.weir.nexmark.source;

import java.util.Objects;
import org.apache.flink.api.connector.source.SourceSplit;

/**
 * Split {@code index} of {@code stride} has the events whose numbers leave that remainder. So all splits move through event
 * time together, whichever subtask reads them, and moving a split to another subtask moves its share of the rate along.
 */
public final class NexmarkSplit implements SourceSplit {

    /** The schedule has not begun yet. */
    public static final long NOT_STARTED = Long.MIN_VALUE;

    /** Which remainder, from 0 to stride - 1. */
    public final int index;
    /** How many splits there are, fixed for the life of a job's state. */
    public final int stride;
    /** Number of the next event to emit; its remainder is the index. */
    public final long next;
    /** First event number that is no longer part of the stream; {@link Long#MAX_VALUE} if it has no end. */
    public final long end;
    /** When event 0 was due, in milliseconds since 1970; or {@link #NOT_STARTED}. */
    public final long startMillis;

    public NexmarkSplit(int index, int stride, long next, long end, long startMillis) {
        this.index = index;
        this.stride = stride;
        this.next = next;
        this.end = end;
        this.startMillis = startMillis;
    }

    /** The same split once all its events below a number have been emitted, on a schedule that began then. */
    public NexmarkSplit advancedTo(long number, long startMillis) {
        long rounds = number <= next ? 0 : (number - next + stride - 1) / stride;
        return new NexmarkSplit(index, stride, next + rounds * stride, end, startMillis);
    }

    @Override
    public String splitId() {
        return index + "/" + stride;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof NexmarkSplit)) {
            return false;
        }
        NexmarkSplit split = (NexmarkSplit) other;
        return index == split.index
                && stride == split.stride
                && next == split.next
                && end == split.end
                && startMillis == split.startMillis;
    }

    @Override
    public int hashCode() {
        return Objects.hash(index, stride, next, end, startMillis);
    }

    @Override
    public String toString() {
        return "events " + next + ", " + (next + stride) + ", ... below " + end;
    }
}
