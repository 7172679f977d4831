/** What Flink gives the backends of one slot, for tests; in Flink's package because its class is not public. */
package org.apache.flink.contrib.streaming.state;

import org.apache.flink.runtime.memory.OpaqueMemoryResource;
import org.rocksdb.Cache;
import org.rocksdb.WriteBufferManager;

public class FlinkBoundMemory {

    private final OpaqueMemoryResource<RocksDBSharedResources> resource;

    public FlinkBoundMemory(long bytes) throws Exception {
        RocksDBSharedResources shared =
                RocksDBMemoryControllerUtils.allocateRocksDBSharedResources(
                        bytes,
                        0.5,
                        0.1,
                        false,
                        RocksDBMemoryControllerUtils.RocksDBMemoryFactory.DEFAULT);
        resource = new OpaqueMemoryResource<>(shared, bytes, shared::close);
    }

    public Cache cache() {
        return resource.getResourceHandle().getCache();
    }

    public WriteBufferManager writeBufferManager() {
        return resource.getResourceHandle().getWriteBufferManager();
    }

    public RocksDBResourceContainer container(RocksDBOptionsFactory factory) {
        return new RocksDBResourceContainer(PredefinedOptions.DEFAULT, factory, resource);
    }

    public static RocksDBResourceContainer unbound(RocksDBOptionsFactory factory) {
        return new RocksDBResourceContainer(PredefinedOptions.DEFAULT, factory);
    }
}
