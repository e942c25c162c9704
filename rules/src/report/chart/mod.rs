//! Charts of query results: bars, stacked bars, horizontal bars, lines, sparklines.
//!
//! A report names a chart as a picture of the scheme `chart:`, which is Markdown that anybody can
//! write: `![Orders by day](chart:orders?form=line&x=day&y=total)`.
//!
//! Invariant: the same data draw the same bytes; what is no finite number is a gap; the picture has
//! a light background of its own, so that no dark mode makes it unreadable.
//! Failure: a chart that names what is not there is a [`Missing`], in words.

mod draw;
mod scale;
pub mod scene;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::moment::Moment;
use super::{Column, Dataset, Kind, format};
use crate::civil::Zone;

pub use scene::Scene;

/// How a destination of a picture that is a chart begins.
pub const SCHEME: &str = "chart:";
/// Width of a chart, in pixels.
pub const WIDTH: f64 = 600.0;
/// Height of a chart, in pixels.
pub const HEIGHT: f64 = 300.0;
/// Most series of a chart.
pub const MAX_SERIES: usize = 6;
/// Most points of a line.
pub const MAX_POINTS: usize = 400;
/// Most bars.
pub const MAX_BARS: usize = 40;
/// Most bars that lie on their side.
pub const MAX_LYING: usize = 12;
/// Beyond this nothing is drawn.
const MAX_VALUE: f64 = 1e15;

/// What a chart looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ChartForm))]
pub enum Form {
    /// Bars that stand, series side by side.
    #[default]
    Bar,
    /// Bars that stand, series on top of each other.
    Stacked,
    /// Bars that lie.
    Horizontal,
    /// Lines.
    Line,
    /// A small line without axes.
    Sparkline,
}

/// A chart as a report names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// The dataset.
    pub dataset: String,
    /// What it looks like.
    pub form: Form,
    /// The column along the axis; the first that is no number unless named.
    pub x: Option<String>,
    /// The columns of numbers; the first unless named.
    pub y: Vec<String>,
}

/// Why a chart cannot be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub String);

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What it looks like.
    pub form: Form,
    /// Heading; empty for none.
    pub title: String,
    /// What the points are called.
    pub labels: Vec<String>,
    /// The numbers.
    pub series: Vec<Series>,
    /// Points that were left out.
    pub left_out: usize,
}

/// Numbers that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What they are.
    pub name: String,
    /// One per label.
    pub values: Vec<Option<f64>>,
}

impl Form {
    /// The form of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "bar" => Self::Bar,
            "stacked" => Self::Stacked,
            "horizontal" => Self::Horizontal,
            "line" => Self::Line,
            "sparkline" => Self::Sparkline,
            _ => return None,
        })
    }

    /// The names, for messages.
    pub const NAMES: &str = "bar, stacked, horizontal, line or sparkline";

    fn name(self) -> &'static str {
        match self {
            Self::Bar => "bar",
            Self::Stacked => "stacked",
            Self::Horizontal => "horizontal",
            Self::Line => "line",
            Self::Sparkline => "sparkline",
        }
    }

    fn most(self) -> usize {
        match self {
            Self::Bar | Self::Stacked => MAX_BARS,
            Self::Horizontal => MAX_LYING,
            Self::Line | Self::Sparkline => MAX_POINTS,
        }
    }
}

impl Spec {
    /// Reads the destination of a picture. None if it is no chart.
    pub fn parse(destination: &str) -> Option<Result<Self, Missing>> {
        let rest = destination.strip_prefix(SCHEME)?;
        Some(Self::read(rest))
    }

    fn read(rest: &str) -> Result<Self, Missing> {
        let (dataset, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut spec = Self {
            dataset: dataset.to_owned(),
            ..Self::default()
        };
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "form" => {
                    spec.form = Form::parse(&value).ok_or_else(|| {
                        Missing(format!("the form of a chart is {}", Form::NAMES))
                    })?;
                }
                "x" => spec.x = Some(value.into_owned()),
                "y" if spec.y.len() < MAX_SERIES => spec.y.push(value.into_owned()),
                "y" => return Err(Missing(format!("a chart has at most {MAX_SERIES} series"))),
                _ => return Err(Missing("a chart takes form, x and y".to_owned())),
            }
        }
        Ok(spec)
    }

    /// The destination that names this chart.
    pub fn destination(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("form", self.form.name());
        if let Some(x) = &self.x {
            query.append_pair("x", x);
        }
        for y in &self.y {
            query.append_pair("y", y);
        }
        // Parentheses would end the destination early.
        let query = query.finish().replace('(', "%28").replace(')', "%29");
        format!("{SCHEME}{}?{query}", self.dataset)
    }
}

