/** Readers emit every event once, in order, at their share of the rate, also after they were restored elsewhere. */
package io.weir.nexmark.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.weir.nexmark.generator.EventGenerator;
import io.weir.nexmark.generator.EventNumbering;
import io.weir.nexmark.generator.GeneratorConfig;
import io.weir.nexmark.generator.RateSchedule;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.metrics.SimpleCounter;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NexmarkReaderTest {

    private static final GeneratorConfig CONFIG = GeneratorConfig.builder().build();
    private static final long UNLIMITED = 0;

    private final AtomicLong clock = new AtomicLong();
    private final Collected output = new Collected();
    private Backlog backlog = new Backlog(emission(UNLIMITED, true), clock::get, 1);

    @Test
    void oneReaderOfAllSplitsEmitsInOrder() {
        NexmarkReader reader = reader(UNLIMITED);
        reader.addSplits(splits(8, 1_001));
        reader.notifyNoMoreSplits();
        drain(reader);
        assertEquals(events(0, 1_001), output.rows);
    }

    @Test
    void anyAssignmentEmitsTheSameEvents() throws IOException {
        SplitSerializer serializer = new SplitSerializer();
        List<NexmarkReader> three = List.of(reader(UNLIMITED), reader(UNLIMITED), reader(UNLIMITED));
        List<NexmarkSplit> all = splits(8, 1_000);
        for (NexmarkSplit split : all) {
            three.get(split.index % 3).addSplits(List.of(split));
        }
        // Every reader stops at another place; its splits go through a checkpoint to two others.
        List<NexmarkSplit> positions = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            for (int n = 0; n < i; n++) {
                assertEquals(InputStatus.MORE_AVAILABLE, three.get(i).pollNext(output));
            }
            for (NexmarkSplit split : three.get(i).snapshotState(1)) {
                positions.add(serializer.deserialize(2, serializer.serialize(split)));
            }
        }
        // Not at the same place, and in the middle of what they have: 64 events at a poll.
        assertEquals(3 * 64, output.rows.size());
        List<NexmarkReader> two = List.of(reader(UNLIMITED), reader(UNLIMITED));
        for (NexmarkSplit split : positions) {
            two.get((split.index + 1) % 2).addSplits(List.of(split));
        }
        for (NexmarkReader reader : two) {
            reader.notifyNoMoreSplits();
            drain(reader);
        }
        assertEquals(1_000, output.rows.size());
        assertEquals(List.of(), missing(events(0, 1_000), output.rows));
    }

    @Test
    void emitsItsShareOfTheRate() {
        NexmarkReader reader = reader(8_000);
        reader.addSplits(splits(8, Long.MAX_VALUE).subList(0, 2));
        clock.set(5_000_000_000L);
        // The first poll starts the schedule: the five seconds before it are not caught up with.
        assertEquals(InputStatus.MORE_AVAILABLE, reader.pollNext(output));
        assertEquals(InputStatus.NOTHING_AVAILABLE, reader.pollNext(output));
        assertEquals(1, output.rows.size());
        assertEquals(0, backlog.pendingRecords());
        clock.addAndGet(999_999_999L);
        assertEquals(2_000, backlog.pendingRecords(), 2);
        assertEquals(1_000, backlog.lagMillis(), 1);
        emitWhatIsDue(reader);
        assertEquals(2_000, output.rows.size());
    }

    @Test
    void whatFellDueWhileTheJobWasDownIsABacklog() {
        assertEquals(16_000, emittedAfterASecondDown(true), 80);
    }

    @Test
    void orTheScheduleGoesOnWhereItWas() {
        assertEquals(8_000, emittedAfterASecondDown(false), 80);
    }

    /** Emits for a second at 8 events per millisecond, is down for one, and emits for another: how many after the restore? */
    private long emittedAfterASecondDown(boolean catchesUp) {
        NexmarkReader before = reader(8_000, catchesUp);
        before.addSplits(splits(8, Long.MAX_VALUE));
        before.pollNext(output);
        clock.addAndGet(1_000_000_000L);
        emitWhatIsDue(before);
        assertEquals(8_001, output.rows.size(), 1);
        clock.addAndGet(1_000_000_000L);
        NexmarkReader after = reader(8_000, catchesUp);
        after.addSplits(before.snapshotState(1));
        after.pollNext(output);
        clock.addAndGet(1_000_000_000L);
        long atRestore = output.rows.size() - 1;
        emitWhatIsDue(after);
        return output.rows.size() - atRestore;
    }

    @ParameterizedTest
    @ValueSource(longs = {1_000, 7_919, 100_000, 1_000_000})
    void theRateHoldsOverSubtasksAndAfterARescale(long rate) {
        List<NexmarkReader> three = assign(splits(128, Long.MAX_VALUE), 3, rate);
        three.forEach(reader -> reader.pollNext(output));
        long due = rate * 300 / 1000;
        assertEquals(due, emittedIn(300, three), due / 100.0);
        List<NexmarkSplit> positions = new ArrayList<>();
        three.forEach(reader -> positions.addAll(reader.snapshotState(1)));
        List<NexmarkReader> five = assign(positions, 5, rate);
        assertEquals(due, emittedIn(300, five), due / 100.0);
        assertEquals(2 * due, output.rows.size(), 2 * due / 100.0);
    }

    private List<NexmarkReader> assign(List<NexmarkSplit> splits, int parallelism, long rate) {
        EventColumns kinds = EventColumns.all(EventColumns.ALL_KINDS).project(new int[][] {{0}});
        List<NexmarkReader> readers = new ArrayList<>();
        for (int i = 0; i < parallelism; i++) {
            readers.add(
                    new NexmarkReader(
                            new JavaFeed(CONFIG, kinds), emission(rate, true), clock::get, new SimpleCounter(), backlog));
        }
        splits.forEach(split -> readers.get(split.index % parallelism).addSplits(List.of(split)));
        return readers;
    }

    /** Rows of so many milliseconds, at each of which every reader emits what is due. */
    private long emittedIn(int millis, List<NexmarkReader> readers) {
        int before = output.rows.size();
        for (int i = 0; i < millis; i++) {
            clock.addAndGet(1_000_000);
            readers.forEach(this::emitWhatIsDue);
        }
        return output.rows.size() - before;
    }

    @Test
    void aWarmUpReadsExactlyWhatItShallAndTheRestIsReadAfterIt() {
        Emission warmUp = new Emission(RateSchedule.constant(1), false, false, 333);
        List<NexmarkReader> two = new ArrayList<>();
        List<NexmarkSplit> positions = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            NexmarkReader reader = new NexmarkReader(feed(), warmUp, clock::get, new SimpleCounter(), backlog);
            for (NexmarkSplit split : splits(8, 1_000)) {
                if (split.index % 2 == i) {
                    reader.addSplits(List.of(split));
                }
            }
            reader.notifyNoMoreSplits();
            two.add(reader);
            emitWhatIsDue(reader);
            assertEquals(InputStatus.NOTHING_AVAILABLE, reader.pollNext(output));
            assertFalse(reader.isAvailable().isDone());
            positions.addAll(reader.snapshotState(1));
        }
        assertEquals(333, output.rows.size());
        assertEquals(List.of(), missing(events(0, 333), output.rows));
        NexmarkReader after = reader(UNLIMITED);
        after.addSplits(positions);
        after.notifyNoMoreSplits();
        drain(after);
        assertEquals(1_000, output.rows.size());
        assertEquals(List.of(), missing(events(0, 1_000), output.rows));
    }

    @Test
    void splitsFarAheadJoinInWhenTheOthersAreThere() {
        List<NexmarkSplit> splits = splits(4, 1_001);
        splits.set(1, new NexmarkSplit(1, 4, 401, 1_001, NexmarkSplit.NOT_STARTED));
        splits.set(3, new NexmarkSplit(3, 4, 803, 1_001, NexmarkSplit.NOT_STARTED));
        NexmarkReader reader = reader(UNLIMITED);
        reader.addSplits(splits);
        reader.notifyNoMoreSplits();
        drain(reader);
        List<RowData> expected = new ArrayList<>();
        List<RowData> all = events(0, 1_001);
        for (int n = 0; n < 1_001; n++) {
            if (n % 4 == 1 ? n >= 401 : n % 4 != 3 || n >= 803) {
                expected.add(all.get(n));
            }
        }
        assertEquals(expected, output.rows);
    }

    @Test
    void aTableOfOneKindHasItsColumnsOnly() {
        EventColumns prices = EventColumns.all(EventNumbering.BID).project(new int[][] {{2}, {0}});
        NexmarkReader reader =
                new NexmarkReader(new JavaFeed(CONFIG, prices), emission(UNLIMITED, true), clock::get, new SimpleCounter(), backlog);
        reader.addSplits(splits(8, 1_000));
        reader.notifyNoMoreSplits();
        drain(reader);
        assertEquals(1_000 / 50 * 46, output.rows.size());
        RowData bid = events(0, 5).get(4).getRow(3, 7);
        assertEquals(GenericRowData.of(bid.getLong(2), bid.getLong(0)), output.rows.get(0));
    }

    @Test
    void aPauseEndsByItself() throws Exception {
        NexmarkReader reader =
                new NexmarkReader(feed(), emission(100, true), System::nanoTime, new SimpleCounter(), backlog);
        reader.addSplits(splits(1, 3));
        reader.notifyNoMoreSplits();
        InputStatus status = reader.pollNext(output);
        while (status != InputStatus.END_OF_INPUT) {
            reader.isAvailable().get();
            status = reader.pollNext(output);
        }
        assertEquals(events(0, 3), output.rows);
    }

    @Test
    void waitsForSplitsAndEndsWithoutAny() throws Exception {
        NexmarkReader reader = reader(UNLIMITED);
        assertEquals(InputStatus.NOTHING_AVAILABLE, reader.pollNext(output));
        assertFalse(reader.isAvailable().isDone());
        reader.notifyNoMoreSplits();
        assertTrue(reader.isAvailable().isDone());
        assertEquals(InputStatus.END_OF_INPUT, reader.pollNext(output));
    }

    @Test
    void splitsSurviveSerialisation() throws IOException {
        List<NexmarkSplit> all = splits(128, 77_777);
        PendingSplitsSerializer serializer = new PendingSplitsSerializer();
        Collection<NexmarkSplit> read = serializer.deserialize(2, serializer.serialize(all));
        assertEquals(all, new ArrayList<>(read));
        assertThrows(IOException.class, () -> new SplitSerializer().deserialize(2, new byte[24]));
        assertThrows(IOException.class, () -> new SplitSerializer().deserialize(3, new byte[32]));
        assertThrows(IOException.class, () -> serializer.deserialize(2, new byte[40]));
    }

    @Test
    void splitsOfTheFirstVersionAreRead() throws IOException {
        byte[] bytes = ByteBuffer.allocate(24).putInt(3).putInt(128).putLong(131).putLong(999).array();
        NexmarkSplit expected = new NexmarkSplit(3, 128, 131, 999, NexmarkSplit.NOT_STARTED);
        assertEquals(expected, new SplitSerializer().deserialize(1, bytes));
    }

    private NexmarkReader reader(long rate) {
        return reader(rate, true);
    }

    private NexmarkReader reader(long rate, boolean catchesUp) {
        Emission emission = emission(rate, catchesUp);
        backlog = new Backlog(emission, clock::get, 1);
        return new NexmarkReader(feed(), emission, clock::get, new SimpleCounter(), backlog);
    }

    private static EventFeed feed() {
        return new JavaFeed(CONFIG, EventColumns.all(EventColumns.ALL_KINDS));
    }

    private static Emission emission(long rate, boolean catchesUp) {
        return new Emission(RateSchedule.constant(rate == UNLIMITED ? 1 : rate), rate != UNLIMITED, catchesUp, Long.MAX_VALUE);
    }

    private void emitWhatIsDue(NexmarkReader reader) {
        while (reader.pollNext(output) == InputStatus.MORE_AVAILABLE) {
            // Emit.
        }
    }

    private void drain(NexmarkReader reader) {
        while (reader.pollNext(output) != InputStatus.END_OF_INPUT) {
            // Emit all.
        }
    }

    private static List<NexmarkSplit> splits(int stride, long end) {
        List<NexmarkSplit> splits = new ArrayList<>();
        for (int i = 0; i < stride; i++) {
            splits.add(new NexmarkSplit(i, stride, i, end, NexmarkSplit.NOT_STARTED));
        }
        return splits;
    }

    private static List<RowData> events(long from, long to) {
        EventGenerator generator = new EventGenerator(CONFIG);
        List<RowData> events = new ArrayList<>();
        for (long n = from; n < to; n++) {
            events.add(generator.event(n));
        }
        return events;
    }

    private static List<RowData> missing(List<RowData> expected, List<RowData> actual) {
        List<RowData> missing = new ArrayList<>(expected);
        actual.forEach(missing::remove);
        return missing;
    }

    private static final class Collected implements ReaderOutput<RowData> {
        final List<RowData> rows = new ArrayList<>();

        @Override
        public void collect(RowData row) {
            rows.add(row);
        }

        @Override
        public void collect(RowData row, long timestamp) {
            rows.add(row);
        }

        @Override
        public void emitWatermark(Watermark watermark) {}

        @Override
        public void markIdle() {}

        @Override
        public void markActive() {}

        @Override
        public SourceOutput<RowData> createOutputForSplit(String splitId) {
            return this;
        }

        @Override
        public void releaseOutputForSplit(String splitId) {}
    }
}
