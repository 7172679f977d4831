/** Emits the events of a subtask's splits, in order and when they are due. */
package io.weir.nexmark.source;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.data.RowData;

/** All methods run on the task's thread; only the alarm that ends a pause and the readers of metrics come from others. */
final class NexmarkReader implements SourceReader<RowData, NexmarkSplit> {

    /** So many rows at once: often enough for a checkpoint to be let in, seldom enough that looking for one costs nothing. */
    private static final int ROWS_PER_POLL = 64;

    /** One pause for many events: waking up for every single one would cost more than generating it. */
    private static final long SHORTEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(2);

    /** A pending alarm keeps the job's classes alive, so it must not be far away. */
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    private static final CompletableFuture<Void> AVAILABLE = CompletableFuture.completedFuture(null);

    private final EventFeed feed;
    private final Emission emission;
    private final LongSupplier epochNanos;
    private final Counter recordsIn;
    private final Backlog backlog;

    /** As they were when the walk began; the feed's position says how far they are. */
    private List<NexmarkSplit> splits = new ArrayList<>();
    private boolean walking;
    private boolean allSplitsKnown;
    private long startMillis = NexmarkSplit.NOT_STARTED;
    private long walkEnd;
    /** Events below this number are due. */
    private long due;
    private CompletableFuture<Void> availability = new CompletableFuture<>();

    /**
     * @param epochNanos the time, in nanoseconds since 1970
     */
    NexmarkReader(EventFeed feed, Emission emission, LongSupplier epochNanos, Counter recordsIn, Backlog backlog) {
        this.feed = feed;
        this.emission = emission;
        this.epochNanos = epochNanos;
        this.recordsIn = recordsIn;
        this.backlog = backlog;
    }

    @Override
    public void start() {}

    @Override
    public void addSplits(List<NexmarkSplit> added) {
        settle();
        for (NexmarkSplit split : added) {
            splits.add(emission.catchesUp ? split : split.advancedTo(split.next, NexmarkSplit.NOT_STARTED));
        }
        startMillis = splits.stream().mapToLong(split -> split.startMillis).filter(start -> start != NexmarkSplit.NOT_STARTED)
                .min().orElse(NexmarkSplit.NOT_STARTED);
        availability.complete(null);
    }

    @Override
    public void notifyNoMoreSplits() {
        allSplitsKnown = true;
        availability.complete(null);
    }

    @Override
    public InputStatus pollNext(ReaderOutput<RowData> output) {
        if (!walking && !walk()) {
            availability = new CompletableFuture<>();
            return allSplitsKnown ? InputStatus.END_OF_INPUT : InputStatus.NOTHING_AVAILABLE;
        }
        long position = feed.position();
        if (position >= emission.pauseAt && position < walkEnd) {
            // Until the job is stopped with a savepoint, and restored as one that does not pause.
            availability = new CompletableFuture<>();
            backlog.at(position, startMillis);
            return InputStatus.NOTHING_AVAILABLE;
        }
        if (position >= due && position < walkEnd) {
            due = dueNow(position);
            if (position >= due) {
                pause(emission.schedule.dueNanos(position) - sinceStart());
                backlog.at(position, startMillis);
                return InputStatus.NOTHING_AVAILABLE;
            }
        }
        int rows = 0;
        long stop = Math.min(Math.min(due, walkEnd), emission.pauseAt);
        while (rows < ROWS_PER_POLL && position < stop) {
            output.collect(feed.take());
            rows++;
            position = feed.position();
        }
        recordsIn.inc(rows);
        backlog.at(position, startMillis);
        if (position >= walkEnd) {
            settle();
        }
        return InputStatus.MORE_AVAILABLE;
    }

    /**
     * Begins with the splits that are behind. All others of this reader are at most one round ahead, but after a restore that
     * brought splits of several readers together some may be far ahead; the walk ends where the first of those joins in.
     */
    private boolean walk() {
        long from = Long.MAX_VALUE;
        for (NexmarkSplit split : splits) {
            from = split.next < split.end ? Math.min(from, split.next) : from;
        }
        if (from == Long.MAX_VALUE) {
            backlog.finished();
            return false;
        }
        if (startMillis == NexmarkSplit.NOT_STARTED) {
            // Only now, not when the splits came: what passes until a job runs is nothing to catch up with.
            long nanos = epochNanos.getAsLong() - emission.schedule.dueNanos(from);
            startMillis = Math.floorDiv(nanos, TimeUnit.MILLISECONDS.toNanos(1));
        }
        boolean[] behind = new boolean[splits.get(0).stride];
        walkEnd = Long.MAX_VALUE;
        int walked = 0;
        for (NexmarkSplit split : splits) {
            if (split.next >= split.end) {
                continue;
            }
            walkEnd = Math.min(walkEnd, split.end);
            if (split.next - from < split.stride) {
                behind[split.index] = true;
                walked++;
            } else {
                walkEnd = Math.min(walkEnd, split.next);
            }
        }
        feed.walk(behind, from, walkEnd);
        due = from;
        walking = true;
        backlog.share(walked, behind.length, splits.get(0).end);
        return true;
    }

    /** Writes the feed's position into the splits. */
    private void settle() {
        splits = current();
        walking = false;
    }

    private List<NexmarkSplit> current() {
        if (!walking) {
            return new ArrayList<>(splits);
        }
        long position = feed.position();
        List<NexmarkSplit> current = new ArrayList<>();
        for (NexmarkSplit split : splits) {
            current.add(split.advancedTo(position, startMillis));
        }
        return current;
    }

    private long sinceStart() {
        return epochNanos.getAsLong() - TimeUnit.MILLISECONDS.toNanos(startMillis);
    }

    private long dueNow(long position) {
        return emission.paced ? emission.schedule.eventsDue(sinceStart()) : Long.MAX_VALUE;
    }

    @Override
    public CompletableFuture<Void> isAvailable() {
        return allSplitsKnown && splits.stream().allMatch(split -> split.next >= split.end) ? AVAILABLE : availability;
    }

    @Override
    public List<NexmarkSplit> snapshotState(long checkpointId) {
        return current();
    }

    @Override
    public void close() {
        feed.close();
    }

    private void pause(long nanos) {
        long bounded = Math.min(Math.max(nanos, SHORTEST_PAUSE_NANOS), LONGEST_PAUSE_NANOS);
        CompletableFuture<Void> alarm = new CompletableFuture<>();
        CompletableFuture.delayedExecutor(bounded, TimeUnit.NANOSECONDS)
                .execute(() -> alarm.complete(null));
        availability = alarm;
    }
}
