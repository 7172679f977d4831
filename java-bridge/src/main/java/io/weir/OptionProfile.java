/** RocksDB options by name, as a profile lists them, put onto RocksJava's option objects. */
package io.weir;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.DBOptions;

/**
 * RocksJava can parse options by name only into a new object, which would lose what Flink prepared. But it names its setters
 * after the options: {@code use_direct_reads} is {@code setUseDirectReads}.
 */
final class OptionProfile {

    private static final List<Class<?>> TARGETS =
            List.of(DBOptions.class, ColumnFamilyOptions.class, BlockBasedTableConfig.class);

    /** A setter and its argument. */
    private static final class Setting {
        private final Method setter;
        private final Object argument;

        private Setting(Method setter, Object argument) {
            this.setter = setter;
            this.argument = argument;
        }
    }

    private final Map<Class<?>, List<Setting>> settings = new LinkedHashMap<>();

    /**
     * Resolves every option before any is set, so that a profile applies whole or not at all.
     *
     * @throws IllegalArgumentException if an option or a value is not known to this RocksDB
     */
    OptionProfile(String[] namesAndValues) {
        TARGETS.forEach(target -> settings.put(target, new ArrayList<>()));
        for (int i = 0; i < namesAndValues.length; i += 2) {
            resolve(namesAndValues[i], namesAndValues[i + 1]);
        }
    }

    void applyTo(DBOptions options) {
        apply(DBOptions.class, options);
    }

    void applyTo(ColumnFamilyOptions options) {
        apply(ColumnFamilyOptions.class, options);
    }

    void applyTo(BlockBasedTableConfig config) {
        apply(BlockBasedTableConfig.class, config);
    }

    private void apply(Class<?> target, Object options) {
        for (Setting setting : settings.get(target)) {
            try {
                setting.setter.invoke(options, setting.argument);
            } catch (IllegalAccessException | InvocationTargetException e) {
                throw new IllegalStateException(
                        "RocksDB refused " + setting.setter.getName() + "(" + setting.argument + ")", e);
            }
        }
    }

    private void resolve(String name, String value) {
        String setter = setterName(name);
        for (Class<?> target : TARGETS) {
            for (Method method : target.getMethods()) {
                if (method.getName().equals(setter)
                        && method.getParameterCount() == 1
                        && isConvertible(method.getParameterTypes()[0])) {
                    Object argument = convert(name, value, method.getParameterTypes()[0]);
                    settings.get(target).add(new Setting(method, argument));
                    return;
                }
            }
        }
        throw new IllegalArgumentException("this RocksDB has no option named " + name);
    }

    private static String setterName(String name) {
        StringBuilder setter = new StringBuilder("set");
        for (String word : name.split("_")) {
            setter.append(Character.toUpperCase(word.charAt(0))).append(word.substring(1));
        }
        return setter.toString();
    }

    private static boolean isConvertible(Class<?> type) {
        return type == boolean.class || type == int.class || type == long.class
                || type == double.class || type == String.class || type.isEnum();
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Object convert(String name, String value, Class<?> type) {
        try {
            if (type == boolean.class) {
                if (!value.equals("true") && !value.equals("false")) {
                    throw new IllegalArgumentException("neither true nor false");
                }
                return value.equals("true");
            }
            if (type == int.class) {
                return Integer.valueOf(value);
            }
            if (type == long.class) {
                return Long.valueOf(value);
            }
            if (type == double.class) {
                return Double.valueOf(value);
            }
            return type.isEnum() ? Enum.valueOf((Class<Enum>) type, value) : value;
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "'" + value + "' is not a value of the RocksDB option " + name, e);
        }
    }
}
