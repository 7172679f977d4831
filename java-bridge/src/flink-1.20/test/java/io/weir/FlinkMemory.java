/** {@link FlinkBoundMemory} under a name that is the same for both lines of Flink. */
package io.weir;

import org.apache.flink.contrib.streaming.state.FlinkBoundMemory;

final class FlinkMemory extends FlinkBoundMemory {

    FlinkMemory(long bytes) throws Exception {
        super(bytes);
    }
}
