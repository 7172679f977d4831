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
    final AtomicLong registered = new AtomicLong();

    /** Name of the method that shall fail; none if null. */
    volatile String failing;

    volatile String[] profile = {};

    @Override
    public String start(String[] keysAndValues) {
        failIfAsked("start");
        starts.add(keysAndValues);
        return "http://127.0.0.1:9260";
    }

    @Override
    public long register(long cacheHandle, String threadName, String jobId) {
        failIfAsked("register");
        long id = registered.incrementAndGet();
        live.add(id);
        cacheHandles.put(id, cacheHandle);
        threadNames.add(threadName);
        jobIds.add(jobId);
        return id;
    }

    @Override
    public void release(long id) {
        live.remove(id);
    }

    @Override
    public void writeBufferManager(long id, long handle) {
        failIfAsked("writeBufferManager");
        writeBufferManagers.put(id, handle);
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

    private void failIfAsked(String method) {
        if (method.equals(failing)) {
            throw new RuntimeException(method + " refused by the test");
        }
    }
}
