/** The job as a user runs it, on a Flink cluster inside this process. */
package io.weir.nexmark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.weir.nexmark.generator.EventGenerator;
import io.weir.nexmark.generator.EventNumbering;
import io.weir.nexmark.generator.GeneratorConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.table.data.RowData;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NexmarkJobTest {

    private static final int EVENTS = 20_000;

    @TempDir Path folder;

    @Test
    void joinOfBoundedEventsIsCompleteAtAnyParallelism() throws Exception {
        List<String> one = q20(1);
        List<String> three = q20(3);
        assertEquals(expectedBids(), one.size());
        assertEquals(one, three);
        // 16 columns: the bid's seven, then nine of its auction.
        assertTrue(one.stream().allMatch(line -> line.split(",").length == 16), one.get(0));
    }

    @Test
    void bothQueriesRunAsOneJobThroughOneSource() throws Exception {
        NexmarkJob.main(
                new String[] {
                    "--queries", "q20,q18", "--events", "5000", "--rate", "max", "--parallelism", "2", "--wait"
                });
        String plan = NexmarkJob.explain(JobArguments.parse("--queries", "q20,q18", "--events", "5000"));
        String execution = plan.substring(plan.indexOf("Optimized Execution Plan"));
        assertEquals(1, execution.split("TableSourceScan", -1).length - 1, execution);
        assertTrue(execution.contains("Deduplicate(keep=[LastRow]"), execution);
        assertTrue(execution.contains("joinType=[InnerJoin]"), execution);
    }

    @Test
    void aPlanHasTheDetailsThatAreAskedFor() {
        String plain = NexmarkJob.explain(JobArguments.parse("--queries", "q20", "--explain", "plan"));
        assertFalse(plain.contains("changelogMode=") || plain.contains("rowcount = "), plain);
        String detailed =
                NexmarkJob.explain(JobArguments.parse("--queries", "q20", "--explain", "changelog_mode,estimated_cost"));
        assertTrue(detailed.contains("changelogMode=[I]") && detailed.contains("rowcount = "), detailed);
    }

    @Test
    void unknownConnectorOptionIsRefusedByName() {
        assertRefused("'next-event.rates'", "--set", "next-event.rates=5");
        assertRefused("events.num is -5", "--set", "events.num=-5");
        assertRefused("first-event.rate is 5", "--set", "first-event.rate=5");
        assertRefused("rate.file and rate.shape", "--set", "rate.shape=file");
        assertRefused("rate.period is set", "--set", "rate.period=5 s");
        assertRefused("rate.file /nowhere is not readable", "--set", "rate.shape=file", "--set", "rate.file=/nowhere");
        assertRefused("events.pause-at is 0", "--set", "events.pause-at=0");
        assertRefused("There is no query 'q99'", "--queries", "q99");
    }

    private static void assertRefused(String hint, String... arguments) {
        Throwable e =
                assertThrows(Exception.class, () -> NexmarkJob.submit(JobArguments.parse(arguments)));
        StringBuilder messages = new StringBuilder();
        for (; e != null; e = e.getCause()) {
            messages.append(e.getMessage()).append('\n');
        }
        assertTrue(messages.toString().contains(hint), messages.toString());
    }

    private List<String> q20(int parallelism) throws Exception {
        Path output = folder.resolve("p" + parallelism);
        NexmarkJob.main(
                new String[] {
                    "--queries", "q20", "--events", String.valueOf(EVENTS), "--rate", "max",
                    "--parallelism", String.valueOf(parallelism),
                    "--sink", "filesystem", "--output", output.toString(), "--wait"
                });
        List<String> lines = new ArrayList<>();
        try (Stream<Path> files = Files.walk(output)) {
            files.filter(Files::isRegularFile)
                    .forEach(
                            file -> {
                                assertTrue(!file.getFileName().toString().startsWith("."), "not finalised: " + file);
                                try {
                                    lines.addAll(Files.readAllLines(file));
                                } catch (IOException e) {
                                    throw new UncheckedIOException(e);
                                }
                            });
        }
        Collections.sort(lines);
        return lines;
    }

    /** The join by hand: how many bids are on an auction of category 10 that was opened among these events. */
    private static long expectedBids() {
        EventGenerator generator = new EventGenerator(GeneratorConfig.builder().build());
        List<RowData> events = new ArrayList<>();
        for (long n = 0; n < EVENTS; n++) {
            events.add(generator.event(n));
        }
        Set<Long> auctions = new HashSet<>();
        for (RowData event : events) {
            if (event.getInt(0) == EventNumbering.AUCTION && event.getRow(2, 10).getLong(8) == 10) {
                auctions.add(event.getRow(2, 10).getLong(0));
            }
        }
        return events.stream()
                .filter(event -> event.getInt(0) == EventNumbering.BID)
                .filter(event -> auctions.contains(event.getRow(3, 7).getLong(0)))
                .collect(Collectors.counting());
    }
}
