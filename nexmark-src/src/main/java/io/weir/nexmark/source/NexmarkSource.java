/** The event stream as a Flink source (FLIP-27). */
package io.weir.nexmark.source;

import io.weir.nexmark.generator.GeneratorConfig;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.table.data.RowData;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Positions are in checkpoints, so every event comes exactly once into the job's state, whatever the parallelism. */
public final class NexmarkSource
        implements Source<RowData, NexmarkSplit, Collection<NexmarkSplit>> {

    private static final long serialVersionUID = 1L;

    private static final Logger LOG = LoggerFactory.getLogger(NexmarkSource.class);

    /** More than subtasks anybody runs, few enough that a subtask with all of them picks the next one quickly. */
    static final int SPLITS = 128;

    private final GeneratorConfig config;
    private final long events;
    private final Emission emission;
    private final EventColumns columns;
    private final NexmarkOptions.Generator generator;

    /**
     * @param events how many; 0 for a stream without end
     */
    NexmarkSource(
            GeneratorConfig config, long events, Emission emission, EventColumns columns, NexmarkOptions.Generator generator) {
        this.config = config;
        this.events = events;
        this.emission = emission;
        this.columns = columns;
        this.generator = generator;
    }

    /** The same events with other columns: paths into the table's schema, as the planner gives them. */
    NexmarkSource project(int[][] paths) {
        return new NexmarkSource(config, events, emission, columns.project(paths), generator);
    }

    boolean isBounded() {
        return events > 0;
    }

    @Override
    public Boundedness getBoundedness() {
        return isBounded() ? Boundedness.BOUNDED : Boundedness.CONTINUOUS_UNBOUNDED;
    }

    @Override
    public SplitEnumerator<NexmarkSplit, Collection<NexmarkSplit>> createEnumerator(
            SplitEnumeratorContext<NexmarkSplit> context) {
        List<NexmarkSplit> all = new ArrayList<>();
        long end = events > 0 ? events : Long.MAX_VALUE;
        for (int index = 0; index < SPLITS; index++) {
            all.add(new NexmarkSplit(index, SPLITS, index, end, NexmarkSplit.NOT_STARTED));
        }
        return restoreEnumerator(context, all);
    }

    @Override
    public SplitEnumerator<NexmarkSplit, Collection<NexmarkSplit>> restoreEnumerator(
            SplitEnumeratorContext<NexmarkSplit> context, Collection<NexmarkSplit> pending) {
        return new NexmarkEnumerator(context, pending);
    }

    @Override
    public SourceReader<RowData, NexmarkSplit> createReader(SourceReaderContext context) {
        LongSupplier clock = epochNanos();
        Backlog backlog = new Backlog(emission, clock, config.share(columns.kind()));
        // Without a rate and without an end all events are always due: a number nobody could act upon.
        if (emission.paced || events > 0) {
            context.metricGroup().setPendingRecordsGauge(backlog::pendingRecords);
            context.metricGroup().gauge("scheduleLagMillis", backlog::lagMillis);
        }
        return new NexmarkReader(
                feed(),
                emission,
                clock,
                context.metricGroup().getIOMetricGroup().getNumRecordsInCounter(),
                backlog);
    }

    private EventFeed feed() {
        if (generator == NexmarkOptions.Generator.JAVA) {
            return new JavaFeed(config, columns);
        }
        Throwable unavailable = NativeEvents.unavailable();
        if (unavailable == null) {
            return generator == NexmarkOptions.Generator.REPEAT
                    ? new RepeatFeed(config, columns)
                    : new NativeFeed(config, columns);
        }
        if (generator != NexmarkOptions.Generator.AUTO) {
            throw new IllegalStateException("there is no native generator here, and no other will do", unavailable);
        }
        LOG.warn("Events are generated in Java, which is slower: {}", unavailable.toString());
        return new JavaFeed(config, columns);
    }

    /** Nanoseconds since 1970 that never go back, whatever happens to the system's clock meanwhile. */
    private static LongSupplier epochNanos() {
        long origin = TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis()) - System.nanoTime();
        return () -> origin + System.nanoTime();
    }

    @Override
    public SimpleVersionedSerializer<NexmarkSplit> getSplitSerializer() {
        return new SplitSerializer();
    }

    @Override
    public SimpleVersionedSerializer<Collection<NexmarkSplit>>
            getEnumeratorCheckpointSerializer() {
        return new PendingSplitsSerializer();
    }
}
