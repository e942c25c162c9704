//! What names stand for.
//!
//! Invariant: a name that was not found is not written, so that neither system columns nor
//! functions in the disguise of columns (`t.row_to_json`) nor whole rows can be reached.
//! Failure: `sql_column`, `sql_table` with the names there are.

use sqlparser::ast::Ident;

use super::{Refusal, Writer, words};

/// A column and the longest text it may hold, in bytes, as far as can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub width: u64,
    /// It stands for whatever columns an open table has; the number of that table.
    pub any: Option<usize>,
}

impl Column {
    /// Whatever columns an open table has.
    pub fn any(table: usize, width: u64) -> Self {
        Self {
            name: String::new(),
            width,
            any: Some(table),
        }
    }
}

/// Something to select from.
#[derive(Clone, Debug)]
pub struct Relation {
    pub name: String,
    pub columns: Vec<Column>,
}

/// What one `FROM` brings in.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The tables, by the names they go by.
    pub relations: Vec<Relation>,
    /// What `*` stands for, in order.
    pub all: Vec<Column>,
    /// Tables that stand beside others without a condition.
    pub unjoined: usize,
    /// The names of its windows.
    pub windows: Vec<String>,
}

impl Frame {
    /// A frame with one relation.
    pub fn of(relation: Relation) -> Self {
        Self {
            all: relation.columns.clone(),
            relations: vec![relation],
            ..Self::default()
        }
    }

    /// Adds what stands to the right; columns joined by `USING` are one.
    pub fn join(&mut self, right: Self, using: &[String]) {
        let shared = |column: &Column| using.contains(&column.name);
        let mut all: Vec<Column> = Vec::new();
        for name in using {
            let widths = self.all.iter().chain(&right.all);
            let width = widths
                .filter(|column| column.name == *name)
                .map(|column| column.width)
                .max();
            all.push(Column {
                name: name.clone(),
                width: width.unwrap_or_default(),
                any: None,
            });
        }
        all.extend(
            self.all
                .iter()
                .chain(&right.all)
                .filter(|column| !shared(column))
                .cloned(),
        );
        self.all = all;
        self.relations.extend(right.relations);
        self.unjoined += right.unjoined;
    }
}

impl Writer<'_> {
    /// Writes a column that is named alone; answers its width.
    pub(super) fn column(&mut self, ident: &Ident) -> Result<Column, Refusal> {
        let name = words::name(ident)?;
        let found = self.frames.iter().rev().find_map(|frame| {
            let columns = frame
                .relations
                .iter()
                .flat_map(|relation| &relation.columns);
            columns
                .filter(|column| column.name == name)
                .max_by_key(|column| column.width)
                .cloned()
        });
        let found = found.or_else(|| {
            let columns = self.frames.iter().rev().flat_map(|frame| &frame.relations);
            let columns: Vec<Column> = columns.flat_map(|found| found.columns.clone()).collect();
            self.of_open_table(&name, &columns)
        });
        let column = found.ok_or_else(|| self.no_column(&name, None).at(ident.span))?;
        words::write_name(&mut self.sql, &column.name);
        self.named += 1;
        Ok(column)
    }

    /// Writes `table.column`.
    pub(super) fn column_of(&mut self, table: &Ident, ident: &Ident) -> Result<Column, Refusal> {
        let relation = self.relation(table)?;
        let name = words::name(ident)?;
        let column = relation.columns.iter().find(|column| column.name == name);
        let column = column
            .cloned()
            .or_else(|| self.of_open_table(&name, &relation.columns));
        let Some(column) = column else {
            return Err(self.no_column(&name, Some(&relation)).at(ident.span));
        };
        words::write_name(&mut self.sql, &relation.name);
        self.put(".");
        words::write_name(&mut self.sql, &column.name);
        self.named += 1;
        Ok(column)
    }

    /// The table that goes by this name in the queries around.
    pub(super) fn relation(&self, ident: &Ident) -> Result<Relation, Refusal> {
        let name = words::name(ident)?;
        let mut around = self
            .frames
            .iter()
            .rev()
            .flat_map(|frame| frame.relations.iter());
        match around.find(|relation| relation.name == name) {
            Some(relation) => Ok(relation.clone()),
            None => {
                let here = self.frames.iter().rev().flat_map(|frame| &frame.relations);
                let here: Vec<_> = here.map(|relation| &*relation.name).collect();
                let message = match here.is_empty() {
                    true => format!("There is no table {name} in FROM."),
                    false => {
                        format!(
                            "There is no table {name} in FROM; there are {}.",
                            here.join(", ")
                        )
                    }
                };
                Err(Refusal::of("sql_table", message).at(ident.span))
            }
        }
    }

    fn no_column(&self, name: &str, relation: Option<&Relation>) -> Refusal {
        let relations: Vec<&Relation> = match relation {
            Some(relation) => vec![relation],
            None => self
                .frames
                .last()
                .into_iter()
                .flat_map(|frame| &frame.relations)
                .collect(),
        };
        if relations.iter().any(|relation| relation.name == name) {
            let message = format!("{name} is a table; name one of its columns.");
            return Refusal::of("sql_column", message);
        }
        let mut message = format!("There is no column {name}");
        for relation in &relations {
            let columns = relation.columns.iter().take(60);
            let columns: Vec<_> = columns.map(|column| &*column.name).collect();
            message += &format!("; {} has {}", relation.name, columns.join(", "));
        }
        Refusal::of("sql_column", message + ".")
    }
}
