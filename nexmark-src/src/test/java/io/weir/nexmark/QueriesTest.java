/** Every query runs to the end on both shapes of tables, and what Flink SQL cannot express is refused with the reason. */
package io.weir.nexmark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.ExplainDetail;
import org.apache.flink.table.api.TableEnvironment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class QueriesTest {

    private static final List<String> SUPPORTED =
            QueryScript.QUERIES.stream().filter(query -> !query.equals("q6")).collect(Collectors.toList());

    @ParameterizedTest
    @ValueSource(strings = {"stream", "keyed"})
    void everyQueryRunsToTheEnd(String tables) throws Exception {
        NexmarkJob.main(
                new String[] {
                    "--queries", String.join(",", SUPPORTED), "--tables", tables, "--events", "5000", "--rate", "max",
                    "--parallelism", "1", "--wait"
                });
    }

    @Test
    void keysShortenTheStateOfJoins() {
        String keyed = plan("keyed", "q20,q3,q9");
        String stream = plan("stream", "q20,q3,q9");
        assertTrue(keyed.contains("rightInputSpec=[JoinKeyContainsUniqueKey]"), keyed);
        assertTrue(stream.contains("rightInputSpec=[NoUniqueKey]"), stream);
        assertFalse(stream.contains("JoinKeyContainsUniqueKey"), stream);
    }

    /** By several columns, or by one that rises, Flink 2.1 to 2.3 plan the first place as never replaced: FLINK-40368. */
    @ParameterizedTest
    @ValueSource(strings = {"q9", "q18"})
    void theFirstPlaceIsRankedByOneFallingColumn(String query) {
        for (String tables : List.of("stream", "keyed")) {
            String plan = plan(tables, query);
            boolean asRank = plan.matches("(?s).*rankEnd=1\\], partitionBy=\\[[^]]*\\], orderBy=\\[[^], ]+ DESC\\].*");
            assertTrue(asRank || plan.contains("Deduplicate(keep=[LastRow]"), plan);
        }
    }

    @Test
    void onlyUsedColumnsAreProducedAndTheWatermarkIsMadeInTheSource() {
        String plan = plan("stream", "q1");
        String produced =
                "project=[event_type, person_dateTime, auction_dateTime, bid_dateTime, bid_auction, bid_bidder, bid_price, bid_extra]";
        assertTrue(plan.contains(produced), plan);
        assertTrue(plan.contains("watermark=["), plan);
        assertFalse(plan.contains("WatermarkAssigner"), plan);
        assertTrue(plan("keyed", "q2").contains("fields=[auction, price, dateTime]"), plan("keyed", "q2"));
    }

    @Test
    void theQueryThatFlinkSqlCannotExpressIsRefusedWithTheReason() {
        UnsupportedOperationException e =
                assertThrows(UnsupportedOperationException.class, () -> plan("stream", "q6"));
        assertTrue(e.getMessage().startsWith("q6 is unsupported: the mean runs over rows"), e.getMessage());
    }

    @Test
    void theStreamFromKafkaHasTheColumnsOfTheGeneratedOne() {
        Map<String, String> servers = Map.of("properties.bootstrap.servers", "127.0.0.1:9092");
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        QueryScript.tables("stream", Map.of()).forEach(tables::executeSql);
        List<String> generated = columns(tables);
        tables.executeSql("DROP TEMPORARY TABLE events");
        String kafka = QueryScript.tables("kafka", servers).get(0);
        assertTrue(kafka.contains("'properties.bootstrap.servers' = '127.0.0.1:9092'"), kafka);
        tables.executeSql(kafka);
        assertEquals(generated, columns(tables));
    }

    @Test
    void whatFillsTheTopicHasTheColumnsThatAreReadFromIt() {
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        tables.executeSql(QueryScript.tables("kafka", Map.of()).get(0));
        List<String> read = described(tables, "events").subList(0, 4);
        tables.executeSql(QueryScript.query("fill", Map.of("connector", "blackhole")).get(0));
        assertEquals(read, described(tables, "fill"));
    }

    /** The views of kafka-keyed, over the generated stream. */
    @Test
    void firstRowsOfAStreamHaveKeysAndAreOnlyAdded() {
        List<String> kafka = QueryScript.tables("kafka-keyed", Map.of());
        assertEquals(6, kafka.size());
        assertTrue(kafka.get(0).contains("'connector' = 'kafka'"), kafka.get(0));
        TableEnvironment tables = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        tables.executeSql(QueryScript.tables("stream", Map.of()).get(0));
        kafka.subList(1, kafka.size()).forEach(tables::executeSql);
        for (String query : List.of("q20", "q11", "cep0")) {
            List<String> statements = QueryScript.query(query, Map.of("connector", "blackhole"));
            tables.executeSql(statements.get(0));
            String plan = tables.explainSql(statements.get(1), ExplainDetail.CHANGELOG_MODE);
            assertTrue(plan.contains("Deduplicate(keep=[FirstRow], key=[dateTime, b_auction, b_bidder, b_price]"), plan);
            assertFalse(plan.contains("changelogMode=[I,U"), plan);
            assertEquals(query.equals("q20"), plan.contains("rightInputSpec=[JoinKeyContainsUniqueKey]"), plan);
        }
    }

    @Test
    void tablesOfADatabaseHaveTheKeysByWhichRowsAreReplaced() {
        assertEquals(
                "CREATE TABLE q4 (\n  category BIGINT,\n  mean_price BIGINT,\n  PRIMARY KEY (category)\n);\n", SinkTables.table("q4"));
        for (String query : QueryScript.UPDATING) {
            assertTrue(SinkTables.table(query).contains("PRIMARY KEY ("), query);
            String sink = QueryScript.queryWithKey(query, Map.of("connector", "blackhole")).get(0);
            TableEnvironment.create(EnvironmentSettings.inStreamingMode()).executeSql(sink);
        }
        String last = SinkTables.table("q18");
        assertTrue(last.contains("dateTime TIMESTAMP(3),\n") && last.contains("PRIMARY KEY (bidder, auction)"), last);
        assertFalse(SinkTables.table("q20").contains("PRIMARY KEY"), SinkTables.table("q20"));
        assertTrue(SinkTables.table("q14").contains("price DECIMAL(23, 3),"), SinkTables.table("q14"));
        IllegalArgumentException e = assertThrows(IllegalArgumentException.class, () -> SinkTables.table("fill"));
        assertTrue(e.getMessage().startsWith("fill has no table"), e.getMessage());
    }

    /** Name and type of every column of the event stream, and its watermark. */
    private static List<String> columns(TableEnvironment tables) {
        List<String> columns = described(tables, "events");
        assertEquals(27, columns.size(), columns.toString());
        return columns;
    }

    private static List<String> described(TableEnvironment tables, String table) {
        List<String> columns = new ArrayList<>();
        tables.executeSql("DESCRIBE " + table).collect().forEachRemaining(row -> columns.add(row.toString()));
        return columns;
    }

    @Test
    void queriesAreNumberedFrom0To23AndPatternsFrom0To3() {
        assertEquals(28, QueryScript.QUERIES.size());
        assertEquals("q23", QueryScript.QUERIES.get(23));
        assertEquals(List.of("cep0", "cep1", "cep2", "cep3"), QueryScript.QUERIES.subList(24, 28));
    }

    private static String plan(String tables, String queries) {
        String plan = NexmarkJob.explain(JobArguments.parse("--queries", queries, "--tables", tables));
        return plan.substring(plan.indexOf("Optimized Physical Plan"));
    }
}
