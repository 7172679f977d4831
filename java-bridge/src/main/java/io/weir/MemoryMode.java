/** What Weir does with the block caches of RocksDB: {@code weir.memory.mode}. */
package io.weir;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

enum MemoryMode {
    /** Flink's caches stay as they are, and are only watched. */
    OBSERVE("observe"),
    /** Flink's caches stay, and are resized while the job runs. */
    SHARED("shared"),
    /** Each operator subtask gets a cache of its own out of one budget. */
    PER_OPERATOR("per-operator");

    /** As it stands in the configuration. */
    final String key;

    MemoryMode(String key) {
        this.key = key;
    }

    static List<String> keys() {
        return Arrays.stream(values()).map(mode -> mode.key).collect(Collectors.toList());
    }

    /** The mode of that name, which must be one of {@link #keys()}. */
    static MemoryMode of(String key) {
        return Arrays.stream(values()).filter(mode -> mode.key.equals(key)).findFirst().orElseThrow();
    }
}
