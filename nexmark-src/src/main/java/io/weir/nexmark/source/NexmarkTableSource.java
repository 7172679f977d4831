/** The event stream as a table. */
package io.weir.nexmark.source;

import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.connector.source.SourceProvider;

/** Append-only; event time and its watermark are declared in SQL. */
final class NexmarkTableSource implements ScanTableSource {

    private final NexmarkSource source;

    NexmarkTableSource(NexmarkSource source) {
        this.source = source;
    }

    @Override
    public ChangelogMode getChangelogMode() {
        return ChangelogMode.insertOnly();
    }

    @Override
    public ScanRuntimeProvider getScanRuntimeProvider(ScanContext context) {
        return SourceProvider.of(source);
    }

    @Override
    public DynamicTableSource copy() {
        return new NexmarkTableSource(source);
    }

    @Override
    public String asSummaryString() {
        return "Nexmark";
    }
}
