/** The line of Flink this JAR is built for, and the check that it runs on that one. */
package io.weir;

import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;

/**
 * Flink 2 renamed the package of the RocksDB backend and with it the return type of the factory's {@code configure}. A JAR of
 * the other line would be loaded all the same and fail with a linkage error that names neither the cause nor the cure.
 */
final class FlinkLine {

    /** Only Flink 2 has this class. */
    private static final String OF_FLINK_2 = "org.apache.flink.state.rocksdb.RocksDBOptionsFactory";

    /**
     * @throws IllegalConfigurationException naming the right JAR, if the Flink around us is of the other line
     */
    static void check() {
        check(BuildInfo.FLINK_LINE, exists(OF_FLINK_2) ? "2" : "1.20", version());
    }

    static void check(String built, String found, String version) {
        if (!built.equals(found)) {
            throw new IllegalConfigurationException(
                    String.format(
                            "This is Flink %s, but the Weir in its lib/ is for Flink %s. Put %s there in place of %s,"
                                    + " on every JobManager and TaskManager.",
                            version, built, jar(found), jar(built)));
        }
    }

    /** Name of the JAR that a line of Flink needs. */
    static String jar(String line) {
        return "weir-flink-" + line + "-" + BuildInfo.VERSION + ".jar";
    }

    private static boolean exists(String name) {
        try {
            Class.forName(name, false, FlinkLine.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException e) {
            return false;
        }
    }

    /** As Flink's own JAR has it, such as {@code 2.3.0}. */
    private static String version() {
        String version = ReadableConfig.class.getPackage().getImplementationVersion();
        return version == null ? "of another line" : version;
    }

    private FlinkLine() {}
}
