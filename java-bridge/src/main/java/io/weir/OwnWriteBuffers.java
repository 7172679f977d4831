/** The write buffer manager of a TaskManager whose RocksDB memory Flink does not bound. */
package io.weir;

import org.rocksdb.LRUCache;
import org.rocksdb.WriteBufferManager;

/**
 * One for all backends of the process, so that their write buffers share one bound. It is charged to a cache of its own
 * that holds no block, because a charge to an operator's cache would evict that operator's blocks. Never closed: backends
 * come and go, and it is needed as long as the process lives.
 */
final class OwnWriteBuffers {

    private static WriteBufferManager manager;

    /** Created on first use; the size asked for first is kept. RocksDB's library must be loaded. */
    static synchronized WriteBufferManager of(long bytes) {
        if (manager == null) {
            manager = new WriteBufferManager(bytes, new LRUCache(bytes));
        }
        return manager;
    }

    private OwnWriteBuffers() {}
}
