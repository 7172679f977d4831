/** Runs Nexmark queries on generated events as one Flink job. */
package io.weir.nexmark;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.ExplainDetail;
import org.apache.flink.table.api.StatementSet;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

/**
 * All queries read the same events through one source. Submits and returns, so it works through {@code flink run} as well as
 * through the REST interface; with {@code --wait} it waits for the end.
 */
public final class NexmarkJob {

    public static void main(String[] args) throws Exception {
        JobArguments arguments = JobArguments.parse(args);
        if (arguments.explain != null) {
            System.out.println(explain(arguments));
            return;
        }
        TableResult result = submit(arguments);
        if (arguments.wait) {
            result.await();
        }
    }

    static TableResult submit(JobArguments arguments) {
        return statements(arguments).execute();
    }

    /** How Flink would run it, with the details that {@code --explain} asks for. */
    static String explain(JobArguments arguments) {
        List<ExplainDetail> details = arguments.explain == null ? List.of() : arguments.explain;
        return statements(arguments).explain(details.toArray(new ExplainDetail[0]));
    }

    private static StatementSet statements(JobArguments arguments) {
        Configuration configuration = new Configuration();
        configuration.setString("pipeline.name", arguments.jobName);
        if (arguments.parallelism > 0) {
            configuration.setString("parallelism.default", String.valueOf(arguments.parallelism));
        }
        arguments.flinkOptions.forEach(configuration::setString);
        TableEnvironment tables =
                TableEnvironment.create(
                        EnvironmentSettings.newInstance()
                                .inStreamingMode()
                                .withConfiguration(configuration)
                                .build());
        QueryScript.tables(arguments.tables, arguments.sourceOptions()).forEach(tables::executeSql);
        StatementSet inserts = tables.createStatementSet();
        for (String query : arguments.queries) {
            Map<String, String> sink = sink(arguments, query);
            boolean byKey = arguments.sink.equals("jdbc");
            List<String> statements = byKey ? QueryScript.queryWithKey(query, sink) : QueryScript.query(query, sink);
            tables.executeSql(statements.get(0));
            inserts.addInsertSql(statements.get(1));
        }
        return inserts;
    }

    private static Map<String, String> sink(JobArguments arguments, String query) {
        Map<String, String> options = new LinkedHashMap<>();
        boolean ours = arguments.sink.equals("changelog") || arguments.sink.equals("count");
        options.put("connector", ours ? "nexmark-" + arguments.sink : arguments.sink);
        if (arguments.output != null) {
            options.put("path", arguments.output + "/" + query);
        }
        if (arguments.sink.equals("filesystem")) {
            options.put("format", "csv");
        }
        if (arguments.sink.equals("kafka")) {
            options.put("topic", query.equals(QueryScript.FILL) ? "nexmark" : query);
            options.put("format", "json");
        }
        if (arguments.sink.equals("jdbc")) {
            options.put("table-name", query);
        }
        options.putAll(arguments.sinkOptions);
        return options;
    }

    private NexmarkJob() {}
}
