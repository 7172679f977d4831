/** Options of a state that keep a profile's values whatever Flink sets after the options factory has run. */
package io.weir;

import org.apache.flink.configuration.IllegalConfigurationException;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.TableFormatConfig;

/** Flink sets the table format anew where it bounds RocksDB's memory, and RocksJava then makes the tables' options of its own few. */
final class OperatorStateOptions extends ColumnFamilyOptions {

    private final OptionProfile profile;
    private final TaskManagerAgent taskManager;

    OperatorStateOptions(ColumnFamilyOptions prepared, OptionProfile profile, TaskManagerAgent taskManager) {
        super(prepared);
        this.profile = profile;
        this.taskManager = taskManager;
    }

    @Override
    public ColumnFamilyOptions setTableFormatConfig(TableFormatConfig config) {
        super.setTableFormatConfig(config);
        try {
            profile.applyTo(this);
        } catch (IllegalConfigurationException e) {
            throw e;
        } catch (Throwable e) {
            taskManager.declined("a state goes without its option profile", e);
        }
        return this;
    }
}
