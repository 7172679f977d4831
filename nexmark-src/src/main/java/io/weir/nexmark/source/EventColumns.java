/** Which columns of which events a table scan produces. */
package io.weir.nexmark.source;

import io.weir.nexmark.generator.EventSchema;
import java.io.Serializable;
import java.util.Arrays;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;

/**
 * Columns are paths into {@link EventSchema#EVENT}: {@code {0}} is the kind, {@code {3}} the whole bid, {@code {3, 2}} its price.
 */
final class EventColumns implements Serializable {

    private static final long serialVersionUID = 1L;

    static final int ALL_KINDS = -1;

    private final int kind;
    private final int[][] paths;
    private final RowData.FieldGetter[] getters;

    private EventColumns(int kind, int[][] paths) {
        this.kind = kind;
        this.paths = paths;
        this.getters = new RowData.FieldGetter[paths.length];
        for (int i = 0; i < paths.length; i++) {
            getters[i] = getter(paths[i]);
        }
    }

    /** All columns of the event stream, or of the table of one kind. */
    static EventColumns all(int kind) {
        int count = kind == ALL_KINDS ? 4 : EventSchema.kind(kind).getChildren().size();
        int[][] columns = new int[count][];
        for (int i = 0; i < count; i++) {
            columns[i] = new int[] {i};
        }
        return new EventColumns(kind, new int[0][]).project(columns);
    }

    /** The same table with other columns: paths into its schema, as the planner gives them. */
    EventColumns project(int[][] columns) {
        int[][] absolute = new int[columns.length][];
        for (int i = 0; i < columns.length; i++) {
            absolute[i] = kind == ALL_KINDS ? columns[i] : new int[] {kind + 1, columns[i][0]};
        }
        return new EventColumns(kind, absolute);
    }

    /** One of the kinds, or {@link #ALL_KINDS}. */
    int kind() {
        return kind;
    }

    int[][] paths() {
        return paths;
    }

    boolean wants(int eventKind) {
        return kind == ALL_KINDS || kind == eventKind;
    }

    /** The columns of a full event. */
    RowData pick(RowData event) {
        GenericRowData row = new GenericRowData(paths.length);
        for (int i = 0; i < paths.length; i++) {
            RowData parent = event;
            if (paths[i].length > 1) {
                int column = paths[i][0];
                parent = event.isNullAt(column) ? null : event.getRow(column, EventSchema.kind(column - 1).getChildren().size());
            }
            row.setField(i, parent == null ? null : getters[i].getFieldOrNull(parent));
        }
        return row;
    }

    private static RowData.FieldGetter getter(int[] path) {
        DataType type = EventSchema.EVENT;
        for (int step : path) {
            type = type.getChildren().get(step);
        }
        LogicalType logical = type.getLogicalType();
        if (path.length > 2 || logical.is(LogicalTypeRoot.ROW) && path.length > 1) {
            throw new IllegalArgumentException("there is no column at " + Arrays.toString(path));
        }
        return RowData.createFieldGetter(logical, path[path.length - 1]);
    }
}
