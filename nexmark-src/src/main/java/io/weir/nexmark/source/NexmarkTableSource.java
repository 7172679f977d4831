/** The event stream as a table. */
package io.weir.nexmark.source;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSource;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.source.DataStreamScanProvider;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.abilities.SupportsProjectionPushDown;
import org.apache.flink.table.connector.source.abilities.SupportsWatermarkPushDown;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;

/** Append-only; event time and its watermark are declared in SQL, only the columns a query uses are produced. */
final class NexmarkTableSource implements ScanTableSource, SupportsProjectionPushDown, SupportsWatermarkPushDown {

    private NexmarkSource source;
    private DataType produced;
    private WatermarkStrategy<RowData> watermarks = WatermarkStrategy.noWatermarks();

    NexmarkTableSource(NexmarkSource source, DataType produced) {
        this.source = source;
        this.produced = produced;
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
    }

    @Override
    public boolean supportsNestedProjection() {
        return true;
    }

    @Override
    public void applyProjection(int[][] paths, DataType produced) {
        this.source = source.project(paths);
        this.produced = produced;
    }

    @Override
    public void applyWatermark(WatermarkStrategy<RowData> strategy) {
        this.watermarks = strategy;
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
        return new Provider(source, watermarks, context.createTypeInformation(produced));
    }

    @Override
    public DynamicTableSource copy() {
        NexmarkTableSource copy = new NexmarkTableSource(source, produced);
        copy.watermarks = watermarks;
        return copy;
    }

    @Override
    public String asSummaryString() {
        return "Nexmark";
    }

    /** Puts the source with its watermarks into the job; a plain SourceProvider could not say which watermarks. */
    private static final class Provider implements DataStreamScanProvider {
        private final NexmarkSource source;
        private final WatermarkStrategy<RowData> watermarks;
        private final TypeInformation<RowData> type;

        Provider(NexmarkSource source, WatermarkStrategy<RowData> watermarks, TypeInformation<RowData> type) {
            this.source = source;
            this.watermarks = watermarks;
            this.type = type;
        }

        @Override
        public DataStream<RowData> produceDataStream(ProviderContext context, StreamExecutionEnvironment environment) {
            DataStreamSource<RowData> stream = environment.fromSource(source, watermarks, "Nexmark", type);
            context.generateUid("source").ifPresent(stream::uid);
            return stream;
        }

        @Override
        public boolean isBounded() {
            return source.isBounded();
        }
    }
}
