//! What a replica holds, for whoever sets up what is watched: schemas, tables, columns.
//!
//! Invariant: only the catalogue is read, in a transaction like any other, and it counts.
//! Failure: a replica that cannot be asked is 409 with why; a schema or table that is not there is
//! 404.

use rules::monitor::TableName;
use rules::monitor::catalog::{self, Listed, Schema, TableFacts};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::asking::{Asking, Unasked};
use crate::platform::error::{Error, Result};
use crate::platform::pg::session::Parameter;

/// What to look at.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "look", rename_all = "snake_case")]
pub enum Look {
    /// The schemas.
    Schemas,
    /// Tables of a schema, those behind a name.
    Tables {
        /// The schema.
        schema: String,
        /// The name.
        after: String,
        /// At most so many.
        limit: u32,
    },
    /// One table.
    Columns {
        /// Which.
        table: TableName,
    },
}

/// The schemas of a database.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ReplicaSchemas {
    /// By name.
    pub items: Vec<Schema>,
}

/// Tables of a schema.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct ReplicaTables {
    /// By name.
    pub items: Vec<Listed>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// Looks.
pub async fn look(asking: &mut Asking<'_>, look: &Look) -> Result<Value> {
    asking.identify().await.map_err(told)?;
    asking.begin().await.map_err(told)?;
    let found = read(asking, look).await;
    asking.end().await;
    found
}

async fn read(asking: &mut Asking<'_>, look: &Look) -> Result<Value> {
    let answer = match look {
        Look::Schemas => asking.ask(catalog::SCHEMAS, &[], None).await,
        Look::Tables {
            schema,
            after,
            limit,
        } => {
            let limit = Parameter::Integer(i64::from(*limit));
            let parameters = [Parameter::Text(schema), Parameter::Text(after), limit];
            asking.ask(catalog::TABLES, &parameters, None).await
        }
        Look::Columns { table } => {
            let parameters = [Parameter::Text(&table.schema), Parameter::Text(&table.name)];
            asking.ask(catalog::FACTS, &parameters, Some(table)).await
        }
    };
    match answer.map_err(told)?.as_str() {
        "" => Err(Error::not_found()),
        found => Ok(serde_json::from_str(found)?),
    }
}

/// What a caller is told of a replica that cannot be asked.
pub fn told(unasked: Unasked) -> Error {
    match unasked.ours {
        Some(error) => *error,
        None => Error::conflict(unasked.code, unasked.text),
    }
}

/// The columns and indexes of a table.
pub type Columns = TableFacts;
