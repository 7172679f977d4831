/** The configuration keys of Weir, and the few of Flink's that give them their defaults. */
package io.weir;

import java.time.Duration;
import java.util.List;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.MemorySize;

/** Every key this JAR reads; docs/configure.md is made from them. A {@code weir.} key that is not in {@link #ALL} is refused. */
final class Keys {

    static final String PREFIX = "weir.";

    static final ConfigOption<Boolean> ENABLED =
            ConfigOptions.key("weir.enabled")
                    .booleanType()
                    .defaultValue(true)
                    .withDescription(
                            "`false`: RocksDB options pass through untouched");

    static final ConfigOption<String> MEMORY_MODE =
            ConfigOptions.key("weir.memory.mode")
                    .stringType()
                    .defaultValue(MemoryMode.OBSERVE.key)
                    .withDescription(
                            "`observe`: Flink's caches stay as they are and are only watched; `shared`: they are resized while "
                                    + "the job runs; `per-operator`: each operator subtask gets a block cache of its own out of one budget");

    static final ConfigOption<MemorySize> MEMORY_BUDGET =
            ConfigOptions.key("weir.memory.budget")
                    .memoryType()
                    .noDefaultValue()
                    .withDescription(
                            "bytes that caches and write buffers may reach together");

    static final ConfigOption<Double> WRITE_BUFFER_RATIO =
            ConfigOptions.key("weir.memory.write-buffer-ratio")
                    .doubleType()
                    .noDefaultValue()
                    .withDescription(
                            "share of the budget for write buffers");

    static final ConfigOption<String> OPTIONS_PROFILE =
            ConfigOptions.key("weir.options.profile")
                    .stringType()
                    .defaultValue("flink")
                    .withDescription(
                            "name of a built-in profile of RocksDB options (`weir options list`), or the absolute path of a file");

    static final ConfigOption<Integer> MRC_SAMPLES =
            ConfigOptions.key("weir.mrc.samples")
                    .intType()
                    .defaultValue(8192)
                    .withDescription(
                            "sampled blocks per estimator");

    static final ConfigOption<Duration> MRC_HALF_LIFE =
            ConfigOptions.key("weir.mrc.half-life")
                    .durationType()
                    .defaultValue(Duration.ofMinutes(10))
                    .withDescription(
                            "age at which an access counts half in the curve");

    static final ConfigOption<String> HTTP_PORT =
            ConfigOptions.key("weir.http.port")
                    .stringType()
                    .defaultValue("9260-9299")
                    .withDescription(
                            "the agent takes the first free port of the range");

    static final ConfigOption<String> HTTP_BIND_HOST =
            ConfigOptions.key("weir.http.bind-host")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "where the agent listens");

    static final ConfigOption<String> HTTP_TOKEN_FILE =
            ConfigOptions.key("weir.http.token-file")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "bearer token for changes; without it only loopback may change anything");

    static final ConfigOption<String> CONTROLLER_URL =
            ConfigOptions.key("weir.controller.url")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "where the agent announces itself");

    static final List<ConfigOption<?>> ALL =
            List.of(
                    ENABLED,
                    MEMORY_MODE,
                    MEMORY_BUDGET,
                    WRITE_BUFFER_RATIO,
                    OPTIONS_PROFILE,
                    MRC_SAMPLES,
                    MRC_HALF_LIFE,
                    HTTP_PORT,
                    HTTP_BIND_HOST,
                    HTTP_TOKEN_FILE,
                    CONTROLLER_URL);

    // Flink's own keys, named here by their text: the classes that hold them move between Flink lines, the names do not.

    /** The TaskManager's start script passes the effective size on, whichever way it was configured. */
    static final ConfigOption<MemorySize> FLINK_MANAGED_SIZE =
            ConfigOptions.key("taskmanager.memory.managed.size").memoryType().noDefaultValue();

    static final ConfigOption<Double> FLINK_WRITE_BUFFER_RATIO =
            ConfigOptions.key("state.backend.rocksdb.memory.write-buffer-ratio")
                    .doubleType()
                    .defaultValue(0.5);

    static final ConfigOption<Boolean> FLINK_ROCKSDB_MANAGED =
            ConfigOptions.key("state.backend.rocksdb.memory.managed")
                    .booleanType()
                    .defaultValue(true);

    static final ConfigOption<MemorySize> FLINK_ROCKSDB_FIXED_PER_SLOT =
            ConfigOptions.key("state.backend.rocksdb.memory.fixed-per-slot")
                    .memoryType()
                    .noDefaultValue();

    static final ConfigOption<MemorySize> FLINK_ROCKSDB_FIXED_PER_TM =
            ConfigOptions.key("state.backend.rocksdb.memory.fixed-per-tm")
                    .memoryType()
                    .noDefaultValue();

    static final ConfigOption<String> FLINK_JOB_NAME =
            ConfigOptions.key("pipeline.name").stringType().noDefaultValue();

    static final ConfigOption<String> FLINK_TM_RESOURCE_ID =
            ConfigOptions.key("taskmanager.resource-id").stringType().noDefaultValue();

    static final ConfigOption<String> FLINK_TM_BIND_HOST =
            ConfigOptions.key("taskmanager.bind-host").stringType().defaultValue("127.0.0.1");

    private Keys() {}
}
