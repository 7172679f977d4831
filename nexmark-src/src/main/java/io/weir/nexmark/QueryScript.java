/** The SQL files in the JAR, with their placeholders filled in. */
package io.weir.nexmark;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

final class QueryScript {

    private static final String UNSUPPORTED = "-- unsupported: ";
    /**
     * Columns in which no two rows of the answer are equal. Not part of the table, for Flink would add an operator that keeps to the key;
     * for sinks that replace rows by it.
     */
    private static final String KEY = "-- key: ";

    /** Queries that have a file. */
    static final List<String> QUERIES =
            Stream.concat(numbered("q", 24), numbered("cep", 4)).collect(Collectors.toUnmodifiableList());

    /** No query of Nexmark's: the events themselves, to fill a store with. */
    static final String FILL = "fill";

    /**
     * Shapes of the tables, and the files that declare them: one event stream with views, generated or from Kafka, or a table for each
     * kind with its key. Of kafka-keyed the stream's views are others, see {@link #tables}.
     */
    static final Map<String, String> SHAPES = Map.of("stream", "events", "kafka", "kafka", "kafka-keyed", "kafka", "keyed", "keyed");

    /** Queries whose rows replace earlier ones, which takes a sink that can. */
    static final Set<String> UPDATING = Set.of("q4", "q9", "q15", "q16", "q17", "q18", "q19");

    /**
     * The tables that the queries read.
     *
     * @param shape one of {@link #SHAPES}
     */
    static List<String> tables(String shape, Map<String, String> connectorOptions) {
        String options =
                connectorOptions.entrySet().stream()
                        .map(option -> ", " + assignment(option.getKey(), option.getValue()))
                        .collect(Collectors.joining("\n  "));
        List<String> tables = new ArrayList<>(statements(SHAPES.get(shape), "${options}", options));
        if (shape.equals("kafka-keyed")) {
            tables.subList(1, tables.size()).clear();
            tables.addAll(statements("unique", "${options}", ""));
        }
        tables.addAll(statements("more", "${options}", ""));
        return tables;
    }

    /**
     * The sink table of a query, then its INSERT.
     *
     * @throws IllegalArgumentException if there is no such query
     * @throws UnsupportedOperationException if Flink SQL cannot express it, saying why
     */
    static List<String> query(String name, Map<String, String> sinkOptions) {
        if (!QUERIES.contains(name) && !name.equals(FILL)) {
            throw new IllegalArgumentException(
                    "There is no query '" + name + "'; there are " + QUERIES + ", and " + FILL + " for the events themselves.");
        }
        said(name, UNSUPPORTED)
                .ifPresent(
                        why -> {
                            throw new UnsupportedOperationException(name + " is unsupported: " + why);
                        });
        String options =
                sinkOptions.entrySet().stream()
                        .map(option -> assignment(option.getKey(), option.getValue()))
                        .collect(Collectors.joining(", "));
        return statements(name, "${sink}", options);
    }

    /** As {@link #query}, with the answer's key in the table of the sink, if rows are replaced. */
    static List<String> queryWithKey(String name, Map<String, String> sinkOptions) {
        List<String> statements = query(name, sinkOptions);
        return said(name, KEY)
                .map(key -> List.of(statements.get(0).replace("\n) WITH (", ", PRIMARY KEY (" + key + ") NOT ENFORCED\n) WITH ("), statements.get(1)))
                .orElse(statements);
    }

    /** What a line of the script's head says. */
    private static Optional<String> said(String name, String what) {
        return read(name).lines().filter(line -> line.startsWith(what)).map(line -> line.substring(what.length())).findFirst();
    }

    private static Stream<String> numbered(String category, int queries) {
        return IntStream.range(0, queries).mapToObj(number -> category + number);
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
