/** The command line of the job. */
package io.weir.nexmark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.apache.flink.table.api.ExplainDetail;

/** Every option has a value, separated by a space, but {@code --wait}; an unknown one is refused. */
final class JobArguments {

    static final String USAGE =
            "Usage: nexmark-flink.jar [--queries q20,q18] [--rate EVENTS_PER_SECOND|max] [--events N (0: no end)]\n"
                    + "  [--parallelism P] [--sink blackhole|count|print|filesystem|changelog|kafka|jdbc] [--output DIR] [--seed S]\n"
                    + "  [--tables stream|keyed|kafka|kafka-keyed] [--job-name NAME]\n"
                    + "  [--set SOURCE_OPTION=VALUE]... [--sink-set SINK_OPTION=VALUE]... [--conf FLINK_KEY=VALUE]... [--wait]\n"
                    + "  [--explain plan|estimated_cost,changelog_mode,plan_advice,json_execution_plan: print the plan, run nothing]";

    private static final Set<String> SINKS = Set.of("blackhole", "count", "print", "filesystem", "changelog", "kafka", "jdbc");
    private static final Set<String> WRITING = Set.of("filesystem", "changelog");
    /** Take rows that stay, and no others. */
    private static final Set<String> APPENDING = Set.of("filesystem", "kafka");

    List<String> queries = List.of("q20", "q18");
    String sink = "blackhole";
    String output;
    String jobName;
    /** 0: Flink's default. */
    int parallelism;

    /** Of the tables that the queries write to, besides what follows from {@link #sink}. */
    final Map<String, String> sinkOptions = new LinkedHashMap<>();

    /** One of {@link QueryScript#SHAPES}. */
    String tables = "stream";

    boolean wait;
    /** What to add to the plan that is printed in place of a run; null: run. */
    List<ExplainDetail> explain;

    final Map<String, String> connectorOptions = new LinkedHashMap<>();
    final Map<String, String> flinkOptions = new LinkedHashMap<>();

    /**
     * @throws IllegalArgumentException naming the argument and what would be right
     */
    static JobArguments parse(String... args) {
        JobArguments parsed = new JobArguments();
        for (int i = 0; i < args.length; i++) {
            if (args[i].equals("--wait")) {
                parsed.wait = true;
            } else if (i + 1 == args.length) {
                throw new IllegalArgumentException(args[i] + " is unknown or lacks its value.\n" + USAGE);
            } else {
                parsed.put(args[i], args[++i]);
            }
        }
        parsed.check();
        return parsed;
    }

    private void put(String name, String value) {
        switch (name) {
            case "--queries":
                queries = new ArrayList<>(Arrays.asList(value.split(",")));
                break;
            case "--rate":
                if (value.equals("max")) {
                    connectorOptions.put("max-emit-speed", "true");
                } else {
                    connectorOptions.put("next-event.rate", String.valueOf(number(name, value, 1)));
                }
                break;
            case "--events":
                connectorOptions.put("events.num", String.valueOf(number(name, value, 0)));
                break;
            case "--seed":
                connectorOptions.put("seed", String.valueOf(number(name, value, Long.MIN_VALUE)));
                break;
            case "--parallelism":
                parallelism = (int) number(name, value, 1);
                break;
            case "--sink":
                sink = value;
                break;
            case "--output":
                output = value;
                break;
            case "--tables":
                if (!QueryScript.SHAPES.containsKey(value)) {
                    throw new IllegalArgumentException("--tables is '" + value + "'; expected stream, keyed, kafka or kafka-keyed.");
                }
                tables = value;
                break;
            case "--job-name":
                jobName = value;
                break;
            case "--explain":
                explain = details(name, value);
                break;
            case "--set":
                putPair(name, value, connectorOptions);
                break;
            case "--sink-set":
                putPair(name, value, sinkOptions);
                break;
            case "--conf":
                putPair(name, value, flinkOptions);
                break;
            default:
                throw new IllegalArgumentException("Unknown argument " + name + ".\n" + USAGE);
        }
    }

    private void check() {
        if (!SINKS.contains(sink)) {
            throw new IllegalArgumentException("--sink is '" + sink + "'; expected one of " + SINKS + ".");
        }
        if (WRITING.contains(sink) != (output != null)) {
            throw new IllegalArgumentException("--sink filesystem or changelog and --output DIR go together.");
        }
        for (String query : queries) {
            if (APPENDING.contains(sink) && QueryScript.UPDATING.contains(query)) {
                throw new IllegalArgumentException(
                        query + " replaces rows it has written, which --sink " + sink
                                + " cannot; use --sink changelog, jdbc, blackhole or print, or leave " + query + " out.");
            }
            if (query.equals(QueryScript.FILL) && sink.equals("jdbc")) {
                throw new IllegalArgumentException(query + " writes rows of rows, which no table of --sink jdbc has; use --sink kafka.");
            }
            if (query.equals(QueryScript.FILL) && !tables.equals("stream")) {
                throw new IllegalArgumentException(
                        query + " writes the generated stream; it goes with --tables stream, not with " + tables + ".");
            }
        }
        if (sink.equals("jdbc") && !sinkOptions.containsKey("url")) {
            throw new IllegalArgumentException(
                    "--sink jdbc needs the database: --sink-set url=jdbc:postgresql://HOST:PORT/DATABASE --sink-set username=NAME --sink-set password=...");
        }
        if (jobName == null) {
            jobName = "Nexmark " + String.join(", ", queries);
        }
    }

    /** Options of the source tables: what was asked for, and what the shape needs besides. */
    Map<String, String> sourceOptions() {
        return tables.equals("keyed") ? Alignment.completed(connectorOptions) : connectorOptions;
    }

    private static List<ExplainDetail> details(String name, String value) {
        List<ExplainDetail> details = new ArrayList<>();
        for (String detail : value.split(",")) {
            try {
                // The plan is always there.
                if (!detail.equals("plan")) {
                    details.add(ExplainDetail.valueOf(detail.toUpperCase(Locale.ROOT)));
                }
            } catch (IllegalArgumentException e) {
                String known = Arrays.toString(ExplainDetail.values()).toLowerCase(Locale.ROOT);
                throw new IllegalArgumentException(name + " is '" + value + "'; expected plan, or some of " + known + ".");
            }
        }
        return details;
    }

    private static void putPair(String name, String value, Map<String, String> target) {
        int equals = value.indexOf('=');
        if (equals < 1) {
            throw new IllegalArgumentException(name + " is '" + value + "'; expected key=value.");
        }
        target.put(value.substring(0, equals), value.substring(equals + 1));
    }

    private static long number(String name, String value, long least) {
        try {
            long number = Long.parseLong(value);
            if (number >= least) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Reported below, as a number that is too small is.
        }
        throw new IllegalArgumentException(
                name + " is '" + value + "'; expected a whole number" + (least > 0 ? " of at least " + least : "") + ".");
    }
}
