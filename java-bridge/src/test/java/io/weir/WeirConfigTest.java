/** Every key is read, and everything that is not a key or not a value is refused by name. */
package io.weir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.Map;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WeirConfigTest {

    @Test
    void defaultsComeFromFlink() {
        WeirConfig config =
                read(
                        "taskmanager.memory.managed.size", "512mb",
                        "taskmanager.bind-host", "0.0.0.0",
                        "taskmanager.resource-id", "tm-7",
                        "state.backend.rocksdb.memory.write-buffer-ratio", "0.3");
        assertTrue(config.enabled);
        assertEquals(512L << 20, config.budgetBytes);
        assertEquals(0.3, config.writeBufferRatio);
        assertEquals("0.0.0.0", config.httpBindHost);
        assertEquals("tm-7", config.taskManagerId);
        assertEquals("flink", config.profile);
        assertEquals(MemoryMode.OBSERVE, config.mode);
        assertTrue(config.memoryBoundByFlink);
    }

    @Test
    void everyKeyReachesTheAgent() {
        Map<String, String> sent =
                pairs(
                        read(
                                "weir.memory.mode", "shared",
                                "weir.memory.budget", "300m",
                                "weir.memory.write-buffer-ratio", "0.25",
                                "weir.mrc.samples", "1000",
                                "weir.mrc.half-life", "90 s",
                                "weir.http.port", "9300",
                                "weir.http.bind-host", "::1",
                                "weir.http.token-file", "/etc/weir/token",
                                "weir.controller.url", "http://controller:9240"));
        Map<String, String> expected = new HashMap<>();
        expected.put("version", BuildInfo.VERSION);
        expected.put("mode", "shared");
        expected.put("tm-id", "");
        expected.put("budget-bytes", String.valueOf(300L << 20));
        expected.put("write-buffer-ratio", "0.25");
        expected.put("samples", "1000");
        expected.put("half-life-ms", "90000");
        expected.put("http-port-range", "9300");
        expected.put("http-bind-host", "::1");
        expected.put("http-token-file", "/etc/weir/token");
        expected.put("controller-url", "http://controller:9240");
        assertEquals(expected, sent);
        assertTrue(BuildInfo.VERSION.matches("\\d+\\.\\d+\\.\\d+"), BuildInfo.VERSION);
    }

    @Test
    void everyKnownKeyIsRead() {
        // A key that exists but changes nothing is worse than none. So each must at least be able to be wrong, or be a switch.
        for (var key : Keys.ALL) {
            if (key == Keys.ENABLED) {
                assertFalse(read(key.key(), "false").enabled);
            } else {
                IllegalConfigurationException e =
                        assertThrows(IllegalConfigurationException.class, () -> read(key.key(), " "), key.key());
                assertTrue(e.getMessage().contains(key.key()), e.getMessage());
            }
        }
    }

    /** Every built-in profile, and no other, may be named; a file may be anywhere. */
    @Test
    void profilesAreThoseOfTheNativeLibrary() throws Exception {
        try (Stream<Path> files = Files.list(Path.of("../rocksdb-options/profiles"))) {
            Set<String> names =
                    files.map(file -> file.getFileName().toString().replace(".options", ""))
                            .collect(Collectors.toCollection(TreeSet::new));
            assertEquals(names, WeirConfig.PROFILES);
        }
        assertEquals("/etc/weir/mine.options", read("weir.options.profile", "/etc/weir/mine.options").profile);
    }

    @ParameterizedTest
    @CsvSource({
        "weir.memory.buget, weir.memory.budget",
        "weir.enable, weir.enabled",
        "weir.http.ports, weir.http.port",
        "weir.mrc.halflife, weir.mrc.half-life",
        "weir.rocksdb.profile, weir.options.profile",
    })
    void unknownKeyNamesTheNearest(String wrong, String nearest) {
        IllegalConfigurationException e =
                assertThrows(IllegalConfigurationException.class, () -> read(wrong, "1"));
        assertTrue(e.getMessage().contains("'" + wrong + "'"), e.getMessage());
        assertTrue(e.getMessage().contains("nearest known key is '" + nearest + "'"), e.getMessage());
    }

    @ParameterizedTest
    @CsvSource({
        "weir.enabled, maybe, true or false",
        "weir.memory.budget, 12 parsecs, a size",
        "weir.memory.budget, 0b, greater than 0",
        "weir.memory.write-buffer-ratio, 1.0, between 0 and 1",
        "weir.options.profile, turbo, direct-io",
        "weir.mrc.samples, 12, from 64",
        "weir.mrc.samples, many, whole number",
        "weir.mrc.half-life, 10 ms, at least 1 s",
        "weir.http.port, 9299-9260, range",
        "weir.http.port, 70000, port",
        "weir.http.token-file, token, absolute",
        "weir.controller.url, controller:9240, http://",
        "weir.memory.mode, sharded, per-operator",
    })
    void badValueSaysWhatWouldBeRight(String key, String value, String hint) {
        IllegalConfigurationException e =
                assertThrows(IllegalConfigurationException.class, () -> read(key, value));
        assertTrue(e.getMessage().startsWith(key + ": '" + value + "'"), e.getMessage());
        assertTrue(e.getMessage().contains(hint), e.getMessage());
    }

    @Test
    void knowsWhenFlinkBoundsMemory() {
        String managed = "state.backend.rocksdb.memory.managed";
        assertFalse(read(managed, "false").memoryBoundByFlink);
        assertTrue(
                read(managed, "false", "state.backend.rocksdb.memory.fixed-per-tm", "64m")
                        .memoryBoundByFlink);
        assertTrue(
                read(managed, "false", "state.backend.rocksdb.memory.fixed-per-slot", "64m")
                        .memoryBoundByFlink);
    }

    @Test
    void writeBuffersFollowFlinksFormula() {
        WeirConfig config =
                read("weir.memory.budget", "300m", "weir.memory.write-buffer-ratio", "0.5");
        assertEquals(100L << 20, config.writeBufferManagerBytes());
    }

    @Test
    void boundsOnlyWhatFlinkDoesNotAndOnlyWhenItMayChangeSizes() {
        String managed = "state.backend.rocksdb.memory.managed";
        for (MemoryMode mode : MemoryMode.values()) {
            String[] keys = {"weir.memory.mode", mode.key, managed, "false", "weir.memory.budget", "90m"};
            assertEquals(mode != MemoryMode.OBSERVE, read(keys).isMemoryBoundByWeir(), mode.key);
            keys[3] = "true";
            assertFalse(read(keys).isMemoryBoundByWeir(), mode.key);
            assertEquals(45L << 20, read(keys).cacheBytes());
        }
    }

    private static WeirConfig read(String... keysAndValues) {
        Configuration configuration = new Configuration();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            configuration.setString(keysAndValues[i], keysAndValues[i + 1]);
        }
        return WeirConfig.from(configuration);
    }

    private static Map<String, String> pairs(WeirConfig config) {
        Map<String, String> pairs = new HashMap<>();
        String[] flat = config.agentProperties();
        for (int i = 0; i < flat.length; i += 2) {
            pairs.put(flat[i], flat[i + 1]);
        }
        return pairs;
    }
}
