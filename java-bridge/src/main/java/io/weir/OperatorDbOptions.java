/** Database options that learn what Flink sets after the options factory has run. */
package io.weir;

import java.util.ArrayList;
import java.util.List;
import org.rocksdb.AbstractEventListener;
import org.rocksdb.DBOptions;
import org.rocksdb.Statistics;
import org.rocksdb.WriteBufferManager;

/**
 * Flink does not hand its write buffer manager and its statistics out otherwise. Both stay in force, and so do listeners that
 * others have set: the agent's goes behind them.
 */
final class OperatorDbOptions extends DBOptions {

    private final BlockCaches caches;
    private final TaskManagerAgent taskManager;
    private WriteListener listener;
    private List<AbstractEventListener> others = List.of();

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

    /** Has the agent hear of flushes, compactions and stalls. */
    void hearWith(WriteListener agents) {
        List<AbstractEventListener> present = super.listeners();
        listener = agents;
        setListeners(present);
    }

    @Override
    public DBOptions setListeners(List<AbstractEventListener> listeners) {
        others = List.copyOf(listeners);
        List<AbstractEventListener> all = new ArrayList<>(listeners);
        if (listener != null) {
            all.add(listener);
        }
        super.setListeners(all);
        return this;
    }

    /** Those of others. RocksJava takes every native listener for one of its own, so it must not be asked for the agent's. */
    @Override
    public List<AbstractEventListener> listeners() {
        return listener == null ? super.listeners() : others;
    }
}
