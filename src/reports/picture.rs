//! Charts as PNG, because mail programs show no SVG.
//!
//! The shapes of a chart are painted by resvg's rasteriser, letters as the outlines of one small
//! font. All of resvg with its texts would take twice the CPU and four times the code.
//!
//! Invariant: the same chart makes the same bytes, here and natively; a letter the font does not have
//! is a box.
//! Failure: a picture that would be too large is none, and the message tells its chart in words.

use rules::report::chart::Scene;
use rules::report::chart::scene::{Anchor, Shape};
use rules::report::document::{Attachment, Chart};
use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// DejaVu Sans Condensed, reduced to European letters; its licence lies beside it.
const FONT: &[u8] = include_bytes!("fonts/dejavu-sans-condensed.ttf");
/// Most pixels on a side.
const MAX_SIDE: f64 = 2_048.0;
/// Most bytes of a picture.
pub const MAX_BYTES: usize = 512 * 1024;
/// How much larger than the chart its picture is: sharper than most mails, within 10 ms of CPU.
pub const SCALE: f64 = 1.5;
/// What bold adds to a stroke, in font sizes.
const BOLD: f64 = 0.035;

/// The charts of a message as the pictures its HTML names. A chart that cannot be painted is left
/// out.
pub fn attachments(charts: &[Chart]) -> Vec<Attachment> {
    let picture = |chart: &Chart| {
        let name = chart.content_id.split('@').next().unwrap_or("chart");
        Some(Attachment {
            name: format!("{name}.png"),
            content_type: "image/png".to_owned(),
            bytes: png(&chart.scene, SCALE)?,
            content_id: Some(chart.content_id.clone()),
        })
    };
    charts.iter().filter_map(picture).collect()
}

/// A chart as PNG.
pub fn png(scene: &Scene, scale: f64) -> Option<Vec<u8>> {
    let (width, height) = (pixels(scene.width * scale)?, pixels(scene.height * scale)?);
    let mut canvas = Pixmap::new(width, height)?;
    canvas.fill(Color::WHITE);
    let face = Face::parse(FONT, 0).ok()?;
    let transform = Transform::from_scale(narrow(scale), narrow(scale));
    for shape in &scene.shapes {
        paint(&mut canvas, shape, transform, &face);
    }
    encode(&canvas, scene).filter(|bytes| bytes.len() <= MAX_BYTES)
}

/// The canvas as PNG: by a palette where its colours are few enough, which takes less time and room.
fn encode(canvas: &Pixmap, scene: &Scene) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, canvas.width(), canvas.height());
    // A tenth of the bytes of `Fast`, for hardly more time.
    encoder.set_compression(png::Compression::Balanced);
    let data = match indexed(canvas, scene) {
        Some((palette, places)) => {
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(palette);
            // Places of a palette repeat as they are; differences between them would not.
            encoder.set_filter(png::Filter::NoFilter);
            places
        }
        None => {
            encoder.set_color(png::ColorType::Rgb);
            let colours = canvas.pixels().iter();
            colours
                .flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()])
                .collect()
        }
    };
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&data).ok()?;
    writer.finish().ok()?;
    Some(out)
}

/// The colours of a canvas, those of its shapes first, and the place of each pixel's among them.
/// Colours between two shapes that differ by less than an eye sees are one.
fn indexed(canvas: &Pixmap, scene: &Scene) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut known = vec![None; 1 << 12];
    let mut palette = Vec::new();
    let mut place = |[red, green, blue]: [u8; 3]| -> Option<u8> {
        let key = |part: u8| usize::from(part >> 4);
        let slot = known.get_mut(key(red) << 8 | key(green) << 4 | key(blue))?;
        if slot.is_none() {
            *slot = Some(u8::try_from(palette.len() / 3).ok()?);
            palette.extend([red, green, blue]);
        }
        *slot
    };
    for shape in &scene.shapes {
        let (Shape::Rect { fill: color, .. }
        | Shape::Dot { fill: color, .. }
        | Shape::Text { fill: color, .. }
        | Shape::Line { stroke: color, .. }) = shape;
        place(rgb(color))?;
    }
    let pixels = canvas.pixels().iter();
    let places = pixels
        .map(|pixel| place([pixel.red(), pixel.green(), pixel.blue()]))
        .collect::<Option<Vec<u8>>>()?;
    Some((palette, places))
}

