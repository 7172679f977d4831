/** The tables of keys in the documentation are what {@link Keys} says. */
package io.weir;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.description.HtmlFormatter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigurationTableTest {

    /** What a key without a default of its own falls back to. */
    private static final Map<String, String> FALLBACKS =
            Map.of(
                    "weir.memory.budget", "the TaskManager's managed memory",
                    "weir.memory.write-buffer-ratio", "Flink's",
                    "weir.http.bind-host", "`" + Keys.FLINK_TM_BIND_HOST.key() + "`");

    @ParameterizedTest
    @ValueSource(strings = {"../README.md", "../docs/configure.md"})
    void documentHasEveryKey(String document) throws Exception {
        String table =
                Keys.ALL.stream()
                        .map(ConfigurationTableTest::row)
                        .collect(Collectors.joining("\n", "| key | default | meaning |\n|---|---|---|\n", "\n"));
        String text = Files.readString(Path.of(document));
        assertTrue(text.contains(table), document + " must have this table:\n" + table);
        int rows = text.split("\n\\| `weir\\.", -1).length - 1;
        assertTrue(rows == Keys.ALL.size(), document + " has " + rows + " rows of keys, there are " + Keys.ALL.size());
    }

    private static String row(ConfigOption<?> key) {
        String meaning = new HtmlFormatter().format(key.description()).replace("&#39;", "'");
        return "| `" + key.key() + "` | " + defaultOf(key) + " | " + meaning + " |";
    }

    private static String defaultOf(ConfigOption<?> key) {
        if (!key.hasDefaultValue()) {
            return FALLBACKS.getOrDefault(key.key(), "none");
        }
        Object value = key.defaultValue();
        return "`" + (value instanceof Duration ? ((Duration) value).toMinutes() + " min" : value) + "`";
    }
}
