/** A program that tells which configuration keys the Flink on its class path knows, Weir's own included. */
package io.weir;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.annotation.Annotation;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.FallbackKey;

/**
 * {@code java -cp "$FLINK_HOME/lib/*" io.weir.KnownKeys [FILE...]}: without a file it lists the keys, with files it names every
 * key in them that nobody reads. The keys are taken from the distribution's own classes, which hold one {@link ConfigOption} each.
 */
final class KnownKeys {

    /** Flink's documentation marks options that are used with something in front of them. */
    private static final String SUFFIX_OPTION = "SuffixOption";
    private static final List<String> HOLDERS = List.of("Options", "Constants", "Configuration", "Keys");

    private final TreeSet<String> exact = new TreeSet<>();
    /** What may stand before any further text, such as {@code metrics.reporter.}. */
    private final TreeSet<String> prefixes = new TreeSet<>();

    /** Exit code 0: all known; 1: some are not; 64: a file cannot be read. */
    public static void main(String[] files) {
        System.exit(run(files, System.out, System.err));
    }

    static int run(String[] files, PrintStream out, PrintStream err) {
        KnownKeys known = new KnownKeys();
        try {
            known.readClassPath();
            if (files.length == 0) {
                known.exact.forEach(out::println);
                known.prefixes.forEach(prefix -> out.println(prefix + "*"));
                return 0;
            }
            int unknown = 0;
            for (String file : files) {
                unknown += known.check(Path.of(file), err);
            }
            return unknown == 0 ? 0 : 1;
        } catch (IOException e) {
            err.println("cannot read " + e.getMessage());
            return 64;
        }
    }

    boolean knows(String key) {
        return exact.contains(key) || prefixes.stream().anyMatch(p -> key.startsWith(p) && key.length() > p.length());
    }

    void readClassPath() throws IOException {
        Keys.ALL.forEach(this::add);
        for (String entry : System.getProperty("java.class.path").split(":")) {
            if (entry.endsWith(".jar") && Files.isRegularFile(Path.of(entry))) {
                readJar(entry);
            }
        }
    }

    private void readJar(String file) throws IOException {
        try (JarFile jar = new JarFile(file)) {
            List<String> classes =
                    jar.stream()
                            .map(entry -> entry.getName())
                            .filter(name -> name.startsWith("org/apache/flink/") && name.endsWith(".class"))
                            .map(name -> name.substring(0, name.length() - ".class".length()))
                            .filter(name -> HOLDERS.stream().anyMatch(name::endsWith))
                            .collect(Collectors.toList());
            for (String name : classes) {
                readClass(name.replace('/', '.'));
            }
        }
    }

    private void readClass(String name) {
        try {
            for (Field field : Class.forName(name).getDeclaredFields()) {
                if (Modifier.isStatic(field.getModifiers()) && field.getType() == ConfigOption.class) {
                    field.setAccessible(true);
                    ConfigOption<?> option = (ConfigOption<?>) field.get(null);
                    String before = whatStandsBefore(field);
                    if (before != null) {
                        addSuffix(before, option.key());
                    } else if (option != null) {
                        add(option);
                    }
                }
            }
        } catch (ReflectiveOperationException | LinkageError | RuntimeException e) {
            // A class for something that is not installed, such as Hadoop: nobody reads its options here.
        }
    }

    private static String whatStandsBefore(Field field) throws ReflectiveOperationException {
        for (Annotation annotation : field.getAnnotations()) {
            if (annotation.annotationType().getSimpleName().equals(SUFFIX_OPTION)) {
                return (String) annotation.annotationType().getMethod("value").invoke(annotation);
            }
        }
        return null;
    }

    private void add(ConfigOption<?> option) {
        addKey(option.key());
        // A map may be spelt as one key for each entry.
        if (isMap(option)) {
            prefixes.add(option.key() + ".");
        }
        for (FallbackKey fallback : option.fallbackKeys()) {
            addKey(fallback.getKey());
        }
    }

    /** Flink keeps an option's type to itself. */
    private static boolean isMap(ConfigOption<?> option) {
        try {
            Method type = ConfigOption.class.getDeclaredMethod("getClazz");
            type.setAccessible(true);
            return type.invoke(option) == Map.class;
        } catch (ReflectiveOperationException e) {
            return option.defaultValue() instanceof Map;
        }
    }

    private void addSuffix(String before, String key) {
        addKey(before.endsWith(".") ? before + key : before + "." + key);
    }

    /** {@code a.<name>.b} is known from {@code a.} on; what the name is, the user decides. */
    private void addKey(String key) {
        int placeholder = key.indexOf('<');
        if (placeholder > 0) {
            prefixes.add(key.substring(0, placeholder));
        } else if (key.endsWith(".")) {
            prefixes.add(key);
        } else {
            exact.add(key);
        }
    }

    private int check(Path file, PrintStream err) throws IOException {
        Map<String, Integer> lines = new TreeMap<>();
        int unknown = 0;
        int number = 0;
        for (String line : Files.readAllLines(file)) {
            number++;
            if (line.isBlank() || line.startsWith("#")) {
                continue;
            }
            int colon = line.indexOf(": ");
            String key = colon < 0 ? line.strip() : line.substring(0, colon);
            Integer earlier = lines.put(key, number);
            if (colon < 0 || line.startsWith(" ")) {
                err.printf("%s:%d: '%s' is not 'key: value'; write each key in full on a line of its own%n", file, number, line);
                unknown++;
            } else if (earlier != null) {
                err.printf("%s:%d: %s stands in line %d already; remove one of the two%n", file, number, key, earlier);
                unknown++;
            } else if (!knows(key)) {
                List<String> all = new ArrayList<>(exact);
                Collections.sort(all);
                err.printf("%s:%d: this Flink reads no key %s; did you mean %s?%n", file, number, key, NearestKey.of(key, all));
                unknown++;
            }
        }
        return unknown;
    }
}
