/** The block cache of one keyed state backend, that is, of one operator subtask. */
package io.weir;

import java.util.Collection;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.WriteBufferManager;
import org.slf4j.MDC;

/**
 * Lives in the list of handles that Flink keeps per backend and closes after its database: so the list says whose cache
 * it is, also where several keyed operators are chained into one task, and nothing outlives the backend.
 */
final class OperatorCache implements AutoCloseable {

    /** The agent sets the real capacity out of the budget at once. */
    private static final long CAPACITY_BEFORE_REGISTRATION = 1 << 20;

    /** One shard: the cache then evicts in the order the miss ratio curve assumes, whatever its size. */
    private static final int SHARD_BITS = 0;

    /** No pool for index and filter blocks: the curve assumes one LRU list. */
    private static final double HIGH_PRIORITY_POOL_RATIO = 0.0;

    private static final String MDC_JOB_ID = "flink-job-id";

    private final Agent agent;
    private final long id;
    private final LRUCache cache;

    private OperatorCache(Agent agent, long id, LRUCache cache) {
        this.agent = agent;
        this.id = id;
        this.cache = cache;
    }

    /** The cache of the backend that owns the list; null if it has none. */
    static OperatorCache in(Collection<AutoCloseable> handlesToClose) {
        for (AutoCloseable handle : handlesToClose) {
            if (handle instanceof OperatorCache) {
                return (OperatorCache) handle;
            }
        }
        return null;
    }

    /**
     * Creates a cache, has the agent hook it, and leaves it in the list. Must run on the task's thread, whose name tells the
     * operator.
     *
     * @throws RuntimeException with the agent's reason, if it refuses; nothing is left behind then
     */
    static OperatorCache create(Agent agent, Collection<AutoCloseable> handlesToClose) {
        LRUCache cache =
                new LRUCache(
                        CAPACITY_BEFORE_REGISTRATION, SHARD_BITS, false, HIGH_PRIORITY_POOL_RATIO);
        try {
            String jobId = MDC.get(MDC_JOB_ID);
            long id =
                    agent.register(
                            cache.getNativeHandle(),
                            Thread.currentThread().getName(),
                            jobId == null ? "" : jobId);
            OperatorCache created = new OperatorCache(agent, id, cache);
            handlesToClose.add(created);
            return created;
        } catch (Throwable e) {
            cache.close();
            throw e;
        }
    }

    Cache cache() {
        return cache;
    }

    void usesWriteBufferManager(WriteBufferManager manager) {
        agent.writeBufferManager(id, manager.getNativeHandle());
    }

    /** First the agent lets go, then RocksDB: the other way round the agent could touch freed memory. */
    @Override
    public void close() {
        try {
            agent.release(id);
        } finally {
            cache.close();
        }
    }
}
