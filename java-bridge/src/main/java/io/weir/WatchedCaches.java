/** Modes observe and shared: the caches that Flink and RocksDB would use anyway, seen by the agent. */
package io.weir;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;
import org.rocksdb.DBOptions;
import org.rocksdb.LRUCache;
import org.rocksdb.Statistics;
import org.rocksdb.StatsLevel;
import org.rocksdb.WriteBufferManager;

/**
 * Where Flink bounds RocksDB's memory, all backends of a slot share one cache, which Flink sets after the options factory has
 * run; where it does not, RocksDB makes one cache for each state, or mode shared one for the process. RocksDB hands the
 * statistics of a database to every lookup in a cache, so statistics of its own tell a backend's lookups from those of others,
 * on whatever thread they come.
 */
final class WatchedCaches implements BlockCaches {

    private final Agent agent;
    private final WeirConfig config;
    private final TaskManagerAgent taskManager;
    private final TaskIdentity task;
    /** Made here; closed with the backend. */
    private final List<AutoCloseable> own = new ArrayList<>();
    /** Ids by native handle of the cache: a cache that serves several states is registered once per backend. */
    private final Map<Long, Long> ids = new LinkedHashMap<>();
    private Statistics statistics;
    private WriteBufferManager writeBuffers;
    private WriteListener listener;

    WatchedCaches(Agent agent, WeirConfig config, TaskManagerAgent taskManager) {
        this.agent = agent;
        this.config = config;
        this.taskManager = taskManager;
        this.task = new TaskIdentity(config);
    }

    /** Makes sure that the database has statistics. Flink may set its own afterwards, which {@link #use(Statistics)} is told. */
    void tellApart(DBOptions options) {
        Statistics present = options.statistics();
        if (present != null) {
            own.add(present);
            statistics = present;
            return;
        }
        Statistics made = new Statistics();
        own.add(made);
        made.setStatsLevel(StatsLevel.EXCEPT_DETAILED_TIMERS);
        options.setStatistics(made);
        statistics = made;
        try {
            agent.silence(made.getNativeHandle());
        } catch (RuntimeException e) {
            taskManager.note("the statistics that tell operators apart also count, which costs a little", e);
        }
    }

    @Override
    public Cache forState(BlockBasedTableConfig prepared) {
        if (config.memoryBoundByFlink) {
            return null;
        }
        if (config.mode == MemoryMode.SHARED) {
            return watched(OwnMemory.cache(config.cacheBytes()));
        }
        if (prepared.noBlockCache() || prepared.blockCacheSize() <= 0) {
            return null;
        }
        // What RocksDB would make for itself, as an object that can be registered.
        LRUCache cache = new LRUCache(prepared.blockCacheSize(), prepared.cacheNumShardBits());
        own.add(cache);
        return watched(cache);
    }

    @Override
    public Cache inPlaceOf(Cache flinks) {
        return watched(flinks);
    }

    @Override
    public void use(Statistics flinks) {
        statistics = flinks;
    }

    @Override
    public void use(WriteBufferManager manager) {
        writeBuffers = manager;
        ids.values().forEach(id -> agent.writeBufferManager(id, manager.getNativeHandle()));
    }

    @Override
    public void use(WriteListener heardBy) {
        listener = heardBy;
    }

    /** Registers a cache unless it is already; one that is refused is used all the same. */
    private Cache watched(Cache cache) {
        try {
            Long known = ids.get(cache.getNativeHandle());
            if (known == null) {
                long id = task.register(agent, cache.getNativeHandle(), statistics.getNativeHandle());
                ids.put(cache.getNativeHandle(), id);
                if (writeBuffers != null) {
                    agent.writeBufferManager(id, writeBuffers.getNativeHandle());
                }
                if (listener != null) {
                    agent.listenTo(id, listener.handle());
                }
                taskManager.introduce(config);
            }
        } catch (Throwable e) {
            taskManager.declined("a block cache is not observed", e);
        }
        return cache;
    }

    @Override
    public void close() {
        try {
            ids.values().forEach(agent::release);
        } finally {
            ids.clear();
            own.forEach(WatchedCaches::closeQuietly);
        }
    }

    private static void closeQuietly(AutoCloseable handle) {
        try {
            handle.close();
        } catch (Exception e) {
            throw new IllegalStateException("RocksDB's handles do not fail to close", e);
        }
    }
}
