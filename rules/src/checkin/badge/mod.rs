//! Badges: what a label shows and where, as its organiser describes it.
//!
//! Invariant: a [`Template`] that was checked lies within its label, element by element; lengths are
//! millimetres to the hundredth. Drawing is [`draw::svg`].
//! Failure: every wrong field is reported with its JSON pointer.

pub mod draw;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::invalid::Invalid;
use crate::{measure, name};

pub use draw::{Content, svg};

/// Most elements of a label.
pub const MAX_ELEMENTS: usize = 40;
/// A smaller QR code is not read reliably from paper, in millimetres.
const LEAST_QR: f64 = 5.0;

/// A label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(as = BadgeTemplate)
)]
pub struct Template {
    /// Width of the label.
    #[cfg_attr(feature = "schema", schema(minimum = 10, maximum = 300))]
    pub width_mm: f64,
    /// Height of the label.
    #[cfg_attr(feature = "schema", schema(minimum = 10, maximum = 300))]
    pub height_mm: f64,
    /// What is on it; later ones lie over earlier ones.
    #[cfg_attr(feature = "schema", schema(min_items = 1, max_items = 40))]
    pub elements: Vec<Element>,
}

/// One thing on a label. All of it must lie within the label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(as = BadgeElement)
)]
pub struct Element {
    /// What it is.
    pub kind: Shape,
    /// What a text or a QR code says. A QR code says the guest's code unless told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Field>,
    /// The words of the field `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schema(
            max_length = 200,
            pattern = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*\S[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
        )
    )]
    pub text: Option<String>,
    /// From the left edge of the label.
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 300))]
    pub x_mm: f64,
    /// From the top edge of the label.
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 300))]
    pub y_mm: f64,
    /// Width; of a QR code the side, of a line how far it goes to the right.
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 300))]
    pub width_mm: f64,
    /// Height; of a text its line unless told otherwise, of a line how far it goes down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 0, maximum = 300))]
    pub height_mm: Option<f64>,
    /// Font size of a text (5 unless told otherwise), thickness of a line (0.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(minimum = 0.1, maximum = 100))]
    pub size_mm: Option<f64>,
    /// Where a text stands within its width.
    #[serde(default)]
    pub align: Align,
    /// Whether a text is bold.
    #[serde(default)]
    pub bold: bool,
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(as = BadgeShape)
)]
pub enum Shape {
    Text,
    Qr,
    Line,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(as = BadgeField)
)]
pub enum Field {
    /// The guest's name.
    Name,
    /// The guest's category.
    Category,
    /// The guest's e-mail address.
    Email,
    /// The guest's code.
    Code,
    /// The gate of the check-in.
    Gate,
    /// The name of the guest list.
    Table,
    /// The element's own words.
    Text,
}

/// Where a text stands within its width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(as = BadgeAlign)
)]
pub enum Align {
    #[default]
    Left,
    Center,
    Right,
}

impl Default for Template {
    /// A name card of 86 × 54 mm: the event on top, name and category, the code at the right.
    fn default() -> Self {
        let text = |field, y_mm, width_mm, size_mm, bold| Element {
            kind: Shape::Text,
            field: Some(field),
            text: None,
            x_mm: 4.0,
            y_mm,
            width_mm,
            height_mm: None,
            size_mm: Some(size_mm),
            align: Align::Left,
            bold,
        };
        let rule = Element {
            kind: Shape::Line,
            field: None,
            ..text(Field::Table, 10.0, 78.0, 0.3, false)
        };
        let code = Element {
            kind: Shape::Qr,
            x_mm: 58.0,
            size_mm: None,
            ..text(Field::Code, 14.0, 24.0, 0.0, false)
        };
        Self {
            width_mm: 86.0,
            height_mm: 54.0,
            elements: vec![
                text(Field::Table, 4.0, 78.0, 3.6, false),
                rule,
                text(Field::Name, 17.0, 52.0, 8.0, true),
                text(Field::Category, 29.0, 52.0, 5.0, false),
                text(Field::Gate, 46.0, 78.0, 3.2, false),
                code,
            ],
        }
    }
}

impl Template {
    /// Checks what came in.
    pub fn check(self) -> Result<Self, Invalid> {
        let mut invalid = Invalid::default();
        let mut label =
            |pointer: &str, length| within(&mut invalid, pointer.to_owned(), length, 10.0, 300.0);
        let size = (
            label("/width_mm", self.width_mm),
            label("/height_mm", self.height_mm),
        );
        match self.elements.len() {
            0 => invalid.add("/elements", "required", "A label shows something."),
            1..=MAX_ELEMENTS => {}
            _ => invalid.add("/elements", "too_many", "At most 40 elements."),
        }
        let elements = self.elements.into_iter().take(MAX_ELEMENTS).enumerate();
        let elements = elements.map(|(place, element)| {
            let base = format!("/elements/{place}");
            element.check(&base, size, &mut invalid)
        });
        let elements = elements.collect();
        invalid.or(Self {
            width_mm: size.0,
            height_mm: size.1,
            elements,
        })
    }
}

