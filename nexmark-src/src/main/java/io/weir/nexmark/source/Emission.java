/** When the events of a source are emitted. */
package io.weir.nexmark.source;

import io.weir.nexmark.generator.RateSchedule;
import java.io.Serializable;

final class Emission implements Serializable {

    private static final long serialVersionUID = 1L;

    /** Over all subtasks together. */
    final RateSchedule schedule;
    /** False: as fast as possible. */
    final boolean paced;
    /** Whether what falls due while the job is down is owed afterwards, as from a log; else the schedule goes on where it was. */
    final boolean catchesUp;
    /** Events from this position on are not emitted, although the stream goes on; {@link Long#MAX_VALUE}: all are. */
    final long pauseAt;

    Emission(RateSchedule schedule, boolean paced, boolean catchesUp, long pauseAt) {
        this.schedule = schedule;
        this.paced = paced;
        this.catchesUp = catchesUp;
        this.pauseAt = pauseAt;
    }
}
