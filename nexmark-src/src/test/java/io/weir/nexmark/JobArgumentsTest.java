/** What the command line takes, and what it refuses by name. */
package io.weir.nexmark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JobArgumentsTest {

    @Test
    void everyArgumentArrives() {
        JobArguments parsed =
                JobArguments.parse(
                        "--queries", "q20", "--rate", "20000", "--events", "100", "--seed", "-3",
                        "--parallelism", "2", "--sink", "filesystem", "--output", "/data/out",
                        "--job-name", "A job", "--set", "auction.num-in-flight=500",
                        "--sink-set", "sink.rolling-policy.file-size=1 mb",
                        "--conf", "table.exec.state.ttl=1 h", "--wait");
        assertEquals(List.of("q20"), parsed.queries);
        assertEquals(
                Map.of(
                        "next-event.rate", "20000",
                        "events.num", "100",
                        "seed", "-3",
                        "auction.num-in-flight", "500"),
                parsed.connectorOptions);
        assertEquals(Map.of("sink.rolling-policy.file-size", "1 mb"), parsed.sinkOptions);
        assertEquals(Map.of("table.exec.state.ttl", "1 h"), parsed.flinkOptions);
        assertEquals(2, parsed.parallelism);
        assertEquals("filesystem", parsed.sink);
        assertEquals("/data/out", parsed.output);
        assertEquals("A job", parsed.jobName);
        assertTrue(parsed.wait);
        assertEquals(
                Map.of("max-emit-speed", "true"), JobArguments.parse("--rate", "max").connectorOptions);
    }

    @ParameterizedTest
    @CsvSource({
        "--rat 5, Unknown argument --rat",
        "--rate, lacks its value",
        "--rate fast, --rate is 'fast'",
        "--rate 0, at least 1",
        "--events -1, --events is '-1'",
        "--sink pulsar, --sink is 'pulsar'",
        "--sink kafka, leave q18 out",
        "--sink jdbc, needs the database",
        "--queries fill --sink jdbc, use --sink kafka",
        "--queries fill --tables keyed, goes with --tables stream",
        "--sink filesystem, go together",
        "--output /tmp/x, go together",
        "--sink filesystem --output /tmp/x, leave q18 out",
        "--set rate, key=value",
        "--explain cost, --explain is 'cost'; expected plan",
    })
    void refusals(String arguments, String hint) {
        IllegalArgumentException e =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> JobArguments.parse(arguments.split(" ")));
        assertTrue(e.getMessage().contains(hint), e.getMessage());
    }
}
