//! Judging SQL about the tables of a database that is not ours, whose columns are not known yet.
//!
//! Invariant: a table is written with its schema, which is none of the system's; what it is and
//! whether it has the columns is for the reader of [`Opened`] to see to before anything runs. The
//! functions and operators are those of the system only if the session looks for them there first
//! (`search_path = pg_catalog`).
//! Failure: a [`Refusal`], as everywhere here.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlparser::ast::{BinaryOperator, ObjectName, ObjectNamePart};

use super::allowed::{self, Kind};
use super::from::COLUMN_WIDTH;
use super::scope::{Column, Frame, Relation};
use super::{Refusal, Terms, Writer, parse, words};

/// A table of a schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TableName {
    /// The schema.
    pub schema: String,
    /// The name in it.
    pub name: String,
}

/// A column that was named, of one of these tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The places of the tables in [`Opened::tables`].
    pub of: Vec<usize>,
    /// The column.
    pub column: String,
}

/// What may run once the tables and columns were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What runs.
    pub sql: String,
    /// The tables it reads, each once.
    pub tables: Vec<TableName>,
    /// The columns it names of them.
    pub columns: Vec<Named>,
    /// How many columns the result has, where that is known.
    pub width: Option<usize>,
}

/// What is being read.
#[derive(Debug, Default)]
pub(super) struct Opening {
    schema: String,
    /// Only a condition about one row is read.
    pub(super) row: bool,
    tables: Vec<TableName>,
    columns: Vec<Named>,
}

/// Judges a query over any tables; `schema` is that of those named without one.
pub fn open(text: &str, schema: &str, now: DateTime<Utc>) -> Result<Opened, Refusal> {
    let query = parse::query(text)?;
    let terms = terms(now);
    let mut writer = Writer::new(text, &terms);
    writer.opened = Some(Opening {
        schema: schema.to_owned(),
        ..Opening::default()
    });
    let columns = writer.query(&query)?;
    let known = columns.iter().all(|column| column.any.is_none());
    Ok(finish(writer, known.then_some(columns.len())))
}

/// Judges a condition about one row of a table. It names columns as they are, or with the table.
pub fn condition(text: &str, table: &TableName, now: DateTime<Utc>) -> Result<Opened, Refusal> {
    let expr = parse::expression(text)?;
    let terms = terms(now);
    let mut writer = Writer::new(text, &terms);
    writer.frames.push(Frame::of(Relation {
        name: table.name.clone(),
        columns: vec![Column::any(0, COLUMN_WIDTH)],
    }));
    writer.opened = Some(Opening {
        row: true,
        tables: vec![table.clone()],
        ..Opening::default()
    });
    writer.operand(&expr)?;
    Ok(finish(writer, Some(1)))
}

fn terms(now: DateTime<Utc>) -> Terms<'static> {
    Terms {
        sources: &[],
        schema: "",
        now,
    }
}

fn finish(writer: Writer<'_>, width: Option<usize>) -> Opened {
    let opening = writer.opened.unwrap_or_default();
    Opened {
        sql: writer.sql,
        tables: opening.tables,
        columns: opening.columns,
        width,
    }
}

/// Whether a schema belongs to the system.
fn is_system(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema"
}

impl Writer<'_> {
    /// Writes the name of a table that may be any; a name of `WITH` comes before.
    pub(super) fn open_table(&mut self, name: &ObjectName) -> Result<Relation, Refusal> {
        let (schema, ident) = match name.0.as_slice() {
            [ObjectNamePart::Identifier(ident)] => (None, ident),
            [
                ObjectNamePart::Identifier(schema),
                ObjectNamePart::Identifier(ident),
            ] => (Some(schema), ident),
            _ => {
                let message = "Tables are named table or schema.table.";
                return Err(Refusal::of("sql_source", message));
            }
        };
        let text = words::name(ident)?;
        let hidden = self.with.iter().rev().find(|known| known.name == text);
        if let (None, Some(relation)) = (schema, hidden) {
            let relation = relation.clone();
            words::write_name(&mut self.sql, &relation.name);
            return Ok(relation);
        }
        let opening = self.opened.get_or_insert_default();
        let table = TableName {
            schema: match schema {
                Some(schema) => words::name(schema)?,
                None => opening.schema.clone(),
            },
            name: text,
        };
        if is_system(&table.schema) {
            let message = "Only tables of your own schemas can be read, not those of the system.";
            return Err(Refusal::of("sql_source", message).at(ident.span));
        }
        let found = opening.tables.iter().position(|known| *known == table);
        let place = found.unwrap_or(opening.tables.len());
        if found.is_none() {
            opening.tables.push(table.clone());
        }
        words::write_name(&mut self.sql, &table.schema);
        self.put(".");
        words::write_name(&mut self.sql, &table.name);
        Ok(Relation {
            name: table.name,
            columns: vec![Column::any(place, COLUMN_WIDTH)],
        })
    }

    /// The column that an open table has if any of these is one; it is noted.
    pub(super) fn of_open_table(&mut self, name: &str, columns: &[Column]) -> Option<Column> {
        let mut of: Vec<usize> = columns.iter().filter_map(|column| column.any).collect();
        of.sort_unstable();
        of.dedup();
        if of.is_empty() {
            return None;
        }
        let named = Named {
            of,
            column: name.to_owned(),
        };
        let opening = self.opened.get_or_insert_default();
        if !opening.columns.contains(&named) {
            opening.columns.push(named);
        }
        Some(Column {
            name: name.to_owned(),
            width: COLUMN_WIDTH,
            any: None,
        })
    }

    /// How a function is called, if it may be.
    pub(super) fn kind_of(&self, name: &str) -> Option<Kind> {
        let more = self.opened.is_some() && allowed::is_more(name);
        allowed::kind(name).or(more.then_some(Kind::Plain))
    }

    /// An operator between two operands, as it is written.
    pub(super) fn operator(&self, operator: &BinaryOperator) -> Result<&'static str, Refusal> {
        let more = self.opened.as_ref();
        match more.and_then(|_| allowed::more_binary(operator)) {
            Some(written) => Ok(written),
            None => allowed::binary(operator),
        }
    }
}
