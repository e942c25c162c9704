//! A check of a table: what it looks at, when, and what it makes of it.
//!
//! Invariant: a [`Check`] went through [`CheckIn::validate`]: everything is bounded, trimmed, and
//! fits its kind; its thresholds are there, given or usual.
//! Failure: every wrong field is reported with its JSON pointer.

mod input;
mod kind;
mod reading;
#[cfg(test)]
mod tests;
mod threshold;
mod validate;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::civil::Zone;
use crate::monitor::custom;
use crate::sql_guard::TableName;

pub use input::{CheckIn, CheckPatch};
pub use kind::HOLIDAYS;
pub use kind::{
    AcceptedValues, Aggregate, Assertion, Comparison, Difference, Empty, Expected, Freshness,
    KINDS, Key, Kind, Metric, OneColumn, Pattern, Range, Refers, RowCount, SchemaDrift, SeriesKind,
    Shift, ShiftValues, Volume, Weight,
};
pub use threshold::{Reference, Sensitivity, Threshold, ThresholdKind, Thresholds};

/// Longest name, in characters.
pub const NAME: usize = 200;
/// Longest description, in characters.
pub const DESCRIPTION: usize = 2_000;
/// Longest owner, in characters.
pub const OWNER: usize = 200;
/// Longest address of a runbook, in characters.
pub const RUNBOOK: usize = 2_000;
/// The shortest and longest time between two runs, in seconds.
pub const EVERY: std::ops::RangeInclusive<u32> = 60..=86_400;
/// The longest `for` and `keep_firing`, in seconds.
pub const LONGEST: u32 = 7 * 86_400;
/// The largest `hysteresis`: more would leave nothing to be inside of.
pub const HYSTERESIS: f64 = 0.5;
/// Most failing rows that are shown.
pub const SAMPLES: u32 = 20;
/// Most columns of a shown row.
pub const SAMPLE_COLUMNS: usize = 20;
/// Most labels.
pub const LABELS: usize = 20;
/// Longest name and value of a label, in characters.
pub const LABEL: usize = 100;
/// The longest window of latest rows, in seconds.
pub const WINDOW: u32 = 90 * 86_400;

/// Which rows a check is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = CheckScope))]
pub struct Scope {
    /// Those that this condition holds for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Those of the latest time by this column; with `last`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// How long that is, in seconds: 60 to 90 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<u32>,
}

/// Whether wrong rows are counted as they are or as a share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = CheckMeasure))]
pub enum Measure {
    /// A share of the rows looked at, 0 to 1.
    #[default]
    Share,
    /// Their number; where only some rows were looked at, what it comes to for all.
    Rows,
}

/// Which wrong rows are shown. None are unless this is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = CheckSamples))]
pub struct Samples {
    /// How many, 1 to 20.
    pub rows: u32,
    /// Which of their columns, 1 to 20. No other column leaves the database.
    pub columns: Vec<String>,
    /// Those of them of which only is told whether there is a value.
    #[serde(default)]
    pub masked: Vec<String>,
}

/// A check that is fine. Serialises to what is stored, and is read back from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = MonitorCheck))]
pub struct Check {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who is asked about it.
    pub owner: Option<String>,
    /// What to do when it fails.
    pub runbook_url: Option<String>,
    /// What it looks at.
    #[serde(flatten)]
    pub kind: Kind,
    /// Which rows it is about.
    #[serde(default)]
    pub scope: Scope,
    /// How wrong rows are counted.
    #[serde(default)]
    pub measure: Measure,
    /// From where on it warns or fails.
    #[serde(flatten)]
    pub thresholds: Thresholds,
    /// How often it runs, in seconds.
    pub every: u32,
    /// How long it must fail before anyone is told, in seconds.
    #[serde(rename = "for")]
    pub for_: u32,
    /// How long it must pass before that is over, in seconds.
    pub keep_firing: u32,
    /// How far inside its limits a value must be for that: a share of the width between them or, where
    /// there is only one, of its size.
    #[serde(default)]
    pub hysteresis: f64,
    /// Which wrong rows are shown.
    #[serde(default)]
    pub samples: Option<Samples>,
    /// What routes and silences go by.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// By whose clock days and weeks are meant; that of its kind or UTC unless given.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub timezone: Option<Zone>,
    /// Days of that zone that are not like others of their weekday.
    #[serde(default)]
    pub holidays: Vec<NaiveDate>,
    /// Whether it runs.
    pub enabled: bool,
}

impl Check {
    /// By whose clock its days and weeks are meant.
    pub fn zone(&self) -> Zone {
        let own = match &self.kind {
            Kind::Volume(volume) => Some(&volume.timezone),
            Kind::Freshness(freshness) => Some(&freshness.timezone),
            _ => None,
        };
        self.timezone.as_ref().or(own).cloned().unwrap_or_default()
    }

    /// Whether the values of another check are values of this one too: what is learned of one holds
    /// for the other.
    pub fn measures_as(&self, other: &Self) -> bool {
        (&self.kind, &self.scope, self.measure) == (&other.kind, &other.scope, other.measure)
    }

    /// Whether what was filled in for another check serves this one: it would be the same values of
    /// the same times, or none again.
    pub fn is_filled_as(&self, other: &Self) -> bool {
        let learns = |check: &Self| !check.thresholds.sensitivities().is_empty();
        self.measures_as(other)
            && (self.bucket(), learns(self)) == (other.bucket(), learns(other))
            && (self.zone(), &self.holidays) == (other.zone(), &other.holidays)
    }

    /// What its values are to a detector; none when nothing can be learned of them.
    pub fn series(&self) -> Option<SeriesKind> {
        let measures = self.kind.measures();
        match (measures.series, self.measure) {
            (Some(SeriesKind::Rate), Measure::Rows) => Some(SeriesKind::Count),
            (series, _) => series,
        }
    }

    /// How far apart its values are, in seconds.
    pub fn bucket(&self) -> u32 {
        match &self.kind {
            Kind::Volume(volume) => volume.bucket,
            _ => self.every,
        }
    }

    /// Every table that its statement reads, its own first.
    pub fn tables(&self, own: &TableName) -> Vec<TableName> {
        let mut tables = vec![own.clone()];
        let others = match &self.kind {
            Kind::Reference(refers) => vec![refers.to.clone()],
            Kind::Comparison(comparison) => vec![comparison.with.clone()],
            Kind::Metric(metric) => custom::tables(&metric.sql, &own.schema),
            _ => Vec::new(),
        };
        for table in others {
            if !tables.contains(&table) {
                tables.push(table);
            }
        }
        tables
    }
}
