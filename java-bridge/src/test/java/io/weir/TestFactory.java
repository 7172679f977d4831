/** The options factory with an agent the test chooses, for containers and for jobs on a mini cluster. */
package io.weir;

import java.util.Collection;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.contrib.streaming.state.ConfigurableRocksDBOptionsFactory;
import org.apache.flink.contrib.streaming.state.RocksDBOptionsFactory;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.DBOptions;

public final class TestFactory implements ConfigurableRocksDBOptionsFactory {

    private static final long serialVersionUID = 1L;

    /** Used by factories that Flink instantiates by name. */
    static volatile TaskManagerAgent taskManager;

    private OperatorOptions options;

    public TestFactory() {}

    TestFactory(TaskManagerAgent taskManager, Configuration configuration) {
        options = new OperatorOptions(WeirConfig.from(configuration), taskManager);
    }

    @Override
    public RocksDBOptionsFactory configure(ReadableConfig configuration) {
        options = new OperatorOptions(WeirConfig.from(configuration), taskManager);
        return this;
    }

    @Override
    public DBOptions createDBOptions(DBOptions current, Collection<AutoCloseable> handles) {
        return options.db(current, handles);
    }

    @Override
    public ColumnFamilyOptions createColumnOptions(
            ColumnFamilyOptions current, Collection<AutoCloseable> handles) {
        return options.columnFamily(current, handles);
    }
}
