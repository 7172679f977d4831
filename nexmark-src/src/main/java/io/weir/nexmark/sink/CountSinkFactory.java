/** Makes {@code 'connector' = 'nexmark-count'} known to Flink SQL: a black hole that knows how much fell in. */
package io.weir.nexmark.sink;

import java.util.Set;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.sink.DataStreamSinkProvider;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DynamicTableSinkFactory;
import org.apache.flink.table.factories.FactoryUtil;

/**
 * The count is an accumulator of the job, {@value #ROWS}: unlike metrics it is exact and still there when the job has ended, however
 * short it was.
 */
public final class CountSinkFactory implements DynamicTableSinkFactory {

    static final String ROWS = "nexmark rows";

    @Override
    public String factoryIdentifier() {
        return "nexmark-count";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        FactoryUtil.createTableFactoryHelper(this, context).validate();
        return new CountSink();
    }

    private static final class CountSink implements DynamicTableSink {

        @Override
        public ChangelogMode getChangelogMode(ChangelogMode requested) {
            return requested;
        }

        @Override
        public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
            return new DataStreamSinkProvider() {
                @Override
                public DataStreamSink<?> consumeDataStream(ProviderContext provider, DataStream<RowData> changes) {
                    return changes.flatMap(new CountWriter())
                            .name("Count")
                            .returns(Types.VOID)
                            .setParallelism(changes.getParallelism())
                            .sinkTo(new DiscardingSink<>())
                            .setParallelism(changes.getParallelism());
                }
            };
        }

        @Override
        public DynamicTableSink copy() {
            return new CountSink();
        }

        @Override
        public String asSummaryString() {
            return "Nexmark count";
        }
    }
}
