/** The form of the not yet assigned splits in checkpoints. */
package io.weir.nexmark.source;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
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
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        pending.forEach(split -> out.writeBytes(splits.serialize(split)));
        return out.toByteArray();
    }

    @Override
    public Collection<NexmarkSplit> deserialize(int version, byte[] bytes) throws IOException {
        List<NexmarkSplit> pending = new ArrayList<>();
        int each = SplitSerializer.bytes(version);
        for (int from = 0; from < bytes.length; from += each) {
            byte[] one = Arrays.copyOfRange(bytes, from, Math.min(from + each, bytes.length));
            pending.add(splits.deserialize(version, one));
        }
        return pending;
    }
}
