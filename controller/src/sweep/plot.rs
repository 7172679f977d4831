//! Predicted and measured miss ratios over the size, as a picture.

use std::collections::BTreeMap;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::point::{OperatorPoint, Point};
use crate::Failure;
use crate::mrc::plot::{ByteAxis, FONT, PlotFile, PlotKind, SIZE, at, prepare_font};

const COLOURS: [RGBColor; 6] = [
    RGBColor(0x1f, 0x5f, 0xa8),
    RGBColor(0xc6, 0x4a, 0x1a),
    RGBColor(0x2b, 0x8a, 0x3e),
    RGBColor(0x7b, 0x3f, 0x9e),
    RGBColor(0x8a, 0x6d, 0x00),
    RGBColor(0x00, 0x7f, 0x8a),
];

/// Draws the points into the file.
pub fn draw(points: &[Point], file: &PlotFile) -> Result<(), Failure> {
    prepare_font()?;
    let drawn = match file.kind {
        PlotKind::Svg => on(
            SVGBackend::new(&file.path, SIZE).into_drawing_area(),
            points,
        ),
        PlotKind::Png => on(
            BitMapBackend::new(&file.path, SIZE).into_drawing_area(),
            points,
        ),
    };
    drawn.map_err(|e| Failure::Failed(anyhow!("cannot write plot {}: {e}", file.path.display())))
}

fn on<B: DrawingBackend>(area: DrawingArea<B, Shift>, points: &[Point]) -> Result<(), String> {
    picture(&area, points)
        .and_then(|()| area.present())
        .map_err(|e| e.to_string())
}

fn picture<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    points: &[Point],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    area.fill(&WHITE)?;
    let mut by_operator: BTreeMap<&str, Vec<(u64, &OperatorPoint)>> = BTreeMap::new();
    for point in points {
        for one in &point.operators {
            let into = by_operator.entry(&one.operator).or_default();
            into.push((point.bytes, one));
        }
    }
    let highest = by_operator
        .values()
        .flatten()
        .map(|(_, one)| one.high.max(one.measured().unwrap_or(0.0)))
        .fold(0.01, f64::max);
    let axis = ByteAxis::over(points.iter().map(|p| p.bytes));
    let mut chart = ChartBuilder::on(area)
        .caption(
            "miss ratio: predicted at the start (line, 90 % band) and measured (dots)",
            (FONT, 20),
        )
        .margin(16)
        // Room for half of the last label.
        .margin_right(40)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(axis, 0.0..(highest * 1.1).min(1.0))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("cache size of each subtask")
        .y_desc("miss ratio")
        .label_style((FONT, 15))
        .y_label_formatter(&|ratio| format!("{:.1} %", ratio * 100.0))
        .draw()?;
    for ((name, points), colour) in by_operator.iter_mut().zip(COLOURS.into_iter().cycle()) {
        points.sort_by_key(|(bytes, _)| *bytes);
        let line = |of: fn(&OperatorPoint) -> f64| {
            points.iter().map(move |(bytes, one)| (at(*bytes), of(one)))
        };
        let low: Vec<(f64, f64)> = line(|p| p.low).collect();
        let band: Vec<(f64, f64)> = line(|p| p.high).chain(low.into_iter().rev()).collect();
        chart.draw_series([Polygon::new(band, colour.mix(0.2))])?;
        chart
            .draw_series(LineSeries::new(
                line(|p| p.predicted),
                colour.stroke_width(2),
            ))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], colour.stroke_width(2)));
        let dots = points
            .iter()
            .filter_map(|(bytes, one)| Some((at(*bytes), one.measured()?)));
        chart.draw_series(dots.map(|place| Circle::new(place, 5, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, 15))
        .draw()
}
