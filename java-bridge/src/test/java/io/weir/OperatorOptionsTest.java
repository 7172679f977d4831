/** Backends opened with Flink's own option container and a real RocksDB use the operator's cache, and leave nothing behind. */
package io.weir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.configuration.Configuration;
import org.apache.logging.log4j.Level;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.rocksdb.AbstractEventListener;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;
import org.rocksdb.ColumnFamilyDescriptor;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.DBOptions;
import org.rocksdb.FlushJobInfo;
import org.rocksdb.FlushOptions;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.Statistics;

class OperatorOptionsTest {

    private static final long MIB = 1 << 20;

    /** Together 1 MB that does not compress. */
    private static final byte[][] VALUES = new byte[250][4_000];

    static {
        Random random = new Random(1);
        for (byte[] value : VALUES) {
            random.nextBytes(value);
        }
    }

    private final FakeAgent agent = new FakeAgent();
    private final TaskManagerAgent taskManager = new TaskManagerAgent(() -> agent);

    @TempDir Path folder;

    @BeforeAll
    static void loadRocksDb() {
        RocksDB.loadLibrary();
    }

    @Test
    void boundByFlink() throws Exception {
        FlinkMemory flink = new FlinkMemory(64 * MIB);
        try (var container = flink.container(factory("true"));
                Backend backend = new Backend(container.getDbOptions(), container.getColumnOptions(), folder)) {
            backend.writeFlushAndRead();
            assertTrue(backend.cacheUsage() > 100_000, "blocks in the operator's cache: " + backend.cacheUsage());
            assertEquals(MIB, backend.cacheCapacity(), "the operator's cache, not Flink's");
            assertEquals(
                    flink.writeBufferManager().getNativeHandle(), agent.writeBufferManagers.get(1L));
            // Flink's cache is still charged with write buffers, in steps of 256 KiB, but holds no block.
            assertEquals(0, flink.cache().getUsage() - flink.cache().getPinnedUsage());
            assertTrue(backend.options().contains("cache_index_and_filter_blocks: 1"), backend.options());
        }
        assertEquals(List.of(), List.copyOf(agent.live));
    }

    @Test
    void notBoundByFlink() throws Exception {
        try (var container = FlinkMemory.unbound(factory("false"));
                Backend backend = new Backend(container.getDbOptions(), container.getColumnOptions(), folder)) {
            backend.writeFlushAndRead();
            assertTrue(backend.cacheUsage() > 100_000, "blocks in the operator's cache: " + backend.cacheUsage());
            assertEquals(MIB, backend.cacheCapacity());
            assertNotEquals(null, agent.writeBufferManagers.get(1L));
            assertEquals(
                    agent.writeBufferManagers.get(1L),
                    OwnMemory.writeBuffers(1).getNativeHandle(),
                    "one manager for the whole process");
            for (String setting :
                    List.of(
                            "cache_index_and_filter_blocks: 1",
                            "cache_index_and_filter_blocks_with_high_priority: 1",
                            "pin_l0_filter_and_index_blocks_in_cache: 1")) {
                assertTrue(backend.options().contains(setting), backend.options());
            }
        }
        assertEquals(List.of(), List.copyOf(agent.live));
    }

    /** Flink's cache is used, and seen until the backend is closed; Flink's own settings are as without Weir. */
    @ParameterizedTest
    @ValueSource(strings = {"observe", "shared"})
    void sharedCacheOfFlinkIsWatched(String mode) throws Exception {
        FlinkMemory flink = new FlinkMemory(64 * MIB);
        agent.atRelease = () -> assertTrue(flink.cache().isOwningHandle(), "Flink's cache is closed after the release");
        long before = flink.cache().getUsage();
        try (var first = flink.container(factory(mode, "true"));
                Backend backend = new Backend(first.getDbOptions(), first.getColumnOptions(), folder)) {
            backend.writeFlushAndRead();
            assertTrue(flink.cache().getUsage() - before > 100_000, "blocks in Flink's cache");
            assertEquals(1, agent.registered.get());
            first.getColumnOptions();
            assertEquals(1, agent.registered.get(), "once per backend, whatever the number of its states");
            assertEquals(flink.cache().getNativeHandle(), agent.cacheHandles.get(1L));
            assertEquals(
                    flink.writeBufferManager().getNativeHandle(), agent.writeBufferManagers.get(1L));
        }
        assertEquals(Set.of(), agent.live);
    }

