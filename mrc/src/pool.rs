//! What a high-priority pool does to the curve.
//!
//! RocksDB's LRU list has two parts. A block that has just missed comes to the head of the low-priority part; one that has just hit,
//! or was inserted with high priority, to the head of the pool, and to the low-priority head once the pool has no room for it
//! any more. So two depths of the stack matter instead of one capacity: blocks that missed last are gone beyond the *low* depth,
//! blocks that hit last beyond the deeper *high* one.
//!
//! Whether a block hit last depends on its distance then: its look-ups are a Markov chain of distances, measured as pairs of
//! consecutive ones. Both depths follow from what the cache and the pool hold, and from the time that a block spends on its way
//! down; time is to depth what the miss ratio says (Denning's working set theory: the footprint grows at the rate of misses).

use crate::aged::AgedBookings;
use crate::bins;
use crate::profile::StackProfile;
use crate::readout::Distances;

/// Coarse bins of distances in a pair: two an octave.
pub(crate) const STEPS: usize = bins::COARSE_COUNT.div_ceil(2);
/// What came before a distance: another one, nothing (the first use, or a high priority).
pub(crate) const ORIGINS: usize = STEPS + 2;
/// The block was used once before.
const FIRST_USE: usize = STEPS;
/// The block is protected whatever it did.
const HIGH_PRIORITY: usize = STEPS + 1;
/// Rounds until the chain of probabilities has settled.
const ROUNDS: usize = 4;
/// Halvings of the interval that the low depth is in.
const BISECTIONS: usize = 24;

/// Pairs of consecutive distances, by what came before.
pub(crate) type Pairs = [[f64; STEPS]; ORIGINS];

/// Where a block's last look-up leaves it.
#[inline]
pub(crate) fn origin_of(last_coarse: u8, high_priority: bool) -> usize {
    match (high_priority, last_coarse) {
        (true, _) => HIGH_PRIORITY,
        (false, u8::MAX) => FIRST_USE,
        (false, coarse) => step_of(usize::from(coarse)),
    }
}

#[inline]
pub(crate) fn step_of(coarse: usize) -> usize {
    coarse / 2
}

/// Upper edge of a finite step.
fn edge(step: usize) -> f64 {
    bins::upper_edge(bins::last_of_coarse(2 * step + 1)) as f64
}

/// The model of one job's look-ups, good for every capacity.
struct Pool {
    pairs: Box<Pairs>,
    /// All pairs that end in a step.
    ends: [f64; STEPS],
    /// Bytes of the stack between the edges of each step, by origin.
    bytes: Box<Pairs>,
    /// Time until the upper edge of each step was touched, in look-ups times mean size.
    times: [f64; STEPS],
}

/// How the blocks of a cache stand.
struct State {
    /// Probability of a hit, by step.
    hits: [f64; STEPS],
    /// Bytes held.
    held_bytes: f64,
}

/// Changes ideal miss ratios, given at the upper edges of the finite bins, into those of a cache with a pool of this share.
pub(crate) fn protect(
    ratios: &mut [f64],
    distances: &Distances,
    bookings: &AgedBookings,
    profile: &StackProfile,
    pool_ratio: f64,
) {
    let pool = Pool::new(ratios, distances, bookings, profile);
    let mut gains = vec![0.0; STEPS];
    let deepest: f64 = pool.bytes.iter().flatten().sum();
    for (step, gain) in gains.iter_mut().enumerate().take(STEPS - 1) {
        if edge(step) < deepest {
            *gain = pool.gain(edge(step), pool_ratio) / distances.lookups;
        }
    }
    let mut least = 1.0_f64;
    for (bin, ratio) in ratios.iter_mut().enumerate() {
        let bytes = bins::upper_edge(bin) as f64;
        let step = step_of(bins::coarse_of(bin));
        let (from, to) = (step.saturating_sub(1), step);
        let way = if step == 0 {
            1.0
        } else {
            (bytes / edge(from)).ln() / (edge(to) / edge(from)).ln()
        };
        let gain = gains[from] + (gains[to] - gains[from]) * way;
        least = least.min((*ratio - gain).clamp(0.0, 1.0));
        *ratio = least;
    }
}

// === impl Pool ===

impl Pool {
    fn new(
        ratios: &[f64],
        distances: &Distances,
        bookings: &AgedBookings,
        profile: &StackProfile,
    ) -> Self {
        let mut pairs = Box::new(*bookings.pairs());
        let mut ends = [0.0; STEPS];
        for bin in 0..bins::COUNT {
            ends[step_of(bins::coarse_of(bin))] += distances.seen[bin];
        }
        for step in 0..STEPS {
            let drawn: f64 = pairs.iter().map(|row| row[step]).sum();
            let scale = if drawn > 0.0 { ends[step] / drawn } else { 0.0 };
            pairs.iter_mut().for_each(|row| row[step] *= scale);
            ends[step] = pairs.iter().map(|row| row[step]).sum();
        }
        let mut bytes = Box::new([[0.0; STEPS]; ORIGINS]);
        profile.for_each(|depth, own_bytes, origin| {
            let step = step_of(bins::coarse_of(bins::bin_of(depth as u64)));
            bytes[origin][step] += own_bytes;
        });
        let mut times = [0.0; STEPS];
        let (mut time, mut before) = (0.0, 0.0);
        let mut next = 0;
        for (bin, ratio) in ratios.iter().enumerate() {
            let to = bins::upper_edge(bin) as f64;
            time += (to - before) / ratio.max(1e-6);
            before = to;
            let step = step_of(bins::coarse_of(bin));
            next = next.max(step);
            times[step] = time;
        }
        times[next..].fill(time);
        Self {
            pairs,
            ends,
            bytes,
            times,
        }
    }

