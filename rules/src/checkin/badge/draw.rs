//! Draws a badge as SVG, in millimetres.
//!
//! Invariant: whatever a guest is called, the picture is well-formed XML, runs nothing, loads
//! nothing, and nothing of it leaves its place: a text is shrunk, then cut, then clipped.
//! Failure: a field that the guest does not have is left out.

use std::fmt::Write;

use super::{Align, Element, Field, Shape, Template};
use crate::measure;
use crate::qr::Code;
use crate::xml::{escape, one_line};

/// A text is shrunk to this part of its size before it is cut.
const LEAST: f64 = 0.5;
/// From this part of its place on a text is held to its estimated width, whatever the font.
const HELD: f64 = 0.8;
/// From the middle of a line to its baseline, in font sizes.
const DROP: f64 = 0.36;

/// What a badge says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Content<'a> {
    /// The guest's name.
    pub name: &'a str,
    /// The guest's category.
    pub category: Option<&'a str>,
    /// The guest's e-mail address.
    pub email: Option<&'a str>,
    /// The guest's code.
    pub code: Option<&'a str>,
    /// The gate of the check-in.
    pub gate: Option<&'a str>,
    /// The name of the guest list.
    pub table: &'a str,
}

impl<'a> Content<'a> {
    fn of(&self, element: &'a Element) -> &'a str {
        let field = element.field.unwrap_or(Field::Code);
        let said = match field {
            Field::Name => Some(self.name),
            Field::Category => self.category,
            Field::Email => self.email,
            Field::Code => self.code,
            Field::Gate => self.gate,
            Field::Table => Some(self.table),
            Field::Text => element.text.as_deref(),
        };
        said.unwrap_or_default()
    }
}

/// The badge of a guest.
pub fn svg(template: &Template, content: &Content<'_>) -> String {
    let (width, height) = (template.width_mm, template.height_mm);
    let mut out = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, sans-serif">"#
    );
    for element in &template.elements {
        match element.kind {
            Shape::Line => line(&mut out, element),
            Shape::Text => text(&mut out, element, content.of(element)),
            Shape::Qr => code(&mut out, element, content.of(element)),
        }
    }
    out.push_str("</svg>");
    out
}

// Writing to a String cannot fail.
fn line(out: &mut String, element: &Element) {
    let (x, y, size) = (element.x_mm, element.y_mm, element.size());
    let (right, below) = (mm(x + element.width_mm), mm(y + element.height()));
    let _ = write!(
        out,
        r##"<line x1="{x}" y1="{y}" x2="{right}" y2="{below}" stroke="#000" stroke-width="{size}"/>"##
    );
}

fn code(out: &mut String, element: &Element, says: &str) {
    let Some(code) = (!says.is_empty()).then(|| Code::of(says)).flatten() else {
        return;
    };
    let (x, y, side) = (element.x_mm, element.y_mm, element.height());
    let (modules, path) = (code.side(), code.path());
    let _ = write!(
        out,
        r#"<svg x="{x}" y="{y}" width="{side}" height="{side}" viewBox="0 0 {modules} {modules}" shape-rendering="crispEdges"><path d="{path}"/></svg>"#
    );
}

fn text(out: &mut String, element: &Element, says: &str) {
    let words = one_line(says);
    let words = words.trim();
    if words.is_empty() {
        return;
    }
    let (x, y, width, height) = (
        element.x_mm,
        element.y_mm,
        element.width_mm,
        element.height(),
    );
    let bold = element.bold;
    let largest = element.size().min(height / measure::LINE);
    let (shown, size) = fit(words, largest, width, bold);
    let (at, anchor) = match element.align {
        Align::Left => (0.0, "start"),
        Align::Center => (mm(width / 2.0), "middle"),
        Align::Right => (width, "end"),
    };
    let (base, drawn) = (mm(height / 2.0 + size * DROP), mm(size));
    let _ = write!(
        out,
        r#"<svg x="{x}" y="{y}" width="{width}" height="{}" overflow="hidden"><text x="{at}" y="{base}" font-size="{drawn}" text-anchor="{anchor}""#,
        mm(height)
    );
    if bold {
        out.push_str(r#" font-weight="bold""#);
    }
    let long = measure::width(&shown, bold) * size;
    if long >= width * HELD {
        let held = mm(long.min(width));
        let _ = write!(
            out,
            r#" textLength="{held}" lengthAdjust="spacingAndGlyphs""#
        );
    }
    out.push('>');
    escape(out, &shown);
    out.push_str("</text></svg>");
}

/// The words as they are shown, and their font size.
fn fit(words: &str, size: f64, width: f64, bold: bool) -> (String, f64) {
    let long = measure::width(words, bold) * size;
    if long <= width {
        return (words.to_owned(), size);
    }
    let shrunk = (size * width / long).max(size * LEAST);
    if measure::width(words, bold) * shrunk <= width * 1.000_001 {
        return (words.to_owned(), shrunk);
    }
    let mut kept = words;
    while let Some((place, last)) = kept.char_indices().next_back() {
        kept = kept.get(..place).unwrap_or_default();
        // A letter goes with its marks, and what a joiner bound goes together.
        if measure::joins(last) || kept.ends_with('\u{200d}') {
            continue;
        }
        let shown = format!("{}…", kept.trim_end());
        if measure::width(&shown, bold) * shrunk <= width {
            return (shown, shrunk);
        }
    }
    ("…".to_owned(), shrunk)
}

/// A length to the thousandth: no label printer is finer.
fn mm(length: f64) -> f64 {
    (length * 1_000.0).round() / 1_000.0
}
