/** Where a reader gets its rows from: all events of its splits, in order. */
package io.weir.nexmark.source;

import org.apache.flink.table.data.RowData;

/**
 * Walks over event numbers of which only some have a row: those of the given splits and of the wanted kind. Not thread-safe.
 */
interface EventFeed extends AutoCloseable {

    /**
     * Begins a walk over the numbers from one up to but not including another.
     *
     * @param splits which remainders, of as many as the array is long, are walked over
     */
    void walk(boolean[] splits, long from, long to);

    /** Number of the event that {@link #take} would return; the end of the walk if there is none. */
    long position();

    /** The row at the position, which must have been asked for; it moves on. The row is valid until the next call of any method. */
    RowData take();

    @Override
    void close();
}
