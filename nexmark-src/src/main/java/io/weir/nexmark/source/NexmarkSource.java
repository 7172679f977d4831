/** The event stream as a Flink source (FLIP-27). */
package io.weir.nexmark.source;

import io.weir.nexmark.generator.GeneratorConfig;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.table.data.RowData;

/** Positions are in checkpoints, so every event comes exactly once into the job's state, whatever the parallelism. */
public final class NexmarkSource
        implements Source<RowData, NexmarkSplit, Collection<NexmarkSplit>> {

    private static final long serialVersionUID = 1L;

    /** More than subtasks anybody runs, few enough that a subtask with all of them picks the next one quickly. */
    static final int SPLITS = 128;

    private final GeneratorConfig config;
    private final long events;
    private final double eventsPerSecond;

    /**
     * @param events how many; 0 for a stream without end
     * @param eventsPerSecond over all subtasks; infinite for as fast as possible
     */
    public NexmarkSource(GeneratorConfig config, long events, double eventsPerSecond) {
        this.config = config;
        this.events = events;
        this.eventsPerSecond = eventsPerSecond;
    }

    @Override
    public Boundedness getBoundedness() {
        return events > 0 ? Boundedness.BOUNDED : Boundedness.CONTINUOUS_UNBOUNDED;
    }

    @Override
    public SplitEnumerator<NexmarkSplit, Collection<NexmarkSplit>> createEnumerator(
            SplitEnumeratorContext<NexmarkSplit> context) {
        List<NexmarkSplit> all = new ArrayList<>();
        long end = events > 0 ? events : Long.MAX_VALUE;
        for (int index = 0; index < SPLITS; index++) {
            all.add(new NexmarkSplit(index, SPLITS, index, end));
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
        return new NexmarkReader(
                config,
                eventsPerSecond,
                System::nanoTime,
                context.metricGroup().getIOMetricGroup().getNumRecordsInCounter());
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
