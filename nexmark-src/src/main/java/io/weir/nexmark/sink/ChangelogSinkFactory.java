/** Makes {@code 'connector' = 'nexmark-changelog'} known to Flink SQL: every change of a query's answer as a line of text. */
package io.weir.nexmark.sink;

import java.util.Set;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
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
import org.apache.flink.table.types.DataType;

/**
 * For checking answers, of queries too that replace rows they have written, which files of Flink's own cannot take: counting up
 * what was added and down what was taken back leaves the final answer. Bounded jobs that do not restart; it is no exactly-once sink.
 */
public final class ChangelogSinkFactory implements DynamicTableSinkFactory {

    private static final ConfigOption<String> PATH =
            ConfigOptions.key("path").stringType().noDefaultValue().withDescription("Folder that each subtask writes a file into.");

    @Override
    public String factoryIdentifier() {
        return "nexmark-changelog";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(PATH);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DynamicTableSink createDynamicTableSink(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        helper.validate();
        return new ChangelogSink(helper.getOptions().get(PATH), context.getPhysicalRowDataType());
    }

    private static final class ChangelogSink implements DynamicTableSink {
        private final String path;
        private final DataType rows;

        ChangelogSink(String path, DataType rows) {
            this.path = path;
            this.rows = rows;
        }

        @Override
        public ChangelogMode getChangelogMode(ChangelogMode requested) {
            // All of it, what is taken back in particular: the final answer is worked out from the sum of all changes.
            return ChangelogMode.all();
        }

        @Override
        public SinkRuntimeProvider getSinkRuntimeProvider(Context context) {
            DataStructureConverter converter = context.createDataStructureConverter(rows);
            // A sink of its own would have to be written twice: Flink 1.20 and 2 ask it for different methods.
            return new DataStreamSinkProvider() {
                @Override
                public DataStreamSink<?> consumeDataStream(ProviderContext provider, DataStream<RowData> changes) {
                    return changes.flatMap(new ChangelogWriter(path, converter))
                            .name("Changelog")
                            .returns(Types.VOID)
                            .setParallelism(changes.getParallelism())
                            .sinkTo(new DiscardingSink<>())
                            .setParallelism(changes.getParallelism());
                }
            };
        }

        @Override
        public DynamicTableSink copy() {
            return new ChangelogSink(path, rows);
        }

        @Override
        public String asSummaryString() {
            return "Nexmark changelog";
        }
    }
}
