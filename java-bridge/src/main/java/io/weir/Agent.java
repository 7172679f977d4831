/** What the Java side asks of the native agent. */
package io.weir;

/** One per process. Every method but {@link #release} and {@link #dropListener} throws a {@link RuntimeException} with the reason when refused. */
interface Agent {

    /** Starts the agent and returns the base URL of its HTTP server, empty if no port was free. */
    String start(String[] keysAndValues);

    /**
     * Hooks a cache unless it is hooked already, adds an operator behind it, and returns the id of the two together, greater
     * than 0. In mode per-operator the cache's capacity is then set out of the budget.
     *
     * @param statisticsHandle of the statistics that only this operator's database keeps; 0 if nobody else uses the cache
     * @param jobName empty if not known
     * @param operatorName empty if not known: the agent then takes the head of the chain that the thread is named after
     */
    long register(
            long cacheHandle,
            long statisticsHandle,
            String threadName,
            String jobId,
            String jobName,
            String operatorName);

    /** After the last id of a cache is released, the agent does not touch it, nor the write buffer manager told for it. */
    void release(long id);

    /** Tells which write buffer manager the operator behind a cache uses; a later call replaces an earlier one. */
    void writeBufferManager(long id, long handle);

    /**
     * Makes a listener that counts what a database writes: the handle of a {@code std::shared_ptr<EventListener>}, valid until
     * it is dropped; 0 if RocksDB's listeners are not what the agent knows.
     */
    long makeListener();

    /** Tells which listener hears the database of an operator; of several caches of one database the first is told. */
    void listenTo(long id, long listener);

    /** Java needs the handle no more. Databases that were opened with it keep what it stands for. */
    void dropListener(long listener);

    /** Has statistics that are kept for their address alone count nothing. */
    void silence(long statisticsHandle);

    /** What was hooked: {@code RocksDB 6.20.3, hooked Insert (slot 3), Lookup (slot 4)}. */
    String describe();

    /**
     * A profile for the RocksDB in this process: the options of a database and those of a state as RocksDB parses them
     * ({@code name=value;name=value}), then names and values of the options of reading, alternating.
     */
    String[] profile(String name);

    /** Has RocksDB lay the options in a text over those behind a handle: all of them or none. */
    void setDatabaseOptions(String text, long configOptionsHandle, long dbOptionsHandle);

    /** The same for a state and its tables. */
    void setStateOptions(String text, long configOptionsHandle, long columnFamilyOptionsHandle);
}
