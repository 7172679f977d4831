/** The native generator makes the same rows as the straightforward one, to the bit. */
package io.weir.nexmark.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.weir.nexmark.generator.EventNumbering;
import io.weir.nexmark.generator.EventSchema;
import io.weir.nexmark.generator.GeneratorConfig;
import io.weir.nexmark.generator.RateSchedule;
import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryRowData;
import org.apache.flink.table.runtime.typeutils.RowDataSerializer;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class NativeFeedTest {

    private static final boolean[] ALL = {true};

    @BeforeAll
    static void theLibraryIsThere() {
        assertNull(
                NativeEvents.unavailable(),
                "build it with `cargo build --release -p nexmark-native` and name it with -Dnexmark.native.library=FILE");
    }

    @Test
    void wholeEventsAreTheSame() {
        EventColumns columns = EventColumns.all(EventColumns.ALL_KINDS);
        assertSame(GeneratorConfig.builder().build(), columns, ALL, 0, 20_000);
        assertSame(GeneratorConfig.builder().build(), columns, ALL, 9_000_000_000L, 9_000_005_000L);
    }

    @Test
    void withAllThatIsConfigurable() {
        GeneratorConfig.Builder builder = GeneratorConfig.builder();
        builder.seed = -77;
        builder.baseTimeMillis = 5_000_000;
        builder.schedule = RateSchedule.sine(100, 7_000, 3_000);
        builder.personProportion = 2;
        builder.auctionProportion = 5;
        builder.bidProportion = 11;
        builder.personBytes = 0;
        builder.auctionBytes = 3_000;
        builder.bidBytes = 333;
        builder.hotAuctionRatio = 1;
        builder.hotBidderRatio = 7;
        builder.hotSellerRatio = 3;
        builder.inFlightAuctions = 7;
        builder.activePeople = 3;
        builder.outOfOrderGroup = 70;
        builder.delayedShare = 0.3;
        builder.shortestDelayMillis = 5;
        builder.longestDelayMillis = 7_000;
        assertSame(builder.build(), EventColumns.all(EventColumns.ALL_KINDS), ALL, 123, 10_123);
    }

    @Test
    void oneKindOfSomeSplitsWithSomeColumns() {
        boolean[] splits = new boolean[128];
        for (int i = 0; i < splits.length; i += 3) {
            splits[i] = true;
        }
        EventColumns auctions = EventColumns.all(EventNumbering.AUCTION).project(new int[][] {{9}, {0}, {6}, {1}});
        assertSame(GeneratorConfig.builder().build(), auctions, splits, 77, 50_000);
        EventColumns mixed = EventColumns.all(EventColumns.ALL_KINDS).project(new int[][] {{3, 3}, {0}, {1, 5}, {2}, {3, 5}});
        assertSame(GeneratorConfig.builder().build(), mixed, splits, 0, 50_000);
    }

    @Test
    void aDamagedLibraryIsNotLoaded() throws IOException {
        byte[] library = NativeEvents.read(NativeEvents.resource());
        NativeEvents.verify(NativeEvents.resource(), library);
        library[library.length / 2] ^= 1;
        IOException e = assertThrows(IOException.class, () -> NativeEvents.verify(NativeEvents.resource(), library));
        assertTrue(e.getMessage().contains("is damaged"), e.getMessage());
    }

    @Test
    void whatTheGeneratorRefusesIsAnExceptionThatSaysSo() {
        RuntimeException e = assertThrows(RuntimeException.class, () -> NativeEvents.open("{}"));
        assertTrue(e.getMessage().contains("missing field `config`"), e.getMessage());
        e = assertThrows(RuntimeException.class, () -> NativeEvents.leastBufferBytes(-1));
        assertTrue(e.getMessage().contains("generator -1 is not open"), e.getMessage());
    }

    private static void assertSame(GeneratorConfig config, EventColumns columns, boolean[] splits, long from, long to) {
        RowDataSerializer serializer = new RowDataSerializer(type(columns));
        try (JavaFeed expected = new JavaFeed(config, columns);
                NativeFeed actual = new NativeFeed(config, columns)) {
            expected.walk(splits, from, to);
            actual.walk(splits, from, to);
            int rows = 0;
            while (expected.position() < to) {
                assertEquals(expected.position(), actual.position());
                RowData row = expected.take();
                // Equal as bytes: what Flink itself would write is what the native generator wrote.
                BinaryRowData written = serializer.toBinaryRow(row).copy();
                assertEquals(written, ((BinaryRowData) actual.take()).copy(), () -> "written by Flink: " + row);
                rows++;
            }
            assertEquals(to, actual.position());
            assertTrue(rows > 100, "rows " + rows);
        }
    }

    private static RowType type(EventColumns columns) {
        return RowType.of(
                Arrays.stream(columns.paths())
                        .map(
                                path -> {
                                    DataType type = EventSchema.EVENT;
                                    for (int step : path) {
                                        type = type.getChildren().get(step);
                                    }
                                    return type.getLogicalType();
                                })
                        .toArray(LogicalType[]::new));
    }
}
