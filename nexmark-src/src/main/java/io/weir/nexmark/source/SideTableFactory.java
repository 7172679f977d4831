/** Makes {@code 'connector' = 'nexmark-side'} known to Flink SQL: the side table of q13. */
package io.weir.nexmark.source;

import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.LookupTableSource;
import org.apache.flink.table.connector.source.lookup.LookupFunctionProvider;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.functions.LookupFunction;

/** Columns {@code id BIGINT, side STRING}; there is a row for every id, so that nothing has to be stored. */
public final class SideTableFactory implements DynamicTableSourceFactory {

    @Override
    public String factoryIdentifier() {
        return "nexmark-side";
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
    public DynamicTableSource createDynamicTableSource(Context context) {
        FactoryUtil.createTableFactoryHelper(this, context).validate();
        return new SideTable();
    }

    private static final class SideTable implements LookupTableSource {

        @Override
        public LookupRuntimeProvider getLookupRuntimeProvider(LookupContext context) {
            return LookupFunctionProvider.of(new SideLookup());
        }

        @Override
        public DynamicTableSource copy() {
            return new SideTable();
        }

        @Override
        public String asSummaryString() {
            return "Nexmark side table";
        }
    }

    /** Public, because generated code calls it. */
    public static final class SideLookup extends LookupFunction {

        private static final long serialVersionUID = 1L;

        @Override
        public Collection<RowData> lookup(RowData key) {
            long id = key.getLong(0);
            return List.of(GenericRowData.of(id, StringData.fromString("side-" + id)));
        }
    }
}
