//! Reading, checking and convexifying curves.

use proptest::prelude::*;
use weir_mrc::{CurveError, CurvePoint, MissRatioCurve};

fn point(bytes: u64, miss_ratio: f64) -> CurvePoint {
    CurvePoint {
        bytes,
        miss_ratio,
        low: (miss_ratio - 0.01).max(0.0),
        high: (miss_ratio + 0.02).min(1.0),
    }
}

fn curve(points: &[(u64, f64)]) -> MissRatioCurve {
    let points = points.iter().map(|(bytes, ratio)| point(*bytes, *ratio));
    MissRatioCurve::new(points.collect()).expect("a falling curve")
}

fn any_curve() -> impl Strategy<Value = MissRatioCurve> {
    prop::collection::vec((1_u64..1_000_000, 0.0_f64..0.3), 1..40).prop_map(|steps| {
        let (mut bytes, mut ratio) = (0, 1.0_f64);
        let points = steps.into_iter().map(|(more, drop)| {
            bytes += more;
            ratio *= 1.0 - drop;
            point(bytes, ratio)
        });
        MissRatioCurve::new(points.collect()).expect("a falling curve")
    })
}

#[test]
fn is_linear_between_points_one_without_cache_and_flat_at_the_end() {
    let curve = curve(&[(100, 0.8), (300, 0.4)]);
    let at = |bytes| curve.miss_ratio_at(bytes).value;
    assert_eq!(
        (at(0), at(100), at(300), at(u64::MAX)),
        (1.0, 0.8, 0.4, 0.4)
    );
    assert!((at(50) - 0.9).abs() < 1e-12);
    assert!((at(250) - 0.5).abs() < 1e-12);
    let between = curve.miss_ratio_at(200);
    assert!((between.low - 0.59).abs() < 1e-12 && (between.high - 0.62).abs() < 1e-12);
    assert_eq!(MissRatioCurve::default().miss_ratio_at(1 << 40).value, 1.0);
}

#[test]
fn finds_the_size_for_a_ratio() {
    let curve = curve(&[(100, 0.8), (300, 0.4), (500, 0.4)]);
    assert_eq!(curve.bytes_for(1.0), Some(0));
    assert_eq!(curve.bytes_for(0.9), Some(50));
    assert_eq!(curve.bytes_for(0.4), Some(300));
    assert_eq!(curve.bytes_for(0.39), None);
    assert_eq!(MissRatioCurve::default().bytes_for(0.5), None);
}

#[test]
fn says_which_point_is_wrong() {
    let new = |points: &[(u64, f64)]| {
        let points = points.iter().map(|(bytes, ratio)| point(*bytes, *ratio));
        MissRatioCurve::new(points.collect())
    };
    assert_eq!(
        new(&[(5, 0.5), (5, 0.4)]),
        Err(CurveError::NotAscending {
            index: 1,
            bytes: 5,
            before: 5
        })
    );
    assert_eq!(
        new(&[(5, 0.5), (6, 0.6)]),
        Err(CurveError::Rising {
            index: 1,
            miss_ratio: 0.6,
            before: 0.5
        })
    );
    let outside = CurvePoint {
        low: 0.6,
        ..point(5, 0.5)
    };
    let error = MissRatioCurve::new(vec![outside]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "point 0 of the curve: miss ratio 0.5 with band 0.6 to 0.52; expected 0 <= low <= miss ratio <= high <= 1"
    );
    let nan = CurvePoint {
        miss_ratio: f64::NAN,
        ..point(5, 0.5)
    };
    assert!(MissRatioCurve::new(vec![nan]).is_err());
}

#[test]
fn json_is_read_with_the_same_care() {
    let json = r#"{"points":[{"bytes":100,"miss_ratio":0.5,"low":0.25,"high":0.75}]}"#;
    let curve: MissRatioCurve = serde_json::from_str(json).unwrap();
    assert_eq!(curve.miss_ratio_at(100).high, 0.75);
    assert_eq!(serde_json::to_string(&curve).unwrap(), json);
    let error = serde_json::from_str::<MissRatioCurve>(&json.replace("0.25", "0.7")).unwrap_err();
    assert!(
        error.to_string().starts_with("point 0 of the curve"),
        "{error}"
    );
}

#[test]
fn the_hull_cuts_across_a_cliff() {
    let curve = curve(&[(100, 0.9), (200, 0.85), (300, 0.1), (400, 0.1), (500, 0.0)]);
    let hull: Vec<u64> = curve.convex_hull().iter().map(|p| p.bytes).collect();
    assert_eq!(hull, [0, 300, 500]);
    assert!((curve.marginal_gain(200, 100) - 0.75).abs() < 1e-12);
    assert_eq!(curve.marginal_gain(500, u64::MAX), 0.0);
}

