/** What the build wrote into the JAR about itself. */
package io.weir;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

final class BuildInfo {

    private static final Properties PROPERTIES = read();

    /** Version of Weir, such as {@code 0.1.0}. */
    static final String VERSION = PROPERTIES.getProperty("version");

    /** The Flink it is for: {@code 1.20} or {@code 2}. */
    static final String FLINK_LINE = PROPERTIES.getProperty("flink.line");

    private static Properties read() {
        Properties properties = new Properties();
        try (InputStream in = BuildInfo.class.getResourceAsStream("build.properties")) {
            properties.load(in);
        } catch (IOException e) {
            throw new UncheckedIOException("build.properties in the Weir JAR is not readable", e);
        }
        return properties;
    }

    private BuildInfo() {}
}
