//! The kinds of checks and what each needs to be told.
//!
//! Invariant: what passes can be asked of any table that has the columns; everything is bounded.
//! Failure: every wrong field is refused at its pointer below `/settings`.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reading::decode;
use super::threshold::Thresholds;
use crate::civil::Zone;
use crate::invalid::Invalid;
use crate::sql_guard::TableName;

/// Most columns of a key.
pub const KEY: usize = 8;
/// Most accepted values.
pub const VALUES: usize = 1_000;
/// Longest accepted value or pattern, in characters.
pub const TEXT: usize = 1_000;
/// Most holidays.
pub const HOLIDAYS: usize = 500;

/// What a check looks at. In JSON: `{"kind": …, "settings": {…}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "settings", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = MonitorCheckKind))]
pub enum Kind {
    /// How old the newest row is.
    Freshness(Freshness),
    /// How many rows came in a stretch of time.
    Volume(Volume),
    /// How many rows there are.
    RowCount(RowCount),
    /// How many values are missing.
    NullRate(OneColumn),
    /// How many rows repeat another.
    Uniqueness(Key),
    /// How many values are none of these.
    AcceptedValues(AcceptedValues),
    /// How many values lie outside.
    Range(Range),
    /// How many values do not look so.
    Pattern(Pattern),
    /// How many rows refer to nothing.
    Reference(Refers),
    /// How many keys come more than once.
    DuplicateKeys(Key),
    /// How far the values have moved from what they were.
    Shift(Shift),
    /// Whether the columns are what they were.
    Schema(SchemaDrift),
    /// One number of a query.
    Metric(Metric),
    /// How many rows a condition does not hold for.
    Assertion(Assertion),
    /// How far two tables are apart.
    Comparison(Comparison),
}

/// The names of the kinds.
pub const KINDS: [&str; 15] = [
    "freshness",
    "volume",
    "row_count",
    "null_rate",
    "uniqueness",
    "accepted_values",
    "range",
    "pattern",
    "reference",
    "duplicate_keys",
    "shift",
    "schema",
    "metric",
    "assertion",
    "comparison",
];

/// How old the newest row is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FreshnessSettings))]
pub struct Freshness {
    /// When a row was made or changed.
    pub column: String,
    /// The zone that times without one are in; also that of `expected`. UTC unless given.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub timezone: Zone,
    /// When new rows are expected; else their age is all that counts.
    #[serde(default)]
    pub expected: Option<Expected>,
    /// What a table without rows is.
    #[serde(default)]
    pub empty: Empty,
}

/// When new rows are expected. The value of the check is how many seconds they are late.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ExpectedRows))]
pub struct Expected {
    /// Five fields, by the wall clock of the zone.
    pub cron: String,
    /// Days of that zone on which nothing is expected.
    #[serde(default)]
    pub holidays: Vec<NaiveDate>,
}

/// What a table without rows is. It is never stale: there is nothing that could be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = EmptyTable))]
pub enum Empty {
    /// A failure.
    #[default]
    Fail,
    /// A warning.
    Warn,
    /// As it should be.
    Pass,
}

/// How many rows came in the latest stretch of time that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = VolumeSettings))]
pub struct Volume {
    /// When a row belongs.
    pub column: String,
    /// How long a stretch is, in seconds: 60 to 86,400, a whole part of a day.
    #[serde(default = "hour")]
    pub bucket: u32,
    /// How long after its end a stretch may still get rows, in seconds.
    #[serde(default)]
    pub late_arrivals: u32,
    /// The zone whose days are meant, and that times without one are in. UTC unless given.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub timezone: Zone,
}

/// Nothing needs to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RowCountSettings))]
pub struct RowCount {}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ColumnSettings))]
pub struct OneColumn {
    /// Its name.
    pub column: String,
}

/// Columns that name a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = KeySettings))]
pub struct Key {
    /// Their names, 1 to 8. Rows where one of them is null have no key.
    pub columns: Vec<String>,
}

/// Values that are fine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AcceptedValuesSettings))]
pub struct AcceptedValues {
    /// The column.
    pub column: String,
    /// 1 to 1,000 values, as text. Null is fine too; see `null_rate`.
    pub values: Vec<String>,
}

/// Numbers that are fine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RangeSettings))]
pub struct Range {
    /// A column of numbers.
    pub column: String,
    /// The least.
    #[serde(default)]
    pub min: Option<f64>,
    /// The greatest.
    #[serde(default)]
    pub max: Option<f64>,
}

/// What values look like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PatternSettings))]
pub struct Pattern {
    /// The column.
    pub column: String,
    /// A regular expression of Postgres. It matches anywhere, unless it says `^` and `$`.
    pub pattern: String,
}

/// What rows refer to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReferenceSettings))]
pub struct Refers {
    /// The columns that refer, 1 to 8. Rows where one of them is null refer to nothing, rightly.
    pub columns: Vec<String>,
    /// The table they refer to.
    pub to: TableName,
    /// Its columns, in the same order.
    pub to_columns: Vec<String>,
}

