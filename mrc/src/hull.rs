//! The lower convex hull of a curve, by one pass over its ascending points (Andrew, 1979).

use crate::CurvePoint;

/// Points of the hull, the one without a cache first. Points that lie on a line with their neighbours are left out.
pub(crate) fn lower_convex_hull(points: &[CurvePoint]) -> Vec<CurvePoint> {
    let start = points.first().filter(|p| p.bytes == 0);
    let mut hull = vec![start.copied().unwrap_or(CurvePoint::ORIGIN)];
    for point in points.iter().filter(|p| p.bytes > 0) {
        while let [.., before, last] = hull[..] {
            if slope(&before, &last) < slope(&last, point) {
                break;
            }
            hull.pop();
        }
        hull.push(*point);
    }
    hull
}

fn slope(from: &CurvePoint, to: &CurvePoint) -> f64 {
    (to.miss_ratio - from.miss_ratio) / (to.bytes - from.bytes) as f64
}
