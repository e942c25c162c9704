//! Queries: what stands around a `SELECT`.
//!
//! Invariant: no clause is left out silently: every part of a query is named here, written or
//! refused.
//! Failure: `sql_not_allowed`, `sql_limit`, and what the parts say.

use sqlparser::ast::{
    Cte, Expr, LimitClause, Offset, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, OrderBySort,
    Query, SetExpr, SetOperator, SetQuantifier, Value, Values, With,
};

use super::scope::{Column, Frame, Relation};
use super::{MAX_LIMIT, Refusal, Writer, words};

impl Writer<'_> {
    /// Writes a query; answers its columns.
    pub(super) fn query(&mut self, query: &Query) -> Result<Vec<Column>, Refusal> {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        for (there, what) in [
            (fetch.is_some(), "FETCH (use LIMIT)"),
            (!locks.is_empty(), "Locking rows (FOR UPDATE, FOR SHARE)"),
            (for_clause.is_some(), "FOR XML, JSON or BROWSE"),
            (settings.is_some(), "SETTINGS"),
            (format_clause.is_some(), "FORMAT"),
            (!pipe_operators.is_empty(), "A pipe operator"),
        ] {
            if there {
                return Err(Refusal::clause(what));
            }
        }
        if self.opened.as_ref().is_some_and(|opened| opened.row) {
            return Err(Refusal::clause("A subquery in a condition about one row"));
        }
        self.deeper(|writer| {
            let known = writer.with.len();
            if let Some(with) = with {
                writer.with_clause(with)?;
            }
            let (columns, frame) = writer.body(body)?;
            if let Some(order_by) = order_by {
                writer.frames.push(frame);
                writer.order_clause(order_by, &columns)?;
                writer.frames.pop();
            }
            if let Some(limit) = limit_clause {
                writer.limit_clause(limit)?;
            }
            writer.with.truncate(known);
            Ok(columns)
        })
    }

    fn with_clause(&mut self, with: &With) -> Result<(), Refusal> {
        let With {
            with_token,
            recursive,
            cte_tables,
        } = with;
        if *recursive {
            return Err(Refusal::clause("WITH RECURSIVE").at(with_token.0.span));
        }
        self.put("with ");
        self.list(cte_tables, Self::cte)?;
        self.put(" ");
        Ok(())
    }

    fn cte(&mut self, cte: &Cte) -> Result<(), Refusal> {
        let Cte {
            alias,
            query,
            from,
            materialized,
            closing_paren_token: _,
        } = cte;
        if from.is_some() || materialized.is_some() {
            let refusal = Refusal::clause("MATERIALIZED or FROM after a name of WITH");
            return Err(refusal.at(alias.name.span));
        }
        let name = words::name(&alias.name)?;
        words::write_name(&mut self.sql, &name);
        let named = self.alias_columns(alias)?;
        self.put(" as (");
        let columns = self.query(query)?;
        self.put(")");
        let relation = Relation { name, columns }.renamed(&named);
        self.with.push(relation);
        Ok(())
    }

    /// Writes what is selected; answers its columns, and what `ORDER BY` may name besides them.
    fn body(&mut self, body: &SetExpr) -> Result<(Vec<Column>, Frame), Refusal> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => {
                self.put("(");
                let columns = self.query(query)?;
                self.put(")");
                Ok((columns, Frame::default()))
            }
            SetExpr::SetOperation {
                left,
                op,
                set_quantifier,
                right,
            } => Ok((
                self.set_operation(left, *op, *set_quantifier, right)?,
                Frame::default(),
            )),
            SetExpr::Values(values) => Ok((self.values(values)?, Frame::default())),
            SetExpr::Table(_) => Err(Refusal::clause("TABLE")),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                Err(Refusal::clause("Changing data"))
            }
        }
    }

    /// Operations of one kind in a row are written side by side.
    fn set_operation(
        &mut self,
        left: &SetExpr,
        op: SetOperator,
        quantifier: SetQuantifier,
        right: &SetExpr,
    ) -> Result<Vec<Column>, Refusal> {
        let word = match (op, quantifier) {
            (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => "union",
            (SetOperator::Union, SetQuantifier::All) => "union all",
            (SetOperator::Intersect, SetQuantifier::None | SetQuantifier::Distinct) => "intersect",
            (SetOperator::Intersect, SetQuantifier::All) => "intersect all",
            (SetOperator::Except, SetQuantifier::None | SetQuantifier::Distinct) => "except",
            (SetOperator::Except, SetQuantifier::All) => "except all",
            _ => return Err(Refusal::clause("MINUS or BY NAME")),
        };
        let (mut parts, mut first) = (vec![right], left);
        while let SetExpr::SetOperation {
            left,
            op: before,
            set_quantifier,
            right,
        } = first
            && (*before, *set_quantifier) == (op, quantifier)
        {
            parts.push(right);
            first = left;
        }
        let mut columns = self.operand_of_set(first)?;
        for part in parts.into_iter().rev() {
            self.put(" ");
            self.put(word);
            self.put(" ");
            let more = self.operand_of_set(part)?;
            for (column, other) in columns.iter_mut().zip(more) {
                column.width = column.width.max(other.width);
            }
        }
        Ok(columns)
    }

    fn operand_of_set(&mut self, mut body: &SetExpr) -> Result<Vec<Column>, Refusal> {
        while let SetExpr::Query(query) = body
            && let Some(inner) = bare(query)
        {
            body = inner;
        }
        self.deeper(|writer| {
            writer.put("(");
            let (columns, _) = writer.body(body)?;
            writer.put(")");
            Ok(columns)
        })
    }

    fn values(&mut self, values: &Values) -> Result<Vec<Column>, Refusal> {
        let Values {
            explicit_row,
            value_keyword,
            rows,
        } = values;
        if *explicit_row || *value_keyword {
            return Err(Refusal::clause("ROW or VALUE"));
        }
        self.put("values ");
        let mut widths: Vec<u64> = Vec::new();
        self.list(rows, |writer, row| {
            writer.put("(");
            let mut place = 0;
            writer.list(&row.content, |writer, expr| {
                let width = writer.expr(expr)?;
                match widths.get_mut(place) {
                    Some(known) => *known = width.max(*known),
                    None => widths.push(width),
                }
                place += 1;
                Ok(())
            })?;
            writer.put(")");
            Ok(())
        })?;
        let column = |(place, width): (usize, u64)| Column {
            name: format!("column{place}"),
            width,
            any: None,
        };
        Ok((1..).zip(widths).map(column).collect())
    }

    fn order_clause(&mut self, order_by: &OrderBy, columns: &[Column]) -> Result<(), Refusal> {
        let OrderBy { kind, interpolate } = order_by;
        if interpolate.is_some() {
            return Err(Refusal::clause("INTERPOLATE"));
        }
        let OrderByKind::Expressions(exprs) = kind else {
            return Err(Refusal::clause("ORDER BY ALL"));
        };
        self.put(" order by ");
        self.list(exprs, |writer, item| writer.ordered(item, columns))
    }

    /// Writes `ORDER BY` within a call or a window, where no column of the result can be named.
    pub(super) fn order_within(&mut self, exprs: &[OrderByExpr]) -> Result<(), Refusal> {
        self.put("order by ");
        self.list(exprs, |writer, item| writer.ordered(item, &[]))
    }

    fn ordered(&mut self, item: &OrderByExpr, columns: &[Column]) -> Result<(), Refusal> {
        let OrderByExpr {
            expr,
            options: OrderByOptions { sort, nulls_first },
            with_fill,
        } = item;
        if with_fill.is_some() {
            return Err(Refusal::clause("WITH FILL"));
        }
        self.output_or_expr(expr, columns)?;
        match sort {
            None => {}
            Some(OrderBySort::Asc) => self.put(" asc"),
            Some(OrderBySort::Desc) => self.put(" desc"),
            Some(OrderBySort::Using(_)) => return Err(Refusal::clause("ORDER BY … USING")),
        }
        match nulls_first {
            None => {}
            Some(true) => self.put(" nulls first"),
            Some(false) => self.put(" nulls last"),
        }
        Ok(())
    }

    /// Writes what `ORDER BY` and `GROUP BY` take: a column of the result by its name or its place,
    /// or an expression.
    pub(super) fn output_or_expr(
        &mut self,
        expr: &Expr,
        columns: &[Column],
    ) -> Result<(), Refusal> {
        match expr {
            Expr::Identifier(ident) => {
                let name = words::name(ident)?;
                match columns.iter().any(|column| column.name == name) {
                    true => words::write_name(&mut self.sql, &name),
                    false => {
                        self.column(ident)?;
                    }
                }
            }
            Expr::Value(value) if matches!(value.value, Value::Number(..)) => {
                let number = whole(expr).filter(|number| {
                    usize::try_from(*number).is_ok_and(|place| (1..=columns.len()).contains(&place))
                });
                let Some(number) = number else {
                    let message = "A number here is the place of a column, from 1.";
                    return Err(Refusal::of("sql_not_allowed", message).at(value.span));
                };
                self.put(&number.to_string());
            }
            expr => {
                self.expr(expr)?;
            }
        }
        Ok(())
    }

    fn limit_clause(&mut self, clause: &LimitClause) -> Result<(), Refusal> {
        let LimitClause::LimitOffset {
            limit,
            offset,
            limit_by,
        } = clause
        else {
            return Err(Refusal::clause("LIMIT with a comma"));
        };
        if !limit_by.is_empty() {
            return Err(Refusal::clause("LIMIT BY"));
        }
        let offset = offset.as_ref().map(|Offset { value, rows: _ }| value);
        for (word, number) in [(" limit ", limit.as_ref()), (" offset ", offset)] {
            if let Some(expr) = number {
                let Some(number) = whole(expr).filter(|number| *number <= MAX_LIMIT) else {
                    let message =
                        format!("LIMIT and OFFSET take a number in digits, at most {MAX_LIMIT}.");
                    return Err(Refusal::of("sql_limit", message));
                };
                self.put(word);
                self.put(&number.to_string());
            }
        }
        Ok(())
    }
}

/// What a query is that is nothing but parentheses.
fn bare(query: &Query) -> Option<&SetExpr> {
    let Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks,
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators,
    } = query
    else {
        return None;
    };
    (locks.is_empty() && pipe_operators.is_empty()).then_some(body)
}

/// A whole number in digits.
pub(super) fn whole(expr: &Expr) -> Option<u32> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, false) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
