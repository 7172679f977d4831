/** A profile's RocksDB options, put onto RocksJava's option objects. */
package io.weir;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.ConfigOptions;
import org.rocksdb.DBOptions;
import org.rocksdb.ReadOptions;

/**
 * RocksJava has setters for some options only, and can parse options by name only into new objects, which would lose what Flink
 * prepared. So RocksDB itself lays the options over those of the object, by the agent. It parses no options of reading; for
 * these there are setters, which RocksJava names after the options: {@code total_order_seek} is {@code setTotalOrderSeek}.
 *
 * <p>Lives in the list of handles that Flink keeps per backend, so that all states of a backend have one profile.
 */
final class OptionProfile implements AutoCloseable {

    /** A setter and its argument. */
    private static final class Setting {
        private final Method setter;
        private final Object argument;

        private Setting(Method setter, Object argument) {
            this.setter = setter;
            this.argument = argument;
        }
    }

    private final Agent agent;
    private final String database;
    private final String state;
    private final List<Setting> reading = new ArrayList<>();
    /** Null where there is nothing to parse. */
    private final ConfigOptions parsing;

    /**
     * @throws IllegalConfigurationException with what is wrong, if the profile cannot be read or is invalid: a job that runs with other
     *     options than were asked for would not be what its owner takes it for
     */
    OptionProfile(Agent agent, String name) {
        this.agent = agent;
        try {
            String[] texts = agent.profile(name);
            database = texts[0];
            state = texts[1];
            for (int i = 2; i < texts.length; i += 2) {
                reading.add(setting(texts[i], texts[i + 1]));
            }
        } catch (IllegalArgumentException e) {
            throw invalid(e);
        }
        parsing = database.isEmpty() && state.isEmpty() ? null : new ConfigOptions();
    }

    /** That of the backend that owns the list; null if it has none. */
    static OptionProfile in(Collection<AutoCloseable> handlesToClose) {
        for (AutoCloseable handle : handlesToClose) {
            if (handle instanceof OptionProfile) {
                return (OptionProfile) handle;
            }
        }
        return null;
    }

    void applyTo(DBOptions options) {
        if (!database.isEmpty()) {
            try {
                agent.setDatabaseOptions(database, parsing.getNativeHandle(), options.getNativeHandle());
            } catch (IllegalArgumentException e) {
                throw invalid(e);
            }
        }
    }

    /** Whether it says anything of states and their tables. */
    boolean changesStates() {
        return !state.isEmpty();
    }

    /** Table options included: they belong to the table format that was set last. */
    void applyTo(ColumnFamilyOptions options) {
        if (!state.isEmpty()) {
            try {
                agent.setStateOptions(state, parsing.getNativeHandle(), options.getNativeHandle());
            } catch (IllegalArgumentException e) {
                throw invalid(e);
            }
        }
    }

    void applyTo(ReadOptions options) {
        for (Setting setting : reading) {
            try {
                setting.setter.invoke(options, setting.argument);
            } catch (IllegalAccessException | InvocationTargetException e) {
                throw new IllegalStateException(
                        "RocksDB refused " + setting.setter.getName() + "(" + setting.argument + ")", e);
            }
        }
    }

    @Override
    public void close() {
        if (parsing != null) {
            parsing.close();
        }
    }

    private static IllegalConfigurationException invalid(IllegalArgumentException e) {
        return new IllegalConfigurationException(Keys.OPTIONS_PROFILE.key() + ": " + e.getMessage(), e);
    }

    private static Setting setting(String name, String value) {
        StringBuilder setter = new StringBuilder("set");
        for (String word : name.split("_")) {
            setter.append(Character.toUpperCase(word.charAt(0))).append(word.substring(1));
        }
        try {
            for (Class<?> type : List.of(boolean.class, long.class)) {
                for (Method method : ReadOptions.class.getMethods()) {
                    if (method.getName().contentEquals(setter) && method.getParameterTypes()[0] == type) {
                        return new Setting(method, type == long.class ? (Object) Long.valueOf(value) : truth(value));
                    }
                }
            }
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("'" + value + "' is not a value of the RocksDB option " + name, e);
        }
        throw new IllegalArgumentException("this RocksDB has no option named " + name);
    }

    private static Boolean truth(String value) {
        if (!value.equals("true") && !value.equals("false")) {
            throw new IllegalArgumentException("neither true nor false");
        }
        return value.equals("true");
    }
}
