/** The rows of the first events, again and again: what a source would be that took no time at all. */
package io.weir.nexmark.source;

import io.weir.nexmark.generator.GeneratorConfig;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryRowData;

/** For measuring what Flink itself takes for a row, and how near a source comes to that. It ignores splits, so it is for one subtask. */
final class RepeatFeed implements EventFeed {

    /** A few rounds of all kinds, short enough to stay in the processor's cache as a batch does. */
    private static final int ROWS = 512;

    private final List<BinaryRowData> rows = new ArrayList<>();
    private long position;
    private int row;

    RepeatFeed(GeneratorConfig config, EventColumns columns) {
        try (NativeFeed feed = new NativeFeed(config, columns)) {
            feed.walk(new boolean[] {true}, 0, Long.MAX_VALUE);
            while (rows.size() < ROWS) {
                feed.position();
                rows.add(((BinaryRowData) feed.take()).copy());
            }
        }
    }

    @Override
    public void walk(boolean[] splits, long from, long to) {
        position = from;
    }

    @Override
    public long position() {
        return position;
    }

    @Override
    public RowData take() {
        position++;
        row = (row + 1) % ROWS;
        return rows.get(row);
    }

    @Override
    public void close() {}
}
