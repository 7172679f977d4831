import java.util.Collection;
import org.apache.flink.contrib.streaming.state.RocksDBOptionsFactory;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.DBOptions;

/** What Weir's option profile direct-io sets, for the side without Weir: Flink has no keys for it. */
public class DirectReads implements RocksDBOptionsFactory {

    @Override
    public DBOptions createDBOptions(DBOptions options, Collection<AutoCloseable> handles) {
        return options.setUseDirectReads(true).setUseDirectIoForFlushAndCompaction(true);
    }

    @Override
    public ColumnFamilyOptions createColumnOptions(ColumnFamilyOptions options, Collection<AutoCloseable> handles) {
        return options;
    }
}
