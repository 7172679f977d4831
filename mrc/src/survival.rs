//! What share of look-ups has a longer reuse distance than a given one, though some distances are but lower bounds.
//!
//! A look-up whose block was not seen before has been watched over the bytes in the stack, not further: it is *censored*. The share
//! of distances beyond a size is the product of the shares that get past each smaller one, taken among the look-ups that were
//! watched that far (Kaplan and Meier, 1958). Without censored look-ups that is the plain tail.

use crate::bins;
use crate::readout::Distances;

/// Below this share of all look-ups watched so far, what follows is inferred instead.
const WATCHED_ENOUGH: f64 = 0.02;
/// The slope from which sizes beyond are inferred is measured over this factor of sizes.
const SLOPE_FACTOR: f64 = 4.0;

/// Miss ratios at the upper edges of the finite bins.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    pub(crate) ratios: Vec<f64>,
    /// The ratio where the watching ends.
    pub(crate) watched_ratio: f64,
    /// By how much the ratio may be lower because it was inferred.
    pub(crate) doubt_below: Vec<f64>,
    /// By how much it may be higher.
    pub(crate) doubt_above: Vec<f64>,
}

pub(crate) fn of(distances: &Distances, live_bytes: Option<u64>) -> Tail {
    let lookups = distances.lookups;
    let mut ratios = vec![0.0; bins::INFINITE];
    let mut doubts = vec![0.0; bins::INFINITE];
    let censored: f64 = distances.censored.iter().sum();
    if censored <= 0.0 {
        let mut tail = 0.0;
        for (bin, ratio) in ratios.iter_mut().enumerate().rev() {
            tail += distances.seen[bin + 1];
            *ratio = (tail / lookups).clamp(0.0, 1.0);
        }
        return Tail {
            watched_ratio: ratios[bins::INFINITE - 1],
            ratios,
            doubt_below: doubts.clone(),
            doubt_above: doubts,
        };
    }
    let mut watched: f64 = distances.seen.iter().sum::<f64>() + censored;
    let enough = WATCHED_ENOUGH * watched;
    let mut share = 1.0;
    let mut last = None;
    for (bin, ratio) in ratios.iter_mut().enumerate() {
        if watched > 0.0 && watched >= enough {
            share *= 1.0 - (distances.seen[bin] / watched).clamp(0.0, 1.0);
            last = Some(bin);
        }
        watched -= distances.seen[bin] + distances.censored[bin];
        *ratio = share;
    }
    let mut above = doubts.clone();
    // Nothing is inferred if the last look-ups were all watched to the end.
    if let Some(last) = last
        && last + 1 < bins::INFINITE
    {
        infer(&mut ratios, &mut doubts, &mut above, last, live_bytes);
    }
    Tail {
        ratios,
        watched_ratio: share,
        doubt_below: doubts,
        doubt_above: above,
    }
}

/// Fills in the ratios beyond the last bin that was watched.
///
/// Where the live bytes are known, every look-up of a block that was not written since hits in a cache of that size: the curve
/// falls to nothing until there, evenly over the logarithm of the size, as the curves of skewed look-ups do. Otherwise it goes on as
/// it came. Both are guesses, and the band says so: it reaches from what a curve that ends here would be to one that falls
/// twice as fast.
fn infer(
    ratios: &mut [f64],
    below: &mut [f64],
    above: &mut [f64],
    last: usize,
    live_bytes: Option<u64>,
) {
    let end = bins::upper_edge(last) as f64;
    let at_end = ratios[last];
    let earlier = bins::bin_of((end / SLOPE_FACTOR) as u64);
    let slope = match live_bytes {
        Some(live) if live as f64 <= end => return,
        Some(live) => at_end / (live as f64 / end).ln(),
        None => (ratios[earlier] - at_end) / SLOPE_FACTOR.ln(),
    };
    for bin in last + 1..ratios.len() {
        let way = (bins::upper_edge(bin) as f64 / end).ln();
        ratios[bin] = (at_end - slope * way).max(0.0);
        below[bin] = ratios[bin] - (at_end - 2.0 * slope * way).max(0.0);
        above[bin] = at_end - ratios[bin];
    }
}
