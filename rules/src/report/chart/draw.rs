//! Where things of a chart stand.
//!
//! Invariant: everything lies within the picture; a label is cut before it runs into another one.
//! Failure: a chart without numbers says so.

use super::scale::Scale;
use super::scene::{Anchor, Color, Scene, Shape};
use super::{Chart, Form, HEIGHT, WIDTH};
use crate::measure;
use crate::report::format;

const PAPER: Color = "#ffffff";
const INK: Color = "#1f2937";
const FAINT: Color = "#4b5563";
const GRID: Color = "#e5e7eb";
const AXIS: Color = "#9ca3af";
/// Told apart by people who see fewer colours, too (Okabe and Ito).
const COLORS: [Color; super::MAX_SERIES] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9",
];

const SMALL: f64 = 11.0;
const TITLE: f64 = 14.0;
const EDGE: f64 = 14.0;
/// Between a label and what it belongs to.
const GAP: f64 = 6.0;
/// A bar is no wider than this.
const WIDEST: f64 = 64.0;

/// The rectangle that values are drawn in.
#[derive(Clone, Copy)]
struct Plot {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Plot {
    fn width(&self) -> f64 {
        self.right - self.left
    }
    fn y(&self, place: f64) -> f64 {
        self.bottom - place * (self.bottom - self.top)
    }
    fn x(&self, place: f64) -> f64 {
        self.left + place * self.width()
    }
}

/// The picture of a chart.
pub fn scene(chart: &Chart) -> Scene {
    if chart.form == Form::Sparkline {
        return sparkline(chart);
    }
    let mut scene = paper(WIDTH, HEIGHT);
    let top = heading(&mut scene, chart);
    let mut bottom = HEIGHT - EDGE;
    if chart.left_out > 0 {
        let some = match chart.form {
            Form::Line => "earlier",
            _ => "more",
        };
        let left_out = format::fixed(approximate(chart.left_out), 0);
        let note = format!("{left_out} {some} not shown");
        scene
            .shapes
            .push(text(WIDTH - EDGE, bottom, Anchor::End, FAINT, note));
        bottom -= SMALL + GAP;
    }
    if chart
        .series
        .iter()
        .all(|series| series.values.iter().all(Option::is_none))
    {
        let middle = (top + bottom) / 2.0;
        scene.shapes.push(text(
            WIDTH / 2.0,
            middle,
            Anchor::Middle,
            FAINT,
            "No data".to_owned(),
        ));
        return scene;
    }
    match chart.form {
        Form::Horizontal => lying(&mut scene, chart, top, bottom),
        _ => standing(&mut scene, chart, top, bottom),
    }
    scene
}

fn paper(width: f64, height: f64) -> Scene {
    let (x, y) = (0.0, 0.0);
    Scene {
        width,
        height,
        shapes: vec![Shape::Rect {
            x,
            y,
            width,
            height,
            fill: PAPER,
        }],
    }
}

/// Title and legend; where they end.
fn heading(scene: &mut Scene, chart: &Chart) -> f64 {
    let mut top = EDGE;
    if !chart.title.is_empty() {
        top += TITLE - 2.0;
        scene.shapes.push(Shape::Text {
            x: EDGE,
            y: top,
            size: TITLE,
            anchor: Anchor::Start,
            bold: true,
            fill: INK,
            words: clip(&chart.title, TITLE, true, WIDTH - 2.0 * EDGE),
        });
        top += GAP + 4.0;
    }
    if chart.series.len() > 1 {
        top += SMALL;
        let slot = (WIDTH - 2.0 * EDGE) / approximate(chart.series.len());
        let mut x = EDGE;
        for (series, color) in chart.series.iter().zip(COLORS) {
            let words = clip(&series.name, SMALL, false, slot - 22.0);
            let long = measure::width(&words, false) * SMALL;
            scene.shapes.push(rect(x, top - 9.0, 10.0, 10.0, color));
            scene
                .shapes
                .push(text(x + 14.0, top, Anchor::Start, FAINT, words));
            x += 14.0 + long + 16.0;
        }
        top += GAP;
    }
    top + 4.0
}

/// Bars that stand, and lines.
fn standing(scene: &mut Scene, chart: &Chart, top: f64, bottom: f64) {
    let bars = chart.form != Form::Line;
    let scale = Scale::of(extent(chart).into_iter(), bars, 5.0);
    let plot = Plot {
        left: EDGE + widest(&scale) + GAP,
        top: top + SMALL / 2.0,
        right: WIDTH - EDGE,
        bottom: bottom - SMALL - GAP,
    };
    for tick in &scale.ticks {
        let y = plot.y(scale.place(*tick));
        let color = if *tick == 0.0 { AXIS } else { GRID };
        scene
            .shapes
            .push(line(vec![(plot.left, y), (plot.right, y)], color, 1.0));
        let words = scale.label(*tick);
        scene.shapes.push(text(
            plot.left - GAP,
            y + SMALL * 0.36,
            Anchor::End,
            FAINT,
            words,
        ));
    }
    labels(scene, chart, plot, bottom);
    match chart.form {
        Form::Line => lines(scene, chart, plot, &scale),
        Form::Stacked => stacked(scene, chart, plot, &scale),
        _ => side_by_side(scene, chart, plot, &scale),
    }
}

/// Labels under the plot, as many as there is room for.
fn labels(scene: &mut Scene, chart: &Chart, plot: Plot, y: f64) {
    let slot = plot.width() / approximate(chart.labels.len());
    let wanted = chart
        .labels
        .iter()
        .map(|label| measure::width(label, false) * SMALL + GAP)
        .fold(0.0, f64::max)
        .clamp(24.0, 90.0);
    let mut free = f64::NEG_INFINITY;
    for (at, label) in chart.labels.iter().enumerate() {
        let x = center(chart, plot, at);
        let room = wanted.max(slot) - GAP;
        let words = clip(label, SMALL, false, room);
        let half = measure::width(&words, false) * SMALL / 2.0;
        let x = x.clamp(half + 2.0, WIDTH - half - 2.0);
        if x - half < free {
            continue;
        }
        free = x + half + GAP;
        scene.shapes.push(text(x, y, Anchor::Middle, FAINT, words));
    }
}

/// The middle of a point's place.
fn center(chart: &Chart, plot: Plot, at: usize) -> f64 {
    let count = approximate(chart.labels.len());
    match chart.form {
        Form::Line if chart.labels.len() > 1 => plot.x(approximate(at) / (count - 1.0).max(1.0)),
        _ => plot.x((approximate(at) + 0.5) / count.max(1.0)),
    }
}

fn lines(scene: &mut Scene, chart: &Chart, plot: Plot, scale: &Scale) {
    for (series, color) in chart.series.iter().zip(COLORS) {
        let at = |(at, value): (usize, &Option<f64>)| {
            value.map(|value| (center(chart, plot, at), plot.y(scale.place(value))))
        };
        let points: Vec<_> = series.values.iter().enumerate().map(at).collect();
        let few = points.len() <= 40;
        for run in points.split(Option::is_none) {
            let run: Vec<_> = run.iter().copied().flatten().collect();
            if few || run.len() == 1 {
                for (x, y) in &run {
                    scene.shapes.push(Shape::Dot {
                        x: *x,
                        y: *y,
                        radius: 2.5,
                        fill: color,
                    });
                }
            }
            if run.len() > 1 {
                scene.shapes.push(line(run, color, 2.0));
            }
        }
    }
}

fn side_by_side(scene: &mut Scene, chart: &Chart, plot: Plot, scale: &Scale) {
    let slot = plot.width() / approximate(chart.labels.len().max(1));
    let wide = (slot * 0.75).min(WIDEST * approximate(chart.series.len()));
    let each = wide / approximate(chart.series.len().max(1));
    let base = plot.y(scale.place(0.0));
    for (place, (series, color)) in chart.series.iter().zip(COLORS).enumerate() {
        for (at, value) in series.values.iter().enumerate() {
            let Some(value) = value else { continue };
            let x = center(chart, plot, at) - wide / 2.0 + each * approximate(place);
            let y = plot.y(scale.place(*value));
            scene
                .shapes
                .push(rect(x, y.min(base), each, (y - base).abs(), color));
        }
    }
}

fn stacked(scene: &mut Scene, chart: &Chart, plot: Plot, scale: &Scale) {
    let wide = (plot.width() / approximate(chart.labels.len().max(1)) * 0.75).min(WIDEST);
    for at in 0..chart.labels.len() {
        let (mut above, mut below) = (0.0, 0.0);
        for (series, color) in chart.series.iter().zip(COLORS) {
            let value = series.values.get(at).copied().flatten().unwrap_or(0.0);
            let from = if value < 0.0 { &mut below } else { &mut above };
            let (start, end) = (*from, *from + value);
            *from = end;
            let (start, end) = (plot.y(scale.place(start)), plot.y(scale.place(end)));
            if value != 0.0 {
                let x = center(chart, plot, at) - wide / 2.0;
                scene
                    .shapes
                    .push(rect(x, start.min(end), wide, (end - start).abs(), color));
            }
        }
    }
}

/// Bars that lie, with their numbers beside them.
fn lying(scene: &mut Scene, chart: &Chart, top: f64, bottom: f64) {
    let scale = Scale::of(extent(chart).into_iter(), true, 4.0);
    let longest = chart
        .labels
        .iter()
        .map(|label| measure::width(label, false) * SMALL)
        .fold(0.0, f64::max);
    let plot = Plot {
        left: EDGE + longest.min(WIDTH * 0.3) + GAP,
        top,
        right: WIDTH - EDGE - 48.0,
        bottom,
    };
    let slot = (bottom - top) / approximate(chart.labels.len().max(1));
    let tall = (slot * 0.75).min(32.0);
    let each = tall / approximate(chart.series.len().max(1));
    let base = plot.x(scale.place(0.0));
    scene
        .shapes
        .push(line(vec![(base, top), (base, bottom)], AXIS, 1.0));
    for (at, label) in chart.labels.iter().enumerate() {
        let middle = top + slot * (approximate(at) + 0.5);
        let words = clip(label, SMALL, false, plot.left - EDGE - GAP);
        scene.shapes.push(text(
            plot.left - GAP,
            middle + SMALL * 0.36,
            Anchor::End,
            FAINT,
            words,
        ));
        for (place, (series, color)) in chart.series.iter().zip(COLORS).enumerate() {
            let Some(value) = series.values.get(at).copied().flatten() else {
                continue;
            };
            let (x, y) = (
                plot.x(scale.place(value)),
                middle - tall / 2.0 + each * approximate(place),
            );
            scene
                .shapes
                .push(rect(x.min(base), y, (x - base).abs(), each, color));
            if each >= SMALL * 0.8 {
                let y = y + each / 2.0 + SMALL * 0.36;
                let beside = x.max(base) + 4.0;
                scene
                    .shapes
                    .push(text(beside, y, Anchor::Start, INK, format::brief(value)));
            }
        }
    }
}

fn sparkline(chart: &Chart) -> Scene {
    let mut scene = paper(160.0, 32.0);
    let scale = Scale::of(extent(chart).into_iter(), false, 5.0);
    let plot = Plot {
        left: 4.0,
        top: 4.0,
        right: 154.0,
        bottom: 28.0,
    };
    let one = Chart {
        form: Form::Line,
        ..chart.clone()
    };
    lines(&mut scene, &one, plot, &scale);
    // Only the latest point is marked.
    let mut dots = scene
        .shapes
        .iter()
        .filter(|shape| matches!(shape, Shape::Dot { .. }))
        .count();
    scene.shapes.retain(|shape| match shape {
        Shape::Dot { .. } => {
            dots -= 1;
            dots == 0
        }
        _ => true,
    });
    scene
}

/// The values that the axis has to show.
fn extent(chart: &Chart) -> Vec<f64> {
    if chart.form != Form::Stacked {
        let values = chart.series.iter().flat_map(|series| &series.values);
        return values.flatten().copied().collect();
    }
    let mut ends = Vec::new();
    for at in 0..chart.labels.len() {
        let values = chart
            .series
            .iter()
            .filter_map(|series| series.values.get(at).copied().flatten());
        let (above, below): (Vec<f64>, Vec<f64>) = values.partition(|value| *value >= 0.0);
        ends.push(above.into_iter().sum());
        ends.push(below.into_iter().sum());
    }
    ends
}

fn widest(scale: &Scale) -> f64 {
    let width = |tick: &f64| measure::width(&scale.label(*tick), false) * SMALL;
    scale.ticks.iter().map(width).fold(0.0, f64::max)
}

/// A text cut to a width.
fn clip(words: &str, size: f64, bold: bool, room: f64) -> String {
    if measure::width(words, bold) * size <= room {
        return words.to_owned();
    }
    let mut kept = String::new();
    let mut long = measure::width("…", bold) * size;
    for c in words.chars() {
        long += measure::width(c.encode_utf8(&mut [0; 4]), bold) * size;
        if long > room {
            break;
        }
        kept.push(c);
    }
    format!("{}…", kept.trim_end())
}

fn text(x: f64, y: f64, anchor: Anchor, fill: Color, words: String) -> Shape {
    let (size, bold) = (SMALL, false);
    Shape::Text {
        x,
        y,
        size,
        anchor,
        bold,
        fill,
        words,
    }
}

fn rect(x: f64, y: f64, width: f64, height: f64, fill: Color) -> Shape {
    Shape::Rect {
        x,
        y,
        width,
        height,
        fill,
    }
}

fn line(points: Vec<(f64, f64)>, stroke: Color, thick: f64) -> Shape {
    Shape::Line {
        points,
        stroke,
        thick,
    }
}

/// A count as a length. Counts here are far below what a float holds exactly.
fn approximate(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
