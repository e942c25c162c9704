//! What is asked of the settings of each kind, and what follows from the kind.
//!
//! Invariant: every wrong field is reported, not only the first.
//! Failure: refused at the pointer below `/settings`.

use super::kind::{
    Aggregate, Comparison, Expected, HOLIDAYS, KEY, Kind, Measures, SeriesKind, TEXT, VALUES,
    Volume,
};
use super::threshold::{Sensitivity, Threshold, Thresholds};
use crate::cron::Cron;
use crate::invalid::Invalid;
use crate::monitor::{custom, identifier};
use crate::sql_guard::TableName;

/// Longest stretch of time that is waited for late rows, in seconds.
const LATEST: u32 = 7 * 86_400;

impl Kind {
    /// Its name in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Freshness(_) => "freshness",
            Self::Volume(_) => "volume",
            Self::RowCount(_) => "row_count",
            Self::NullRate(_) => "null_rate",
            Self::Uniqueness(_) => "uniqueness",
            Self::AcceptedValues(_) => "accepted_values",
            Self::Range(_) => "range",
            Self::Pattern(_) => "pattern",
            Self::Reference(_) => "reference",
            Self::DuplicateKeys(_) => "duplicate_keys",
            Self::Shift(_) => "shift",
            Self::Schema(_) => "schema",
            Self::Metric(_) => "metric",
            Self::Assertion(_) => "assertion",
            Self::Comparison(_) => "comparison",
        }
    }

    pub(super) fn measures(&self) -> Measures {
        let nothing_wrong = Thresholds {
            warn: None,
            fail: Some(Threshold::at_most(0.0)),
        };
        let learned = Thresholds {
            warn: None,
            fail: Some(Threshold::learned(Sensitivity::Medium)),
        };
        let failing = Measures {
            thresholds: true,
            usual: Some(nothing_wrong),
            series: Some(SeriesKind::Rate),
            failing: true,
            scoped: true,
            windowed: true,
        };
        let counted = Measures {
            usual: Some(learned),
            series: Some(SeriesKind::Count),
            failing: false,
            windowed: false,
            ..failing
        };
        match self {
            Self::Freshness(freshness) => Measures {
                usual: freshness.expected.as_ref().map(|_| nothing_wrong),
                series: Some(SeriesKind::Value),
                ..counted
            },
            Self::Volume(_) | Self::RowCount(_) => counted,
            Self::NullRate(_) => Measures {
                usual: Some(learned),
                ..failing
            },
            Self::Uniqueness(_)
            | Self::DuplicateKeys(_)
            | Self::AcceptedValues(_)
            | Self::Range(_)
            | Self::Pattern(_)
            | Self::Reference(_)
            | Self::Assertion(_) => failing,
            Self::Shift(_) => Measures {
                // What the index is read as wherever it is used: below .1 alike, from .25 on moved.
                usual: Some(Thresholds {
                    warn: Some(Threshold::at_most(0.1)),
                    fail: Some(Threshold::at_most(0.25)),
                }),
                series: None,
                failing: false,
                ..failing
            },
            Self::Schema(_) => Measures {
                thresholds: false,
                usual: None,
                series: None,
                failing: false,
                scoped: false,
                windowed: false,
            },
            Self::Metric(_) => Measures {
                usual: None,
                series: Some(SeriesKind::Value),
                failing: false,
                scoped: false,
                windowed: false,
                ..failing
            },
            Self::Comparison(_) => Measures {
                series: Some(SeriesKind::Value),
                failing: false,
                ..failing
            },
        }
    }

    pub(super) fn validate(&self, own: &TableName) -> Result<(), Invalid> {
        let mut invalid = Invalid::default();
        match self {
            Self::Freshness(freshness) => {
                column(&mut invalid, "/settings/column", &freshness.column);
                if let Some(expected) = &freshness.expected {
                    invalid.take(calendar(expected));
                }
            }
            Self::Volume(volume) => {
                column(&mut invalid, "/settings/column", &volume.column);
                bucket(&mut invalid, volume);
            }
            Self::RowCount(_) => {}
            Self::NullRate(one) => column(&mut invalid, "/settings/column", &one.column),
            Self::Uniqueness(key) | Self::DuplicateKeys(key) => {
                columns(&mut invalid, "/settings/columns", &key.columns, 1);
            }
            Self::AcceptedValues(accepted) => {
                column(&mut invalid, "/settings/column", &accepted.column);
                values(&mut invalid, &accepted.values);
            }
            Self::Range(range) => {
                column(&mut invalid, "/settings/column", &range.column);
                between(&mut invalid, range.min, range.max);
            }
            Self::Pattern(pattern) => {
                column(&mut invalid, "/settings/column", &pattern.column);
                let length = pattern.pattern.chars().count();
                if !(1..=TEXT).contains(&length) || pattern.pattern.contains('\0') {
                    let message = format!("Must have 1 to {TEXT} characters.");
                    invalid.add("/settings/pattern", "out_of_range", message);
                }
            }
            Self::Reference(refers) => {
                columns(&mut invalid, "/settings/columns", &refers.columns, 1);
                let count = refers.columns.len();
                columns(&mut invalid, "/settings/to_columns", &refers.to_columns, 1);
                if refers.to_columns.len() != count {
                    let message = "Must be as many as columns, in the same order.";
                    invalid.add("/settings/to_columns", "out_of_range", message);
                }
                table(&mut invalid, "/settings/to", &refers.to);
            }
            Self::Shift(shift) => column(&mut invalid, "/settings/column", &shift.column),
            Self::Schema(drift) => {
                columns(&mut invalid, "/settings/ignore", &drift.ignore, 0);
            }
            Self::Metric(metric) => {
                if let Err(refusal) = custom::check(&metric.sql) {
                    invalid
                        .errors
                        .extend(refusal.invalid("/settings/sql").errors);
                }
            }
            Self::Assertion(assertion) => {
                condition(
                    &mut invalid,
                    "/settings/condition",
                    &assertion.condition,
                    own,
                );
            }
            Self::Comparison(comparison) => compared(&mut invalid, comparison),
        }
        invalid.or(())
    }
}

