//! The scale of reuse distances: bins that are linear within an octave and double from one octave to the next.
//!
//! 64 bins an octave are at most 1.6 % wide, so that a cliff (a loop just larger than the cache) stays one. Their edges are integers,
//! found by shifting instead of logarithms, and the bounds of the exported histogram (`2^k` and `1.5 * 2^k`) are among them.

/// `log2` of the bins in an octave.
const SUB_BITS: u32 = 6;
const SUBS: usize = 1 << SUB_BITS;
/// Distances up to `2^FIRST` share bin 0.
const FIRST: u32 = 6;
/// Distances above `2^LAST` (one tebibyte) count as infinite.
const LAST: u32 = 40;

/// Bin of distances that no cache is large enough for.
pub(crate) const INFINITE: usize = (LAST - FIRST) as usize * SUBS + 1;
/// All bins, the infinite one included.
pub(crate) const COUNT: usize = INFINITE + 1;

/// The bin of a distance; a bin includes its upper edge and excludes its lower one.
#[inline]
pub(crate) fn bin_of(distance_bytes: u64) -> usize {
    if distance_bytes <= 1 << FIRST {
        return 0;
    }
    let below = distance_bytes - 1;
    let octave = below.ilog2();
    if octave >= LAST {
        return INFINITE;
    }
    let sub = (below >> (octave - SUB_BITS)) as usize & (SUBS - 1);
    1 + (octave - FIRST) as usize * SUBS + sub
}

/// Largest distance of a finite bin.
#[inline]
pub(crate) fn upper_edge(bin: usize) -> u64 {
    debug_assert!(bin < INFINITE);
    if bin == 0 {
        return 1 << FIRST;
    }
    let octave = FIRST + ((bin - 1) / SUBS) as u32;
    let sub = ((bin - 1) % SUBS) as u64;
    (SUBS as u64 + sub + 1) << (octave - SUB_BITS)
}

/// Bins of the error band: four an octave.
const FINE_PER_COARSE: usize = SUBS / 4;
/// All coarse bins, the infinite one included.
pub(crate) const COARSE_COUNT: usize = INFINITE.div_ceil(FINE_PER_COARSE) + 2;

/// The coarse bin that a bin lies in. Coarse edges are edges.
#[inline]
pub(crate) fn coarse_of(bin: usize) -> usize {
    if bin == INFINITE {
        return COARSE_COUNT - 1;
    }
    bin.div_ceil(FINE_PER_COARSE)
}

/// Last bin of a finite coarse bin.
pub(crate) fn last_of_coarse(coarse: usize) -> usize {
    (coarse * FINE_PER_COARSE).min(INFINITE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_the_last_distance_of_its_bin() {
        for bin in 0..INFINITE {
            let edge = upper_edge(bin);
            assert_eq!(bin_of(edge), bin, "edge {edge}");
            assert_eq!(bin_of(edge + 1), bin + 1, "above {edge}");
        }
        assert_eq!(upper_edge(INFINITE - 1), 1 << LAST);
        assert_eq!(bin_of(u64::MAX), INFINITE);
        assert_eq!(bin_of(0), 0);
    }

    #[test]
    fn coarse_bins_ascend_to_the_infinite_one() {
        let coarse: Vec<usize> = (0..COUNT).map(coarse_of).collect();
        assert!(coarse.is_sorted());
        for bin in 0..INFINITE - 1 {
            let last = last_of_coarse(coarse[bin]);
            assert!(last >= bin && coarse[last] == coarse[bin]);
        }
        assert_eq!(coarse[0], 0);
        assert!(coarse[INFINITE - 1] < coarse[INFINITE]);
        assert_eq!(coarse[INFINITE], COARSE_COUNT - 1);
        assert!(
            u8::try_from(coarse[INFINITE]).is_ok(),
            "it is kept in a byte"
        );
    }

    #[test]
    fn bins_are_narrow() {
        for bin in 1..INFINITE {
            let (low, high) = (upper_edge(bin - 1) as f64, upper_edge(bin) as f64);
            assert!(high / low <= 1.0 + 1.0 / 64.0 + 1e-12);
        }
    }
}
