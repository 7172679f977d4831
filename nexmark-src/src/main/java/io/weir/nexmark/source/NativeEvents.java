/** The native event generator: the functions of the crate nexmark-native. */
package io.weir.nexmark.source;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Locale;

/**
 * Every class loader, so every job, loads a copy of its own from the JAR: a library belongs to the loader that loaded it, and
 * goes with it.
 */
final class NativeEvents {

    /** Null if the library is loaded, else why it is not. */
    private static final Throwable UNAVAILABLE = load();

    /**
     * @param request the generator's configuration, its columns and kind, in JSON
     * @return the number of a new generator
     */
    static native long open(String request);

    /** A buffer to be filled must be at least so long. */
    static native int leastBufferBytes(long generator);

    /**
     * Fills a direct buffer. It begins with the number of bytes of all rows, then eight bytes of nothing; then comes row after
     * row, each after its event's position and its length, of eight bytes each.
     *
     * @param lowSplits the splits whose rows are wanted, a bit for each; 0 to 63 here
     * @param highSplits 64 to 127
     * @param splits how many there are
     * @return the position that comes next
     */
    static native long fill(long generator, ByteBuffer buffer, long lowSplits, long highSplits, int splits, long from, long to);

    static native void close(long generator);

    /** Why there is no native generator here; null if there is one. */
    static Throwable unavailable() {
        return UNAVAILABLE;
    }

    private static Throwable load() {
        if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
            return new UnsupportedOperationException("native rows are little-endian, this machine is not");
        }
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String arch = System.getProperty("os.arch").replace("amd64", "x86_64");
        String resource = "/native/" + os + "-" + arch + "/libnexmark_native.so";
        try (InputStream in = NativeEvents.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new FileNotFoundException("the Nexmark JAR has no " + resource);
            }
            Path file = Files.createTempFile("nexmark-native-", ".so");
            try {
                Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
                System.load(file.toString());
            } finally {
                Files.deleteIfExists(file);
            }
            return null;
        } catch (IOException | UnsatisfiedLinkError e) {
            return e;
        }
    }

    private NativeEvents() {}
}
