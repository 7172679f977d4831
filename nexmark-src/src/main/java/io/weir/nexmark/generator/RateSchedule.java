/** How many events are due by when: the rate over time. */
package io.weir.nexmark.generator;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Stretches of constant rate, one after the other; at the end they begin again, or the last one goes on for ever. The same
 * schedule gives an event its event time and, unless the source runs as fast as it can, the moment at which it is due. All
 * arithmetic is on whole numbers, so that every implementation of it agrees to the nanosecond.
 */
public final class RateSchedule implements Serializable {

    private static final long serialVersionUID = 1L;

    /** A sine is drawn with so many stretches. */
    private static final int SINE_STRETCHES = 32;

    /** So that every stretch of a sine lasts. */
    public static final long SHORTEST_PERIOD_MILLIS = 100;

    private static final long MILLI = 1000;
    private static final long NANOS_PER_MILLI = 1_000_000;
    private static final long HIGHEST_RATE = 1_000_000_000;

    /** When each stretch begins, in milliseconds; the first at 0. */
    private final long[] startMillis;
    /** Events per second of each stretch. */
    private final long[] rate;
    /** Thousandths of events that are due before each stretch. */
    private final long[] milliEventsBefore;
    /** After which all begins again, in milliseconds; 0: never. */
    private final long periodMillis;
    /** Thousandths of events in a period; 0 without one. */
    private final long milliEventsPerPeriod;

    private RateSchedule(List<Long> startMillis, List<Long> rate, long periodMillis) {
        int count = rate.size();
        this.startMillis = startMillis.stream().mapToLong(Long::longValue).toArray();
        this.rate = rate.stream().mapToLong(Long::longValue).toArray();
        this.periodMillis = periodMillis;
        this.milliEventsBefore = new long[count];
        for (int i = 0; i < count; i++) {
            if (this.rate[i] < 0 || this.rate[i] > HIGHEST_RATE) {
                throw new IllegalArgumentException("a rate is " + this.rate[i] + " but must be from 0 to 1000000000 events per second");
            }
            if (i > 0) {
                long length = this.startMillis[i] - this.startMillis[i - 1];
                if (length <= 0) {
                    throw new IllegalArgumentException(
                            "a rate begins at " + this.startMillis[i] + " ms but the one before it at " + this.startMillis[i - 1] + " ms");
                }
                milliEventsBefore[i] = milliEventsBefore[i - 1] + length * this.rate[i - 1];
            }
        }
        long last = this.rate[count - 1];
        if (periodMillis == 0) {
            milliEventsPerPeriod = 0;
            if (last == 0) {
                throw new IllegalArgumentException("the last rate is 0 but must be at least 1 event per second: it goes on for ever");
            }
        } else {
            milliEventsPerPeriod = milliEventsBefore[count - 1] + (periodMillis - this.startMillis[count - 1]) * last;
            if (milliEventsPerPeriod == 0) {
                throw new IllegalArgumentException("all rates are 0 but one must be at least 1 event per second");
            }
        }
    }

    /**
     * @param rate events per second, at least 1
     * @throws IllegalArgumentException saying which rate is impossible, as the other factories do
     */
    public static RateSchedule constant(long rate) {
        return new RateSchedule(List.of(0L), List.of(rate), 0);
    }

    /** The first rate for so many milliseconds, then the second for ever. */
    public static RateSchedule step(long first, long second, long afterMillis) {
        return new RateSchedule(List.of(0L, afterMillis), List.of(first, second), 0);
    }

    /** Half a period of the first rate, half a period of the second, and again. */
    public static RateSchedule square(long first, long second, long periodMillis) {
        return new RateSchedule(List.of(0L, periodMillis / 2), List.of(first, second), periodMillis);
    }

    /** From the first rate to the second and back within a period, along a cosine drawn in 32 stretches. */
    public static RateSchedule sine(long first, long second, long periodMillis) {
        List<Long> starts = new ArrayList<>();
        List<Long> rates = new ArrayList<>();
        for (int i = 0; i < SINE_STRETCHES; i++) {
            starts.add(periodMillis * i / SINE_STRETCHES);
            double angle = 2 * Math.PI * (i + 0.5) / SINE_STRETCHES;
            rates.add(Math.round((first + second) / 2.0 + (first - second) / 2.0 * Math.cos(angle)));
        }
        return new RateSchedule(starts, rates, periodMillis);
    }

