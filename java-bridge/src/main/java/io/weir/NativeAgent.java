/** The native functions of the agent, one Java method each. */
package io.weir;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Usable once {@link NativeLibrary#load} has returned. See {@link Agent} for what each method does. */
final class NativeAgent {

    private static final Logger LOG = LoggerFactory.getLogger("io.weir.agent");

    static native String start(String[] keysAndValues);

    static native long register(
            long cacheHandle,
            long statisticsHandle,
            String threadName,
            String jobId,
            String jobName,
            String operatorName);

    static native void release(long id);

    static native void writeBufferManager(long id, long handle);

    static native long makeListener();

    static native void listenTo(long id, long listener);

    static native void dropListener(long listener);

    static native void silence(long statisticsHandle);

    static native String describe();

    static native String[] profile(String name);

    static native void setDatabaseOptions(String text, long configOptionsHandle, long dbOptionsHandle);

    static native void setStateOptions(
            String text, long configOptionsHandle, long columnFamilyOptionsHandle);

    /** Called by the agent's own threads. Levels: 0 debug, 1 info, 2 warn. */
    static void log(int level, String message) {
        switch (level) {
            case 0:
                LOG.debug(message);
                break;
            case 1:
                LOG.info(message);
                break;
            default:
                LOG.warn(message);
        }
    }

    /** The native functions as an object, so that tests can put another in its place. */
    static Agent instance() {
        return new Agent() {
            @Override
            public String start(String[] keysAndValues) {
                return NativeAgent.start(keysAndValues);
            }

            @Override
            public long register(
                    long cacheHandle,
                    long statisticsHandle,
                    String threadName,
                    String jobId,
                    String jobName,
                    String operatorName) {
                return NativeAgent.register(
                        cacheHandle, statisticsHandle, threadName, jobId, jobName, operatorName);
            }

            @Override
            public void release(long id) {
                NativeAgent.release(id);
            }

            @Override
            public void writeBufferManager(long id, long handle) {
                NativeAgent.writeBufferManager(id, handle);
            }

            @Override
            public long makeListener() {
                return NativeAgent.makeListener();
            }

            @Override
            public void listenTo(long id, long listener) {
                NativeAgent.listenTo(id, listener);
            }

            @Override
            public void dropListener(long listener) {
                NativeAgent.dropListener(listener);
            }

            @Override
            public void silence(long statisticsHandle) {
                NativeAgent.silence(statisticsHandle);
            }

            @Override
            public String describe() {
                return NativeAgent.describe();
            }

            @Override
            public String[] profile(String name) {
                return NativeAgent.profile(name);
            }

            @Override
            public void setDatabaseOptions(
                    String text, long configOptionsHandle, long dbOptionsHandle) {
                NativeAgent.setDatabaseOptions(text, configOptionsHandle, dbOptionsHandle);
            }

            @Override
            public void setStateOptions(
                    String text, long configOptionsHandle, long columnFamilyOptionsHandle) {
                NativeAgent.setStateOptions(text, configOptionsHandle, columnFamilyOptionsHandle);
            }
        };
    }

    private NativeAgent() {}
}
