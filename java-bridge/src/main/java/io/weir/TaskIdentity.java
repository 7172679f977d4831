/** Whose backend it is, as far as Flink tells an options factory. */
package io.weir;

import org.slf4j.MDC;

/** Read on the task's thread: Flink names it after task, subtask and attempt, and notes the job in the logging context. */
final class TaskIdentity {

    private static final String MDC_JOB_ID = "flink-job-id";

    /** {@code Join[7] -> Calc[8] (3/4)#1}. */
    final String threadName = Thread.currentThread().getName();

    /** Hexadecimal; empty if not known. */
    final String jobId;

    /** {@code pipeline.name}; empty where the job got its name otherwise. */
    final String jobName;

    TaskIdentity(WeirConfig config) {
        String id = MDC.get(MDC_JOB_ID);
        jobId = id == null ? "" : id;
        jobName = config.jobName;
    }

    /** Registers a cache that this task's backend uses, see {@link Agent#register}. */
    long register(Agent agent, long cacheHandle, long statisticsHandle) {
        // Flink tells the task's name and no operator's: the agent takes the head of the chain.
        return agent.register(cacheHandle, statisticsHandle, threadName, jobId, jobName, "");
    }
}
