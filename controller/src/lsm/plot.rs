//! The timeline as a picture: bytes by level, files by level, and what ran when.

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;
use weir_scaling::Bytes;

use super::interval::Intervals;
use super::logs::ReadLog;
use super::timeline::Levels;
use crate::Failure;
use crate::mrc::plot::{FONT, PlotFile, PlotKind, prepare_font};

const SIZE: (u32, u32) = (960, 900);
/// Heights of the upper two pictures.
const HEIGHTS: (u32, u32) = (340, 600);
const COLOURS: [RGBColor; 8] = [
    RGBColor(0x1f, 0x5f, 0xa8),
    RGBColor(0xc6, 0x4a, 0x1a),
    RGBColor(0x2b, 0x8a, 0x3e),
    RGBColor(0x7b, 0x3f, 0x9e),
    RGBColor(0x8a, 0x6d, 0x00),
    RGBColor(0x00, 0x7f, 0x8a),
    RGBColor(0xa8, 0x1f, 0x5f),
    RGBColor(0x55, 0x55, 0x55),
];
const STALL: RGBColor = RGBColor(0xd0, 0x10, 0x10);
/// Moments in the picture at most: more than it has columns.
const MOST_MOMENTS: usize = 2_000;

/// The sum of all trees from a moment on, in seconds.
type Moment = (f64, Levels);
type Drawn<T, B> = Result<T, DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// A flush or a compaction: lane, from, to.
struct Span {
    lane: usize,
    from: f64,
    to: f64,
}

/// Draws the sum of all logs into the file.
pub(super) fn draw(logs: &[ReadLog], intervals: Intervals, file: &PlotFile) -> Result<(), Failure> {
    prepare_font()?;
    let drawn = match file.kind {
        PlotKind::Svg => on(
            SVGBackend::new(&file.path, SIZE).into_drawing_area(),
            logs,
            intervals,
        ),
        PlotKind::Png => on(
            BitMapBackend::new(&file.path, SIZE).into_drawing_area(),
            logs,
            intervals,
        ),
    };
    drawn.map_err(|e| Failure::Failed(anyhow!("cannot write plot {}: {e}", file.path.display())))
}

fn on<B: DrawingBackend>(
    area: DrawingArea<B, Shift>,
    logs: &[ReadLog],
    intervals: Intervals,
) -> Result<(), String> {
    picture(&area, logs, intervals)
        .and_then(|()| area.present())
        .map_err(|e| e.to_string())
}

fn picture<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    logs: &[ReadLog],
    intervals: Intervals,
) -> Drawn<(), B> {
    area.fill(&WHITE)?;
    let (upper, rest) = area.split_vertically(HEIGHTS.0);
    let (middle, lower) = rest.split_vertically(HEIGHTS.1 - HEIGHTS.0);
    let seconds = seconds(intervals, intervals.end_micros).max(1e-3);
    let moments = moments(logs, intervals);
    let caption = match logs {
        // The place of the file would not fit.
        [log] => log
            .name
            .rsplit('/')
            .take(2)
            .collect::<Vec<_>>()
            .join(" of "),
        logs => format!("{} logs", logs.len()),
    };
    bytes_by_level::<B>(&upper, &caption, &moments, seconds)?;
    files_by_level::<B>(&middle, &moments, seconds)?;
    spans::<B>(&lower, logs, intervals, seconds)
}

fn bytes_by_level<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    caption: &str,
    moments: &[Moment],
    seconds: f64,
) -> Drawn<(), B> {
    let most = moments.iter().map(|(_, levels)| levels.total_bytes()).max();
    let most = most.unwrap_or(0).max(1) as f64 * 1.1;
    let mut chart = ChartBuilder::on(area)
        .caption(
            format!("{caption}: bytes by level, on top of each other"),
            (FONT, 18),
        )
        .margin(12)
        .x_label_area_size(24)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..seconds, 0.0..most)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 14))
        .y_label_formatter(&|bytes| Bytes(*bytes as u64).to_string())
        .x_label_formatter(&|at| format!("{at:.1} s"))
        .draw()?;
    // The deepest level is drawn first, over the height of all: each one covers what is above it.
    for level in (0..levels(moments)).rev() {
        let up_to = |levels: &Levels| {
            let numbers = levels.bytes.iter().take(level + 1);
            numbers.copied().fold(0, u64::saturating_add) as f64
        };
        let colour = colour(level);
        chart
            .draw_series([Polygon::new(
                area_under(steps(moments, seconds, up_to)),
                colour,
            )])?
            .label(format!("L{level}"))
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 24, y + 5)], colour.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, 14))
        .draw()
}

