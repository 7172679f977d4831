/** The random numbers of one column of one event. */
package io.weir.nexmark.generator;

import java.nio.charset.StandardCharsets;

/**
 * A counter-based generator (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA
 * 2014) started anew from the seed, the event's number and the column. So an event does not depend on who generated the one
 * before it, and a column does not depend on which others were asked for.
 */
public final class EventRandom {

    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;
    private static final long COLUMN_GAMMA = 0xD1B54A32D192ED03L;
    private static final byte[] LETTERS =
            "abcdefghijklmnopqrstuvwxyz012345".getBytes(StandardCharsets.US_ASCII);

    /** Prices have this many steps per order of magnitude, with straight lines between them. */
    private static final int STEPS = 1024;

    /** 10^(1/1024). */
    private static final double STEP = 1.0022511482929128;

    /** Bits of a price's fraction in {@link #POWERS}. */
    private static final int PRICE_FRACTION = 20;

    /** From 100 to 1000. */
    private static final long[] POWERS = new long[STEPS + 1];

    static {
        // Multiplied up instead of asked of a mathematical library, so that every implementation gets the same bits.
        double power = 100;
        for (int i = 0; i <= STEPS; i++) {
            POWERS[i] = (long) (power * (1L << PRICE_FRACTION));
            power *= STEP;
        }
    }

    private static final long[] MAGNITUDES = {1, 10, 100, 1_000, 10_000, 100_000};

    private long event;
    private long state;

    /** Goes to an event. */
    public void event(long seed, long number) {
        event = mix(seed) ^ mix(number * GOLDEN_GAMMA + 1);
        column(0);
    }

    /** Starts the numbers of a column of that event. */
    public EventRandom column(int column) {
        state = event + (column + 1) * COLUMN_GAMMA;
        return this;
    }

    public long next() {
        state += GOLDEN_GAMMA;
        return mix(state);
    }

    /** A number from 0 up to but not including the bound, which must be greater than 0. */
    public long below(long bound) {
        // The bias of the multiplication is bound / 2^64, far below what any query could see.
        return Math.multiplyHigh(next() >>> 1, bound << 1);
    }

    /** A number from 0 up to but not including 1. */
    public double fraction() {
        return (next() >>> 11) * 0x1.0p-53;
    }

    /** From 100 to 100 million, every order of magnitude equally likely. */
    public long price() {
        // 53 random bits times the number of magnitudes: above them which one, below ten bits of step and 32 of place within the step.
        long magnitude = (next() >>> 11) * MAGNITUDES.length;
        int step = (int) (magnitude >>> 43) % STEPS;
        long within = magnitude >>> 11 & 0xFFFFFFFFL;
        long power = POWERS[step] + (within * (POWERS[step + 1] - POWERS[step]) >>> 32);
        return power * MAGNITUDES[(int) (magnitude >>> 53)] >>> PRICE_FRACTION;
    }

    /** That many letters and digits, 32 of them equally likely. */
    public byte[] letters(int count) {
        byte[] text = new byte[count];
        long bits = 0;
        for (int i = 0; i < count; i++) {
            if (i % 8 == 0) {
                bits = next();
            }
            text[i] = LETTERS[(int) (bits & 31)];
            bits >>>= 8;
        }
        return text;
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
