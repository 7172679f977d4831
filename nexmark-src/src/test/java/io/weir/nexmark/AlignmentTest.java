package io.weir.nexmark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;

class AlignmentTest {

    private static final String DRIFT = "scan.watermark.alignment.max-drift";

    @Test
    void theDriftIsAMillionEventsButNoLessThanASecond() {
        assertEquals("100 s", drift());
        assertEquals("1000 s", drift("--rate", "1000"));
        assertEquals("1 s", drift("--rate", "1000000"));
        assertEquals("1 s", drift("--rate", "5000000"));
        assertEquals("100 s", drift("--rate", "max"));
        assertEquals("10 s", drift("--rate", "1000", "--set", "rate.shape=step", "--set", "first-event.rate=100000"));
    }

    @Test
    void whatIsAskedForStaysAndOtherShapesHaveNone() {
        assertEquals("7 s", drift("--set", DRIFT + "=7 s"));
        Map<String, String> stream = JobArguments.parse("--tables", "stream").sourceOptions();
        assertTrue(stream.isEmpty(), stream.toString());
    }

    private static String drift(String... arguments) {
        String[] all = new String[arguments.length + 2];
        all[0] = "--tables";
        all[1] = "keyed";
        System.arraycopy(arguments, 0, all, 2, arguments.length);
        Map<String, String> options = JobArguments.parse(all).sourceOptions();
        assertEquals("nexmark-events", options.get("scan.watermark.alignment.group"));
        assertEquals("50 ms", options.get("scan.watermark.alignment.update-interval"));
        return options.get(DRIFT);
    }
}
