/** Counts changes. */
package io.weir.nexmark.sink;

import org.apache.flink.api.common.accumulators.LongCounter;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.table.data.RowData;
import org.apache.flink.util.Collector;

final class CountWriter extends RichFlatMapFunction<RowData, Void> {

    private static final long serialVersionUID = 1L;

    private final LongCounter rows = new LongCounter();

    @Override
    public void open(OpenContext context) {
        getRuntimeContext().addAccumulator(CountSinkFactory.ROWS, rows);
    }

    @Override
    public void flatMap(RowData change, Collector<Void> none) {
        rows.add(1);
    }
}
