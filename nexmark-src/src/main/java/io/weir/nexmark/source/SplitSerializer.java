/** The form of splits in checkpoints. */
package io.weir.nexmark.source;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** Version 2: index, stride (four bytes each), next, end, start (eight bytes each), big-endian. Version 1 had no start. */
final class SplitSerializer implements SimpleVersionedSerializer<NexmarkSplit> {

    private static final int VERSION = 2;
    private static final int[] BYTES = {0, 24, 32};

    /** Bytes of one split of a version. */
    static int bytes(int version) throws IOException {
        if (version < 1 || version > VERSION) {
            throw new IOException("Nexmark splits of version " + version + " are not readable; expected version 1 or " + VERSION);
        }
        return BYTES[version];
    }

    @Override
    public int getVersion() {
        return VERSION;
    }

    @Override
    public byte[] serialize(NexmarkSplit split) {
        return ByteBuffer.allocate(BYTES[VERSION])
                .putInt(split.index)
                .putInt(split.stride)
                .putLong(split.next)
                .putLong(split.end)
                .putLong(split.startMillis)
                .array();
    }

    @Override
    public NexmarkSplit deserialize(int version, byte[] bytes) throws IOException {
        if (bytes.length != bytes(version)) {
            throw new IOException(
                    String.format(
                            "a Nexmark split of version %d has %d bytes; expected %d", version, bytes.length, bytes(version)));
        }
        ByteBuffer in = ByteBuffer.wrap(bytes);
        return new NexmarkSplit(
                in.getInt(), in.getInt(), in.getLong(), in.getLong(), version == 1 ? NexmarkSplit.NOT_STARTED : in.getLong());
    }
}