proptest! {
    #[test]
    fn a_hull_is_convex_lies_below_and_keeps_the_ends(curve in any_curve()) {
        let hull = curve.convex_hull();
        prop_assert_eq!(hull[0].bytes, 0);
        prop_assert_eq!(hull.last(), curve.points().last());
        let slopes: Vec<f64> = hull
            .windows(2)
            .map(|w| (w[1].miss_ratio - w[0].miss_ratio) / (w[1].bytes - w[0].bytes) as f64)
            .collect();
        prop_assert!(slopes.is_sorted(), "{:?}", slopes);
        let hull = MissRatioCurve::new(hull).unwrap();
        for point in curve.points() {
            prop_assert!(hull.miss_ratio_at(point.bytes).value <= point.miss_ratio + 1e-12);
        }
    }

    #[test]
    fn the_size_for_a_ratio_reaches_it_and_no_smaller_one_does(curve in any_curve(), ratio in 0.0_f64..1.0) {
        match curve.bytes_for(ratio) {
            Some(bytes) => {
                prop_assert!(curve.miss_ratio_at(bytes).value <= ratio + 1e-9);
                if bytes > 1 {
                    prop_assert!(curve.miss_ratio_at(bytes - 2).value > ratio - 1e-9);
                }
            }
            None => prop_assert!(curve.miss_ratio_at(u64::MAX).value > ratio),
        }
    }

    #[test]
    fn more_memory_never_misses_more(curve in any_curve(), a in 0_u64..30_000_000, b in 0_u64..30_000_000) {
        let (small, large) = (a.min(b), a.max(b));
        let (less, more) = (curve.miss_ratio_at(small), curve.miss_ratio_at(large));
        prop_assert!(less.value >= more.value);
        prop_assert!(more.low <= more.value && more.value <= more.high);
    }
}

#[test]
fn twice_the_subtasks_need_half_the_bytes_each() {
    let curve = curve(&[(100, 0.8), (300, 0.4), (500, 0.1)]);
    let halved = curve.rescaled(2, 4);
    for bytes in [30, 50, 100, 150, 250, 900] {
        let (was, is) = (
            curve.miss_ratio_at(2 * bytes).value,
            halved.miss_ratio_at(bytes).value,
        );
        assert!((was - is).abs() < 1e-12, "{bytes}: {was} and {is}");
    }
    assert_eq!(curve.rescaled(3, 3), curve);
    assert_eq!(curve.rescaled(1, 1_000).points().len(), 2, "0 and 1 bytes");
}

#[test]
fn the_knee_is_where_the_curve_bends() {
    let bent = curve(&[(100, 0.9), (1_000, 0.85), (2_000, 0.2), (100_000, 0.1)]);
    assert_eq!(bent.knee().unwrap().bytes, 2_000);
    let straight = curve(&[(10, 0.9), (100, 0.6), (1_000, 0.3)]);
    assert!(straight.knee().is_none_or(|k| k.bytes == 100));
    assert_eq!(curve(&[(10, 0.5), (20, 0.5), (30, 0.5)]).knee(), None);
    assert_eq!(MissRatioCurve::default().knee(), None);
}

proptest! {
    #[test]
    fn merged_subtasks_miss_what_they_miss_together(a in any_curve(), b in any_curve(), c in any_curve(), weights in prop::array::uniform3(0.1_f64..10.0), bytes in 0_u64..40_000_000) {
        let subtasks = [(a, weights[0]), (b, weights[1]), (c, weights[2])];
        let merged = MissRatioCurve::merged(&subtasks).unwrap();
        let total: f64 = weights.iter().sum();
        let expected: f64 = subtasks.iter().map(|(curve, w)| curve.miss_ratio_at(bytes).value * w / total).sum();
        prop_assert!((merged.miss_ratio_at(bytes).value - expected).abs() < 1e-9);
        // In whatever order they come, and in whatever groups.
        let [a, b, c] = subtasks;
        let first = MissRatioCurve::merged(&[c.clone(), a.clone()]).unwrap();
        let grouped = MissRatioCurve::merged(&[(first, weights[2] + weights[0]), b]).unwrap();
        prop_assert!((grouped.miss_ratio_at(bytes).value - expected).abs() < 1e-9);
    }

    #[test]
    fn rescaling_there_and_back_changes_next_to_nothing(curve in any_curve(), to in 1_u32..64, bytes in 0_u64..30_000_000) {
        let there = curve.rescaled(8, to);
        prop_assert_eq!(MissRatioCurve::new(there.points().to_vec()), Ok(there.clone()));
        let scaled = there.miss_ratio_at((bytes as f64 * 8.0 / f64::from(to)) as u64).value;
        let around = (curve.miss_ratio_at(bytes + 20).value, curve.miss_ratio_at(bytes.saturating_sub(20)).value);
        prop_assert!(around.0 - 1e-9 <= scaled && scaled <= around.1 + 1e-9);
    }
}

#[test]
fn nothing_merged_is_no_curve() {
    assert_eq!(MissRatioCurve::merged(&[]), None);
    assert_eq!(MissRatioCurve::merged(&[(curve(&[(1, 0.5)]), 0.0)]), None);
}
