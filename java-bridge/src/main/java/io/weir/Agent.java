/** What the Java side asks of the native agent. */
package io.weir;

/** One per process. Every method but {@link #release} throws a {@link RuntimeException} with the reason when refused. */
interface Agent {

    /** Starts the agent and returns the base URL of its HTTP server, empty if no port was free. */
    String start(String[] keysAndValues);

    /** Hooks and registers a cache, sets its capacity out of the budget and returns its id, greater than 0. */
    long register(long cacheHandle, String threadName, String jobId);

    /** After this the agent does not touch the cache, nor the write buffer manager it was told for it. */
    void release(long id);

    /** Tells which write buffer manager the operator behind a cache uses; a later call replaces an earlier one. */
    void writeBufferManager(long id, long handle);

    /** What was hooked: {@code RocksDB 6.20.3, hooked Insert (slot 3), Lookup (slot 4)}. */
    String describe();

    /** Names and values of a profile's RocksDB options, alternating. */
    String[] profile(String name);
}