    /// Look-ups by which the pool has more hits than one list of the same size.
    fn gain(&self, capacity: f64, pool_ratio: f64) -> f64 {
        let pool_bytes = capacity * pool_ratio;
        let (mut low, mut high) = (0.0, capacity);
        for _ in 0..BISECTIONS {
            let middle = (low + high) / 2.0;
            if self.state(middle, pool_bytes).held_bytes > capacity {
                high = middle;
            } else {
                low = middle;
            }
        }
        let state = self.state(low, pool_bytes);
        (0..STEPS - 1)
            .map(|step| self.ends[step] * (state.hits[step] - share_within(step, capacity)))
            .sum()
    }

    /// The cache whose blocks that missed last are gone beyond `low` bytes.
    fn state(&self, low: f64, pool_bytes: f64) -> State {
        let mut high = low;
        let mut hits: [f64; STEPS] = std::array::from_fn(|step| share_within(step, low));
        for _ in 0..ROUNDS {
            let protected = |origin: usize| match origin {
                FIRST_USE => 0.0,
                HIGH_PRIORITY => 1.0,
                step => hits[step],
            };
            // Protected blocks fill the pool from the top; where it is full they come to the low-priority head, and from there they
            // have as much time left as a block that missed has from the top.
            let mut in_pool = 0.0;
            let mut pool_depth = f64::INFINITY;
            for step in 0..STEPS - 1 {
                let more: f64 = (0..ORIGINS)
                    .map(|origin| self.bytes[origin][step] * protected(origin))
                    .sum();
                if in_pool + more >= pool_bytes {
                    let from = if step == 0 { 0.0 } else { edge(step - 1) };
                    let way = if more > 0.0 {
                        (pool_bytes - in_pool) / more
                    } else {
                        0.0
                    };
                    pool_depth = from + way * (edge(step) - from);
                    break;
                }
                in_pool += more;
            }
            high = self.depth_at(self.time_at(pool_depth) + self.time_at(low));
            let next: [f64; STEPS] = std::array::from_fn(|step| {
                if self.ends[step] == 0.0 {
                    return share_within(step, low);
                }
                let (low, high) = (share_within(step, low), share_within(step, high));
                let chain: f64 = (0..ORIGINS)
                    .map(|origin| {
                        let kept = protected(origin);
                        self.pairs[origin][step] * (kept * high + (1.0 - kept) * low)
                    })
                    .sum();
                chain / self.ends[step]
            });
            hits = next;
        }
        let held = |step: usize| -> f64 {
            let (low, high) = (share_within(step, low), share_within(step, high));
            (0..ORIGINS)
                .map(|origin| {
                    let kept = match origin {
                        FIRST_USE => 0.0,
                        HIGH_PRIORITY => 1.0,
                        before => hits[before],
                    };
                    self.bytes[origin][step] * (kept * high + (1.0 - kept) * low)
                })
                .sum()
        };
        State {
            held_bytes: (0..STEPS - 1).map(held).sum(),
            hits,
        }
    }

    fn time_at(&self, depth: f64) -> f64 {
        if depth >= edge(STEPS - 2) {
            return f64::INFINITY;
        }
        let step = step_of(bins::coarse_of(bins::bin_of(depth as u64)));
        let (from, start) = match step {
            0 => (0.0, 0.0),
            _ => (self.times[step - 1], edge(step - 1)),
        };
        from + (self.times[step] - from) * (depth - start) / (edge(step) - start)
    }

    fn depth_at(&self, time: f64) -> f64 {
        let step = self.times.partition_point(|t| *t < time);
        if step >= STEPS - 1 {
            return f64::INFINITY;
        }
        let (from, start) = match step {
            0 => (0.0, 0.0),
            _ => (self.times[step - 1], edge(step - 1)),
        };
        let span = self.times[step] - from;
        let way = if span > 0.0 {
            (time - from) / span
        } else {
            1.0
        };
        start + (edge(step) - start) * way
    }
}

/// Share of a step that lies within a depth.
fn share_within(step: usize, depth: f64) -> f64 {
    if step >= STEPS - 1 {
        return 0.0;
    }
    let from = if step == 0 { 0.0 } else { edge(step - 1) };
    ((depth - from) / (edge(step) - from)).clamp(0.0, 1.0)
}
