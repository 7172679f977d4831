/** Table options that choose the block cache themselves. */
package io.weir;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;

/** Flink sets the slot's shared cache after the options factory has run; every other setting of Flink's is obeyed. */
final class OperatorTableConfig extends BlockBasedTableConfig {

    /** Getters and their setters, alternating. */
    private static final List<Method> SETTINGS = settings();

    private final BlockCaches caches;

    /**
     * A copy of what Flink prepared. RocksJava has no copy constructor, and its settings differ between versions; so every
     * setting that has a getter. Caches have none and need none, because Flink sets only the one that is chosen here.
     */
    OperatorTableConfig(BlockBasedTableConfig prepared, BlockCaches caches) {
        this.caches = caches;
        copy(prepared);
        Cache cache = caches.forState(prepared);
        if (cache != null) {
            super.setBlockCache(cache);
            setNoBlockCache(false);
        }
    }

    /** What Flink sets where it bounds RocksDB's memory: a bound cache must hold index and filter blocks too. */
    void countIndexAndFilterBlocks() {
        setCacheIndexAndFilterBlocks(true);
        setCacheIndexAndFilterBlocksWithHighPriority(true);
        setPinL0FilterAndIndexBlocksInCache(true);
    }

    @Override
    public BlockBasedTableConfig setBlockCache(Cache flinks) {
        return super.setBlockCache(caches.inPlaceOf(flinks));
    }

    private void copy(BlockBasedTableConfig prepared) {
        try {
            for (int i = 0; i < SETTINGS.size(); i += 2) {
                SETTINGS.get(i + 1).invoke(this, SETTINGS.get(i).invoke(prepared));
            }
        } catch (IllegalAccessException | InvocationTargetException e) {
            throw new IllegalStateException("a table setting of RocksDB cannot be copied", e);
        }
    }

    /** RocksJava names a getter {@code blockSize} and its setter {@code setBlockSize}; of several names for one setting all are set alike. */
    private static List<Method> settings() {
        List<Method> pairs = new ArrayList<>();
        for (Method getter : BlockBasedTableConfig.class.getDeclaredMethods()) {
            if (getter.getParameterCount() == 0 && Modifier.isPublic(getter.getModifiers())) {
                String name = getter.getName();
                String setter = "set" + Character.toUpperCase(name.charAt(0)) + name.substring(1);
                try {
                    pairs.add(BlockBasedTableConfig.class.getMethod(setter, getter.getReturnType()));
                    pairs.add(pairs.size() - 1, getter);
                } catch (NoSuchMethodException e) {
                    // Tells something that is not a setting.
                    continue;
                }
            }
        }
        return pairs;
    }
}