    /** What tells backends behind one cache apart are the statistics of their databases. */
    @Test
    void backendsBehindOneCacheHaveStatisticsOfTheirOwn() throws Exception {
        FlinkMemory flink = new FlinkMemory(64 * MIB);
        TestFactory factory = factory("observe", "true");
        List<AutoCloseable> one = new ArrayList<>();
        List<AutoCloseable> other = new ArrayList<>();
        try (DBOptions prepared = new DBOptions();
                DBOptions withStatistics = new DBOptions();
                Statistics flinks = new Statistics();
                ColumnFamilyOptions columns = new ColumnFamilyOptions()) {
            DBOptions first = factory.createDBOptions(prepared, one);
            DBOptions second = factory.createDBOptions(withStatistics, other);
            second.setStatistics(flinks);
            factory.createColumnOptions(columns, one);
            ((BlockBasedTableConfig) columns.tableFormatConfig()).setBlockCache(flink.cache());
            factory.createColumnOptions(columns, other);
            ((BlockBasedTableConfig) columns.tableFormatConfig()).setBlockCache(flink.cache());
            assertEquals(2, agent.registered.get());
            assertEquals(agent.cacheHandles.get(1L), agent.cacheHandles.get(2L));
            assertNotEquals(agent.statisticsHandles.get(1L), agent.statisticsHandles.get(2L));
            assertTrue(agent.silenced.contains(agent.statisticsHandles.get(1L)), "Weir's own count nothing");
            assertEquals(flinks.getNativeHandle(), agent.statisticsHandles.get(2L), "Flink's, where it sets some");
            assertFalse(agent.silenced.contains(flinks.getNativeHandle()), "Flink's keep counting");
            assertNotEquals(null, first.statistics());
        } finally {
            closeAll(one);
            closeAll(other);
        }
    }

    /** Without a bound RocksDB has a cache for each state, of the size that is configured; nothing else is changed. */
    @Test
    void observesTheCachesThatRocksDbWouldMake() throws Exception {
        TestFactory factory = factory("observe", "false");
        List<AutoCloseable> handles = new ArrayList<>();
        try (DBOptions prepared = new DBOptions();
                ColumnFamilyOptions first = new ColumnFamilyOptions();
                ColumnFamilyOptions second = new ColumnFamilyOptions()) {
            DBOptions db = factory.createDBOptions(prepared, handles);
            second.setTableFormatConfig(new BlockBasedTableConfig().setBlockCacheSize(3 * MIB));
            factory.createColumnOptions(first, handles);
            factory.createColumnOptions(second, handles);
            assertEquals(2, Set.copyOf(agent.cacheHandles.values()).size());
            assertEquals(Map.of(), agent.writeBufferManagers);
            assertFalse(((BlockBasedTableConfig) second.tableFormatConfig()).cacheIndexAndFilterBlocks());
            try (Backend backend = new Backend(db, second, folder)) {
                backend.writeFlushAndRead();
                assertEquals(3 * MIB, backend.cacheCapacity());
            }
        } finally {
            closeAll(handles);
        }
        assertEquals(Set.of(), agent.live);
    }

    /** Without a bound of Flink's, mode shared has one of its own: one cache and one write buffer manager for the process. */
    @Test
    void sharesOneCacheWhereFlinkHasNone() throws Exception {
        TestFactory factory = factory("shared", "false");
        try (var first = FlinkMemory.unbound(factory);
                var second = FlinkMemory.unbound(factory);
                Backend backend = new Backend(first.getDbOptions(), first.getColumnOptions(), folder)) {
            second.getDbOptions();
            second.getColumnOptions();
            assertEquals(2, agent.registered.get());
            assertEquals(agent.cacheHandles.get(1L), agent.cacheHandles.get(2L));
            assertEquals(48 * MIB, backend.cacheCapacity());
            assertTrue(backend.options().contains("cache_index_and_filter_blocks: 1"), backend.options());
            assertEquals(agent.writeBufferManagers.get(1L), agent.writeBufferManagers.get(2L));
        }
        assertEquals(Set.of(), agent.live);
    }

    @Test
    void oneCachePerBackendOnOneThread() throws Exception {
        FlinkMemory flink = new FlinkMemory(64 * MIB);
        TestFactory factory = factory("true");
        try (var first = flink.container(factory);
                var second = FlinkMemory.unbound(factory)) {
            first.getDbOptions();
            second.getDbOptions();
            first.getColumnOptions();
            first.getColumnOptions();
            second.getColumnOptions();
            assertEquals(2, agent.registered.get());
            assertEquals(2, agent.live.size());
            assertNotEquals(agent.cacheHandles.get(1L), agent.cacheHandles.get(2L));
            assertEquals(Thread.currentThread().getName(), agent.threadNames.get(0));
        }
        assertEquals(0, agent.live.size());
    }

