/** The entry point: what {@code state.backend.rocksdb.options-factory} names, for Flink 2.x. */
package io.weir;

import java.util.Collection;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.contrib.streaming.state.ConfigurableRocksDBOptionsFactory;
import org.apache.flink.state.rocksdb.RocksDBOptionsFactory;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.DBOptions;
import org.rocksdb.ReadOptions;

/**
 * Public because Flink instantiates it by name. All work is in {@link OperatorOptions}, which both Flink lines share.
 *
 * <p>Flink 2 keeps the interfaces of Flink 1 as empty extensions of its own. This class implements the old one, and no type of
 * the new package must be loaded to verify it: so Flink 1 can load it too, and {@link FlinkLine} say what is wrong. That is
 * why {@link #configure} leaves the conversion to another class.
 */
public class WeirOptionsFactory implements ConfigurableRocksDBOptionsFactory {

    private static final long serialVersionUID = 1L;

    private final transient TaskManagerAgent taskManager;
    private OperatorOptions options;

    /**
     * @throws org.apache.flink.configuration.IllegalConfigurationException naming the right JAR, on a Flink of another line
     */
    public WeirOptionsFactory() {
        this(TaskManagerAgent.INSTANCE);
    }

    WeirOptionsFactory(TaskManagerAgent taskManager) {
        FlinkLine.check();
        this.taskManager = taskManager;
    }

    /** Runs on the JobManager as well as on TaskManagers, so it reads keys and nothing else. */
    @Override
    public RocksDBOptionsFactory configure(ReadableConfig configuration) {
        options = new OperatorOptions(WeirConfig.from(configuration), taskManager);
        return Flink2Type.of(this);
    }

    @Override
    public DBOptions createDBOptions(
            DBOptions currentOptions, Collection<AutoCloseable> handlesToClose) {
        return options == null ? currentOptions : options.db(currentOptions, handlesToClose);
    }

    @Override
    public ColumnFamilyOptions createColumnOptions(
            ColumnFamilyOptions currentOptions, Collection<AutoCloseable> handlesToClose) {
        return options == null ? currentOptions : options.columnFamily(currentOptions, handlesToClose);
    }

    @Override
    public ReadOptions createReadOptions(
            ReadOptions currentOptions, Collection<AutoCloseable> handlesToClose) {
        return options == null ? currentOptions : options.reading(currentOptions, handlesToClose);
    }

    @Override
    public String toString() {
        return "Weir " + BuildInfo.VERSION;
    }

    /** Loaded when {@link #configure} runs, which is on Flink 2 only. */
    private static final class Flink2Type {

        static RocksDBOptionsFactory of(WeirOptionsFactory factory) {
            return factory;
        }

        private Flink2Type() {}
    }
}
