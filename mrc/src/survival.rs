//! What share of look-ups has a longer reuse distance than a given one, though some distances are but lower bounds.
//!
//! A look-up whose block was not seen before has been watched over the bytes in the stack, not further: it is *censored*. The share
//! of distances beyond a size is the product of the shares that get past each smaller one, taken among the look-ups that were
//! watched that far (Kaplan and Meier, 1958). Without censored look-ups that is the plain tail.

use crate::bins;
use crate::extrapolation::{AtRisk, ParetoTail};
use crate::readout::Distances;

/// With fewer samples watched so far, or a smaller share of all look-ups, what follows is inferred instead.
const WATCHED_ENOUGH: (f64, f64) = (256.0, 0.02);
/// The band reaches down to where the curve would be if it fell this much faster than it did at the end of the watching.
const FASTER: f64 = 2.0;

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
    let (samples, part) = WATCHED_ENOUGH;
    let enough = (part * watched).min(samples / distances.samples_per_lookup);
    let mut share = 1.0;
    let mut reached: Vec<AtRisk> = Vec::with_capacity(bins::INFINITE);
    for (bin, ratio) in ratios.iter_mut().enumerate() {
        let (ending, censored) = (distances.seen[bin], distances.censored[bin]);
        if watched > 0.0 && watched >= enough {
            share *= 1.0 - (ending / watched).clamp(0.0, 1.0);
            reached.push(AtRisk {
                bin,
                look_ups: watched,
                ending,
                censored,
            });
        }
        watched -= ending + censored;
        *ratio = share;
    }
    let mut above = doubts.clone();
    // Nothing is inferred if the last look-ups were all watched to the end.
    if let Some(last) = reached.last()
        && last.bin + 1 < bins::INFINITE
    {
        let end = bins::upper_edge(last.bin) as f64;
        let threshold = bins::bin_of(ParetoTail::threshold_bytes(end) as u64);
        let live = live_bytes.map(|live| live as f64);
        if live.is_none_or(|live| live > end)
            && let Some(tail) = ParetoTail::fit(
                &reached[threshold + 1..],
                distances.samples_per_lookup,
                live,
            )
        {
            for bin in last.bin + 1..bins::INFINITE {
                let bytes = bins::upper_edge(bin) as f64;
                ratios[bin] = share * tail.share(end, bytes);
                let steepest = share * (1.0 - FASTER * tail.hazard(end) * (bytes - end));
                doubts[bin] = ratios[bin] - steepest.clamp(0.0, ratios[bin]);
                above[bin] = share - ratios[bin];
            }
        }
    }
    Tail {
        ratios,
        watched_ratio: share,
        doubt_below: doubts,
        doubt_above: above,
    }
}
