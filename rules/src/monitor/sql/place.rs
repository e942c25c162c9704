//! Which rows a statement reads and by which way.
//!
//! Invariant: a table of more than [`super::Size::big_pages`] pages is never read from end to end:
//! latest rows are found by an index, shares are estimated from pages picked by
//! `TABLESAMPLE SYSTEM`. `BERNOULLI` reads every page of a table whatever the percentage and is
//! never written. What neither way serves is left to the guard on the plan, which refuses it.
//! Failure: [`Unable`] for a column that is gone or of another type.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::text::{Statement, percent};
use super::{Ask, Unable};
use crate::civil::Zone;
use crate::monitor::catalog::{ColumnFacts, TableFacts};
use crate::monitor::custom;
use crate::monitor::identifier::{literal, qualified, quote};
use crate::sql_guard::TableName;

/// The way to the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReplicaPath))]
pub enum Path {
    /// All of a table that is not big.
    Whole,
    /// The latest rows, by an index.
    Index,
    /// Some pages.
    Sample {
        /// Their share of all, 0 to 1.
        share: f64,
    },
    /// The catalogue alone.
    Catalog,
}

/// When rows are, by a column.
#[derive(Clone, Debug)]
pub(super) struct TimeColumn {
    column: String,
    kind: TimeKind,
    zone: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeKind {
    Instant,
    Wall,
    Day,
}

impl TimeColumn {
    /// A column of a time, whose wall times are of this zone.
    pub(super) fn of(facts: &TableFacts, name: &str, zone: &Zone) -> Result<Self, Unable> {
        let column = column(facts, name)?;
        let kind = match column.base.as_str() {
            "timestamptz" => TimeKind::Instant,
            "timestamp" => TimeKind::Wall,
            "date" => TimeKind::Day,
            _ => {
                let message = format!("{name} is {}, not a time or a date.", column.type_name);
                return Err(Unable::misconfigured(message));
            }
        };
        Ok(Self {
            column: quote(name),
            kind,
            zone: literal(zone.name()),
        })
    }

    pub(super) fn kind(&self) -> TimeKind {
        self.kind
    }

    /// The column itself, which an index knows.
    pub(super) fn bare(&self) -> &str {
        &self.column
    }

    /// An expression of this column's type as an instant.
    pub(super) fn instant(&self, expr: &str) -> String {
        let zone = &self.zone;
        match self.kind {
            TimeKind::Instant => expr.to_owned(),
            TimeKind::Wall => format!("({expr} at time zone {zone})"),
            TimeKind::Day => format!("(cast({expr} as timestamp) at time zone {zone})"),
        }
    }

    /// An instant as this column's type, so that an index on it serves.
    pub(super) fn bound(&self, statement: &mut Statement, at: DateTime<Utc>) -> String {
        let param = statement.time(at);
        let zone = &self.zone;
        match self.kind {
            TimeKind::Instant => param,
            TimeKind::Wall => format!("({param} at time zone {zone})"),
            TimeKind::Day => format!("cast({param} at time zone {zone} as date)"),
        }
    }
}

/// What stands behind `FROM`, and the way it goes.
pub(super) struct Rows {
    pub from: String,
    /// Conditions, of which all must hold.
    pub conditions: Vec<String>,
    pub path: Path,
}

impl Rows {
    /// With one more condition.
    pub(super) fn and(mut self, condition: String) -> Self {
        self.conditions.push(condition);
        self
    }

    /// ` from … where …`.
    pub(super) fn sql(&self) -> String {
        let from = format!(" from {}", self.from);
        match self.conditions.is_empty() {
            true => from,
            false => format!("{from} where {}", self.conditions.join(" and ")),
        }
    }
}

/// The rows of the checked table that its check is about. `sample`: the rows of so many pages do.
pub(super) fn rows(
    ask: &Ask<'_>,
    statement: &mut Statement,
    sample: Option<i64>,
) -> Result<Rows, Unable> {
    let facts = ask.own()?;
    let mut conditions = Vec::new();
    let mut indexed = false;
    if let (Some(name), Some(last)) = (&ask.check.scope.column, ask.check.scope.last) {
        let column = TimeColumn::of(facts, name, &Zone::utc())?;
        let from = ask.as_of - TimeDelta::seconds(last.into());
        let bound = column.bound(statement, from);
        conditions.push(format!("{} >= {bound}", column.bare()));
        indexed = facts.is_indexed(name, false);
    }
    if let Some(text) = &ask.check.scope.condition {
        conditions.push(condition(ask, text, ask.table)?);
    }
    let table = qualified(ask.table);
    let path = match sample {
        _ if facts.pages <= ask.size.big_pages => Path::Whole,
        _ if indexed => Path::Index,
        Some(pages) if facts.can_be_sampled() => Path::Sample {
            share: (pages.max(1) as f64 / facts.pages as f64).min(1.0),
        },
        _ => Path::Whole,
    };
    let from = match path {
        // The seed grows with time, so that in time every page is looked at, and the same moment
        // looks at the same ones.
        Path::Sample { share } => format!(
            "{table} tablesample system ({}) repeatable ({})",
            percent(share),
            ask.as_of.timestamp().rem_euclid(1_000_000_007)
        ),
        _ => table,
    };
    Ok(Rows {
        from,
        conditions,
        path,
    })
}

/// A condition that a tenant wrote, about a row of a table.
pub(super) fn condition(ask: &Ask<'_>, text: &str, table: &TableName) -> Result<String, Unable> {
    let custom = custom::condition(text, table, ask.as_of)
        .map_err(|refusal| Unable::misconfigured(refusal.to_string()))?;
    custom::bind(&custom, ask.catalog).map_err(|missing| Unable::misconfigured(missing.message))?;
    Ok(match custom.sql.starts_with('(') {
        true => custom.sql,
        false => format!("({})", custom.sql),
    })
}

/// A column that must be there.
pub(super) fn column<'f>(facts: &'f TableFacts, name: &str) -> Result<&'f ColumnFacts, Unable> {
    facts
        .column(name)
        .ok_or_else(|| Unable::misconfigured(format!("There is no column {name} any more.")))
}

/// Columns that must be there, quoted.
pub(super) fn columns(facts: &TableFacts, names: &[String]) -> Result<Vec<String>, Unable> {
    let found = names
        .iter()
        .map(|name| column(facts, name).map(|_| quote(name)));
    found.collect()
}

/// The operator that says whether two values of a column's type are the same.
pub(super) fn equals(column: &ColumnFacts) -> String {
    match &column.operators {
        Some(schema) => format!("operator({}.=)", quote(schema)),
        None => "=".to_owned(),
    }
}
