/** The block caches of one keyed state backend, that is, of one operator subtask. */
package io.weir;

import java.util.Collection;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;
import org.rocksdb.Statistics;
import org.rocksdb.WriteBufferManager;

/**
 * Lives in the list of handles that Flink keeps per backend and closes after its database and before it gives its share of
 * the slot's memory back: so the list says whose caches they are, also where several keyed operators are chained into one
 * task, and nothing outlives the backend. All but {@link #close} runs on the task's thread, whose name tells the operator.
 */
interface BlockCaches extends AutoCloseable {

    /** The cache a state starts with; null leaves it to Flink, and to RocksDB where Flink sets none. */
    Cache forState(BlockBasedTableConfig prepared);

    /** The cache a state uses in place of the one that Flink sets; may be that one. */
    Cache inPlaceOf(Cache flinks);

    /** Tells which write buffer manager the backend uses; a later call replaces an earlier one. */
    void use(WriteBufferManager manager);

    /** Tells which statistics the backend's database keeps, if any; a later call replaces an earlier one. */
    default void use(Statistics statistics) {}

    /** Tells which listener hears the backend's database; called once at most, and before any cache is asked for. */
    void use(WriteListener listener);

    /** First the agent lets go, then RocksDB: the other way round the agent would have to find out, and counts would be lost. */
    @Override
    void close();

    /** Those of the backend that owns the list; null if it has none. */
    static BlockCaches in(Collection<AutoCloseable> handlesToClose) {
        for (AutoCloseable handle : handlesToClose) {
            if (handle instanceof BlockCaches) {
                return (BlockCaches) handle;
            }
        }
        return null;
    }
}
