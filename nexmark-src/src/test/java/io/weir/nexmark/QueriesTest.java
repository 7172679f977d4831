/** Every query runs to the end on both shapes of tables, and what Flink SQL cannot express is refused with the reason. */
package io.weir.nexmark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.stream.Collectors;
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
        assertFalse(stream.contains("UniqueKey]") && stream.contains("ContainsUniqueKey"), stream);
    }

    @Test
    void onlyUsedColumnsAreProducedAndTheWatermarkIsMadeInTheSource() {
        String plan = plan("stream", "q1");
        assertTrue(plan.contains("bid_auction"), plan);
        assertFalse(plan.contains("person_name"), plan);
        assertFalse(plan.contains("bid_channel"), plan);
        assertTrue(plan.contains("watermark=["), plan);
        assertFalse(plan.contains("WatermarkAssigner"), plan);
    }

    @Test
    void theQueryThatFlinkSqlCannotExpressIsRefusedWithTheReason() {
        UnsupportedOperationException e =
                assertThrows(UnsupportedOperationException.class, () -> plan("stream", "q6"));
        assertTrue(e.getMessage().startsWith("q6 is unsupported: the mean runs over rows"), e.getMessage());
    }

    @Test
    void queriesAreNumberedFrom0To23() {
        assertEquals(24, QueryScript.QUERIES.size());
        assertEquals("q23", QueryScript.QUERIES.get(23));
    }

    private static String plan(String tables, String queries) {
        String plan = NexmarkJob.explain(JobArguments.parse("--queries", queries, "--tables", tables));
        return plan.substring(plan.indexOf("Optimized Physical Plan"));
    }
}
