/** Reads single values out of Flink's configuration and says what is wrong with those that cannot be used. */
package io.weir;

import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;

/** Every message names the key, the value and what would be right. */
final class ConfigReader {

    private final ReadableConfig config;

    ConfigReader(ReadableConfig config) {
        this.config = config;
    }

    <T> T value(ConfigOption<T> option, String expected) {
        return value(option, expected, any -> true);
    }

    /** The value if there is one and it is usable, else the default, which may be null and is taken as it is. */
    <T> T value(ConfigOption<T> option, String expected, Predicate<T> usable) {
        T value;
        try {
            value = config.getOptional(option).orElse(null);
        } catch (IllegalArgumentException e) {
            throw unusable(option, expected, e);
        }
        if (value == null) {
            return option.defaultValue();
        }
        if (!usable.test(value)) {
            throw unusable(option, expected, null);
        }
        return value;
    }

    private IllegalConfigurationException unusable(
            ConfigOption<?> option, String expected, Throwable cause) {
        String text = config.toMap().get(option.key());
        return new IllegalConfigurationException(
                String.format("%s: '%s' is not usable; expected %s.", option.key(), text, expected),
                cause);
    }

    static void refuseUnknownKeys(ReadableConfig config) {
        Set<String> known = Keys.ALL.stream().map(ConfigOption::key).collect(Collectors.toSet());
        for (String key : new TreeSet<>(config.toMap().keySet())) {
            if (key.startsWith(Keys.PREFIX) && !known.contains(key)) {
                throw new IllegalConfigurationException(
                        String.format(
                                "Unknown configuration key '%s'. The nearest known key is '%s'. Known keys: %s.",
                                key,
                                NearestKey.of(key, known),
                                String.join(", ", new TreeSet<>(known))));
            }
        }
    }
}
