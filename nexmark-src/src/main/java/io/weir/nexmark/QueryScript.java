/** The SQL files in the JAR, with their placeholders filled in. */
package io.weir.nexmark;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

final class QueryScript {

    /** Queries that have a file. */
    static final List<String> QUERIES = List.of("q18", "q20");

    /** The table {@code events} and its views. */
    static List<String> events(Map<String, String> connectorOptions) {
        String options =
                connectorOptions.entrySet().stream()
                        .map(option -> ", " + assignment(option.getKey(), option.getValue()))
                        .collect(Collectors.joining("\n  "));
        return statements("events", "${options}", options);
    }

    /** The sink table of a query, then its INSERT. */
    static List<String> query(String name, Map<String, String> sinkOptions) {
        if (!QUERIES.contains(name)) {
            throw new IllegalArgumentException("There is no query '" + name + "'; there are " + QUERIES + ".");
        }
        String options =
                sinkOptions.entrySet().stream()
                        .map(option -> assignment(option.getKey(), option.getValue()))
                        .collect(Collectors.joining(", "));
        return statements(name, "${sink}", options);
    }

    private static List<String> statements(String file, String placeholder, String replacement) {
        String script =
                read(file)
                        .lines()
                        .filter(line -> !line.startsWith("--"))
                        .collect(Collectors.joining("\n"))
                        .replace(placeholder, replacement);
        // No statement of ours has a semicolon inside; option values are put in before and may not have one either.
        return Arrays.stream(script.split(";"))
                .map(String::strip)
                .filter(statement -> !statement.isEmpty())
                .collect(Collectors.toList());
    }

    private static String assignment(String key, String value) {
        if (key.contains(";") || value.contains(";")) {
            throw new IllegalArgumentException("An option must not contain a semicolon: " + key + "=" + value);
        }
        return quote(key) + " = " + quote(value);
    }

    private static String quote(String text) {
        return "'" + text.replace("'", "''") + "'";
    }

    private static String read(String file) {
        String resource = "/sql/" + file + ".sql";
        try (InputStream in = QueryScript.class.getResourceAsStream(resource)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(resource + " in the Nexmark JAR is not readable", e);
        }
    }

    private QueryScript() {}
}
