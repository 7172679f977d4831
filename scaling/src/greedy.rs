//! Hands out bytes by marginal gain, along the convex hull of every cache's cost.

use crate::effect::Weighted;
use crate::hull::{CostPoint, fall_per_byte, falling_hull};

/// A cache that takes part.
pub(crate) struct Share<'a> {
    pub weighted: &'a Weighted<'a>,
    /// It may not get less.
    pub smallest_bytes: u64,
}

/// One edge of a hull: `to.bytes - from.bytes` more bytes for this cache.
struct Step {
    share: usize,
    from: CostPoint,
    to: CostPoint,
}

/// Sizes in the order of `shares`, together at most `total_bytes`, changes in units of `quantum_bytes` where they can be;
/// absent if even the smallest sizes exceed the total. No cache shrinks unless another one grows.
pub(crate) fn allocate(
    shares: &[Share<'_>],
    total_bytes: u64,
    quantum_bytes: u64,
) -> Option<Vec<u64>> {
    let mut sizes: Vec<u64> = shares.iter().map(|s| s.smallest_bytes).collect();
    let mut spare = total_bytes.checked_sub(sizes.iter().sum())?;
    let mut steps: Vec<Step> = shares
        .iter()
        .enumerate()
        .flat_map(|(share, s)| steps_of(share, s, spare))
        .collect();
    // Stable: equal gains keep the order of the shares, and within a share hull edges only get flatter.
    steps.sort_by(|a, b| fall_per_byte(b.from, b.to).total_cmp(&fall_per_byte(a.from, a.to)));
    for step in steps {
        if sizes[step.share] != step.from.bytes {
            continue; // An earlier edge of this hull did not fit.
        }
        let reach = step.from.bytes + spare.min(step.to.bytes - step.from.bytes);
        let end = if reach == step.to.bytes {
            reach
        } else {
            reach - reach % quantum_bytes
        };
        let cost = |bytes| shares[step.share].weighted.cost(bytes);
        // The hull promises a gain all along the edge; before a cliff the curve itself may not keep it.
        if end > step.from.bytes && cost(end) < step.from.cost {
            spare -= end - step.from.bytes;
            sizes[step.share] = end;
        }
    }
    let current = |i: usize| shares[i].weighted.cache.capacity_bytes;
    skip_small_changes(&mut sizes, &mut spare, quantum_bytes, current);
    give_back(&mut sizes, spare, current);
    Some(sizes)
}

/// Edges of one share's hull over the capacities worth looking at.
fn steps_of(share: usize, s: &Share<'_>, spare: u64) -> impl Iterator<Item = Step> + use<> {
    let cache = s.weighted.cache;
    let largest = s.smallest_bytes + spare;
    let knees = cache.curve.iter().flat_map(|c| c.points());
    let knees = knees.map(|p| p.bytes.saturating_add(cache.pinned_bytes));
    let mut capacities: Vec<u64> = knees
        .chain([s.smallest_bytes, cache.capacity_bytes, largest])
        .filter(|bytes| (s.smallest_bytes..=largest).contains(bytes))
        .collect();
    capacities.sort_unstable();
    let points = capacities.into_iter().map(|bytes| CostPoint {
        bytes,
        cost: s.weighted.cost(bytes),
    });
    let hull = falling_hull(points);
    let edges: Vec<(CostPoint, CostPoint)> = hull.windows(2).map(|e| (e[0], e[1])).collect();
    edges
        .into_iter()
        .map(move |(from, to)| Step { share, from, to })
}

/// Leaves caches alone that would change by less than a quantum, as far as the bytes are there.
fn skip_small_changes(
    sizes: &mut [u64],
    spare: &mut u64,
    quantum: u64,
    current: impl Fn(usize) -> u64,
) {
    for (i, size) in sizes.iter_mut().enumerate() {
        let now = current(i);
        if *size > now && *size - now < quantum {
            *spare += *size - now;
            *size = now;
        }
    }
    for (i, size) in sizes.iter_mut().enumerate() {
        let now = current(i);
        if *size < now && now - *size < quantum && now - *size <= *spare {
            *spare -= now - *size;
            *size = now;
        }
    }
}

/// Gives bytes that nobody gains from back to the caches that would shrink, in proportion to what they would lose.
fn give_back(sizes: &mut [u64], spare: u64, current: impl Fn(usize) -> u64) {
    let lost = |i: usize, size: u64| current(i).saturating_sub(size);
    let total: u64 = sizes.iter().enumerate().map(|(i, s)| lost(i, *s)).sum();
    if total == 0 {
        return;
    }
    let returned = spare.min(total);
    for (i, size) in sizes.iter_mut().enumerate() {
        let part = u128::from(lost(i, *size)) * u128::from(returned) / u128::from(total);
        *size += u64::try_from(part).unwrap_or(0);
    }
}
