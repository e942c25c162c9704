//! True numbers: every figure of a report is traced to a query result of its run.
//!
//! Invariant: a figure is traced only by what the data says or by one of the derivations in
//! [`Derivation`]; the work is bounded whatever the report and the data are.
//! Failure: a figure that nothing explains has no trace; [`mark`] shows it to the reader.

mod blocks;
mod dates;
mod derive;
mod facts;
mod mark;
mod mentions;
mod numeral;
mod pool;
mod quotes;
mod scan;
mod trace;
mod words;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Dataset, markdown};
use crate::civil::Zone;

/// What a report was written for.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The zone of its schedule, in which its times are meant.
    pub zone: &'a Zone,
    /// The occurrence it is for.
    pub scheduled_for: DateTime<Utc>,
    /// What was asked: numbers quoted from it are no claims.
    pub prompt: &'a str,
}

/// The figures of a report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = CheckedFigures))]
pub struct Checked {
    /// Every figure that was found, in order.
    pub figures: Vec<Figure>,
    /// How many of them nothing explains.
    pub untraced: usize,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReportFigure))]
pub struct Figure {
    /// As it is written.
    pub text: String,
    /// Its first byte in the report.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// What it says.
    pub value: Amount,
    /// Of what.
    pub unit: Unit,
    /// What explains it.
    pub traced: Option<Trace>,
}

/// What a figure says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FigureAmount))]
pub enum Amount {
    /// A number, abbreviations written out.
    Number(f64),
    /// A day, a time of day, or both: `2026-11-26`, `09:30`, `2026-11-26T09:30`.
    Time(String),
}

/// What a figure counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FigureUnit))]
pub enum Unit {
    /// Nothing in particular.
    #[default]
    Plain,
    /// Hundredths.
    Percent,
    /// Money, by its ISO code or its symbol.
    Money(String),
    /// A time.
    Time,
}

/// What explains a figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FigureTrace))]
pub struct Trace {
    /// How it comes from the data.
    pub derivation: Derivation,
    /// The dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// The columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The rows, from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<usize>,
}

/// How a figure comes from the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FigureDerivation))]
pub enum Derivation {
    /// It is a cell, rounded.
    Cell,
    /// It is the number of rows, or of columns' distinct values.
    Count,
    /// It is the sum of a column.
    Sum,
    /// It is the mean or the median of a column.
    Average,
    /// It is the difference of two cells.
    Difference,
    /// It is the change from one cell to another, in percent or as a multiple.
    Change,
    /// It is a cell's part of a whole.
    Share,
    /// It is one cell for each of another, or a multiple of it.
    Ratio,
    /// It stands in a text cell.
    Text,
    /// It is the time of the schedule.
    Schedule,
    /// It is quoted from what was asked.
    Prompt,
}

/// Finds the figures of a report and traces them. What is cut off a report that is too long for a
/// message is not read: nobody sees it.
pub fn check(report: &str, data: &[Dataset], context: &Context<'_>) -> Checked {
    let (report, _) = markdown::bounded(report);
    let blocks = blocks::of(report);
    let facts = facts::Facts::of(data, context);
    let figures = trace::trace(&blocks, &facts);
    let untraced = figures
        .iter()
        .filter(|figure| figure.traced.is_none())
        .count();
    Checked { figures, untraced }
}

pub use mark::mark;