fn paint(canvas: &mut Pixmap, shape: &Shape, transform: Transform, face: &Face<'_>) {
    match shape {
        Shape::Rect {
            x,
            y,
            width,
            height,
            fill,
        } => {
            let (x, y, width, height) = (narrow(*x), narrow(*y), narrow(*width), narrow(*height));
            if let Some(rect) = Rect::from_xywh(x, y, width, height) {
                canvas.fill_rect(rect, &ink(fill), transform, None);
            }
        }
        Shape::Line {
            points,
            stroke,
            thick,
        } => {
            let mut path = PathBuilder::new();
            for (at, (x, y)) in points.iter().enumerate() {
                match at {
                    0 => path.move_to(narrow(*x), narrow(*y)),
                    _ => path.line_to(narrow(*x), narrow(*y)),
                }
            }
            outline(canvas, path.finish(), &ink(stroke), *thick, transform);
        }
        Shape::Dot { x, y, radius, fill } => {
            let path = PathBuilder::from_circle(narrow(*x), narrow(*y), narrow(*radius));
            fill_path(canvas, path, &ink(fill), transform);
        }
        Shape::Text {
            x,
            y,
            size,
            anchor,
            bold,
            fill,
            words,
        } => {
            let (path, width) = letters(face, words, *size);
            let start = match anchor {
                Anchor::Start => *x,
                Anchor::Middle => x - width / 2.0,
                Anchor::End => x - width,
            };
            let placed = transform.pre_translate(narrow(start), narrow(*y));
            if *bold {
                outline(canvas, path.clone(), &ink(fill), size * BOLD, placed);
            }
            fill_path(canvas, path, &ink(fill), placed);
        }
    }
}

fn fill_path(canvas: &mut Pixmap, path: Option<Path>, paint: &Paint<'_>, transform: Transform) {
    if let Some(path) = path {
        canvas.fill_path(&path, paint, FillRule::Winding, transform, None);
    }
}

fn outline(
    canvas: &mut Pixmap,
    path: Option<Path>,
    paint: &Paint<'_>,
    thick: f64,
    transform: Transform,
) {
    let stroke = Stroke {
        width: narrow(thick),
        ..Stroke::default()
    };
    if let Some(path) = path {
        canvas.stroke_path(&path, paint, &stroke, transform, None);
    }
}

/// The outlines of a line of text that begins at 0, and how wide it is.
fn letters(face: &Face<'_>, words: &str, size: f64) -> (Option<Path>, f64) {
    let unit = size / f64::from(face.units_per_em());
    let mut pen = Pen {
        path: PathBuilder::new(),
        unit: narrow(unit),
        x: 0.0,
    };
    let mut width = 0.0;
    for c in words.chars() {
        let glyph = face.glyph_index(c).unwrap_or(GlyphId(0));
        pen.x = narrow(width);
        face.outline_glyph(glyph, &mut pen);
        width += f64::from(face.glyph_hor_advance(glyph).unwrap_or(0)) * unit;
    }
    (pen.path.finish(), width)
}

/// Draws glyphs: the font's y points up, the picture's down.
struct Pen {
    path: PathBuilder,
    unit: f32,
    x: f32,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.unit, -y * self.unit)
    }
}

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

/// Paint of a colour.
fn ink(color: &str) -> Paint<'static> {
    let [red, green, blue] = rgb(color);
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, u8::MAX);
    paint.anti_alias = true;
    paint
}

/// The parts of a colour such as `#0072b2`; of anything else, black's.
fn rgb(color: &str) -> [u8; 3] {
    [1, 3, 5].map(|from| {
        let digits = color.get(from..from + 2).unwrap_or("00");
        u8::from_str_radix(digits, 16).unwrap_or(0)
    })
}