    /** A listener that somebody else has set goes on hearing, the agent's hears as well, and is dropped with the backend. */
    @ParameterizedTest
    @ValueSource(strings = {"observe", "per-operator"})
    void theAgentListensBesideOthers(String mode) throws Exception {
        FlushCounter others = new FlushCounter();
        FlushCounter agents = new FlushCounter();
        agent.listener = agents.handle();
        FlinkMemory flink = new FlinkMemory(64 * MIB);
        TestFactory factory = factory(mode, "true");
        List<AutoCloseable> handles = new ArrayList<>();
        try (DBOptions prepared = new DBOptions();
                ColumnFamilyOptions columns = new ColumnFamilyOptions()) {
            prepared.setListeners(List.of(others));
            DBOptions options = factory.createDBOptions(prepared, handles);
            assertEquals(List.of(others), options.listeners());
            ColumnFamilyOptions state = factory.createColumnOptions(columns, handles);
            ((BlockBasedTableConfig) state.tableFormatConfig()).setBlockCache(flink.cache());
            assertEquals(agents.handle(), agent.listeners.get(1L), "told whose database it hears");
            try (Backend backend = new Backend(options, state, folder)) {
                backend.writeFlushAndRead();
            }
            assertEquals(1, others.flushes.get());
            assertEquals(1, agents.flushes.get());
            assertEquals(List.of(), agent.droppedListeners);
        } finally {
            closeAll(handles);
            others.close();
            agents.close();
        }
        assertEquals(List.of(agent.listener), agent.droppedListeners);
    }

    /** Without it nothing is counted, and all else is as ever. */
    @Test
    void anAgentThatDoesNotListenHarmsNothing() throws Exception {
        agent.failing = "makeListener";
        try (LogLines log = new LogLines();
                var container = FlinkMemory.unbound(factory("true"));
                Backend backend = new Backend(container.getDbOptions(), container.getColumnOptions(), folder)) {
            backend.writeFlushAndRead();
            assertEquals(1, agent.live.size());
            assertEquals(List.of(), log.at(Level.WARN));
        }
        assertEquals(List.of(), agent.droppedListeners);
    }

    @Test
    void aProfileIsAppliedLast() throws Exception {
        agent.profile = new String[] {"use_direct_reads=true;", "block_based_table_factory={block_size=8192;};", "readahead_size", "4096"};
        FlinkMemory flink = new FlinkMemory(64 * MIB);
        try (var container = flink.container(factory("true"))) {
            assertEquals("use_direct_reads=true;", agent.optionTexts.get(container.getDbOptions().getNativeHandle()));
            ColumnFamilyOptions state = container.getColumnOptions();
            // Flink has set its table format meanwhile, and with it lost what the agent had put there.
            assertEquals(agent.profile[1], agent.optionTexts.get(state.getNativeHandle()));
            agent.optionTexts.clear();
            state.setTableFormatConfig(state.tableFormatConfig());
            assertEquals(agent.profile[1], agent.optionTexts.get(state.getNativeHandle()));
            assertEquals(4096, container.getReadOptions().readaheadSize());
        }
    }

    @Test
    void oneInfoLinePerProcess() throws Exception {
        try (LogLines log = new LogLines()) {
            for (int i = 0; i < 3; i++) {
                try (var container = FlinkMemory.unbound(factory("true"))) {
                    container.getDbOptions();
                }
            }
            assertEquals(
                    List.of(
                            "Weir 0.1.0: RocksDB 6.20.3, hooked Insert (slot 3), Lookup (slot 4), "
                                    + "mode per-operator, budget 96 MiB of which 48 MiB at most for write buffers, HTTP http://127.0.0.1:9260"),
                    log.at(Level.INFO));
            assertEquals(List.of(), log.at(Level.WARN));
            assertEquals(1, agent.starts.size());
        }
    }

