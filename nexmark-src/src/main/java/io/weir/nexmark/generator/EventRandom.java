/** The random numbers of one event. */
package io.weir.nexmark.generator;

import java.nio.charset.StandardCharsets;

/**
 * A counter-based generator (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA
 * 2014) started anew for every event from the seed and the event's number. So an event does not depend on who generated
 * the one before it.
 */
public final class EventRandom {

    private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;
    private static final byte[] LETTERS =
            "abcdefghijklmnopqrstuvwxyz012345".getBytes(StandardCharsets.US_ASCII);

    private long state;

    /** Starts the numbers of one event. */
    public void restart(long seed, long eventNumber) {
        state = mix(seed) ^ mix(eventNumber * GOLDEN_GAMMA + 1);
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

    /** That many letters and digits, 32 of them equally likely. */
    public byte[] letters(int count) {
        byte[] text = new byte[count];
        long bits = 0;
        for (int i = 0; i < count; i++) {
            if (i % 12 == 0) {
                bits = next();
            }
            text[i] = LETTERS[(int) (bits & 31)];
            bits >>>= 5;
        }
        return text;
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
