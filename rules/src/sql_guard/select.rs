//! `SELECT` itself.
//!
//! Invariant: every column of the result has a name, so that what is around can name it.
//! Failure: `sql_not_allowed`, and what the parts say.

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, NamedWindowDefinition, NamedWindowExpr, ObjectName,
    ObjectNamePart, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind,
    WildcardAdditionalOptions,
};

use super::scope::{Column, Frame};
use super::{Refusal, Writer, words};

/// Most columns of a `CUBE`: each doubles the number of groupings.
const CUBE: usize = 4;

impl Writer<'_> {
    /// Writes a `SELECT`; answers its columns and what it selected from.
    pub(super) fn select(&mut self, select: &Select) -> Result<(Vec<Column>, Frame), Refusal> {
        let Select {
            select_token,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        for (there, what) in [
            (into.is_some(), "INTO"),
            (top.is_some(), "TOP (use LIMIT)"),
            (exclude.is_some(), "EXCLUDE"),
            (qualify.is_some(), "QUALIFY"),
            (prewhere.is_some(), "PREWHERE"),
            (!lateral_views.is_empty(), "LATERAL VIEW"),
            (!connect_by.is_empty(), "CONNECT BY"),
            (
                !(cluster_by.is_empty() && distribute_by.is_empty() && sort_by.is_empty()),
                "CLUSTER, DISTRIBUTE or SORT BY",
            ),
            (
                !optimizer_hints.is_empty() || select_modifiers.is_some(),
                "A hint",
            ),
            (value_table_mode.is_some(), "AS VALUE or AS STRUCT"),
            (*flavor != SelectFlavor::Standard, "FROM before SELECT"),
            (projection.is_empty(), "A SELECT of nothing"),
        ] {
            if there {
                return Err(Refusal::clause(what).at(select_token.0.span));
            }
        }
        let before = std::mem::take(&mut self.sql);
        let mut frame = self.from(from)?;
        let from = std::mem::replace(&mut self.sql, before);
        for NamedWindowDefinition(name, _) in named_window {
            frame.windows.push(words::name(name)?);
        }
        self.frames.push(frame);
        self.put("select ");
        self.distinct(distinct.as_ref())?;
        let mut columns = Vec::new();
        self.list(projection, |writer, item| writer.item(item, &mut columns))?;
        self.put(&from);
        self.condition(" where ", selection.as_ref())?;
        self.group_by(group_by, &columns)?;
        self.condition(" having ", having.as_ref())?;
        self.windows(named_window)?;
        let frame = self.frames.pop().unwrap_or_default();
        Ok((columns, frame))
    }

    fn distinct(&mut self, distinct: Option<&Distinct>) -> Result<(), Refusal> {
        match distinct {
            None | Some(Distinct::All) => {}
            Some(Distinct::Distinct) => self.put("distinct "),
            Some(Distinct::On(exprs)) => {
                self.put("distinct on (");
                self.list(exprs, |writer, expr| writer.expr(expr).map(drop))?;
                self.put(") ");
            }
        }
        Ok(())
    }

    fn item(&mut self, item: &SelectItem, columns: &mut Vec<Column>) -> Result<(), Refusal> {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let width = self.expr(expr)?;
                let name = match implied(expr) {
                    Some(ident) => words::name(ident)?,
                    None => format!("column_{}", columns.len() + 1),
                };
                if !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
                    self.put(" as ");
                    words::write_name(&mut self.sql, &name);
                }
                columns.push(Column {
                    name,
                    width,
                    any: None,
                });
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let width = self.expr(expr)?;
                let name = words::name(alias)?;
                self.put(" as ");
                words::write_name(&mut self.sql, &name);
                columns.push(Column {
                    name,
                    width,
                    any: None,
                });
            }
            SelectItem::ExprWithAliases { .. } => {
                return Err(Refusal::clause("AS with several names"));
            }
            SelectItem::Wildcard(options) => {
                plain(options)?;
                let all = self.frames.last().map(|frame| frame.all.clone());
                let all = all.filter(|all| !all.is_empty());
                columns.extend(all.ok_or_else(|| Refusal::clause("* without FROM"))?);
                self.put("*");
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                plain(options)?;
                let relation = match kind {
                    SelectItemQualifiedWildcardKind::ObjectName(name) => {
                        self.relation(single(name)?)?
                    }
                    SelectItemQualifiedWildcardKind::Expr(_) => {
                        return Err(Refusal::clause("* of an expression"));
                    }
                };
                words::write_name(&mut self.sql, &relation.name);
                self.put(".*");
                columns.extend(relation.columns);
            }
        }
        Ok(())
    }

    fn condition(&mut self, word: &str, expr: Option<&Expr>) -> Result<(), Refusal> {
        if let Some(expr) = expr {
            self.put(word);
            self.expr(expr)?;
        }
        Ok(())
    }

    fn group_by(&mut self, group_by: &GroupByExpr, columns: &[Column]) -> Result<(), Refusal> {
        let GroupByExpr::Expressions(exprs, modifiers) = group_by else {
            return Err(Refusal::clause("GROUP BY ALL"));
        };
        if !modifiers.is_empty() {
            return Err(Refusal::clause("GROUP BY … WITH"));
        }
        if exprs.is_empty() {
            return Ok(());
        }
        self.put(" group by ");
        self.list(exprs, |writer, expr| match expr {
            Expr::Rollup(sets) => writer.sets("rollup", sets),
            Expr::Cube(sets) if sets.len() <= CUBE => writer.sets("cube", sets),
            Expr::Cube(_) => Err(Refusal::clause("CUBE of more than four columns")),
            Expr::GroupingSets(sets) => writer.sets("grouping sets", sets),
            expr => writer.output_or_expr(expr, columns),
        })
    }

    fn sets(&mut self, word: &str, sets: &[Vec<Expr>]) -> Result<(), Refusal> {
        self.put(word);
        self.put(" (");
        self.list(sets, |writer, set| {
            writer.put("(");
            writer.list(set, |writer, expr| writer.expr(expr).map(drop))?;
            writer.put(")");
            Ok(())
        })?;
        self.put(")");
        Ok(())
    }

    fn windows(&mut self, named: &[NamedWindowDefinition]) -> Result<(), Refusal> {
        if named.is_empty() {
            return Ok(());
        }
        self.put(" window ");
        self.list(named, |writer, NamedWindowDefinition(name, window)| {
            let NamedWindowExpr::WindowSpec(spec) = window else {
                return Err(Refusal::clause("A window without parentheses").at(name.span));
            };
            words::write_name(&mut writer.sql, &words::name(name)?);
            writer.put(" as ");
            writer.window(spec)
        })
    }
}

/// The name that a column of the result has unless it is given one.
fn implied(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(idents) => idents.last(),
        Expr::Function(function) => single(&function.name).ok(),
        Expr::Cast { expr, .. } => implied(expr),
        Expr::Nested(expr) => implied(expr),
        _ => None,
    }
}

/// `*` and nothing about it.
fn plain(options: &WildcardAdditionalOptions) -> Result<(), Refusal> {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    let none = opt_ilike.is_none()
        && opt_exclude.is_none()
        && opt_except.is_none()
        && opt_replace.is_none()
        && opt_rename.is_none()
        && opt_alias.is_none();
    match none {
        true => Ok(()),
        false => Err(Refusal::clause("* with options")),
    }
}

/// A name of one part.
pub(super) fn single(name: &ObjectName) -> Result<&Ident, Refusal> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Ok(ident),
        _ => Err(Refusal::of(
            "sql_name",
            "Names with a schema are not allowed here.",
        )),
    }
}
