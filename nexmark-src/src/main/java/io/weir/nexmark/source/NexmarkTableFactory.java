/** Makes {@code 'connector' = 'nexmark'} known to Flink SQL. */
package io.weir.nexmark.source;

import io.weir.nexmark.generator.EventSchema;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.factories.DynamicTableSourceFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.types.DataType;

/** Found through the service file; an unknown option is refused by name. */
public final class NexmarkTableFactory implements DynamicTableSourceFactory {

    @Override
    public String factoryIdentifier() {
        return "nexmark";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of();
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return NexmarkOptions.ALL;
    }

    @Override
    public DynamicTableSource createDynamicTableSource(Context context) {
        FactoryUtil.TableFactoryHelper helper = FactoryUtil.createTableFactoryHelper(this, context);
        helper.validate();
        String declared = typeOf(context.getPhysicalRowDataType());
        int kind = NexmarkOptions.kind(helper.getOptions());
        String expected = typeOf(kind == EventColumns.ALL_KINDS ? EventSchema.EVENT : EventSchema.kind(kind));
        if (!declared.equals(expected)) {
            throw new ValidationException(
                    "The columns of a nexmark table are fixed. Declared: " + declared + ". Expected: " + expected + ".");
        }
        return new NexmarkTableSource(NexmarkOptions.source(helper.getOptions()), context.getPhysicalRowDataType());
    }

    /** Without the columns' nullability: those of a primary key are declared not null by that. */
    private static String typeOf(DataType row) {
        return DataType.getFields(row).stream()
                .map(field -> field.getName() + " " + field.getDataType().nullable().getLogicalType().asSummaryString())
                .collect(Collectors.joining(", "));
    }
}
