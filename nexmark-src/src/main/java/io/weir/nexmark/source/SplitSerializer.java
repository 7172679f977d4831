/** The form of splits in checkpoints. */
package io.weir.nexmark.source;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** Version 1: index, stride (four bytes each), next, end (eight bytes each), big-endian. */
final class SplitSerializer implements SimpleVersionedSerializer<NexmarkSplit> {

    private static final int VERSION = 1;
    static final int BYTES = 24;

    @Override
    public int getVersion() {
        return VERSION;
    }

    @Override
    public byte[] serialize(NexmarkSplit split) {
        return ByteBuffer.allocate(BYTES)
                .putInt(split.index)
                .putInt(split.stride)
                .putLong(split.next)
                .putLong(split.end)
                .array();
    }

    @Override
    public NexmarkSplit deserialize(int version, byte[] bytes) throws IOException {
        if (version != VERSION || bytes.length != BYTES) {
            throw new IOException(
                    String.format(
                            "a Nexmark split of version %d with %d bytes is not readable; expected version %d with %d bytes",
                            version, bytes.length, VERSION, BYTES));
        }
        ByteBuffer in = ByteBuffer.wrap(bytes);
        return new NexmarkSplit(in.getInt(), in.getInt(), in.getLong(), in.getLong());
    }
}
