//! A picture as a list of shapes, and that list as SVG.
//!
//! Invariant: the same shapes make the same bytes; texts are only texts; nothing is loaded or run.
//! Failure: a coordinate that is no number is 0.

use std::fmt::Write;

use crate::xml;

/// A picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// Width in pixels.
    pub width: f64,
    /// Height in pixels.
    pub height: f64,
    /// What is drawn, later over earlier.
    pub shapes: Vec<Shape>,
}

/// A colour: `#rrggbb`.
pub type Color = &'static str;

/// One shape.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A filled rectangle.
    Rect {
        /// Left edge.
        x: f64,
        /// Top edge.
        y: f64,
        /// Width.
        width: f64,
        /// Height.
        height: f64,
        /// Colour.
        fill: Color,
    },
    /// A line through points.
    Line {
        /// The points.
        points: Vec<(f64, f64)>,
        /// Colour.
        stroke: Color,
        /// Thickness.
        thick: f64,
    },
    /// A filled circle.
    Dot {
        /// Centre.
        x: f64,
        /// Centre.
        y: f64,
        /// Radius.
        radius: f64,
        /// Colour.
        fill: Color,
    },
    /// A line of text.
    Text {
        /// Where it is anchored.
        x: f64,
        /// Its baseline.
        y: f64,
        /// Font size.
        size: f64,
        /// What of it stands at `x`.
        anchor: Anchor,
        /// Bold.
        bold: bool,
        /// Colour.
        fill: Color,
        /// What it says.
        words: String,
    },
}

/// What of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

impl Scene {
    /// The picture as SVG. `alt` is what it shows, in words.
    pub fn svg(&self, alt: &str) -> String {
        let (width, height) = (px(self.width), px(self.height));
        let mut out = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" font-family="Helvetica, Arial, sans-serif"><title>"#
        );
        xml::escape(&mut out, &xml::one_line(alt));
        out.push_str("</title>");
        for shape in &self.shapes {
            write(&mut out, shape);
        }
        out.push_str("</svg>");
        out
    }
}

// Writing to a String cannot fail.
fn write(out: &mut String, shape: &Shape) {
    match shape {
        Shape::Rect {
            x,
            y,
            width,
            height,
            fill,
        } => {
            let (x, y, width, height) = (px(*x), px(*y), px(*width), px(*height));
            let _ = write!(
                out,
                r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{fill}"/>"#
            );
        }
        Shape::Line {
            points,
            stroke,
            thick,
        } => {
            out.push_str(r#"<polyline points=""#);
            for (at, (x, y)) in points.iter().enumerate() {
                let space = if at > 0 { " " } else { "" };
                let _ = write!(out, "{space}{},{}", px(*x), px(*y));
            }
            let thick = px(*thick);
            let _ = write!(
                out,
                r#"" fill="none" stroke="{stroke}" stroke-width="{thick}" stroke-linejoin="round"/>"#
            );
        }
        Shape::Dot { x, y, radius, fill } => {
            let (x, y, radius) = (px(*x), px(*y), px(*radius));
            let _ = write!(
                out,
                r#"<circle cx="{x}" cy="{y}" r="{radius}" fill="{fill}"/>"#
            );
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
            let (x, y, size) = (px(*x), px(*y), px(*size));
            let _ = write!(
                out,
                r#"<text x="{x}" y="{y}" font-size="{size}" fill="{fill}""#
            );
            match anchor {
                Anchor::Start => {}
                Anchor::Middle => out.push_str(r#" text-anchor="middle""#),
                Anchor::End => out.push_str(r#" text-anchor="end""#),
            }
            if *bold {
                out.push_str(r#" font-weight="bold""#);
            }
            out.push('>');
            xml::escape(out, &xml::one_line(words));
            out.push_str("</text>");
        }
    }
}

/// A length to the hundredth of a pixel.
fn px(length: f64) -> f64 {
    let rounded = (length * 100.0).round() / 100.0;
    // Adding nothing turns -0 into 0.
    if rounded.is_finite() {
        rounded + 0.0
    } else {
        0.0
    }
}
