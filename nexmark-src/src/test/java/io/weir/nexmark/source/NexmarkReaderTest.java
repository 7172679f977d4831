/** Readers emit every event once, in order, at their share of the rate, also after they were restored elsewhere. */
package io.weir.nexmark.source;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.weir.nexmark.generator.EventGenerator;
import io.weir.nexmark.generator.GeneratorConfig;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.metrics.SimpleCounter;
import org.apache.flink.table.data.RowData;
import org.junit.jupiter.api.Test;

class NexmarkReaderTest {

    private static final GeneratorConfig CONFIG = GeneratorConfig.builder().build();
    private static final double UNLIMITED = Double.POSITIVE_INFINITY;

    private final AtomicLong clock = new AtomicLong();
    private final Collected output = new Collected();

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
            for (int n = 0; n < 50 * i; n++) {
                assertEquals(InputStatus.MORE_AVAILABLE, three.get(i).pollNext(output));
            }
            for (NexmarkSplit split : three.get(i).snapshotState(1)) {
                positions.add(serializer.deserialize(1, serializer.serialize(split)));
            }
        }
        assertEquals(150, output.rows.size());
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
        clock.addAndGet(999_999_999L);
        while (reader.pollNext(output) == InputStatus.MORE_AVAILABLE) {
            // Emit what is due.
        }
        assertEquals(2_000, output.rows.size());
    }

    @Test
    void aPauseEndsByItself() throws Exception {
        NexmarkReader reader = new NexmarkReader(CONFIG, 100, System::nanoTime, new SimpleCounter());
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
        Collection<NexmarkSplit> read = serializer.deserialize(1, serializer.serialize(all));
        assertEquals(all, new ArrayList<>(read));
        assertThrows(IOException.class, () -> new SplitSerializer().deserialize(2, new byte[24]));
        assertThrows(IOException.class, () -> serializer.deserialize(1, new byte[30]));
    }

    private NexmarkReader reader(double rate) {
        return new NexmarkReader(CONFIG, rate, clock::get, new SimpleCounter());
    }

    private void drain(NexmarkReader reader) {
        while (reader.pollNext(output) != InputStatus.END_OF_INPUT) {
            // Emit all.
        }
    }

    private static List<NexmarkSplit> splits(int stride, long end) {
        List<NexmarkSplit> splits = new ArrayList<>();
        for (int i = 0; i < stride; i++) {
            splits.add(new NexmarkSplit(i, stride, i, end));
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