    @Test
    void fiveHundredRestartsLeakNothing() throws Exception {
        FlinkMemory flink = new FlinkMemory(64 * MIB);
        TestFactory factory = factory("true");
        long before = 0;
        for (int i = 0; i < 500; i++) {
            if (i == 100) {
                before = nativeBytes();
            }
            List<AutoCloseable> handles = new ArrayList<>();
            DBOptions prepared = new DBOptions();
            handles.add(prepared);
            DBOptions db = factory.createDBOptions(prepared, handles);
            db.setWriteBufferManager(flink.writeBufferManager());
            for (int state = 0; state < 4; state++) {
                ColumnFamilyOptions columns = new ColumnFamilyOptions();
                handles.add(columns);
                factory.createColumnOptions(columns, handles);
            }
            Cache cache = BlockCaches.in(handles).inPlaceOf(flink.cache());
            try (Backend backend =
                    new Backend(db, (ColumnFamilyOptions) handles.get(handles.size() - 1), folder)) {
                backend.writeFlushAndRead();
            }
            closeAll(handles);
            assertEquals(false, cache.isOwningHandle());
            assertEquals(false, db.isOwningHandle());
        }
        assertEquals(500, agent.registered.get());
        assertEquals(0, agent.live.size());
        // A leaked cache of this test holds about 1 MiB of blocks, 400 of them would hold 400 MiB.
        long grown = nativeBytes() - before;
        assertTrue(grown < 100 * MIB, "memory outside the heap grew by " + grown / MIB + " MiB");
    }

    private TestFactory factory(String managed) {
        return factory("per-operator", managed);
    }

    private TestFactory factory(String mode, String managed) {
        Configuration configuration = new Configuration();
        configuration.setString("weir.memory.mode", mode);
        configuration.setString("weir.memory.budget", "96m");
        configuration.setString("state.backend.rocksdb.memory.managed", managed);
        return new TestFactory(taskManager, configuration);
    }

    private static void closeAll(List<AutoCloseable> handles) throws Exception {
        for (AutoCloseable handle : handles) {
            handle.close();
        }
    }

    /** What the process has in memory, without the Java heap, all of which is resident (see the POM). */
    private static long nativeBytes() throws Exception {
        return residentBytes() - Runtime.getRuntime().totalMemory();
    }

    private static long residentBytes() throws Exception {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmRSS:")) {
                return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
            }
        }
        throw new IllegalStateException("no VmRSS in /proc/self/status");
    }

    /** A listener as RocksJava makes them. */
    private static final class FlushCounter extends AbstractEventListener {

        private final AtomicInteger flushes = new AtomicInteger();

        @Override
        public void onFlushCompleted(RocksDB db, FlushJobInfo flush) {
            flushes.incrementAndGet();
        }

        long handle() {
            return nativeHandle_;
        }
    }

    /** A RocksDB opened as Flink's backend does, closed before the options. */
    private static final class Backend implements AutoCloseable {

        private final RocksDB db;
        private final List<ColumnFamilyHandle> families = new ArrayList<>();
        private final Path logFolder;

        Backend(DBOptions options, ColumnFamilyOptions columns, Path folder) throws Exception {
            options.setCreateIfMissing(true);
            Path path = Files.createTempDirectory(folder, "db");
            logFolder = Files.createDirectory(path.resolve("log"));
            options.setDbLogDir(logFolder.toString());
            List<ColumnFamilyDescriptor> descriptors =
                    List.of(new ColumnFamilyDescriptor(RocksDB.DEFAULT_COLUMN_FAMILY, columns));
            db = RocksDB.open(options, path.toString(), descriptors, families);
        }

        /** RocksDB writes the options it runs with into its log. */
        String options() throws IOException {
            try (var files = Files.list(logFolder)) {
                return Files.readString(files.findFirst().orElseThrow(), StandardCharsets.ISO_8859_1);
            }
        }

        void writeFlushAndRead() throws RocksDBException {
            for (int i = 0; i < VALUES.length; i++) {
                db.put(families.get(0), key(i), VALUES[i]);
            }
            try (FlushOptions flush = new FlushOptions()) {
                db.flush(flush, families.get(0));
            }
            for (int i = 0; i < VALUES.length; i++) {
                db.get(families.get(0), key(i));
            }
        }

        private static byte[] key(int i) {
            return String.valueOf(i).getBytes(StandardCharsets.UTF_8);
        }

        long cacheUsage() throws RocksDBException {
            return Long.parseLong(db.getProperty(families.get(0), "rocksdb.block-cache-usage"));
        }

        long cacheCapacity() throws RocksDBException {
            return Long.parseLong(db.getProperty(families.get(0), "rocksdb.block-cache-capacity"));
        }

        @Override
        public void close() {
            families.forEach(ColumnFamilyHandle::close);
            db.close();
        }
    }
}
