/** How far apart the sources of one job may be in event time. */
package io.weir.nexmark;

import io.weir.nexmark.source.NexmarkOptions;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.util.TimeUtils;

/**
 * Keeps a source from running ahead of the others, for then a join keeps what still has no partner. Flink tells sources only now and
 * then how far they may go, and a source looks only when it emits a watermark, so one that passes the drift in between waits although
 * no other is behind. That is why the drift here is a number of events, more than a source emits in that time, at whatever speed event
 * time runs.
 */
final class Alignment {

    private static final String PREFIX = "scan.watermark.alignment.";
    private static final long EVENTS_APART = 1_000_000;
    private static final Duration SHORTEST_DRIFT = Duration.ofSeconds(1);
    /** Each time, a message goes to each subtask of each source; shorter than Flink's 200 ms between two watermarks. */
    private static final Duration UPDATE_INTERVAL = Duration.ofMillis(50);

    /** Options of the tables with those of the alignment that are missing. */
    static Map<String, String> completed(Map<String, String> connectorOptions) {
        Map<String, String> options = new LinkedHashMap<>(connectorOptions);
        options.putIfAbsent(PREFIX + "group", "nexmark-events");
        options.computeIfAbsent(PREFIX + "max-drift", key -> TimeUtils.formatWithHighestUnit(drift(connectorOptions)));
        options.putIfAbsent(PREFIX + "update-interval", TimeUtils.formatWithHighestUnit(UPDATE_INTERVAL));
        return options;
    }

    private static Duration drift(Map<String, String> connectorOptions) {
        long rate = NexmarkOptions.fastestRate(Configuration.fromMap(connectorOptions));
        Duration drift = Duration.ofMillis(EVENTS_APART * 1000 / rate);
        return drift.compareTo(SHORTEST_DRIFT) < 0 ? SHORTEST_DRIFT : drift;
    }

    private Alignment() {}
}
