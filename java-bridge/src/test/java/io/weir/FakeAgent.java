/** An agent without native code that writes down what it is asked. */
package io.weir;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

final class FakeAgent implements Agent {

    final List<String[]> starts = new CopyOnWriteArrayList<>();
    final List<String> threadNames = new CopyOnWriteArrayList<>();
    final List<String> jobIds = new CopyOnWriteArrayList<>();
    final Set<Long> live = ConcurrentHashMap.newKeySet();
    final Map<Long, Long> writeBufferManagers = new ConcurrentHashMap<>();
    final Map<Long, Long> cacheHandles = new ConcurrentHashMap<>();
    final Map<Long, Long> statisticsHandles = new ConcurrentHashMap<>();
    final List<String> jobNames = new CopyOnWriteArrayList<>();
    final Set<Long> silenced = ConcurrentHashMap.newKeySet();
    final Map<Long, Long> listeners = new ConcurrentHashMap<>();
    final List<Long> droppedListeners = new CopyOnWriteArrayList<>();

    /** What {@link #makeListener} answers; 0 for none. */
    volatile long listener;

    final AtomicLong registered = new AtomicLong();

    /** Name of the method that shall fail; none if null. */
    volatile String failing;

    volatile String[] profile = {"", ""};

    /** Name of the method that shall find the profile invalid; none if null. */
    volatile String refusing;

    /** What was set, by native handle of the options. */
    final Map<Long, String> optionTexts = new ConcurrentHashMap<>();

    /** Run at every release, when everything the agent was told of must still be there. */
    volatile Runnable atRelease = () -> {};

    @Override
    public String start(String[] keysAndValues) {
        failIfAsked("start");
        starts.add(keysAndValues);
        return "http://127.0.0.1:9260";
    }

    @Override
    public long register(
            long cacheHandle,
            long statisticsHandle,
            String threadName,
            String jobId,
            String jobName,
            String operatorName) {
        failIfAsked("register");
        long id = registered.incrementAndGet();
        live.add(id);
        cacheHandles.put(id, cacheHandle);
        statisticsHandles.put(id, statisticsHandle);
        jobNames.add(jobName);
        threadNames.add(threadName);
        jobIds.add(jobId);
        return id;
    }

    @Override
    public void release(long id) {
        atRelease.run();
        live.remove(id);
    }

    @Override
    public void writeBufferManager(long id, long handle) {
        failIfAsked("writeBufferManager");
        writeBufferManagers.put(id, handle);
    }

    @Override
    public long makeListener() {
        failIfAsked("makeListener");
        return listener;
    }

    @Override
    public void listenTo(long id, long listener) {
        failIfAsked("listenTo");
        listeners.put(id, listener);
    }

    @Override
    public void dropListener(long listener) {
        droppedListeners.add(listener);
    }

    @Override
    public void silence(long statisticsHandle) {
        failIfAsked("silence");
        silenced.add(statisticsHandle);
    }

    @Override
    public String describe() {
        return "RocksDB 6.20.3, hooked Insert (slot 3), Lookup (slot 4)";
    }

    @Override
    public String[] profile(String name) {
        failIfAsked("profile");
        return profile;
    }

    @Override
    public void setDatabaseOptions(String text, long configOptionsHandle, long dbOptionsHandle) {
        failIfAsked("setDatabaseOptions");
        optionTexts.put(dbOptionsHandle, text);
    }

    @Override
    public void setStateOptions(String text, long configOptionsHandle, long columnFamilyOptionsHandle) {
        failIfAsked("setStateOptions");
        optionTexts.put(columnFamilyOptionsHandle, text);
    }

    private void failIfAsked(String method) {
        if (method.equals(refusing)) {
            throw new IllegalArgumentException("/etc/mine.options:3: " + method + " has something against it; write something else");
        }
        if (method.equals(failing)) {
            throw new RuntimeException(method + " refused by the test");
        }
    }
}
