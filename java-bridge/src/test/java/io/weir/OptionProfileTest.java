/** A profile's options go to the agent for databases and states, and to RocksJava's setters for reading. */
package io.weir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.DBOptions;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDB;

class OptionProfileTest {

    private final FakeAgent agent = new FakeAgent();

    @BeforeAll
    static void loadRocksDb() {
        RocksDB.loadLibrary();
    }

    @Test
    void everyObjectGetsItsOwn() {
        agent.profile =
                new String[] {
                    "use_direct_reads=true;", "ttl=5;", "total_order_seek", "true", "readahead_size", "4096", "verify_checksums", "false"
                };
        try (OptionProfile profile = new OptionProfile(agent, "any");
                DBOptions db = new DBOptions();
                ColumnFamilyOptions state = new ColumnFamilyOptions();
                ReadOptions reading = new ReadOptions()) {
            profile.applyTo(db);
            profile.applyTo(state);
            profile.applyTo(reading);
            assertEquals(
                    Map.of(db.getNativeHandle(), "use_direct_reads=true;", state.getNativeHandle(), "ttl=5;"),
                    agent.optionTexts);
            assertTrue(reading.totalOrderSeek());
            assertEquals(4096, reading.readaheadSize());
            assertFalse(reading.verifyChecksums());
        }
    }

    @Test
    void anEmptyProfileTouchesNothing() {
        try (OptionProfile profile = new OptionProfile(agent, "flink");
                DBOptions db = new DBOptions()) {
            profile.applyTo(db);
            assertEquals(Map.of(), agent.optionTexts);
        }
    }

    @Test
    void unknownOptionOrValueOfReadingIsNamed() {
        assertMessage("this RocksDB has no option named use_magic", "use_magic", "true");
        assertMessage("'yes' is not a value of the RocksDB option total_order_seek", "total_order_seek", "yes");
        assertMessage("'1k' is not a value of the RocksDB option readahead_size", "readahead_size", "1k");
    }

    private void assertMessage(String expected, String name, String value) {
        agent.profile = new String[] {"", "", name, value};
        Exception e = assertThrows(IllegalConfigurationException.class, () -> new OptionProfile(agent, "any"));
        assertEquals("weir.options.profile: " + expected, e.getMessage());
    }
}
