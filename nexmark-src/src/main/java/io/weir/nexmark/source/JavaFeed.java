/** The straightforward feed: makes an event, picks its columns. */
package io.weir.nexmark.source;

import io.weir.nexmark.generator.EventGenerator;
import io.weir.nexmark.generator.EventNumbering;
import io.weir.nexmark.generator.GeneratorConfig;
import org.apache.flink.table.data.RowData;

/** What the native feed is measured against, and what runs where there is no native library: the rows are the same. */
final class JavaFeed implements EventFeed {

    private final EventGenerator generator;
    private final EventNumbering numbering;
    private final EventColumns columns;
    private boolean[] splits = {true};
    private long end;
    private long position;

    JavaFeed(GeneratorConfig config, EventColumns columns) {
        this.generator = new EventGenerator(config);
        this.numbering = new EventNumbering(config);
        this.columns = columns;
    }

    @Override
    public void walk(boolean[] splits, long from, long to) {
        this.splits = splits;
        this.end = to;
        this.position = from;
        skip();
    }

    @Override
    public long position() {
        return position;
    }

    @Override
    public RowData take() {
        RowData row = columns.pick(generator.event(position));
        position++;
        skip();
        return row;
    }

    private void skip() {
        while (position < end && !isWanted()) {
            position++;
        }
    }

    private boolean isWanted() {
        return splits[(int) (position % splits.length)] && columns.wants(numbering.kind(numbering.event(position)));
    }

    @Override
    public void close() {}
}
