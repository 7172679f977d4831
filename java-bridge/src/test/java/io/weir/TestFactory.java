/** The options factory with an agent the test chooses, for containers and for jobs on a mini cluster. */
package io.weir;

import org.apache.flink.configuration.Configuration;

public final class TestFactory extends WeirOptionsFactory {

    private static final long serialVersionUID = 1L;

    /** Used by factories that Flink instantiates by name. */
    static volatile TaskManagerAgent taskManager;

    public TestFactory() {
        super(taskManager);
    }

    TestFactory(TaskManagerAgent taskManager, Configuration configuration) {
        super(taskManager);
        configure(configuration);
    }
}
