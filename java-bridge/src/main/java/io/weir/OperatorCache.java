/** Mode per-operator: a cache of its own for one backend. */
package io.weir;

import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.WriteBufferManager;

final class OperatorCache implements BlockCaches {

    /** The agent sets the real capacity out of the budget at once. */
    private static final long CAPACITY_BEFORE_REGISTRATION = 1 << 20;

    /** One shard: the cache then evicts in the order the miss ratio curve assumes, whatever its size. */
    private static final int SHARD_BITS = 0;

    /** No pool for index and filter blocks: the curve assumes one LRU list. */
    private static final double HIGH_PRIORITY_POOL_RATIO = 0.0;

    private final Agent agent;
    private final long id;
    private final LRUCache cache;

    /**
     * Creates a cache and has the agent hook it.
     *
     * @throws RuntimeException with the agent's reason, if it refuses; nothing is left behind then
     */
    OperatorCache(Agent agent, TaskIdentity task) {
        this.agent = agent;
        cache =
                new LRUCache(
                        CAPACITY_BEFORE_REGISTRATION, SHARD_BITS, false, HIGH_PRIORITY_POOL_RATIO);
        try {
            // No other database uses the cache, so the agent needs no statistics to tell whose lookup it is.
            id = task.register(agent, cache.getNativeHandle(), 0);
        } catch (Throwable e) {
            cache.close();
            throw e;
        }
    }

    @Override
    public Cache forState(BlockBasedTableConfig prepared) {
        return cache;
    }

    @Override
    public Cache inPlaceOf(Cache flinks) {
        return cache;
    }

    @Override
    public void use(WriteBufferManager manager) {
        agent.writeBufferManager(id, manager.getNativeHandle());
    }

    @Override
    public void use(WriteListener listener) {
        agent.listenTo(id, listener.handle());
    }

    @Override
    public void close() {
        try {
            agent.release(id);
        } finally {
            cache.close();
        }
    }
}
