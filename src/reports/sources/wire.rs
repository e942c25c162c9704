//! What comes in and goes out at sources.
//!
//! Invariant: every wrong field is reported, not only the first.
//! Failure: 422 with the pointer of each field.

use rules::civil::Zone;
use rules::invalid::Invalid;
use rules::report::{Kind, dataset};
use rules::sql_guard;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::platform::error::Result;

/// Rows of an answer unless more are asked for.
const ROWS: u32 = 1_000;

/// A source of data.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = ReportSource)]
pub struct Source {
    /// What queries call it.
    pub name: String,
    /// What it holds.
    pub description: String,
    /// Its columns, in order.
    pub columns: Vec<SourceColumn>,
}

/// A column of a source.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = ReportSourceColumn)]
pub struct SourceColumn {
    /// What queries call it.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// Its type in Postgres.
    #[serde(rename = "type")]
    pub data_type: String,
    /// What it says.
    pub description: String,
}

/// The sources.
#[derive(Serialize, ToSchema)]
#[schema(as = ReportSources)]
pub struct Sources {
    /// In alphabetical order.
    pub items: Vec<Source>,
}

/// A query.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReportQueryIn)]
pub struct QueryIn {
    /// One `SELECT` over the sources.
    #[schema(min_length = 1, max_length = 10000)]
    pub sql: String,
    /// Most rows of the answer; 1,000 unless it says more or less.
    #[schema(minimum = 1, maximum = 10000)]
    pub limit: Option<u32>,
    /// IANA time zone in which days begin and times are shown; UTC unless it says another.
    pub timezone: Option<String>,
    /// What the answer is called; `query` unless it says.
    #[schema(pattern = "^[a-z][a-z0-9_]{0,39}$")]
    pub name: Option<String>,
}

/// A query, checked.
pub struct Asked {
    /// What the answer is called.
    pub name: String,
    /// The query.
    pub sql: String,
    /// Most rows.
    pub limit: u32,
    /// The zone.
    pub zone: Zone,
}

impl Source {
    /// The source in one line.
    pub fn line(&self) -> String {
        format!("{}: {}", self.name, self.description)
    }

    /// As the guard knows it.
    pub(super) fn named(&self) -> sql_guard::Source {
        sql_guard::Source {
            name: self.name.clone(),
            columns: self.columns.iter().map(|c| c.name.clone()).collect(),
        }
    }
}

impl QueryIn {
    pub(super) fn check(self) -> Result<Asked> {
        let mut invalid = Invalid::default();
        let most = u32::try_from(dataset::MAX_ROWS).unwrap_or(u32::MAX);
        let limit = self.limit.unwrap_or(ROWS);
        if !(1..=most).contains(&limit) {
            let message = format!("Must be 1 to {most}.");
            invalid.add("/limit", "out_of_range", message);
        }
        let zone = invalid.take(zone(self.timezone.as_deref()));
        let name = self.name.as_deref().unwrap_or("query");
        let name = invalid.take(dataset::name("/name", name));
        let (zone, name) = (zone.unwrap_or_default(), name.unwrap_or_default());
        Ok(invalid.or(Asked {
            name,
            sql: self.sql,
            limit,
            zone,
        })?)
    }
}

/// The zone of a name; UTC without one.
pub fn zone(name: Option<&str>) -> core::result::Result<Zone, Invalid> {
    name.map_or_else(|| Ok(Zone::utc()), Zone::parse)
}
