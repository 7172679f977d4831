/** Hands the splits to the subtasks. */
package io.weir.nexmark.source;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.SplitsAssignment;

/** A subtask gets all its splits when it registers; there is nothing to discover later. */
final class NexmarkEnumerator implements SplitEnumerator<NexmarkSplit, Collection<NexmarkSplit>> {

    private final SplitEnumeratorContext<NexmarkSplit> context;
    private final List<NexmarkSplit> pending;

    NexmarkEnumerator(
            SplitEnumeratorContext<NexmarkSplit> context, Collection<NexmarkSplit> pending) {
        this.context = context;
        this.pending = new ArrayList<>(pending);
    }

    @Override
    public void start() {}

    @Override
    public void handleSplitRequest(int subtask, String host) {
        // Readers do not ask: they are given their splits.
    }

    /** After a failure of one subtask; it registers again afterwards. */
    @Override
    public void addSplitsBack(List<NexmarkSplit> splits, int subtask) {
        pending.addAll(splits);
    }

    @Override
    public void addReader(int subtask) {
        List<NexmarkSplit> own = new ArrayList<>();
        for (Iterator<NexmarkSplit> all = pending.iterator(); all.hasNext(); ) {
            NexmarkSplit split = all.next();
            if (split.index % context.currentParallelism() == subtask) {
                own.add(split);
                all.remove();
            }
        }
        if (!own.isEmpty()) {
            context.assignSplits(new SplitsAssignment<>(Map.of(subtask, own)));
        }
        context.signalNoMoreSplits(subtask);
    }

    @Override
    public Collection<NexmarkSplit> snapshotState(long checkpointId) {
        return new ArrayList<>(pending);
    }

    @Override
    public void close() {}
}