/// A length that the rasteriser can take; a picture has far fewer pixels than an `f32` tells apart.
fn narrow(length: f64) -> f32 {
    length as f32
}

fn pixels(side: f64) -> Option<u32> {
    // In bounds, and whole after rounding.
    (1.0..=MAX_SIDE)
        .contains(&side)
        .then(|| side.round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rules::report::chart::{Chart as Drawn, Form, Series};
    use std::time::Instant;

    fn chart(form: Form) -> Scene {
        let series = |name: &str, by: f64| Series {
            name: name.to_owned(),
            values: (0..30)
                .map(|day| Some(100.0 + by * f64::from(day % 7)))
                .collect(),
        };
        Drawn {
            form,
            title: "Orders by day, Größe ½ €".to_owned(),
            labels: (1..=30).map(|day| format!("{day} Nov")).collect(),
            series: vec![series("accepted", 11.0), series("refused", -3.0)],
            left_out: 0,
        }
        .scene()
    }

    /// The colour of a pixel of a PNG.
    fn pixel(bytes: &[u8], x: usize, y: usize) -> [u8; 3] {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let at = y * info.line_size + x * 3;
        pixels[at..at + 3].try_into().unwrap()
    }

    #[test]
    fn a_picture_shows_what_the_chart_draws() {
        let scene = Scene {
            width: 20.0,
            height: 10.0,
            shapes: vec![
                Shape::Rect {
                    x: 5.0,
                    y: 2.0,
                    width: 4.0,
                    height: 4.0,
                    fill: "#0072b2",
                },
                Shape::Line {
                    points: vec![(12.0, 1.0), (12.0, 9.0)],
                    stroke: "#d55e00",
                    thick: 2.0,
                },
                Shape::Text {
                    x: 16.0,
                    y: 9.0,
                    size: 12.0,
                    anchor: Anchor::Middle,
                    bold: true,
                    fill: "#000000",
                    words: "I".to_owned(),
                },
            ],
        };
        let bytes = png(&scene, 2.0).unwrap();
        assert_eq!(pixel(&bytes, 0, 0), [255, 255, 255]);
        assert_eq!(pixel(&bytes, 14, 8), [0, 0x72, 0xb2]);
        assert_eq!(pixel(&bytes, 24, 10), [0xd5, 0x5e, 0]);
        assert_eq!(pixel(&bytes, 32, 12), [0, 0, 0]);
    }

    #[test]
    fn the_same_chart_makes_the_same_small_picture() {
        for form in [
            Form::Bar,
            Form::Stacked,
            Form::Horizontal,
            Form::Line,
            Form::Sparkline,
        ] {
            let scene = chart(form);
            let bytes = png(&scene, SCALE).unwrap();
            assert_eq!(Some(&bytes), png(&scene, SCALE).as_ref());
            assert!(
                bytes.starts_with(b"\x89PNG") && bytes.len() < 100 * 1024,
                "{form:?}: {}",
                bytes.len()
            );
        }
    }

    #[test]
    fn what_is_too_large_is_no_picture() {
        let scene = Scene {
            width: 4_000.0,
            height: 10.0,
            shapes: Vec::new(),
        };
        assert_eq!(png(&scene, 1.0), None);
        assert_eq!(png(&Scene::default(), 1.0), None);
    }

    #[test]
    fn how_long_a_picture_takes() {
        for form in [Form::Bar, Form::Line, Form::Horizontal] {
            let scene = chart(form);
            for scale in [1.0, SCALE] {
                let (start, rounds) = (Instant::now(), 20);
                let mut size = 0;
                for _ in 0..rounds {
                    size = png(&scene, scale).unwrap().len();
                }
                let took = start.elapsed() / rounds;
                println!("{form:?} at {scale}: {took:?}, {size} bytes");
                assert!(took.as_secs() < 2);
            }
        }
    }
}
