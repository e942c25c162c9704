//! `FROM`: tables, subqueries, series, joins.
//!
//! Invariant: a table is a source or a name of `WITH`; a series has at most
//! [`super::MAX_SERIES`] values; at most one pair of tables in a `FROM` stands side by side without
//! a condition.
//! Failure: `sql_source` with the sources there are, `sql_cross_join`, `sql_not_allowed`.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Join, JoinConstraint, JoinOperator, ObjectName,
    ObjectNamePart, Query, TableAlias, TableAliasColumnDef, TableFactor, TableFunctionArgs,
    TableWithJoins,
};

use super::scope::{Column, Frame, Relation};
use super::select::single;
use super::{MAX_SERIES, MAX_TABLES, Refusal, Writer, words};

/// The longest text that a column of a source is taken to hold, in bytes.
pub(super) const COLUMN_WIDTH: u64 = 1_024;
/// The longest text of a number or a time.
const SERIES_WIDTH: u64 = 64;

impl Relation {
    /// With its first columns under other names.
    pub(super) fn renamed(mut self, names: &[String]) -> Self {
        for (column, name) in self.columns.iter_mut().zip(names) {
            column.name.clone_from(name);
        }
        self
    }
}

impl Writer<'_> {
    /// Writes `FROM`, if there is one.
    pub(super) fn from(&mut self, items: &[TableWithJoins]) -> Result<Frame, Refusal> {
        let mut frame = Frame::default();
        if items.is_empty() {
            return Ok(frame);
        }
        self.put(" from ");
        let mut first = true;
        self.list(items, |writer, item| {
            let next = writer.joined(item)?;
            frame.join(next, &[]);
            frame.unjoined += usize::from(!first);
            first = false;
            Ok(())
        })?;
        match frame.unjoined {
            0 | 1 => Ok(frame),
            _ => Err(Refusal::of(
                "sql_cross_join",
                "At most two tables may stand side by side; write the others with JOIN … ON and a \
                 condition about columns.",
            )),
        }
    }

    fn joined(&mut self, item: &TableWithJoins) -> Result<Frame, Refusal> {
        let TableWithJoins { relation, joins } = item;
        let mut frame = self.factor(relation)?;
        for join in joins {
            frame = self.join(frame, join)?;
        }
        Ok(frame)
    }

    fn join(&mut self, mut frame: Frame, join: &Join) -> Result<Frame, Refusal> {
        let Join {
            relation,
            global,
            join_operator,
        } = join;
        if *global {
            return Err(Refusal::clause("GLOBAL JOIN"));
        }
        let (word, constraint) = match join_operator {
            JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => {
                (" join ", constraint)
            }
            JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
                (" left join ", constraint)
            }
            JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
                (" right join ", constraint)
            }
            JoinOperator::FullOuter(constraint) => (" full join ", constraint),
            JoinOperator::CrossJoin(JoinConstraint::None) => {
                self.put(" cross join ");
                let right = self.factor(relation)?;
                frame.join(right, &[]);
                frame.unjoined += 1;
                return Ok(frame);
            }
            _ => {
                let what = "This kind of join (allowed are JOIN, LEFT, RIGHT, FULL, CROSS JOIN)";
                return Err(Refusal::clause(what));
            }
        };
        self.put(word);
        let right = self.factor(relation)?;
        match constraint {
            JoinConstraint::On(condition) => {
                frame.join(right, &[]);
                self.put(" on ");
                self.frames.push(frame);
                let named = self.named;
                self.expr(condition)?;
                let mut frame = self.frames.pop().unwrap_or_default();
                // A condition that names no column joins nothing.
                frame.unjoined += usize::from(self.named == named);
                Ok(frame)
            }
            JoinConstraint::Using(names) => {
                let names = self.using(names, &frame, &right)?;
                frame.join(right, &names);
                Ok(frame)
            }
            _ => Err(Refusal::clause("A join without ON or USING")),
        }
    }

    fn using(
        &mut self,
        names: &[ObjectName],
        left: &Frame,
        right: &Frame,
    ) -> Result<Vec<String>, Refusal> {
        let mut using = Vec::new();
        self.put(" using (");
        self.list(names, |writer, name| {
            let ident = single(name)?;
            let name = words::name(ident)?;
            let mut has = |frame: &Frame| {
                frame.all.iter().any(|column| column.name == name)
                    || writer.of_open_table(&name, &frame.all).is_some()
            };
            if !has(left) || !has(right) {
                let message = format!("USING names {name}, which is not on both sides.");
                return Err(Refusal::of("sql_column", message).at(ident.span));
            }
            words::write_name(&mut writer.sql, &name);
            using.push(name);
            Ok(())
        })?;
        self.put(")");
        Ok(using)
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<Frame, Refusal> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_directives,
                inheritance: None,
            } if with_hints.is_empty() && partitions.is_empty() && index_directives.is_empty() => {
                match args {
                    None => self.table(name, alias.as_ref()),
                    Some(args) => self.series(name, args, alias.as_ref()),
                }
            }
            TableFactor::Derived {
                lateral: false,
                subquery,
                alias,
                sample: None,
            } => self.subquery(subquery, alias.as_ref()),
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => self.deeper(|writer| {
                writer.put("(");
                let frame = writer.joined(table_with_joins)?;
                writer.put(")");
                Ok(frame)
            }),
            TableFactor::Derived { lateral: true, .. } => Err(Refusal::clause("LATERAL")),
            _ => Err(Refusal::clause(
                "Anything in FROM but tables, subqueries and generate_series",
            )),
        }
    }

    fn table(&mut self, name: &ObjectName, alias: Option<&TableAlias>) -> Result<Frame, Refusal> {
        self.tables += 1;
        if self.tables > MAX_TABLES {
            let message = format!("A query names tables at most {MAX_TABLES} times.");
            return Err(Refusal::of("sql_too_complex", message));
        }
        let relation = match self.opened.is_some() {
            true => self.open_table(name)?,
            false => {
                let relation = self.named_table(name)?;
                words::write_name(&mut self.sql, &relation.name);
                relation
            }
        };
        self.aliased(relation, alias)
    }

    /// What a table's name stands for: a name of `WITH` before a source.
    fn named_table(&mut self, name: &ObjectName) -> Result<Relation, Refusal> {
        let (schema, ident) = match name.0.as_slice() {
            [ObjectNamePart::Identifier(ident)] => (None, ident),
            [
                ObjectNamePart::Identifier(schema),
                ObjectNamePart::Identifier(ident),
            ] => (Some(schema), ident),
            _ => return Err(self.no_source("This")),
        };
        let text = words::name(ident)?;
        let ours = match schema {
            Some(schema) => words::name(schema)? == self.terms.schema,
            None => true,
        };
        let hidden = self.with.iter().rev().find(|known| known.name == text);
        match (schema, hidden) {
            (None, Some(relation)) => return Ok(relation.clone()),
            (Some(_), Some(_)) if ours => {
                let message = format!("WITH gives {text} another meaning; choose another name.");
                return Err(Refusal::of("sql_source", message).at(ident.span));
            }
            _ => {}
        }
        let source = self
            .terms
            .sources
            .iter()
            .find(|source| ours && source.name == text);
        let Some(source) = source else {
            return Err(self.no_source(&text).at(ident.span));
        };
        self.used.insert(source.name.clone());
        let column = |name: &String| Column {
            name: name.clone(),
            width: COLUMN_WIDTH,
            any: None,
        };
        Ok(Relation {
            name: source.name.clone(),
            columns: source.columns.iter().map(column).collect(),
        })
    }

    fn no_source(&self, name: &str) -> Refusal {
        let sources = self.terms.sources.iter();
        let names: Vec<_> = sources.map(|source| &*source.name).collect();
        Refusal::of(
            "sql_source",
            format!("{name} is no source. Sources are {}.", names.join(", ")),
        )
    }

    fn subquery(&mut self, query: &Query, alias: Option<&TableAlias>) -> Result<Frame, Refusal> {
        self.put("(");
        let columns = self.query(query)?;
        self.put(")");
        self.unnamed += 1;
        let name = format!("subquery_{}", self.unnamed);
        if alias.is_none() {
            self.put(" as ");
            words::write_name(&mut self.sql, &name);
        }
        self.aliased(Relation { name, columns }, alias)
    }

    /// Values of a set-returning function in `SELECT` are made one by one, so that `LIMIT` bounds
    /// them; in `FROM` all would be made first.
    fn series(
        &mut self,
        name: &ObjectName,
        args: &TableFunctionArgs,
        alias: Option<&TableAlias>,
    ) -> Result<Frame, Refusal> {
        let ident = single(name)?;
        let exprs = arguments(args)
            .filter(|_| words::name(ident).is_ok_and(|name| name == "generate_series"));
        let Some(exprs) = exprs else {
            let message = "The only function in FROM is generate_series(start, stop[, step]).";
            return Err(Refusal::of("sql_function", message).at(ident.span));
        };
        let column = match alias {
            Some(alias) => words::name(&alias.name)?,
            None => "generate_series".to_owned(),
        };
        self.put("(select generate_series(");
        self.list(&exprs, |writer, expr| writer.expr(expr).map(drop))?;
        self.put(") as ");
        words::write_name(&mut self.sql, &column);
        self.put(&format!(" limit {MAX_SERIES})"));
        if alias.is_none() {
            self.put(" as generate_series");
        }
        let columns = vec![Column {
            name: column.clone(),
            width: SERIES_WIDTH,
            any: None,
        }];
        self.aliased(
            Relation {
                name: column,
                columns,
            },
            alias,
        )
    }

    /// Writes the name that a relation goes by here.
    fn aliased(
        &mut self,
        mut relation: Relation,
        alias: Option<&TableAlias>,
    ) -> Result<Frame, Refusal> {
        if let Some(alias) = alias {
            relation.name = words::name(&alias.name)?;
            self.put(" as ");
            words::write_name(&mut self.sql, &relation.name);
            let names = self.alias_columns(alias)?;
            relation = relation.renamed(&names);
        }
        Ok(Frame::of(relation))
    }

    /// Writes the names that an alias gives to columns.
    pub(super) fn alias_columns(&mut self, alias: &TableAlias) -> Result<Vec<String>, Refusal> {
        let TableAlias {
            explicit: _,
            name,
            columns,
            at,
        } = alias;
        if at.is_some() {
            return Err(Refusal::clause("AT after a table").at(name.span));
        }
        let mut names = Vec::new();
        if columns.is_empty() {
            return Ok(names);
        }
        self.put(" (");
        self.list(columns, |writer, column| {
            let TableAliasColumnDef { name, data_type } = column;
            if data_type.is_some() {
                return Err(Refusal::clause("A type in a list of columns").at(name.span));
            }
            let text = words::name(name)?;
            words::write_name(&mut writer.sql, &text);
            names.push(text);
            Ok(())
        })?;
        self.put(")");
        Ok(names)
    }
}

/// The two or three plain arguments of a series.
fn arguments(args: &TableFunctionArgs) -> Option<Vec<&Expr>> {
    let TableFunctionArgs { args, settings } = args;
    let plain = args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    let plain: Option<Vec<&Expr>> = plain.collect();
    plain.filter(|plain| settings.is_none() && matches!(plain.len(), 2 | 3))
}
