//! Judges SQL that a person or a model wrote, and writes what is run instead of it.
//!
//! The text becomes a tree, and of the tree only what is named here is written out again: one
//! `SELECT` over the listed sources, with the listed functions, types and operators. What was checked
//! is therefore what runs, letter by letter; the text itself never reaches a database.
//!
//! Invariant: everything that is not named is refused. A name is written only after it was found: a
//! source, a column of a source, or a name that the statement itself gave. The time is an argument:
//! `now()` is the moment the statement is about, so that it answers the same when it is repeated.
//! Failure: a [`Refusal`] with a stable code, the place, and what is allowed there.

mod allowed;
mod call;
mod expr;
mod from;
mod open;
mod parse;
mod predicate;
mod query;
mod refusal;
mod scope;
mod select;
mod words;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

pub use allowed::{functions, types};
pub use open::{Named, Opened, TableName, condition, open};
pub use refusal::Refusal;
pub use words::quoted_words;

/// Longest text, in bytes.
pub const MAX_TEXT: usize = 10_000;
/// Most words and signs in a text.
pub const MAX_TOKENS: usize = 3_000;
/// How deep expressions and queries may be nested.
pub const MAX_DEPTH: usize = 24;
/// Most times that tables are named.
pub const MAX_TABLES: usize = 20;
/// Most values of a `generate_series`.
pub const MAX_SERIES: u32 = 10_000;
/// Largest number after `LIMIT` and `OFFSET`.
pub const MAX_LIMIT: u32 = 1_000_000;
/// The longest text that an expression may come to, in bytes, as far as can be told beforehand.
pub const MAX_WIDTH: u64 = 1 << 20;

/// A table that may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its columns that may be read.
    pub columns: Vec<String>,
}

/// What may be read, and when it is.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The sources.
    pub sources: &'a [Source],
    /// The schema they may be qualified with.
    pub schema: &'a str,
    /// The time that the statement takes for now.
    pub now: DateTime<Utc>,
}

/// A statement that may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// What runs.
    pub sql: String,
    /// The sources it reads, in alphabetical order.
    pub sources: Vec<String>,
}

/// Judges a text.
pub fn check(text: &str, terms: &Terms<'_>) -> Result<Guarded, Refusal> {
    let query = parse::query(text)?;
    let mut writer = Writer::new(text, terms);
    writer.query(&query)?;
    Ok(Guarded {
        sql: writer.sql,
        sources: writer.used.into_iter().collect(),
    })
}

/// Checks and writes in one pass, so that nothing is written unchecked.
struct Writer<'t> {
    terms: Terms<'t>,
    /// What was written so far.
    sql: String,
    /// Sources that were read.
    used: BTreeSet<String>,
    /// Queries that `WITH` gave names to; the last of a name counts.
    with: Vec<scope::Relation>,
    /// What names stand for, the innermost query last.
    frames: Vec<scope::Frame>,
    depth: usize,
    tables: usize,
    /// Columns that were named.
    named: usize,
    /// Subqueries that have no name of their own.
    unnamed: usize,
    /// What is read where any table may be; none where sources are listed.
    opened: Option<open::Opening>,
}

impl<'t> Writer<'t> {
    fn new(text: &str, terms: &Terms<'t>) -> Self {
        Self {
            terms: *terms,
            sql: String::with_capacity(text.len() + 64),
            used: BTreeSet::new(),
            with: Vec::new(),
            frames: Vec::new(),
            depth: 0,
            tables: 0,
            named: 0,
            unnamed: 0,
            opened: None,
        }
    }
}

impl Writer<'_> {
    fn put(&mut self, text: &str) {
        self.sql.push_str(text);
    }

    /// Does something one level deeper.
    fn deeper<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        if self.depth >= MAX_DEPTH {
            return Err(Refusal::of(
                "sql_too_complex",
                format!("Expressions and queries may be nested {MAX_DEPTH} deep."),
            ));
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    /// Writes a list with commas.
    fn list<'i, T>(
        &mut self,
        items: &'i [T],
        mut write: impl FnMut(&mut Self, &'i T) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                self.put(", ");
            }
            write(self, item)?;
        }
        Ok(())
    }
}
