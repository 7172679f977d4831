/** The copy of Flink's table options has every setting of this RocksDB, and the cache that was chosen. */
package io.weir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.Set;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.LRUCache;
import org.rocksdb.RocksDB;

class OperatorTableConfigTest {

    /** Set by nobody but the operator's own configuration, or never by Flink. */
    private static final Set<String> CACHES =
            Set.of("blockCache", "noBlockCache", "persistentCache", "blockCacheCompressed");

    @BeforeAll
    static void loadRocksDb() {
        RocksDB.loadLibrary();
    }

    @Test
    void everySettingIsCopied() throws Exception {
        try (BloomFilter filter = new BloomFilter(10, false)) {
            BlockBasedTableConfig prepared = new BlockBasedTableConfig();
            BlockBasedTableConfig untouched = new BlockBasedTableConfig();
            for (Field field : settings()) {
                field.set(prepared, other(field, filter));
                assertNotEquals(field.get(untouched), field.get(prepared), field.getName());
            }
            OperatorTableConfig copy = new OperatorTableConfig(prepared, operatorCache());
            for (Field field : settings()) {
                assertEquals(field.get(prepared), field.get(copy), field.getName());
            }
        }
    }

    @Test
    void theOperatorsCacheStays() throws Exception {
        OperatorCache own = operatorCache();
        try (LRUCache shared = new LRUCache(2 << 20)) {
            OperatorTableConfig config = new OperatorTableConfig(new BlockBasedTableConfig(), own);
            config.setBlockCache(shared);
            Field cache = BlockBasedTableConfig.class.getDeclaredField("blockCache");
            cache.setAccessible(true);
            assertSame(own.inPlaceOf(shared), cache.get(config));
            assertNotSame(shared, cache.get(config));
        }
    }

    private static OperatorCache operatorCache() {
        return new OperatorCache(new FakeAgent(), new TaskIdentity(WeirConfig.from(new Configuration())));
    }

    private static Field[] settings() {
        return java.util.Arrays.stream(BlockBasedTableConfig.class.getDeclaredFields())
                .filter(field -> !Modifier.isStatic(field.getModifiers()))
                .filter(field -> !CACHES.contains(field.getName()))
                .peek(field -> field.setAccessible(true))
                .toArray(Field[]::new);
    }

    /** A value that is not the default of the field. */
    private static Object other(Field field, BloomFilter filter) throws IllegalAccessException {
        Object value = field.get(new BlockBasedTableConfig());
        Class<?> type = field.getType();
        if (type == boolean.class) {
            return !(boolean) value;
        } else if (type == int.class) {
            return (int) value + 1;
        } else if (type == long.class) {
            return (long) value + 1;
        } else if (type == double.class) {
            return (double) value / 2;
        } else if (type.isEnum()) {
            Object[] constants = type.getEnumConstants();
            return constants[0] == value ? constants[1] : constants[0];
        }
        return filter;
    }
}
