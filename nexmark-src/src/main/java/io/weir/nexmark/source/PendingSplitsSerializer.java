/** The form of the not yet assigned splits in checkpoints. */
package io.weir.nexmark.source;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** Split after split, in the form and with the version of {@link SplitSerializer}. */
final class PendingSplitsSerializer implements SimpleVersionedSerializer<Collection<NexmarkSplit>> {

    private final SplitSerializer splits = new SplitSerializer();

    @Override
    public int getVersion() {
        return splits.getVersion();
    }

    @Override
    public byte[] serialize(Collection<NexmarkSplit> pending) {
        ByteBuffer out = ByteBuffer.allocate(pending.size() * SplitSerializer.BYTES);
        pending.forEach(split -> out.put(splits.serialize(split)));
        return out.array();
    }

    @Override
    public Collection<NexmarkSplit> deserialize(int version, byte[] bytes) throws IOException {
        List<NexmarkSplit> pending = new ArrayList<>();
        for (int from = 0; from < bytes.length; from += SplitSerializer.BYTES) {
            byte[] one = Arrays.copyOfRange(bytes, from, Math.min(from + SplitSerializer.BYTES, bytes.length));
            pending.add(splits.deserialize(version, one));
        }
        return pending;
    }
}
