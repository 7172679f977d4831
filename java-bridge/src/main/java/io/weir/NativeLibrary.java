/** Brings the native library out of the JAR into this process. */
package io.weir;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
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
     * @throws IOException if the JAR has no library for this machine or it cannot be extracted
     * @throws UnsatisfiedLinkError if the extracted file is not a library this process can load
     */
    static void load(String resource) throws IOException {
        Path file = Files.createTempFile("weir-agent-", ".so");
        try {
            extract(resource, file);
            System.load(file.toString());
        } finally {
            Files.deleteIfExists(file);
        }
    }

    private static void extract(String resource, Path file) throws IOException {
        try (InputStream in = NativeLibrary.class.getClassLoader().getResourceAsStream(resource)) {
            if (in == null) {
                throw new FileNotFoundException(
                        "the Weir JAR has no native library for this machine: " + resource + " is missing");
            }
            Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private NativeLibrary() {}
}
