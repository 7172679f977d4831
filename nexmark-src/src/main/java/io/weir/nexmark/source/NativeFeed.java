/** Rows that were made natively, many at once. */
package io.weir.nexmark.source;

import io.weir.nexmark.generator.GeneratorConfig;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Locale;
import org.apache.flink.core.memory.MemorySegment;
import org.apache.flink.core.memory.MemorySegmentFactory;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryRowData;

/** No native call and no object per row: one row object moves over a buffer in the format in which Flink reads rows anyway. */
final class NativeFeed implements EventFeed {

    /** Long enough that a call costs nothing per row, short enough to stay in the processor's cache. */
    private static final int BUFFER_BYTES = 128 * 1024;

    private static final int BATCH_HEADER = 16;
    private static final int ROW_HEADER = 16;
    private static final int LONGEST_MASK = 2 * Long.SIZE;

    private final long generator;
    private final ByteBuffer buffer;
    private final MemorySegment segment;
    private final MemorySegment[] segments;
    private final BinaryRowData row;

    private long lowSplits;
    private long highSplits;
    private int splits;
    /** The position after those of the batch. */
    private long next;
    private long end;
    /** Of the next row's header; at the limit there is none. */
    private int offset;
    private int limit;

    NativeFeed(GeneratorConfig config, EventColumns columns) {
        generator = NativeEvents.open(request(config, columns));
        buffer = ByteBuffer.allocateDirect(Math.max(BUFFER_BYTES, 2 * NativeEvents.leastBufferBytes(generator)));
        segment = MemorySegmentFactory.wrapOffHeapMemory(buffer);
        segments = new MemorySegment[] {segment};
        row = new BinaryRowData(columns.paths().length);
    }

    @Override
    public void walk(boolean[] wanted, long from, long to) {
        if (wanted.length > LONGEST_MASK) {
            throw new IllegalArgumentException("there are " + wanted.length + " splits but only " + LONGEST_MASK + " are possible");
        }
        lowSplits = 0;
        highSplits = 0;
        for (int i = 0; i < wanted.length; i++) {
            long bit = wanted[i] ? 1L << i : 0;
            if (i < Long.SIZE) {
                lowSplits |= bit;
            } else {
                highSplits |= bit;
            }
        }
        splits = wanted.length;
        next = from;
        end = to;
        offset = 0;
        limit = 0;
    }

    @Override
    public long position() {
        while (offset == limit) {
            if (next == end) {
                return end;
            }
            next = NativeEvents.fill(generator, buffer, lowSplits, highSplits, splits, next, end);
            offset = BATCH_HEADER;
            limit = BATCH_HEADER + (int) segment.getLong(0);
        }
        return segment.getLong(offset);
    }

    @Override
    public RowData take() {
        int length = (int) segment.getLong(offset + Long.BYTES);
        row.pointTo(segments, offset + ROW_HEADER, length);
        offset += ROW_HEADER + length;
        return row;
    }

    @Override
    public void close() {
        NativeEvents.close(generator);
    }

    /** Names as the crate nexmark-generator has them. */
    private static String request(GeneratorConfig c, EventColumns columns) {
        return String.format(
                Locale.ROOT,
                "{\"columns\":%s,\"kind\":%s,\"config\":{"
                        + "\"schedule\":{\"start_millis\":%s,\"rate\":%s,\"period_millis\":%d},\"seed\":%d,\"base_time_millis\":%d,"
                        + "\"person_proportion\":%d,\"auction_proportion\":%d,\"bid_proportion\":%d,"
                        + "\"person_bytes\":%d,\"auction_bytes\":%d,\"bid_bytes\":%d,"
                        + "\"hot_auction_ratio\":%d,\"hot_bidder_ratio\":%d,\"hot_seller_ratio\":%d,"
                        + "\"in_flight_auctions\":%d,\"active_people\":%d,\"out_of_order_group\":%d,"
                        + "\"delayed_share\":%s,\"shortest_delay_millis\":%d,\"longest_delay_millis\":%d}}",
                Arrays.deepToString(columns.paths()),
                columns.kind() == EventColumns.ALL_KINDS ? "null" : String.valueOf(columns.kind()),
                Arrays.toString(c.schedule.startMillis()),
                Arrays.toString(c.schedule.rates()),
                c.schedule.periodMillis(),
                c.seed,
                c.baseTimeMillis,
                c.personProportion,
                c.auctionProportion,
                c.bidProportion,
                c.personBytes,
                c.auctionBytes,
                c.bidBytes,
                c.hotAuctionRatio,
                c.hotBidderRatio,
                c.hotSellerRatio,
                c.inFlightAuctions,
                c.activePeople,
                c.outOfOrderGroup,
                c.delayedShare,
                c.shortestDelayMillis,
                c.longestDelayMillis);
    }
}
