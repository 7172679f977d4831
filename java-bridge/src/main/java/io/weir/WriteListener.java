/** The agent's native event listener, in the form in which RocksJava takes listeners. */
package io.weir;

import org.rocksdb.AbstractEventListener;

/** None of the methods that listeners have in Java is called: RocksDB calls the agent, and no JVM is in between. */
abstract class WriteListener extends AbstractEventListener {

    private WriteListener() {}

    /** What the agent calls it. */
    abstract long handle();

    /** A listener, to be closed with the options it is set in; null if the agent makes none. */
    static WriteListener of(Agent agent) {
        long handle = agent.makeListener();
        if (handle == 0) {
            return null;
        }
        return new WriteListener() {
            @Override
            long handle() {
                return handle;
            }

            /** Runs in the superclass's constructor. What a local class captures is set before that. */
            @Override
            protected long initializeNative(long... ignored) {
                return handle;
            }

            @Override
            protected void disposeInternal() {
                agent.dropListener(handle);
            }
        };
    }
}
