/** Brings the native library out of the JAR into this process. */
package io.weir;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Locale;

/**
 * A library can be loaded by one class loader of a process only. So Weir belongs into Flink's {@code lib/}: from a job's
 * JAR the second job could not load it, and the garbage collection of the first one's loader must not unload it.
 */
final class NativeLibrary {

    private static final String FILE_NAME = "libweir_agent.so";

    /** Where the library of this machine lies in the JAR. */
    static String resource() {
        return resource(System.getProperty("os.name"), System.getProperty("os.arch"));
    }

    static String resource(String osName, String osArch) {
        String os = osName.toLowerCase(Locale.ROOT);
        String arch = osArch.equals("amd64") ? "x86_64" : osArch;
        return "native/" + os + "-" + arch + "/" + FILE_NAME;
    }

    /**
     * Extracts the resource, loads it and deletes the file again: the loaded library needs it no more.
     *
     * @throws IOException if the JAR has no library for this machine, it cannot be extracted, or it is not what was built
     * @throws UnsatisfiedLinkError if the extracted file is not a library this process can load
     */
    static void load(String resource) throws IOException {
        Path file = Files.createTempFile("weir-agent-", ".so");
        try {
            extract(resource, file);
            verify(resource, file);
            System.load(file.toString());
        } finally {
            Files.deleteIfExists(file);
        }
    }

    private static void extract(String resource, Path file) throws IOException {
        try (InputStream in = open(resource)) {
            Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /** The linker maps a file before it looks at it: a truncated one would not be an error but the end of the process. */
    private static void verify(String resource, Path file) throws IOException {
        String expected;
        try (InputStream in = open(resource + ".sha256")) {
            expected = new String(in.readAllBytes(), StandardCharsets.US_ASCII).trim();
        }
        String found = sha256(Files.readAllBytes(file));
        if (!found.equals(expected)) {
            throw new IOException(
                    "the native library in the Weir JAR is damaged: SHA-256 of "
                            + resource + " is " + found + ", expected " + expected + "; install the JAR again");
        }
    }

    private static String sha256(byte[] bytes) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes);
            return String.format("%064x", new BigInteger(1, digest));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    private static InputStream open(String resource) throws IOException {
        InputStream in = NativeLibrary.class.getClassLoader().getResourceAsStream(resource);
        if (in == null) {
            throw new FileNotFoundException(
                    "the Weir JAR has no native library for this machine: " + resource + " is missing");
        }
        return in;
    }

    private NativeLibrary() {}
}
