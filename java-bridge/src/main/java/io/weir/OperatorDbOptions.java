/** Database options that learn what Flink sets after the options factory has run. */
package io.weir;

import org.rocksdb.DBOptions;
import org.rocksdb.Statistics;
import org.rocksdb.WriteBufferManager;

/** Flink does not hand its write buffer manager and its statistics out otherwise. Both stay in force. */
final class OperatorDbOptions extends DBOptions {

    private final BlockCaches caches;
    private final TaskManagerAgent taskManager;

    OperatorDbOptions(DBOptions prepared, BlockCaches caches, TaskManagerAgent taskManager) {
        super(prepared);
        this.caches = caches;
        this.taskManager = taskManager;
    }

    @Override
    public DBOptions setWriteBufferManager(WriteBufferManager manager) {
        super.setWriteBufferManager(manager);
        try {
            caches.use(manager);
        } catch (Throwable e) {
            taskManager.declined("a write buffer manager is not observed", e);
        }
        return this;
    }

    @Override
    public DBOptions setStatistics(Statistics statistics) {
        super.setStatistics(statistics);
        caches.use(statistics);
        return this;
    }
}
