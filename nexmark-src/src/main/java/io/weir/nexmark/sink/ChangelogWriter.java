/** Writes changes as lines of text. */
package io.weir.nexmark.sink;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.table.connector.RuntimeConverter;
import org.apache.flink.table.connector.sink.DynamicTableSink.DataStructureConverter;
import org.apache.flink.table.data.RowData;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.Collector;

/**
 * Separated by tabs: 1 for a row that is added or -1 for one that is taken back, then the columns. A time is in milliseconds since
 * 1970, null is {@code \N}. No text of Nexmark has a tab or a line's end.
 */
final class ChangelogWriter extends RichFlatMapFunction<RowData, Void> {

    private static final long serialVersionUID = 1L;

    private final String folder;
    private final DataStructureConverter converter;
    private transient BufferedWriter out;

    ChangelogWriter(String folder, DataStructureConverter converter) {
        this.folder = folder;
        this.converter = converter;
    }

    @Override
    public void open(OpenContext context) throws IOException {
        converter.open(RuntimeConverter.Context.create(ChangelogWriter.class.getClassLoader()));
        Files.createDirectories(Path.of(folder));
        int subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
        out = Files.newBufferedWriter(Path.of(folder, subtask + ".tsv"));
    }

    @Override
    public void flatMap(RowData change, Collector<Void> none) throws IOException {
        Row row = (Row) converter.toExternal(change);
        boolean adds = row.getKind() == RowKind.INSERT || row.getKind() == RowKind.UPDATE_AFTER;
        out.write(adds ? "1" : "-1");
        for (int i = 0; i < row.getArity(); i++) {
            out.write('\t');
            out.write(text(row.getField(i)));
        }
        out.write('\n');
    }

    private static String text(Object value) {
        if (value == null) {
            return "\\N";
        }
        return value instanceof LocalDateTime
                ? String.valueOf(((LocalDateTime) value).toInstant(ZoneOffset.UTC).toEpochMilli())
                : value.toString();
    }

    @Override
    public void close() throws IOException {
        if (out != null) {
            out.close();
        }
    }
}
