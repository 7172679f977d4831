/** Turns the RocksDB options that Flink prepared for an operator into those that Weir observes. */
package io.weir;

import java.io.Serializable;
import java.util.Collection;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.DBOptions;
import org.rocksdb.TableFormatConfig;

/**
 * Flink calls {@link #db} once per keyed state backend and then {@link #columnFamily} once per state, all on the task's
 * thread and with one list of handles per backend. Nothing is ever thrown: on any failure Flink's options are returned.
 */
final class OperatorOptions implements Serializable {

    private static final long serialVersionUID = 1L;

    private final WeirConfig config;
    /** Absent after deserialisation, as Flink does with a factory that an application sets; the process has but one. */
    private final transient TaskManagerAgent given;

    OperatorOptions(WeirConfig config) {
        this(config, null);
    }

    OperatorOptions(WeirConfig config, TaskManagerAgent taskManager) {
        this.config = config;
        this.given = taskManager;
    }

    /** Gives the backend its own cache and returns options that observe its write buffers. */
    DBOptions db(DBOptions prepared, Collection<AutoCloseable> handlesToClose) {
        Agent agent = config.enabled ? taskManager().running(config) : null;
        if (agent == null) {
            return prepared;
        }
        OperatorDbOptions options = null;
        OperatorCache operator = null;
        try {
            OptionProfile profile = new OptionProfile(agent.profile(config.profile));
            operator = OperatorCache.create(agent, handlesToClose);
            options = new OperatorDbOptions(prepared, operator, taskManager());
            profile.applyTo(options);
            if (!config.writeBuffersBoundByFlink) {
                options.setWriteBufferManager(OwnWriteBuffers.of(config.writeBufferManagerBytes()));
            }
            taskManager().introduce(config);
            handlesToClose.add(options);
            return options;
        } catch (Throwable e) {
            taskManager().declined("an operator goes without it", e);
            if (options != null) {
                options.close();
            }
            if (operator != null) {
                handlesToClose.remove(operator);
                operator.close();
            }
            return prepared;
        }
    }

    /** Puts the backend's own cache into the options of one of its states. */
    ColumnFamilyOptions columnFamily(
            ColumnFamilyOptions prepared, Collection<AutoCloseable> handlesToClose) {
        OperatorCache operator = OperatorCache.in(handlesToClose);
        if (operator == null) {
            return prepared;
        }
        try {
            TableFormatConfig format = prepared.tableFormatConfig();
            if (format != null && !(format instanceof BlockBasedTableConfig)) {
                throw new IllegalStateException(
                        "a state's table format is " + format.getClass().getSimpleName()
                                + ", which has no block cache; expected BlockBasedTableConfig");
            }
            OptionProfile profile =
                    new OptionProfile(taskManager().running(config).profile(config.profile));
            OperatorTableConfig table =
                    new OperatorTableConfig(
                            format == null ? new BlockBasedTableConfig() : (BlockBasedTableConfig) format,
                            operator.cache());
            if (!config.writeBuffersBoundByFlink) {
                table.countIndexAndFilterBlocks();
            }
            profile.applyTo(table);
            prepared.setTableFormatConfig(table);
            profile.applyTo(prepared);
        } catch (Throwable e) {
            taskManager().declined("a state goes without it", e);
        }
        return prepared;
    }

    private TaskManagerAgent taskManager() {
        return given == null ? TaskManagerAgent.INSTANCE : given;
    }
}