/// Whose values may move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ShiftSettings))]
pub struct Shift {
    /// The column.
    pub column: String,
    /// Whether it holds numbers or names of a few things.
    #[serde(default)]
    pub values: ShiftValues,
}

/// What the values of a distribution are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ShiftValues {
    /// Numbers, which are sorted into tenths.
    #[default]
    Numbers,
    /// Categories, of which the hundred most frequent are counted.
    Categories,
}

/// How bad it is when columns change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SchemaDriftSettings))]
pub struct SchemaDrift {
    /// A column came.
    pub added: Weight,
    /// A column went.
    pub dropped: Weight,
    /// A column has another type.
    pub retyped: Weight,
    /// A column may be null that could not be, or the other way round.
    pub nullability: Weight,
    /// A column has another name.
    pub renamed: Weight,
    /// Columns that may change as they like.
    pub ignore: Vec<String>,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ChangeWeight))]
pub enum Weight {
    /// Fine.
    Pass,
    /// A warning.
    Warn,
    /// A failure.
    Fail,
}

/// One number of a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = MetricSettings))]
pub struct Metric {
    /// One `SELECT` with one row and one column. `now()` is the moment up to which the replica is.
    pub sql: String,
}

/// What holds for every row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AssertionSettings))]
pub struct Assertion {
    /// A condition. As with `CHECK`, a row of which it cannot be told passes.
    pub condition: String,
}

/// Two tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ComparisonSettings))]
pub struct Comparison {
    /// What is compared.
    #[serde(default)]
    pub of: Aggregate,
    /// The column; not for a count.
    #[serde(default)]
    pub column: Option<String>,
    /// The other table.
    pub with: TableName,
    /// Its column, if that has another name.
    #[serde(default)]
    pub with_column: Option<String>,
    /// A condition about the rows of the other table.
    #[serde(default)]
    pub with_condition: Option<String>,
    /// How the difference is counted.
    #[serde(default)]
    pub difference: Difference,
}

/// What is compared of two tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ComparedAggregate))]
pub enum Aggregate {
    /// The number of rows.
    #[default]
    Count,
    /// The number of different values.
    Distinct,
    /// The sum.
    Sum,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
}

/// How a difference is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ComparedDifference))]
pub enum Difference {
    /// In the unit of the value; seconds for times.
    #[default]
    Absolute,
    /// As a share of the other table's value.
    Relative,
}

/// What the values of a check are to a detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesKind {
    /// Whole numbers from 0 on.
    Count,
    /// Shares from 0 to 1.
    Rate,
    /// Anything.
    Value,
}

/// What follows from the kind for all else that is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measures {
    /// It has thresholds.
    pub thresholds: bool,
    /// Those it has unless others are given.
    pub usual: Option<Thresholds>,
    /// What can be learned of it.
    pub series: Option<SeriesKind>,
    /// It counts rows that are wrong, of which some can be shown.
    pub failing: bool,
    /// It can be about some of the rows.
    pub scoped: bool,
    /// It can be about the latest rows.
    pub windowed: bool,
}

fn hour() -> u32 {
    3_600
}

impl Default for SchemaDrift {
    fn default() -> Self {
        Self {
            added: Weight::Warn,
            dropped: Weight::Fail,
            retyped: Weight::Fail,
            nullability: Weight::Warn,
            renamed: Weight::Fail,
            ignore: Vec::new(),
        }
    }
}

impl Kind {
    /// Reads the settings of a kind.
    pub(super) fn parse(kind: &str, settings: &Value, table: &TableName) -> Result<Self, Invalid> {
        const BASE: &str = "/settings";
        let none = Value::Object(serde_json::Map::new());
        let settings = match settings {
            Value::Null => &none,
            settings => settings,
        };
        let read = match kind {
            "freshness" => Self::Freshness(decode(settings, BASE)?),
            "volume" => Self::Volume(decode(settings, BASE)?),
            "row_count" => Self::RowCount(decode(settings, BASE)?),
            "null_rate" => Self::NullRate(decode(settings, BASE)?),
            "uniqueness" => Self::Uniqueness(decode(settings, BASE)?),
            "accepted_values" => Self::AcceptedValues(decode(settings, BASE)?),
            "range" => Self::Range(decode(settings, BASE)?),
            "pattern" => Self::Pattern(decode(settings, BASE)?),
            "reference" => Self::Reference(decode(settings, BASE)?),
            "duplicate_keys" => Self::DuplicateKeys(decode(settings, BASE)?),
            "shift" => Self::Shift(decode(settings, BASE)?),
            "schema" => Self::Schema(decode(settings, BASE)?),
            "metric" => Self::Metric(decode(settings, BASE)?),
            "assertion" => Self::Assertion(decode(settings, BASE)?),
            "comparison" => Self::Comparison(decode(settings, BASE)?),
            _ => {
                let message = format!("Kinds are {}.", KINDS.join(", "));
                return Err(Invalid::one("/kind", "invalid_choice", message));
            }
        };
        read.validate(table).map(|()| read)
    }
}
