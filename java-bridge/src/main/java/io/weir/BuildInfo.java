/** What the build wrote into the JAR about itself. */
package io.weir;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

final class BuildInfo {

    /** Version of Weir, such as {@code 0.1.0}. */
    static final String VERSION = read("version");

    private static String read(String key) {
        Properties properties = new Properties();
        try (InputStream in = BuildInfo.class.getResourceAsStream("build.properties")) {
            properties.load(in);
        } catch (IOException e) {
            throw new UncheckedIOException("build.properties in the Weir JAR is not readable", e);
        }
        return properties.getProperty(key);
    }

    private BuildInfo() {}
}
