/** Prints the tables that {@code --sink jdbc} writes answers into, as PostgreSQL wants them. */
package io.weir.nexmark;

import java.util.Arrays;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** {@code java -cp nexmark-flink.jar io.weir.nexmark.SinkTables q18,q9 | psql ...}; needs no Flink. */
public final class SinkTables {

    /** Flink's types that PostgreSQL calls otherwise. */
    private static final Map<String, String> TYPES = Map.of("STRING", "TEXT");

    private static final Pattern TABLE = Pattern.compile("(?s)CREATE TEMPORARY TABLE (\\w+) \\((.*)\\n\\) WITH \\(.*");
    /** A name and its type; or a key, with its columns. Commas within parentheses part nothing. */
    private static final Pattern PART = Pattern.compile("(PRIMARY KEY) \\(([^)]*)\\) NOT ENFORCED|`?(\\w+)`? (\\w+(?:\\([^)]*\\))?)");

    public static void main(String[] args) {
        if (args.length != 1 || args[0].startsWith("-")) {
            System.err.println("Usage: java -cp nexmark-flink.jar io.weir.nexmark.SinkTables q18,q9");
            System.exit(args.length == 1 && args[0].equals("--help") ? 0 : 64);
        }
        try {
            System.out.print(Arrays.stream(args[0].split(",")).map(SinkTables::table).collect(Collectors.joining()));
        } catch (IllegalArgumentException | UnsupportedOperationException e) {
            System.err.println(e.getMessage());
            System.exit(64);
        }
    }

    /** The table of one query's answer. Names are not quoted, as Flink's connector does not: PostgreSQL has them in lower case. */
    static String table(String query) {
        Matcher table = TABLE.matcher(QueryScript.queryWithKey(query, Map.of()).get(0));
        if (query.equals(QueryScript.FILL) || !table.matches()) {
            throw new IllegalArgumentException(query + " has no table that a database could have.");
        }
        String columns = PART.matcher(table.group(2)).results().map(SinkTables::part).collect(Collectors.joining(",\n  "));
        return "CREATE TABLE " + table.group(1) + " (\n  " + columns + "\n);\n";
    }

    private static String part(MatchResult part) {
        if (part.group(1) != null) {
            return "PRIMARY KEY (" + part.group(2).replace("`", "") + ")";
        }
        return part.group(3) + " " + TYPES.getOrDefault(part.group(4), part.group(4));
    }

    private SinkTables() {}
}