    /**
     * A recorded load: lines {@code second,rate} with ascending seconds from 0 on (fractions are allowed), each rate until the
     * next line's second, the last for ever. A header line is skipped.
     */
    public static RateSchedule csv(List<String> lines) {
        List<Long> starts = new ArrayList<>();
        List<Long> rates = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).strip();
            if (line.isEmpty() || i == 0 && Character.isLetter(line.charAt(0))) {
                continue;
            }
            String[] cells = line.split(",");
            try {
                starts.add(Math.round(Double.parseDouble(cells[0].strip()) * MILLI));
                rates.add(Math.round(Double.parseDouble(cells[1].strip())));
            } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
                throw new IllegalArgumentException(
                        "line " + (i + 1) + " of the rates is '" + line + "'; expected second,rate", e);
            }
        }
        if (starts.isEmpty() || starts.get(0) != 0) {
            throw new IllegalArgumentException("the recorded rates must begin with a line for second 0");
        }
        return new RateSchedule(starts, rates, 0);
    }

    /** When an event is due: nanoseconds after event 0, rounded up. */
    public long dueNanos(long event) {
        long milliEvents = event * MILLI;
        long period = periodMillis == 0 ? 0 : milliEvents / milliEventsPerPeriod;
        milliEvents -= period * milliEventsPerPeriod;
        int i = last(milliEventsBefore, milliEvents);
        long within = milliEvents - milliEventsBefore[i];
        long millis = period * periodMillis + startMillis[i] + within / rate[i];
        return millis * NANOS_PER_MILLI + (within % rate[i] * NANOS_PER_MILLI + rate[i] - 1) / rate[i];
    }

    /** When an event happens: whole milliseconds after event 0, rounded down. */
    public long millis(long event) {
        long milliEvents = event * MILLI;
        long period = periodMillis == 0 ? 0 : milliEvents / milliEventsPerPeriod;
        milliEvents -= period * milliEventsPerPeriod;
        int i = last(milliEventsBefore, milliEvents);
        return period * periodMillis + startMillis[i] + (milliEvents - milliEventsBefore[i]) / rate[i];
    }

    /** How many events are due so many nanoseconds after event 0, that one included; 0 before it. */
    public long eventsDue(long nanos) {
        if (nanos < 0) {
            return 0;
        }
        long millis = nanos / NANOS_PER_MILLI;
        long period = periodMillis == 0 ? 0 : millis / periodMillis;
        millis -= period * periodMillis;
        int i = last(startMillis, millis);
        long milliEvents =
                period * milliEventsPerPeriod
                        + milliEventsBefore[i]
                        + (millis - startMillis[i]) * rate[i]
                        + nanos % NANOS_PER_MILLI * rate[i] / NANOS_PER_MILLI;
        // While the rate is 0 an event that is just not due waits for the next stretch, as dueNanos has it.
        return rate[i] == 0 ? (milliEvents + MILLI - 1) / MILLI : milliEvents / MILLI + 1;
    }

    /** Index of the last value that is not above the wanted one; where several are equal, of the last of them. */
    private static int last(long[] ascending, long wanted) {
        int low = 0;
        int high = ascending.length - 1;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (ascending[middle] <= wanted) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }

    /** Where stretches begin, in milliseconds. */
    public long[] startMillis() {
        return startMillis.clone();
    }

    /** Events per second of each stretch. */
    public long[] rates() {
        return rate.clone();
    }

    /** Milliseconds after which the stretches begin again; 0: the last one has no end. */
    public long periodMillis() {
        return periodMillis;
    }

    @Override
    public boolean equals(Object other) {
        if (!(other instanceof RateSchedule)) {
            return false;
        }
        RateSchedule schedule = (RateSchedule) other;
        return Arrays.equals(startMillis, schedule.startMillis)
                && Arrays.equals(rate, schedule.rate)
                && periodMillis == schedule.periodMillis;
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(startMillis) ^ Arrays.hashCode(rate) ^ Long.hashCode(periodMillis);
    }
}
