//! The lower convex hull of a cost curve: along it, the greedy choice by gain per byte is the best one.
//!
//! Source: Fox, "Discrete optimization via marginal analysis", Management Science 13(3), 1966, for convex curves; a curve with
//! cliffs is replaced by its hull, as Talus (Beckmann and Sanchez, HPCA '15) does, and what that promises is checked afterwards.

/// A capacity and what it costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CostPoint {
    pub bytes: u64,
    pub cost: f64,
}

/// The falling part of the lower convex hull of points in ascending `bytes`; its first point is the first point given.
pub(crate) fn falling_hull(points: impl IntoIterator<Item = CostPoint>) -> Vec<CostPoint> {
    let mut hull: Vec<CostPoint> = Vec::new();
    for point in points {
        if hull.last().is_some_and(|last| point.bytes <= last.bytes) {
            continue;
        }
        while let [.., before, last] = hull[..]
            && fall_per_byte(before, last) <= fall_per_byte(last, point)
        {
            hull.pop();
        }
        hull.push(point);
    }
    let falling = hull
        .windows(2)
        .take_while(|pair| pair[1].cost < pair[0].cost);
    let kept = 1 + falling.count();
    hull.truncate(kept);
    hull
}

/// Cost saved per byte between two points.
pub(crate) fn fall_per_byte(from: CostPoint, to: CostPoint) -> f64 {
    (from.cost - to.cost) / (to.bytes - from.bytes) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hull_of(points: &[(u64, f64)]) -> Vec<(u64, f64)> {
        let points = points
            .iter()
            .map(|&(bytes, cost)| CostPoint { bytes, cost });
        falling_hull(points)
            .into_iter()
            .map(|p| (p.bytes, p.cost))
            .collect()
    }

    #[test]
    fn a_convex_curve_is_its_own_hull() {
        let convex = [(0, 8.0), (1, 4.0), (2, 2.0), (4, 1.0)];
        assert_eq!(hull_of(&convex), convex);
    }

    #[test]
    fn a_cliff_is_bridged_and_the_flat_end_dropped() {
        let cliff = [(0, 8.0), (1, 8.0), (2, 8.0), (3, 2.0), (4, 2.0), (5, 2.0)];
        assert_eq!(hull_of(&cliff), [(0, 8.0), (3, 2.0)]);
    }

    #[test]
    fn a_flat_curve_is_a_single_point() {
        assert_eq!(hull_of(&[(3, 1.0), (4, 1.0), (9, 1.0)]), [(3, 1.0)]);
        assert_eq!(hull_of(&[]), []);
    }
}