fn column(invalid: &mut Invalid, pointer: &str, name: &str) {
    invalid.take(identifier::parse(pointer, name));
}

fn columns(invalid: &mut Invalid, pointer: &str, names: &[String], least: usize) {
    let most = if least == 0 { 1_600 } else { KEY };
    if !(least..=most).contains(&names.len()) {
        let message = format!("Must be {least} to {most} columns.");
        invalid.add(pointer, "out_of_range", message);
        return;
    }
    for (place, name) in names.iter().enumerate() {
        let pointer = format!("{pointer}/{place}");
        column(invalid, &pointer, name);
        if names.iter().take(place).any(|before| before == name) {
            invalid.add(pointer, "duplicate", "Is named before.");
        }
    }
}

fn table(invalid: &mut Invalid, pointer: &str, name: &TableName) {
    invalid.take(identifier::table(pointer, name));
}

/// A condition about a row of a table; the columns are looked for when it runs.
pub(super) fn condition(invalid: &mut Invalid, pointer: &str, text: &str, table: &TableName) {
    if let Err(refusal) = custom::check_condition(text, table) {
        invalid.errors.extend(refusal.invalid(pointer).errors);
    }
}

fn calendar(expected: &Expected) -> Result<(), Invalid> {
    let mut invalid = Invalid::default();
    let cron = Cron::parse(&expected.cron);
    invalid.take(cron.map_err(|wrong| wrong.renamed("/cron", "/settings/expected/cron")));
    if expected.holidays.len() > HOLIDAYS {
        let message = format!("At most {HOLIDAYS} days.");
        invalid.add("/settings/expected/holidays", "too_many", message);
    }
    invalid.or(())
}

fn bucket(invalid: &mut Invalid, volume: &Volume) {
    let Volume {
        bucket,
        late_arrivals,
        ..
    } = volume;
    if !(60..=86_400).contains(bucket) || 86_400 % bucket != 0 {
        let message = "Must be 60 to 86400 seconds and go into a day without a rest.";
        invalid.add("/settings/bucket", "out_of_range", message);
    }
    if *late_arrivals > LATEST {
        let message = format!("Must be at most {LATEST} seconds.");
        invalid.add("/settings/late_arrivals", "out_of_range", message);
    }
}

fn values(invalid: &mut Invalid, values: &[String]) {
    if !(1..=VALUES).contains(&values.len()) {
        let message = format!("Must be 1 to {VALUES} values.");
        invalid.add("/settings/values", "out_of_range", message);
    }
    for (place, value) in values.iter().enumerate() {
        if value.chars().count() > TEXT || value.contains('\0') {
            let pointer = format!("/settings/values/{place}");
            let message = format!("Must have at most {TEXT} characters, and no U+0000.");
            invalid.add(pointer, "too_long", message);
        }
    }
}

fn between(invalid: &mut Invalid, min: Option<f64>, max: Option<f64>) {
    for (pointer, limit) in [("/settings/min", min), ("/settings/max", max)] {
        if limit.is_some_and(|limit| !limit.is_finite()) {
            invalid.add(pointer, "out_of_range", "Must be a number.");
        }
    }
    match (min, max) {
        (None, None) => invalid.add("/settings/min", "required", "Give min, max, or both."),
        (Some(min), Some(max)) if min > max => {
            invalid.add("/settings/min", "out_of_range", "Must not be above max.");
        }
        _ => {}
    }
}

fn compared(invalid: &mut Invalid, comparison: &Comparison) {
    let Comparison {
        of,
        column: own,
        with,
        with_column,
        with_condition,
        difference: _,
    } = comparison;
    table(invalid, "/settings/with", with);
    match (of, own) {
        (Aggregate::Count, Some(_)) => {
            let message = "A count is about rows, not about a column.";
            invalid.add("/settings/column", "not_applicable", message);
        }
        (Aggregate::Count, None) => {}
        (_, None) => invalid.add("/settings/column", "missing_field", "Name the column."),
        (_, Some(name)) => column(invalid, "/settings/column", name),
    }
    match (of, with_column) {
        (Aggregate::Count, Some(_)) => {
            let message = "A count is about rows, not about a column.";
            invalid.add("/settings/with_column", "not_applicable", message);
        }
        (_, Some(name)) => column(invalid, "/settings/with_column", name),
        (_, None) => {}
    }
    if let Some(text) = with_condition {
        condition(invalid, "/settings/with_condition", text, with);
    }
}
