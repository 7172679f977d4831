/** RocksDB's memory in a TaskManager where Flink does not bound it: one write buffer manager, and for mode shared one cache. */
package io.weir;

import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.WriteBufferManager;

/**
 * For all backends of the process, so that they share one bound. The manager is charged to a cache of its own that holds no
 * block, because a charge to a block cache would evict blocks. Never closed: backends come and go, and both are needed as
 * long as the process lives. RocksDB's library must be loaded.
 */
final class OwnMemory {

    private static WriteBufferManager writeBuffers;
    private static Cache cache;

    /** Created on first use; the size asked for first is kept. */
    static synchronized WriteBufferManager writeBuffers(long bytes) {
        if (writeBuffers == null) {
            writeBuffers = new WriteBufferManager(bytes, new LRUCache(bytes));
        }
        return writeBuffers;
    }

    /** Created on first use; the size asked for first is kept. */
    static synchronized Cache cache(long bytes) {
        if (cache == null) {
            cache = new LRUCache(bytes);
        }
        return cache;
    }

    private OwnMemory() {}
}
