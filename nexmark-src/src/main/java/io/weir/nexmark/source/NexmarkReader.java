/** Emits the events of a subtask's splits, in order and at the subtask's share of the rate. */
package io.weir.nexmark.source;

import io.weir.nexmark.generator.EventGenerator;
import io.weir.nexmark.generator.GeneratorConfig;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.data.RowData;

/** All methods run on the task's thread; only the alarm that ends a pause comes from another. */
final class NexmarkReader implements SourceReader<RowData, NexmarkSplit> {

    /** One pause for many events: waking up for every single one would cost more than generating it. */
    private static final long SHORTEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(2);

    /** A pending alarm keeps the job's classes alive, so it must not be far away. */
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

    private static final CompletableFuture<Void> AVAILABLE = CompletableFuture.completedFuture(null);

    private final EventGenerator generator;
    /** Events per second over all subtasks; infinite for no limit. */
    private final double totalRate;
    private final LongSupplier nanoClock;
    private final PriorityQueue<NexmarkSplit> splits =
            new PriorityQueue<>(Comparator.comparingLong((NexmarkSplit split) -> split.next));
    private final Pace pace = new Pace();
    private final Counter recordsIn;
    private boolean paced;
    private boolean allSplitsKnown;
    private CompletableFuture<Void> availability = new CompletableFuture<>();

    NexmarkReader(
            GeneratorConfig config, double totalRate, LongSupplier nanoClock, Counter recordsIn) {
        this.generator = new EventGenerator(config);
        this.totalRate = totalRate;
        this.nanoClock = nanoClock;
        this.recordsIn = recordsIn;
    }

    @Override
    public void start() {}

    @Override
    public void addSplits(List<NexmarkSplit> added) {
        splits.addAll(added);
        paced = false;
        availability.complete(null);
    }

    @Override
    public void notifyNoMoreSplits() {
        allSplitsKnown = true;
        availability.complete(null);
    }

    @Override
    public InputStatus pollNext(ReaderOutput<RowData> output) {
        NexmarkSplit split = splits.peek();
        if (split == null) {
            availability = new CompletableFuture<>();
            return allSplitsKnown ? InputStatus.END_OF_INPUT : InputStatus.NOTHING_AVAILABLE;
        }
        if (split.isFinished()) {
            // The others end within one round: their next numbers are greater.
            splits.clear();
            return InputStatus.MORE_AVAILABLE;
        }
        long now = nanoClock.getAsLong();
        if (!paced) {
            // Only now, not when the splits came: the time a restore takes is nothing to catch up with.
            pace.restart(totalRate * splits.size() / split.stride, now);
            paced = true;
        }
        long wait = pace.nanosUntilDue(now);
        if (wait > 0) {
            pause(wait);
            return InputStatus.NOTHING_AVAILABLE;
        }
        splits.poll();
        output.collect(generator.event(split.next));
        pace.emitted();
        recordsIn.inc();
        splits.add(split.advanced());
        return InputStatus.MORE_AVAILABLE;
    }

    @Override
    public CompletableFuture<Void> isAvailable() {
        return splits.isEmpty() && allSplitsKnown ? AVAILABLE : availability;
    }

    @Override
    public List<NexmarkSplit> snapshotState(long checkpointId) {
        return new ArrayList<>(splits);
    }

    @Override
    public void close() {}

    private void pause(long nanos) {
        long bounded = Math.min(Math.max(nanos, SHORTEST_PAUSE_NANOS), LONGEST_PAUSE_NANOS);
        CompletableFuture<Void> alarm = new CompletableFuture<>();
        CompletableFuture.delayedExecutor(bounded, TimeUnit.NANOSECONDS)
                .execute(() -> alarm.complete(null));
        availability = alarm;
    }
}
