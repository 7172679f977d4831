/** Database options that learn which write buffer manager Flink sets. */
package io.weir;

import org.rocksdb.DBOptions;
import org.rocksdb.WriteBufferManager;

/** Flink sets its manager after the options factory has run and does not hand it out otherwise. It stays in force. */
final class OperatorDbOptions extends DBOptions {

    private final OperatorCache operator;
    private final TaskManagerAgent taskManager;

    OperatorDbOptions(DBOptions prepared, OperatorCache operator, TaskManagerAgent taskManager) {
        super(prepared);
        this.operator = operator;
        this.taskManager = taskManager;
    }

    @Override
    public DBOptions setWriteBufferManager(WriteBufferManager manager) {
        super.setWriteBufferManager(manager);
        try {
            operator.usesWriteBufferManager(manager);
        } catch (Throwable e) {
            taskManager.declined("a write buffer manager is not observed", e);
        }
        return this;
    }
}
