/** Turns the RocksDB options that Flink prepared for an operator into those that Weir observes. */
package io.weir;

import java.io.Serializable;
import java.util.Collection;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.DBOptions;
import org.rocksdb.ReadOptions;
import org.rocksdb.TableFormatConfig;

/**
 * Flink calls {@link #db} once per keyed state backend and then {@link #columnFamily} once per state, all on the task's
 * thread and with one list of handles per backend. On any failure Flink's options are returned; only a profile that is invalid is refused,
 * and with it the operator's start: that is no failure but a mistake in the configuration.
 */
final class OperatorOptions implements Serializable {

    private static final long serialVersionUID = 1L;

    private final WeirConfig config;
    /** Absent after deserialisation, as Flink does with a factory that an application sets; the process has but one. */
    private final transient TaskManagerAgent given;

    OperatorOptions(WeirConfig config, TaskManagerAgent taskManager) {
        this.config = config;
        this.given = taskManager;
    }

    /** Decides on the backend's caches and returns options that observe its write buffers. */
    DBOptions db(DBOptions prepared, Collection<AutoCloseable> handlesToClose) {
        Agent agent = config.enabled ? taskManager().running(config) : null;
        if (agent == null) {
            return prepared;
        }
        OperatorDbOptions options = null;
        BlockCaches caches = null;
        OptionProfile profile = null;
        try {
            profile = new OptionProfile(agent, config.profile);
            if (config.mode == MemoryMode.PER_OPERATOR) {
                caches = new OperatorCache(agent, new TaskIdentity(config));
                options = new OperatorDbOptions(prepared, caches, taskManager());
            } else {
                WatchedCaches watched = new WatchedCaches(agent, config, taskManager());
                caches = watched;
                options = new OperatorDbOptions(prepared, caches, taskManager());
                watched.tellApart(options);
            }
            profile.applyTo(options);
            if (config.isMemoryBoundByWeir()) {
                options.setWriteBufferManager(OwnMemory.writeBuffers(config.writeBufferManagerBytes()));
            }
            WriteListener listener = hearWrites(agent, options, caches);
            handlesToClose.add(caches);
            handlesToClose.add(options);
            handlesToClose.add(profile);
            if (listener != null) {
                handlesToClose.add(listener);
            }
            if (config.mode == MemoryMode.PER_OPERATOR) {
                taskManager().introduce(config);
            }
            return options;
        } catch (IllegalConfigurationException e) {
            closeAll(options, caches, profile);
            throw e;
        } catch (Throwable e) {
            taskManager().declined("an operator goes without it", e);
            closeAll(options, caches, profile);
            return prepared;
        }
    }

    private static void closeAll(OperatorDbOptions options, BlockCaches caches, OptionProfile profile) {
        if (options != null) {
            options.close();
        }
        if (caches != null) {
            caches.close();
        }
        if (profile != null) {
            profile.close();
        }
    }

    /** Has the agent count what the database writes; null if it does not, which harms nothing else. */
    private WriteListener hearWrites(Agent agent, OperatorDbOptions options, BlockCaches caches) {
        WriteListener listener = null;
        try {
            listener = WriteListener.of(agent);
            if (listener != null) {
                options.hearWith(listener);
                caches.use(listener);
            }
        } catch (Throwable e) {
            taskManager().note("flushes and compactions are not counted", e);
        }
        return listener;
    }

    /** Lets the backend's caches decide which one a state uses. */
    ColumnFamilyOptions columnFamily(
            ColumnFamilyOptions prepared, Collection<AutoCloseable> handlesToClose) {
        BlockCaches caches = BlockCaches.in(handlesToClose);
        if (caches == null) {
            return prepared;
        }
        try {
            TableFormatConfig format = prepared.tableFormatConfig();
            if (format != null && !(format instanceof BlockBasedTableConfig)) {
                throw new IllegalStateException(
                        "a state's table format is " + format.getClass().getSimpleName()
                                + ", which has no block cache; expected BlockBasedTableConfig");
            }
            OperatorTableConfig table =
                    new OperatorTableConfig(
                            format == null ? new BlockBasedTableConfig() : (BlockBasedTableConfig) format,
                            caches);
            if (config.isMemoryBoundByWeir()) {
                table.countIndexAndFilterBlocks();
            }
            OptionProfile profile = OptionProfile.in(handlesToClose);
            if (!profile.changesStates()) {
                return prepared.setTableFormatConfig(table);
            }
            OperatorStateOptions options = new OperatorStateOptions(prepared, profile, taskManager());
            handlesToClose.add(options);
            options.setTableFormatConfig(table);
            return options;
        } catch (IllegalConfigurationException e) {
            throw e;
        } catch (Throwable e) {
            taskManager().declined("a state goes without it", e);
        }
        return prepared;
    }

    /** Called after {@link #db} and {@link #columnFamily}. */
    ReadOptions reading(ReadOptions prepared, Collection<AutoCloseable> handlesToClose) {
        OptionProfile profile = OptionProfile.in(handlesToClose);
        if (profile != null) {
            try {
                profile.applyTo(prepared);
            } catch (Throwable e) {
                taskManager().declined("an operator reads without its option profile", e);
            }
        }
        return prepared;
    }

    private TaskManagerAgent taskManager() {
        return given == null ? TaskManagerAgent.INSTANCE : given;
    }
}
