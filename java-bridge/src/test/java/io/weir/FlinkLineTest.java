/** A JAR on the wrong line of Flink says which one is right. */
package io.weir;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.apache.flink.configuration.IllegalConfigurationException;
import org.junit.jupiter.api.Test;

class FlinkLineTest {

    @Test
    void theRightLineIsAccepted() {
        assertEquals("Weir " + BuildInfo.VERSION, new WeirOptionsFactory().toString());
    }

    @Test
    void theWrongLineNamesTheRightJar() {
        IllegalConfigurationException e =
                assertThrows(
                        IllegalConfigurationException.class, () -> FlinkLine.check("1.20", "2", "2.3.0"));
        assertEquals(
                "This is Flink 2.3.0, but the Weir in its lib/ is for Flink 1.20. Put weir-flink-2-0.1.0.jar there"
                        + " in place of weir-flink-1.20-0.1.0.jar, on every JobManager and TaskManager.",
                e.getMessage());
        assertEquals("weir-flink-1.20-0.1.0.jar", FlinkLine.jar("1.20"));
    }
}
