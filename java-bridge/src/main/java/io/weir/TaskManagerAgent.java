/** The agent of this TaskManager process: started once, on first use, or given up once. */
package io.weir;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fails open: whatever goes wrong is one warning in the TaskManager's log, and the caller goes on with Flink's own
 * caches. All methods may be called from any task thread.
 */
final class TaskManagerAgent {

    private static final Logger LOG = LoggerFactory.getLogger("io.weir");

    /** The one of this process. */
    static final TaskManagerAgent INSTANCE =
            new TaskManagerAgent(
                    () -> {
                        NativeLibrary.load(NativeLibrary.resource());
                        return NativeAgent.instance();
                    });

    private final Callable<Agent> loader;
    private final AtomicBoolean warned = new AtomicBoolean();
    private final AtomicBoolean introduced = new AtomicBoolean();
    private boolean tried;
    private Agent agent;
    private String[] startedWith;
    private String url;

    TaskManagerAgent(Callable<Agent> loader) {
        this.loader = loader;
    }

    /**
     * The running agent; null if it could not be started, now or earlier. The first caller's configuration is the one it
     * runs with: one TaskManager has one budget and one HTTP server, however many jobs it serves.
     */
    synchronized Agent running(WeirConfig config) {
        String[] properties = config.agentProperties();
        if (!tried) {
            tried = true;
            startedWith = properties;
            start(config, properties);
        } else if (agent != null && !Arrays.equals(startedWith, properties)) {
            warnOnce(
                    "Weir already runs in this TaskManager and keeps its configuration; not applied: "
                            + difference(startedWith, properties)
                            + ". Set these keys for the TaskManager, not per job.",
                    null);
        }
        return agent;
    }

    /** One INFO line per process, after the first cache was hooked. */
    void introduce(WeirConfig config) {
        Agent hooked;
        String http;
        synchronized (this) {
            hooked = agent;
            http = url.isEmpty() ? "no HTTP: no port free in " + config.httpPortRange : "HTTP " + url;
        }
        if (introduced.compareAndSet(false, true)) {
            LOG.info(
                    "Weir {}: {}, mode {}, budget {} MiB of which {} MiB at most for write buffers, {}",
                    BuildInfo.VERSION,
                    hooked.describe(),
                    config.mode.key,
                    config.budgetBytes >> 20,
                    config.writeBufferReserveBytes() >> 20,
                    http);
        }
    }

    /** Says once per process that an operator goes without Weir, and why; later ones only at DEBUG. */
    void declined(String what, Throwable reason) {
        warnOnce(
                String.format(
                        "Weir %s: %s: %s. RocksDB keeps Flink's own options; the job is not affected.",
                        BuildInfo.VERSION, what, describe(reason)),
                reason);
    }

    /** Says at DEBUG what does not work and does no harm. */
    void note(String what, Throwable reason) {
        LOG.debug("Weir {}: {}: {}", BuildInfo.VERSION, what, describe(reason), reason);
    }

    private void start(WeirConfig config, String[] properties) {
        try {
            if (config.budgetBytes <= 0) {
                throw new IllegalStateException(
                        "the memory budget is not known, because neither "
                                + Keys.MEMORY_BUDGET.key()
                                + " nor "
                                + Keys.FLINK_MANAGED_SIZE.key()
                                + " is greater than 0; set "
                                + Keys.MEMORY_BUDGET.key());
            }
            Agent loaded = loader.call();
            url = loaded.start(properties);
            agent = loaded;
        } catch (Throwable e) {
            declined("the agent does not start in this TaskManager", e);
        }
    }

    private void warnOnce(String message, Throwable reason) {
        if (warned.compareAndSet(false, true)) {
            LOG.warn(message);
            LOG.debug("Cause", reason);
        } else {
            LOG.debug(message, reason);
        }
    }

    private static String describe(Throwable reason) {
        return reason.getMessage() == null ? reason.toString() : reason.getMessage();
    }

    private static String difference(String[] running, String[] asked) {
        List<String> differences = new ArrayList<>();
        for (int i = 0; i < running.length; i += 2) {
            if (!running[i + 1].equals(asked[i + 1])) {
                differences.add(asked[i] + " = " + asked[i + 1] + " (runs with " + running[i + 1] + ")");
            }
        }
        return String.join(", ", differences);
    }
}
