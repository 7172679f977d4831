//! The curve as a picture: estimate, band, exact curve and marked size over a logarithmic axis of bytes.

use std::path::PathBuf;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use weir_scaling::Bytes;

use super::report::{self, Measured, Point};
use crate::Failure;

pub(crate) const SIZE: (u32, u32) = (960, 600);
pub(crate) const FONT: &str = "sans-serif";
const CURVE: RGBColor = RGBColor(0x1f, 0x5f, 0xa8);
const EXACT: RGBColor = RGBColor(0xc6, 0x4a, 0x1a);
const MARK: RGBColor = RGBColor(0x55, 0x55, 0x55);
/// Labels of the byte axis at most.
const MOST_LABELS: i32 = 12;

/// Where the picture goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlotFile {
    pub(crate) path: PathBuf,
    pub(crate) kind: PlotKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlotKind {
    Svg,
    Png,
}

/// The byte axis: binary logarithms, labelled at powers of two.
pub(crate) struct ByteAxis {
    from: f64,
    to: f64,
    labels: Vec<f64>,
}

// === impl PlotFile ===

impl PlotFile {
    /// Reads a file name; its extension says the kind.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        let extension = path.extension().map(|e| e.to_ascii_lowercase());
        let kind = match extension.as_deref().and_then(|e| e.to_str()) {
            Some("svg") => PlotKind::Svg,
            Some("png") => PlotKind::Png,
            _ => {
                return Err(format!(
                    "`{text}` is neither SVG nor PNG; write a name that ends with .svg or .png"
                ));
            }
        };
        Ok(Self { path, kind })
    }
}

// === impl ByteAxis ===

impl ByteAxis {
    pub(crate) fn over(points: impl Iterator<Item = u64>) -> Self {
        let (mut smallest, mut largest) = (u64::MAX, 1);
        for bytes in points {
            smallest = smallest.min(bytes.max(1));
            largest = largest.max(bytes);
        }
        let from = at(smallest.min(largest));
        // One size alone still needs an axis around it.
        let to = at(largest).max(from + 1.0);
        let (first, last) = (from.ceil() as i32, to.floor() as i32);
        let step = ((last - first) / MOST_LABELS + 1) as usize;
        let labels = (first..=last).step_by(step).map(f64::from).collect();
        Self { from, to, labels }
    }
}

impl Ranged for ByteAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let way = (value - self.from) / (self.to - self.from);
        limit.0 + (way * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, _: H) -> Vec<f64> {
        self.labels.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for ByteAxis {
    fn format(power: &f64) -> String {
        byte_label(*power)
    }
}

/// Draws the measured curve into the file.
pub fn draw(measured: &Measured, file: &PlotFile) -> Result<(), Failure> {
    prepare_font()?;
    let drawn = match file.kind {
        PlotKind::Svg => on(
            SVGBackend::new(&file.path, SIZE).into_drawing_area(),
            measured,
        ),
        PlotKind::Png => on(
            BitMapBackend::new(&file.path, SIZE).into_drawing_area(),
            measured,
        ),
    };
    drawn.map_err(|e| Failure::Failed(anyhow!("cannot write plot {}: {e}", file.path.display())))
}

/// A server may have no font of its own.
pub(crate) fn prepare_font() -> Result<(), Failure> {
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| anyhow!("the font of the plot cannot be read").into())
}

fn on<B: DrawingBackend>(area: DrawingArea<B, Shift>, measured: &Measured) -> Result<(), String> {
    picture(&area, measured)
        .and_then(|()| area.present())
        .map_err(|e| e.to_string())
}

fn picture<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    measured: &Measured,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    area.fill(&WHITE)?;
    let mut points = measured.points.clone();
    points.sort_unstable_by_key(|p| p.bytes);
    let shown = points.iter().chain(&measured.capacity);
    let axis = ByteAxis::over(shown.map(|p| p.bytes));
    let caption = format!(
        "{} ({} accesses; {})",
        // The place of the file would not fit.
        measured.trace.rsplit('/').next().unwrap_or_default(),
        measured.accesses,
        report::cache(measured)
    );
    let mut chart = ChartBuilder::on(area)
        .caption(caption, (FONT, 20))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(axis, 0.0..1.0)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("cache size")
        .y_desc("miss ratio")
        .label_style((FONT, 15))
        .y_label_formatter(&|ratio| format!("{:.0} %", ratio * 100.0))
        .draw()?;

    let line = |of: fn(&Point) -> f64| points.iter().map(move |p| (at(p.bytes), of(p)));
    let low: Vec<(f64, f64)> = line(|p| p.low).collect();
    let band: Vec<(f64, f64)> = line(|p| p.high).chain(low.into_iter().rev()).collect();
    chart
        .draw_series([Polygon::new(band, CURVE.mix(0.25))])?
        .label("90 % band")
        .legend(|(x, y)| Rectangle::new([(x, y - 5), (x + 24, y + 5)], CURVE.mix(0.25).filled()));
    chart
        .draw_series(LineSeries::new(
            line(|p| p.miss_ratio),
            CURVE.stroke_width(2),
        ))?
        .label("estimated")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 24, y)], CURVE.stroke_width(2)));
    let exact = points.iter().filter_map(|p| Some((at(p.bytes), p.exact?)));
    if exact.clone().next().is_some() {
        chart
            .draw_series(DashedLineSeries::new(exact, 6, 4, EXACT.stroke_width(2)))?
            .label("exact")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 24, y)], EXACT.stroke_width(2)));
    }
    if let Some(mark) = &measured.capacity {
        let x = at(mark.bytes);
        chart
            .draw_series([PathElement::new([(x, 0.0), (x, 1.0)], MARK.stroke_width(1))])?
            .label(format!(
                "{}: {:.2} %",
                Bytes(mark.bytes),
                mark.miss_ratio * 100.0
            ))
            .legend(|(x, y)| PathElement::new([(x, y), (x + 24, y)], MARK.stroke_width(1)));
        chart.draw_series([Circle::new((x, mark.miss_ratio), 4, MARK.filled())])?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(MARK.mix(0.4))
        .label_font((FONT, 15))
        .draw()
}

/// Place of a size on the axis.
pub(crate) fn at(bytes: u64) -> f64 {
    (bytes.max(1) as f64).log2()
}

/// A power of two in its unit: `64 MiB`.
fn byte_label(power: f64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let power = power.round().clamp(0.0, 63.0) as usize;
    format!("{} {}", 1_u64 << (power % 10), UNITS[power / 10])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_labelled_and_not_too_many() {
        assert_eq!(byte_label(26.0), "64 MiB");
        assert_eq!(byte_label(0.0), "1 B");
        assert_eq!(byte_label(63.0), "8 EiB");
        let axis = ByteAxis::over([5_000_000, 20_000_000].into_iter());
        assert_eq!(axis.labels, [23.0, 24.0]);
        let wide = ByteAxis::over([0, u64::MAX].into_iter());
        assert!(wide.labels.len() as i32 <= MOST_LABELS + 1);
        let one = ByteAxis::over([4096].into_iter());
        assert!(one.from < one.to);
    }

    #[test]
    fn the_extension_says_the_kind() {
        assert_eq!(PlotFile::parse("a/b.PNG").unwrap().kind, PlotKind::Png);
        assert_eq!(PlotFile::parse("b.svg").unwrap().kind, PlotKind::Svg);
        for name in ["b", "b.pdf", ""] {
            let error = PlotFile::parse(name).unwrap_err();
            assert!(error.contains(".svg or .png"), "{error}");
        }
    }
}
