//! Which columns came, went or changed between two looks at a table.
//!
//! Invariant: columns are known by their number (`attnum`), which a rename keeps; a column that was
//! dropped and made anew is two changes. The new look is what the next one is compared with, so each
//! change is told once.
//! Failure: none.

use serde::{Deserialize, Serialize};

use super::catalog::TableFacts;
use super::check::{Check, Kind, SchemaDrift, Weight};
use crate::sql_guard::TableName;

/// The columns of a table at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SchemaSnapshot))]
pub struct Snapshot {
    /// In the order of their numbers.
    pub columns: Vec<Column>,
}

/// A column at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SchemaSnapshotColumn))]
pub struct Column {
    /// Its number.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether it may be null.
    pub nullable: bool,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SchemaChange))]
pub enum Change {
    /// A column came.
    Added {
        /// Its name.
        column: String,
        /// Its type.
        to: String,
    },
    /// A column went.
    Dropped {
        /// Its name.
        column: String,
        /// Its type.
        from: String,
    },
    /// A column has another name.
    Renamed {
        /// The name it has.
        column: String,
        /// The name it had.
        from: String,
    },
    /// A column has another type.
    Retyped {
        /// Its name.
        column: String,
        /// The type it had.
        from: String,
        /// The type it has.
        to: String,
    },
    /// A column may be null, or may no more.
    Nullability {
        /// Its name.
        column: String,
        /// Whether it may now.
        nullable: bool,
    },
}

impl Snapshot {
    /// The columns that the catalogue names.
    pub fn of(facts: &TableFacts) -> Self {
        let column = |column: &super::catalog::ColumnFacts| Column {
            number: column.number,
            name: column.name.clone(),
            type_name: column.type_name.clone(),
            nullable: column.nullable,
        };
        let mut columns: Vec<_> = facts.columns.iter().map(column).collect();
        columns.sort_by_key(|column| column.number);
        Self { columns }
    }

    fn numbered(&self, number: i16) -> Option<&Column> {
        self.columns.iter().find(|column| column.number == number)
    }
}

impl Change {
    /// The column, by the name it has now or had last.
    pub fn column(&self) -> &str {
        match self {
            Self::Added { column, .. }
            | Self::Dropped { column, .. }
            | Self::Renamed { column, .. }
            | Self::Retyped { column, .. }
            | Self::Nullability { column, .. } => column,
        }
    }

    /// How bad it is by the settings of a check.
    pub fn weight(&self, drift: &SchemaDrift) -> Weight {
        let former = match self {
            Self::Renamed { from, .. } => Some(from),
            _ => None,
        };
        let ignored = |name: &String| name == self.column() || Some(name) == former;
        if drift.ignore.iter().any(ignored) {
            return Weight::Pass;
        }
        match self {
            Self::Added { .. } => drift.added,
            Self::Dropped { .. } => drift.dropped,
            Self::Renamed { .. } => drift.renamed,
            Self::Retyped { .. } => drift.retyped,
            Self::Nullability { .. } => drift.nullability,
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Added { column, to } => write!(f, "Column {column} ({to}) was added."),
            Self::Dropped { column, from } => write!(f, "Column {column} ({from}) was dropped."),
            Self::Renamed { column, from } => {
                write!(f, "Column {from} was renamed to {column}.")
            }
            Self::Retyped { column, from, to } => {
                write!(f, "Column {column} is {to}; it was {from}.")
            }
            Self::Nullability {
                column,
                nullable: true,
            } => write!(f, "Column {column} may be null; it could not be."),
            Self::Nullability { column, .. } => {
                write!(f, "Column {column} may no longer be null.")
            }
        }
    }
}

/// What changed from one look to the next, in the order of the columns' numbers.
pub fn diff(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    for old in &before.columns {
        let Some(new) = after.numbered(old.number) else {
            changes.push(Change::Dropped {
                column: old.name.clone(),
                from: old.type_name.clone(),
            });
            continue;
        };
        if new.name != old.name {
            changes.push(Change::Renamed {
                column: new.name.clone(),
                from: old.name.clone(),
            });
        }
        if new.type_name != old.type_name {
            changes.push(Change::Retyped {
                column: new.name.clone(),
                from: old.type_name.clone(),
                to: new.type_name.clone(),
            });
        }
        if new.nullable != old.nullable {
            changes.push(Change::Nullability {
                column: new.name.clone(),
                nullable: new.nullable,
            });
        }
    }
    let new = after.columns.iter();
    let new = new.filter(|column| before.numbered(column.number).is_none());
    changes.extend(new.map(|column| Change::Added {
        column: column.name.clone(),
        to: column.type_name.clone(),
    }));
    changes
}

/// What the changes come to for a check of the schema.
pub fn weigh(changes: &[Change], drift: &SchemaDrift) -> Weight {
    let weights = changes.iter().map(|change| change.weight(drift));
    weights.max().unwrap_or(Weight::Pass)
}

/// The columns of its own table that a check cannot do without. What its conditions and metrics name
/// is found when they are bound.
pub fn columns(check: &Check) -> Vec<&str> {
    let mut names: Vec<&str> = match &check.kind {
        Kind::Freshness(freshness) => vec![&freshness.column],
        Kind::Volume(volume) => vec![&volume.column],
        Kind::NullRate(one) => vec![&one.column],
        Kind::AcceptedValues(accepted) => vec![&accepted.column],
        Kind::Range(range) => vec![&range.column],
        Kind::Pattern(pattern) => vec![&pattern.column],
        Kind::Shift(shift) => vec![&shift.column],
        Kind::Uniqueness(key) | Kind::DuplicateKeys(key) => {
            key.columns.iter().map(String::as_str).collect()
        }
        Kind::Reference(refers) => refers.columns.iter().map(String::as_str).collect(),
        Kind::Comparison(comparison) => comparison.column.iter().map(String::as_str).collect(),
        Kind::RowCount(_) | Kind::Schema(_) | Kind::Metric(_) | Kind::Assertion(_) => Vec::new(),
    };
    names.extend(check.scope.column.as_deref());
    if let Some(samples) = &check.samples {
        names.extend(samples.columns.iter().map(String::as_str));
    }
    names
}

/// Why a check can no longer run, when it cannot: columns or tables that it names are gone, or are of
/// another type. The same judgement as that of the run itself, so that dependents are told of with
/// the change.
pub fn misconfigured(
    check: &Check,
    table: &TableName,
    catalog: &super::catalog::Catalog,
) -> Option<String> {
    let facts = catalog.get(table)?;
    let gone = columns(check)
        .into_iter()
        .find(|name| facts.column(name).is_none());
    if let Some(name) = gone {
        return Some(format!("There is no column {name} any more."));
    }
    let ask = super::sql::Ask {
        check,
        table,
        catalog,
        as_of: chrono::DateTime::UNIX_EPOCH,
        size: super::sql::Size::default(),
        histogram: None,
    };
    super::sql::statement(&ask)
        .err()
        .map(|unable| unable.message)
}