impl Element {
    /// Font size of a text, thickness of a line.
    pub(super) fn size(&self) -> f64 {
        self.size_mm.unwrap_or(match self.kind {
            Shape::Line => 0.3,
            Shape::Text | Shape::Qr => 5.0,
        })
    }

    /// The height it takes.
    pub(super) fn height(&self) -> f64 {
        match (self.kind, self.height_mm) {
            (Shape::Qr, height) => height.map_or(self.width_mm, |height| height.min(self.width_mm)),
            (Shape::Text, None) => self.size() * measure::LINE,
            (Shape::Line, None) => 0.0,
            (Shape::Text | Shape::Line, Some(height)) => height,
        }
    }

    fn check(mut self, base: &str, label: (f64, f64), invalid: &mut Invalid) -> Self {
        let at = |field: &str| format!("{base}/{field}");
        let least = match self.kind {
            Shape::Line => 0.0,
            Shape::Text => 1.0,
            Shape::Qr => LEAST_QR,
        };
        self.x_mm = within(invalid, at("x_mm"), self.x_mm, 0.0, 300.0);
        self.y_mm = within(invalid, at("y_mm"), self.y_mm, 0.0, 300.0);
        self.width_mm = within(invalid, at("width_mm"), self.width_mm, least, 300.0);
        let high = self.height_mm;
        self.height_mm = high.map(|mm| within(invalid, at("height_mm"), mm, least, 300.0));
        self.size_mm = match self.kind {
            Shape::Text => self
                .size_mm
                .map(|mm| within(invalid, at("size_mm"), mm, 1.0, 100.0)),
            Shape::Line => self
                .size_mm
                .map(|mm| within(invalid, at("size_mm"), mm, 0.1, 10.0)),
            Shape::Qr if self.size_mm.is_some() => {
                invalid.add(
                    at("size_mm"),
                    "not_here",
                    "A QR code is as large as its width.",
                );
                None
            }
            Shape::Qr => None,
        };
        if self.kind == Shape::Line && self.width_mm + self.height() <= 0.0 {
            invalid.add(at("width_mm"), "out_of_range", "A line has a length.");
        }
        // Rounded lengths may add up to a hair more than the label.
        if self.x_mm + self.width_mm > label.0 + 0.005 {
            invalid.add(at("width_mm"), "outside_label", "Ends right of the label.");
        }
        if self.y_mm + self.height() > label.1 + 0.005 {
            let which = if self.height_mm.is_some() {
                "height_mm"
            } else {
                "y_mm"
            };
            invalid.add(at(which), "outside_label", "Ends below the label.");
        }
        self.check_words(base, invalid);
        self
    }

    fn check_words(&mut self, base: &str, invalid: &mut Invalid) {
        let at = |field: &str| format!("{base}/{field}");
        let says = match (self.kind, self.field) {
            (Shape::Line, Some(_)) => {
                invalid.add(at("field"), "not_here", "A line says nothing.");
                None
            }
            (Shape::Text, None) => {
                invalid.add(at("field"), "required", "Tell what the text says.");
                None
            }
            (_, field) => field,
        };
        match (says, &self.text) {
            (Some(Field::Text), words) => {
                let words = words.as_deref().unwrap_or_default();
                self.text = invalid.take(name::parse(&at("text"), words, 200));
            }
            (_, Some(_)) => invalid.add(at("text"), "not_here", "Only the field text has words."),
            (_, None) => {}
        }
    }
}

/// `#[serde(default, deserialize_with = "badge::stored")]`: a template from a store. One that somebody
/// wrote there by hand and that is none counts as none: doors open all the same.
pub fn stored<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Template>, D::Error> {
    let found = Value::deserialize(from)?;
    let template = serde_json::from_value::<Template>(found).ok();
    Ok(template.and_then(|template| template.check().ok()))
}

/// A length to the hundredth; noted when it is out of its range.
fn within(invalid: &mut Invalid, pointer: String, mm: f64, least: f64, most: f64) -> f64 {
    if !(least..=most).contains(&mm) {
        let message = format!("Must be {least} to {most} mm.");
        invalid.add(pointer, "out_of_range", message);
        return least;
    }
    (mm * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests;
