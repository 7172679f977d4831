/** Finds the known key that a mistyped one most likely meant. */
package io.weir;

import java.util.Collection;
import java.util.Comparator;

/** Nearest by edit distance: insertions, deletions and replacements of one character. */
final class NearestKey {

    /** The element of {@code known}, not empty, with the smallest distance; among equals the first in alphabetical order. */
    static String of(String mistyped, Collection<String> known) {
        return known.stream()
                .min(
                        Comparator.comparingInt((String key) -> distance(mistyped, key))
                                .thenComparing(Comparator.naturalOrder()))
                .orElseThrow();
    }

    /** Levenshtein's distance, by the usual table of which two rows suffice. */
    static int distance(String a, String b) {
        int[] above = new int[b.length() + 1];
        for (int column = 0; column <= b.length(); column++) {
            above[column] = column;
        }
        for (int row = 1; row <= a.length(); row++) {
            int[] current = new int[b.length() + 1];
            current[0] = row;
            for (int column = 1; column <= b.length(); column++) {
                int replaced = above[column - 1] + (a.charAt(row - 1) == b.charAt(column - 1) ? 0 : 1);
                current[column] =
                        Math.min(replaced, 1 + Math.min(above[column], current[column - 1]));
            }
            above = current;
        }
        return above[b.length()];
    }

    private NearestKey() {}
}
