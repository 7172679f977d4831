/** The native event generator: the functions of the crate nexmark-native. */
package io.weir.nexmark.source;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
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

    /** Where the JAR has the library for this machine. */
    static String resource() {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String arch = System.getProperty("os.arch").replace("amd64", "x86_64");
        return "/native/" + os + "-" + arch + "/libnexmark_native.so";
    }

    private static Throwable load() {
        if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
            return new UnsupportedOperationException("native rows are little-endian, this machine is not");
        }
        String resource = resource();
        try {
            byte[] library = read(resource);
            verify(resource, library);
            Path file = Files.createTempFile("nexmark-native-", ".so");
            try {
                Files.write(file, library);
                System.load(file.toString());
            } finally {
                Files.deleteIfExists(file);
            }
            return null;
        } catch (IOException | UnsatisfiedLinkError e) {
            return e;
        }
    }

    /** The linker maps a file before it looks at it: a truncated one would not be an error but the end of the process. */
    static void verify(String resource, byte[] library) throws IOException {
        String expected = new String(read(resource + ".sha256"), StandardCharsets.US_ASCII).trim();
        String found;
        try {
            found = String.format("%064x", new BigInteger(1, MessageDigest.getInstance("SHA-256").digest(library)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
        if (!found.equals(expected)) {
            throw new IOException(
                    "the native library in the Nexmark JAR is damaged: SHA-256 of " + resource + " is " + found + ", expected "
                            + expected + "; install the JAR again");
        }
    }

    static byte[] read(String resource) throws IOException {
        try (InputStream in = NativeEvents.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new FileNotFoundException("the Nexmark JAR has no " + resource);
            }
            return in.readAllBytes();
        }
    }

    private NativeEvents() {}
}