impl Chart {
    /// The chart of a spec.
    pub fn of(spec: &Spec, title: &str, data: &[Dataset], zone: &Zone) -> Result<Self, Missing> {
        let missing = |what: &str, name: &str| Missing(format!("there is no {what} {name}"));
        let set = data
            .iter()
            .find(|set| set.name == spec.dataset)
            .ok_or_else(|| missing("dataset", &spec.dataset))?;
        let place = |name: &String| set.column(name).ok_or_else(|| missing("column", name));
        let x = match &spec.x {
            Some(name) => Some(place(name)?),
            None => first(set, |column| column.kind != Kind::Number),
        };
        let y = match spec.y.is_empty() {
            true => first(set, |column| column.kind == Kind::Number)
                .into_iter()
                .collect(),
            false => spec.y.iter().map(place).collect::<Result<Vec<_>, _>>()?,
        };
        if y.is_empty() {
            return Err(Missing(format!("{} has no column of numbers", set.name)));
        }
        let shown = set.rows.len().min(spec.form.most());
        // A line keeps its ends; bars are the first ones.
        let (from, left_out) = match spec.form {
            Form::Line | Form::Sparkline => (set.rows.len() - shown, set.rows.len() - shown),
            _ => (0, set.rows.len() - shown),
        };
        let rows = from..from + shown;
        let name = |place: usize| set.columns.get(place).map_or("", |column| &column.name);
        let value = |row: usize, column: usize| {
            let number = set.number(row, column);
            number.filter(|number| number.abs() <= MAX_VALUE)
        };
        Ok(Self {
            form: spec.form,
            title: title.to_owned(),
            labels: rows
                .clone()
                .map(|row| match x {
                    Some(x) => label(set.cell(row, x), zone),
                    None => (row + 1).to_string(),
                })
                .collect(),
            series: y
                .into_iter()
                .map(|place| Series {
                    name: words(name(place)),
                    values: rows.clone().map(|row| value(row, place)).collect(),
                })
                .collect(),
            left_out,
        })
    }

    /// The picture.
    pub fn scene(&self) -> Scene {
        draw::scene(self)
    }

    /// What it shows, in words: the title, and what the numbers go from and to.
    pub fn alt(&self) -> String {
        let mut parts = Vec::new();
        for series in &self.series {
            let mut numbers = series.values.iter().flatten();
            let Some(first) = numbers.next() else {
                continue;
            };
            let (least, most) = numbers.fold((*first, *first), |(least, most), number| {
                (least.min(*number), most.max(*number))
            });
            let (least, most) = (format::short(least, 2), format::short(most, 2));
            parts.push(match least == most {
                true => format!("{} {least}", series.name),
                false => format!("{} from {least} to {most}", series.name),
            });
        }
        let shown = match parts.is_empty() {
            true => "no data".to_owned(),
            false => parts.join(", "),
        };
        let title = if self.title.is_empty() {
            "Chart"
        } else {
            &self.title
        };
        format!("{title}: {shown}")
    }
}

/// A column's name as people read it: `total_eur` becomes `total eur`.
pub fn words(name: &str) -> String {
    name.replace('_', " ").trim().to_owned()
}

fn first(set: &Dataset, fits: impl Fn(&Column) -> bool) -> Option<usize> {
    set.columns.iter().position(fits)
}

fn label(cell: Option<&Value>, zone: &Zone) -> String {
    match cell {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => match Moment::read(text, zone) {
            // Midnight says no more than the day does.
            Some(Moment {
                day: Some(day),
                clock,
            }) if clock == Some(chrono::NaiveTime::MIN) => Moment::of(day).short(),
            Some(moment) => moment.short(),
            None => text.clone(),
        },
        Some(other) => other.to_string(),
    }
}
