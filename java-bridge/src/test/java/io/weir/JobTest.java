/** Jobs on a Flink cluster inside this process, with RocksDB and an agent that only writes down what it is asked. */
package io.weir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.logging.log4j.Level;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JobTest {

    private static final int PARALLELISM = 2;

    private final FakeAgent agent = new FakeAgent();

    @TempDir Path folder;

    @Test
    void oneCachePerKeyedOperatorAlsoWhereTheyAreChained() throws Exception {
        TestFactory.taskManager = new TaskManagerAgent(() -> agent);
        try (LogLines log = new LogLines()) {
            run(TestFactory.class.getName(), "weir.memory.mode", "per-operator", "pipeline.name", "two in a chain");
            assertEquals(List.of(), log.at(Level.WARN));
            assertEquals(1, log.at(Level.INFO).size());
        }
        // Two keyed operators in one task, two subtasks of it.
        assertEquals(2 * PARALLELISM, agent.registered.get());
        assertEquals(2 * PARALLELISM, Set.copyOf(agent.cacheHandles.values()).size());
        Set<String> threads = new TreeSet<>(agent.threadNames);
        assertEquals(PARALLELISM, threads.size(), threads.toString());
        assertTrue(
                threads.iterator().next().matches("first -> second -> Sink: Writer \\(1/2\\)#0"),
                threads.toString());
        assertTrue(agent.jobIds.stream().allMatch(id -> id.matches("[0-9a-f]{32}")), agent.jobIds.toString());
        assertEquals(Set.of("two in a chain"), Set.copyOf(agent.jobNames));
        // Managed memory is on, as by default: each operator's write buffer manager was seen, one per slot.
        assertEquals(2 * PARALLELISM, agent.writeBufferManagers.size());
        assertEquals(Set.of(), agent.live);
    }

    /** Two subtasks of two chained operators, one slot each: two caches of Flink's, four databases behind them. */
    @ParameterizedTest
    @ValueSource(strings = {"observe", "shared"})
    void operatorsThatShareTheSlotsCacheAreToldApart(String mode) throws Exception {
        TestFactory.taskManager = new TaskManagerAgent(() -> agent);
        try (LogLines log = new LogLines()) {
            run(TestFactory.class.getName(), "weir.memory.mode", mode);
            assertEquals(List.of(), log.at(Level.WARN));
        }
        assertEquals(2 * PARALLELISM, agent.registered.get());
        assertEquals(PARALLELISM, Set.copyOf(agent.cacheHandles.values()).size());
        assertEquals(2 * PARALLELISM, Set.copyOf(agent.statisticsHandles.values()).size());
        assertEquals(2 * PARALLELISM, agent.writeBufferManagers.size());
        assertEquals(PARALLELISM, Set.copyOf(agent.writeBufferManagers.values()).size());
        assertEquals(Set.of(), agent.live);
    }

    @Test
    void resubmittedJobsLeaveNothingBehind() throws Exception {
        TestFactory.taskManager = new TaskManagerAgent(() -> agent);
        for (int i = 0; i < 5; i++) {
            run(TestFactory.class.getName());
        }
        assertEquals(5 * 2 * PARALLELISM, agent.registered.get());
        assertEquals(Set.of(), agent.live);
        assertEquals(1, agent.starts.size());
    }

    @Test
    void refusingAgentDoesNotTouchTheJob() throws Exception {
        TestFactory.taskManager = new TaskManagerAgent(() -> agent);
        agent.failing = "register";
        try (LogLines log = new LogLines()) {
            run(TestFactory.class.getName(), "weir.memory.mode", "per-operator");
            assertEquals(1, log.at(Level.WARN).size());
            assertEquals(List.of(), log.at(Level.INFO));
        }
    }

    /** Wherever it shows: when the file is read, when RocksDB parses what is for the database, or what is for a state. */
    @ParameterizedTest
    @ValueSource(strings = {"profile", "setDatabaseOptions", "setStateOptions"})
    void invalidProfileFailsTheOperatorAndLeavesNothingBehind(String method) {
        TestFactory.taskManager = new TaskManagerAgent(() -> agent);
        agent.profile = new String[] {"max_open_files=5;", "ttl=5;"};
        agent.refusing = method;
        for (String mode : List.of("observe", "per-operator")) {
            assertFails(
                    "weir.options.profile: /etc/mine.options:3: " + method + " has something against it; write something else",
                    TestFactory.class.getName(),
                    "weir.memory.mode",
                    mode,
                    "restart-strategy.type",
                    "none");
            assertEquals(Set.of(), agent.live, mode);
        }
    }

    @Test
    void unknownProfileFailsTheSubmission() {
        assertFails("weir.options.profile: 'dirct-io' is not usable", WeirOptionsFactory.class.getName(), "weir.options.profile", "dirct-io");
    }

    @Test
    void unknownKeyFailsTheSubmission() {
        assertFails(
                "Unknown configuration key 'weir.memory.buget'. The nearest known key is 'weir.memory.budget'.",
                WeirOptionsFactory.class.getName(),
                "weir.memory.buget",
                "64m");
    }

    private void assertFails(String expected, String factory, String... keysAndValues) {
        Exception e = assertThrows(Exception.class, () -> run(factory, keysAndValues));
        StringBuilder messages = new StringBuilder();
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            messages.append(cause.getMessage()).append('\n');
        }
        assertTrue(messages.toString().contains(expected), messages.toString());
    }

    /** A bounded job of two keyed operators in one chain; its sums are checked by the second one. */
    private void run(String factory, String... keysAndValues) throws Exception {
        Configuration configuration = new Configuration();
        configuration.setString("state.backend.type", "rocksdb");
        configuration.setString("state.backend.rocksdb.options-factory", factory);
        configuration.setString("taskmanager.memory.managed.size", "128m");
        configuration.setString("taskmanager.numberOfTaskSlots", "4");
        configuration.setString("io.tmp.dirs", folder.toString());
        configuration.setString("rest.port", "0");
        for (int i = 0; i < keysAndValues.length; i += 2) {
            configuration.setString(keysAndValues[i], keysAndValues[i + 1]);
        }
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(PARALLELISM, configuration);
        KeySelector<Long, Long> key = n -> n % 100;
        DataStream<Long> first =
                env.fromSequence(1, 10_000).keyBy(key).map(new Count()).name("first");
        DataStreamUtils.reinterpretAsKeyedStream(first, key, Types.LONG)
                .map(new Count())
                .name("second")
                .sinkTo(new DiscardingSink<>());
        env.execute("two keyed operators");
    }

    /** Passes numbers on and counts them per key in RocksDB; more than there can be per key is an error. */
    private static final class Count extends RichMapFunction<Long, Long> {
        private static final long serialVersionUID = 1L;
        private transient ValueState<Long> count;

        @Override
        public void open(OpenContext ignored) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
        }

        @Override
        public Long map(Long number) throws Exception {
            Long before = count.value();
            count.update(before == null ? 1 : before + 1);
            if (count.value() > 100) {
                throw new IllegalStateException("key " + number % 100 + " was counted too often");
            }
            return number;
        }
    }
}
