/** A profile's options arrive on the right object, whole or not at all. */
package io.weir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.CompactionStyle;
import org.rocksdb.DBOptions;
import org.rocksdb.RocksDB;

class OptionProfileTest {

    @BeforeAll
    static void loadRocksDb() {
        RocksDB.loadLibrary();
    }

    @Test
    void namesFindTheirSetters() {
        OptionProfile profile =
                new OptionProfile(
                        new String[] {
                            "use_direct_reads", "true",
                            "use_direct_io_for_flush_and_compaction", "true",
                            "compaction_readahead_size", "2097152",
                            "write_buffer_size", "1048576",
                            "compaction_style", "UNIVERSAL",
                            "whole_key_filtering", "false"
                        });
        BlockBasedTableConfig table = new BlockBasedTableConfig();
        try (DBOptions db = new DBOptions();
                ColumnFamilyOptions columns = new ColumnFamilyOptions()) {
            profile.applyTo(db);
            profile.applyTo(columns);
            profile.applyTo(table);
            assertTrue(db.useDirectReads());
            assertTrue(db.useDirectIoForFlushAndCompaction());
            assertEquals(2097152, db.compactionReadaheadSize());
            assertEquals(1048576, columns.writeBufferSize());
            assertEquals(CompactionStyle.UNIVERSAL, columns.compactionStyle());
            assertFalse(table.wholeKeyFiltering());
        }
    }

    @Test
    void unknownOptionOrValueIsNamed() {
        assertMessage("this RocksDB has no option named use_magic", "use_magic", "true");
        assertMessage("'yes' is not a value of the RocksDB option use_direct_reads", "use_direct_reads", "yes");
        assertMessage("'1k' is not a value of the RocksDB option write_buffer_size", "write_buffer_size", "1k");
    }

    private static void assertMessage(String expected, String... namesAndValues) {
        Exception e =
                assertThrows(IllegalArgumentException.class, () -> new OptionProfile(namesAndValues));
        assertEquals(expected, e.getMessage());
    }
}
