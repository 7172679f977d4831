/** The configuration of Weir in a TaskManager, read from Flink's and checked. */
package io.weir;

import java.io.Serializable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.ReadableConfig;

/**
 * Immutable. Reading it loads no native code: Flink configures the options factory on the JobManager too, once per job,
 * and on a TaskManager several times per task.
 */
final class WeirConfig implements Serializable {

    private static final long serialVersionUID = 1L;

    /** Those that come with Weir; a test holds them against rocksdb-options/profiles. */
    static final Set<String> PROFILES =
            new TreeSet<>(
                    Set.of(
                            "direct-io",
                            "direct-io-bloom",
                            "direct-io-bloom-prefix",
                            "direct-io-data-blocks",
                            "direct-io-index",
                            "direct-io-index-bloom",
                            "direct-io-index-bloom-prefix",
                            "experiment-buffered",
                            "experiment-justin",
                            "experiment-prefix",
                            "flink"));

    final boolean enabled;
    final MemoryMode mode;
    /** Bytes that caches and write buffers may reach together; 0 if neither Weir's nor Flink's key says. */
    final long budgetBytes;
    final double writeBufferRatio;
    final String profile;
    final int samples;
    final long halfLifeMillis;
    final String httpPortRange;
    final String httpBindHost;
    final String httpTokenFile;
    final String controllerUrl;
    final String taskManagerId;
    /** Whether Flink bounds what RocksDB may use, with one cache and one write buffer manager per slot or TaskManager. */
    final boolean memoryBoundByFlink;
    /** Empty where the job got its name otherwise than by {@code pipeline.name}. */
    final String jobName;

    private WeirConfig(ReadableConfig config) {
        ConfigReader reader = new ConfigReader(config);
        enabled = reader.value(Keys.ENABLED, "true or false");
        mode =
                MemoryMode.of(
                        reader.value(
                                Keys.MEMORY_MODE,
                                "one of " + MemoryMode.keys(),
                                MemoryMode.keys()::contains));
        MemorySize budget =
                reader.value(
                        Keys.MEMORY_BUDGET, "a size greater than 0, such as 512m", WeirConfig::isPositive);
        MemorySize managed = reader.value(Keys.FLINK_MANAGED_SIZE, "a size such as 512m");
        budgetBytes = budget != null ? budget.getBytes() : managed != null ? managed.getBytes() : 0;
        Double ratio =
                reader.value(
                        Keys.WRITE_BUFFER_RATIO,
                        "a number between 0 and 1, both excluded",
                        r -> r > 0 && r < 1);
        writeBufferRatio =
                ratio != null
                        ? ratio
                        : reader.value(Keys.FLINK_WRITE_BUFFER_RATIO, "a number between 0 and 1");
        profile =
                reader.value(
                        Keys.OPTIONS_PROFILE,
                        "one of " + PROFILES + " or the absolute path of a file",
                        name -> PROFILES.contains(name) || name.startsWith("/"));
        samples =
                reader.value(
                        Keys.MRC_SAMPLES,
                        "a whole number from 64 to 1048576",
                        n -> n >= 64 && n <= 1 << 20);
        Duration halfLife =
                reader.value(
                        Keys.MRC_HALF_LIFE,
                        "a duration of at least 1 s, such as 10 min",
                        d -> d.toMillis() >= 1000);
        halfLifeMillis = halfLife.toMillis();
        httpPortRange =
                reader.value(
                        Keys.HTTP_PORT,
                        "a port or a range of ports, such as 9260-9299",
                        WeirConfig::isPortRange);
        String bindHost =
                reader.value(
                        Keys.HTTP_BIND_HOST, "a host name or an address", h -> !h.isBlank());
        httpBindHost =
                bindHost != null
                        ? bindHost
                        : reader.value(Keys.FLINK_TM_BIND_HOST, "a host name or an address");
        httpTokenFile =
                orEmpty(
                        reader.value(
                                Keys.HTTP_TOKEN_FILE, "an absolute path", p -> p.startsWith("/")));
        controllerUrl =
                orEmpty(
                        reader.value(
                                Keys.CONTROLLER_URL,
                                "a URL such as http://controller:9240",
                                url -> url.matches("https?://[^\\s/]+.*")));
        taskManagerId = orEmpty(reader.value(Keys.FLINK_TM_RESOURCE_ID, "a name"));
        jobName = orEmpty(reader.value(Keys.FLINK_JOB_NAME, "a name"));
        memoryBoundByFlink =
                reader.value(Keys.FLINK_ROCKSDB_MANAGED, "true or false")
                        || isPositive(reader.value(Keys.FLINK_ROCKSDB_FIXED_PER_SLOT, "a size"))
                        || isPositive(reader.value(Keys.FLINK_ROCKSDB_FIXED_PER_TM, "a size"));
    }

    /**
     * Reads every {@code weir.} key.
     *
     * @throws IllegalConfigurationException naming the key, if there is no such key or its value is not usable
     */
    static WeirConfig from(ReadableConfig config) {
        ConfigReader.refuseUnknownKeys(config);
        return new WeirConfig(config);
    }

    /** What the native agent is started with, as alternating keys and values. */
    String[] agentProperties() {
        List<String> pairs = new ArrayList<>();
        put(pairs, "version", BuildInfo.VERSION);
        put(pairs, "mode", mode.key);
        put(pairs, "tm-id", taskManagerId);
        put(pairs, "budget-bytes", budgetBytes);
        put(pairs, "write-buffer-ratio", writeBufferRatio);
        put(pairs, "samples", samples);
        put(pairs, "half-life-ms", halfLifeMillis);
        put(pairs, "http-port-range", httpPortRange);
        put(pairs, "http-bind-host", httpBindHost);
        put(pairs, "http-token-file", httpTokenFile);
        put(pairs, "controller-url", controllerUrl);
        return pairs.toArray(new String[0]);
    }

    /** Whether Weir has to bound what Flink does not: a mode that changes sizes needs a bound to keep. */
    boolean isMemoryBoundByWeir() {
        return mode != MemoryMode.OBSERVE && !memoryBoundByFlink;
    }

    /** What is left for blocks. */
    long cacheBytes() {
        return budgetBytes - writeBufferReserveBytes();
    }

    /** What write buffers may reach at worst: half as much again as their manager is told, as Flink reckons. */
    long writeBufferReserveBytes() {
        return (long) (budgetBytes * writeBufferRatio);
    }

    /** Flink's formula for the write buffers' share of a budget: two thirds of the ratio. */
    long writeBufferManagerBytes() {
        return (long) (2 * budgetBytes * writeBufferRatio / 3);
    }

    private static boolean isPortRange(String text) {
        if (!text.matches("\\d{1,5}(-\\d{1,5})?")) {
            return false;
        }
        String[] ends = text.split("-");
        int first = Integer.parseInt(ends[0]);
        int last = Integer.parseInt(ends[ends.length - 1]);
        return first >= 1 && first <= last && last <= 65535;
    }

    private static boolean isPositive(MemorySize size) {
        return size != null && size.getBytes() > 0;
    }

    private static String orEmpty(String text) {
        return text == null ? "" : text;
    }

    private static void put(List<String> pairs, String key, Object value) {
        pairs.add(key);
        pairs.add(String.valueOf(value));
    }
}
