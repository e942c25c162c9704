//! What is asked of a replica for each kind of check.
//!
//! Invariant: one statement, one row, one cell: JSON as text. Names are quoted, values are
//! parameters. A statement about a big table goes by an index or reads a sample of its pages. A
//! volume is counted in a stretch of time that is over, and its late rows have had their time; what
//! is younger than `as_of` is not counted at all.
//! Failure: [`Unable`] when a table or column is gone or of another type: the check is
//! misconfigured. Whether the plan is cheap enough is for [`super::explain`] to say.

mod answer;
mod bucket;
mod history;
mod place;
mod shift;
mod single;
mod text;
mod wrong;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::catalog::{Catalog, TableFacts};
use super::check::{Check, Kind};
use super::shift::Histogram;
use crate::sql_guard::TableName;

pub use answer::{Measured, Row, Unreadable, read, samples};
pub use bucket::{Bucket, closed, stretches};
pub(super) use history::history;
pub use place::Path;
pub use text::{Param, Statement};

/// From which size on a table is big, and how much of a big one is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Pages; a table of more is big.
    pub big_pages: i64,
    /// About how many pages a sample has; a quarter of that where each row is looked up elsewhere.
    pub sample_pages: i64,
}

impl Default for Size {
    /// 80 MB, of which a full read takes longer than is good; samples of 3 MB, some ten thousand
    /// rows.
    fn default() -> Self {
        Self {
            big_pages: 10_000,
            sample_pages: 400,
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The check.
    pub check: &'a Check,
    /// Its table.
    pub table: &'a TableName,
    /// What is known of the tables of [`Check::tables`].
    pub catalog: &'a Catalog,
    /// The moment up to which the replica is, at the least.
    pub as_of: DateTime<Utc>,
    /// What is big.
    pub size: Size,
    /// What values were like, for a check of their shift; none before the first run.
    pub histogram: Option<&'a Histogram>,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The statement.
    pub statement: Statement,
    /// The one that fetches wrong rows, when they are wanted.
    pub samples: Option<Statement>,
    /// The way to the rows.
    pub path: Path,
    /// The stretch of time that is counted, for a volume.
    pub bucket: Option<Bucket>,
}

/// Why nothing can be asked: the check is misconfigured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unable {
    /// One sentence for a person.
    pub message: String,
}

impl Unable {
    pub(super) fn misconfigured(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

impl Ask<'_> {
    fn facts(&self, table: &TableName) -> Result<&TableFacts, Unable> {
        self.catalog.get(table).ok_or_else(|| {
            let TableName { schema, name } = table;
            Unable::misconfigured(format!("There is no table {schema}.{name} any more."))
        })
    }

    fn own(&self) -> Result<&TableFacts, Unable> {
        self.facts(self.table)
    }
}

/// What a check asks. A check of the schema asks nothing of its own: [`super::catalog::FACTS`] is
/// all there is to know.
pub fn statement(ask: &Ask<'_>) -> Result<Plan, Unable> {
    ask.own()?;
    match &ask.check.kind {
        Kind::Freshness(freshness) => single::freshness(ask, freshness),
        Kind::Volume(volume) => single::volume(ask, volume),
        Kind::RowCount(_) => single::row_count(ask),
        Kind::Metric(metric) => single::metric(ask, metric),
        Kind::Comparison(comparison) => single::comparison(ask, comparison),
        Kind::Shift(shift) => shift::shift(ask, shift),
        Kind::Uniqueness(key) | Kind::DuplicateKeys(key) => wrong::keys(ask, key),
        Kind::Reference(refers) => wrong::reference(ask, refers),
        Kind::NullRate(_)
        | Kind::AcceptedValues(_)
        | Kind::Range(_)
        | Kind::Pattern(_)
        | Kind::Assertion(_) => wrong::rows(ask),
        Kind::Schema(_) => Ok(Plan {
            statement: Statement::default(),
            samples: None,
            path: Path::Catalog,
            bucket: None,
        }),
    }
}