fn files_by_level<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    moments: &[Moment],
    seconds: f64,
) -> Drawn<(), B> {
    let files = moments.iter().flat_map(|(_, levels)| &levels.files);
    let most = files.max().copied().unwrap_or(0).max(1) as f64 * 1.1;
    let mut chart = ChartBuilder::on(area)
        .caption("files by level", (FONT, 18))
        .margin(12)
        .x_label_area_size(24)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..seconds, 0.0..most)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 14))
        .y_label_formatter(&|files| format!("{files:.0}"))
        .x_label_formatter(&|at| format!("{at:.1} s"))
        .draw()?;
    for level in 0..levels(moments) {
        let of_level = |levels: &Levels| levels.files.get(level).copied().unwrap_or(0) as f64;
        chart.draw_series(LineSeries::new(
            steps(moments, seconds, of_level),
            colour(level).stroke_width(2),
        ))?;
    }
    Ok(())
}

/// A lane for flushes and one for compactions into each level; a red tick where writers were held up.
fn spans<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    logs: &[ReadLog],
    intervals: Intervals,
    seconds: f64,
) -> Drawn<(), B> {
    let mut spans = Vec::new();
    let mut stalls = Vec::new();
    for timeline in logs.iter().map(|log| &log.timeline) {
        let at = |micros: u64| self::seconds(intervals, micros);
        spans.extend(timeline.flushes.iter().map(|flush| Span {
            lane: 0,
            from: at(flush.started_micros),
            to: flush.finished_micros.map_or(seconds, at),
        }));
        spans.extend(timeline.compactions.iter().map(|compaction| Span {
            lane: compaction.output_level + 1,
            from: at(compaction.started_micros),
            to: compaction.finished_micros.map_or(seconds, at),
        }));
        stalls.extend(timeline.stalls.iter().map(|s| at(s.at_micros)));
    }
    let lanes = spans.iter().map(|span| span.lane + 1).max().unwrap_or(1);
    let mut chart = ChartBuilder::on(area)
        .caption(
            "flushes, compactions by output level, writers held up (red)",
            (FONT, 18),
        )
        .margin(12)
        .x_label_area_size(32)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..seconds, -0.5..lanes as f64 - 0.5)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .label_style((FONT, 14))
        .y_labels(lanes + 1)
        .y_label_formatter(&|lane| match *lane {
            between if between.fract() != 0.0 => String::new(),
            0.0 => "flush".to_owned(),
            lane => format!("to L{}", lane as usize - 1),
        })
        .x_label_formatter(&|at| format!("{at:.1} s"))
        .draw()?;
    chart.draw_series(spans.iter().map(|span| {
        let low = span.lane as f64 - 0.35;
        let colour = match span.lane {
            0 => BLACK.mix(0.6),
            lane => colour(lane - 1).mix(0.7),
        };
        Rectangle::new([(span.from, low), (span.to, low + 0.7)], colour.filled())
    }))?;
    let tick = STALL.mix(0.5).stroke_width(1);
    let top = lanes as f64 - 0.5;
    chart.draw_series(
        stalls
            .iter()
            .map(|at| PathElement::new([(*at, top - 0.12), (*at, top)], tick)),
    )?;
    Ok(())
}

/// The sum of all trees each time that one changed, thinned out to what a picture can show.
fn moments(logs: &[ReadLog], intervals: Intervals) -> Vec<Moment> {
    let mut changes: Vec<(u64, (usize, usize), &Levels)> = Vec::new();
    for (place, log) in logs.iter().enumerate() {
        let shapes = log.timeline.shapes.iter();
        changes.extend(shapes.map(|s| (s.at_micros, (place, s.family), &s.levels)));
    }
    changes.sort_by_key(|(at, ..)| *at);
    let every = changes.len().div_ceil(MOST_MOMENTS).max(1);
    let mut now = std::collections::BTreeMap::new();
    let mut moments = Vec::new();
    let last = changes.len().saturating_sub(1);
    for (number, (at, tree, levels)) in changes.into_iter().enumerate() {
        now.insert(tree, levels);
        if number % every == 0 || number == last {
            let mut sum = Levels::default();
            now.values().for_each(|levels| sum.add(levels));
            moments.push((seconds(intervals, at), sum));
        }
    }
    moments
}

/// A line that keeps its height until the next moment.
fn steps(moments: &[Moment], end: f64, height: impl Fn(&Levels) -> f64) -> Vec<(f64, f64)> {
    let mut points = vec![(0.0, 0.0)];
    for (at, levels) in moments {
        let before = points.last().map_or(0.0, |(_, height)| *height);
        points.extend([(*at, before), (*at, height(levels))]);
    }
    let last = points.last().map_or(0.0, |(_, height)| *height);
    points.push((end, last));
    points
}

/// The outline of what is below a line.
fn area_under(mut line: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let end = line.last().map_or(0.0, |(at, _)| *at);
    line.extend([(end, 0.0), (0.0, 0.0)]);
    line
}

fn levels(moments: &[Moment]) -> usize {
    let levels = moments
        .iter()
        .map(|(_, l)| l.files.len().max(l.bytes.len()));
    levels.max().unwrap_or(0)
}

fn colour(level: usize) -> RGBColor {
    COLOURS[level % COLOURS.len()]
}

fn seconds(intervals: Intervals, at_micros: u64) -> f64 {
    at_micros.saturating_sub(intervals.start_micros) as f64 / 1e6
}
