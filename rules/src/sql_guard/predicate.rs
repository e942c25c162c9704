//! Expressions that are true or false, and those with a syntax of their own.
//!
//! Invariant: as in [`super::expr`].
//! Failure: `sql_not_allowed`, `sql_operator`.

use sqlparser::ast::{BinaryOperator, CeilFloorKind, DateTimeField, Expr, InTarget};

use super::expr::inner;
use super::{Refusal, Writer, allowed};

impl Writer<'_> {
    /// Writes what is true or false, and what has a syntax of its own.
    pub(super) fn predicate(&mut self, expr: &Expr) -> Result<(), Refusal> {
        match expr {
            Expr::IsNull(expr) => self.postfix(expr, " is null"),
            Expr::IsNotNull(expr) => self.postfix(expr, " is not null"),
            Expr::IsTrue(expr) => self.postfix(expr, " is true"),
            Expr::IsNotTrue(expr) => self.postfix(expr, " is not true"),
            Expr::IsFalse(expr) => self.postfix(expr, " is false"),
            Expr::IsNotFalse(expr) => self.postfix(expr, " is not false"),
            Expr::IsUnknown(expr) => self.postfix(expr, " is unknown"),
            Expr::IsNotUnknown(expr) => self.postfix(expr, " is not unknown"),
            Expr::IsDistinctFrom(left, right) => self.infix(left, " is distinct from ", right),
            Expr::IsNotDistinctFrom(left, right) => {
                self.infix(left, " is not distinct from ", right)
            }
            Expr::AtTimeZone {
                timestamp,
                time_zone,
            } => self.infix(timestamp, " at time zone ", time_zone),
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let word = either(*negated, " between ", " not between ");
                self.infix(expr, word, low)?;
                self.put(" and ");
                self.operand(high).map(drop)
            }
            Expr::In {
                expr,
                target,
                negated,
                global: false,
            } => self.membership(expr, target, *negated),
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self.like("like ", *negated, expr, pattern, escape_char.as_deref()),
            Expr::ILike {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self.like("ilike ", *negated, expr, pattern, escape_char.as_deref()),
            Expr::AnyOp {
                left,
                compare_op,
                right,
                is_some: _,
            } => self.quantified(left, compare_op, " any ", right),
            Expr::AllOp {
                left,
                compare_op,
                right,
            } => self.quantified(left, compare_op, " all ", right),
            Expr::Exists { subquery, negated } => {
                self.put(either(*negated, "exists (", "not exists ("));
                self.query(subquery)?;
                self.put(")");
                Ok(())
            }
            other => self.special(other),
        }
    }

    /// Functions with a syntax of their own.
    fn special(&mut self, expr: &Expr) -> Result<(), Refusal> {
        match expr {
            Expr::Extract {
                field,
                syntax: _,
                expr,
            } => {
                self.put("extract(");
                self.put(allowed::field(field)?);
                self.put(" from ");
                self.expr(expr)?;
            }
            Expr::Ceil {
                expr,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            } => {
                self.put("ceil(");
                self.expr(expr)?;
            }
            Expr::Floor {
                expr,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            } => {
                self.put("floor(");
                self.expr(expr)?;
            }
            Expr::Position { expr, r#in } => {
                self.put("strpos(");
                self.expr(r#in)?;
                self.put(", ");
                self.expr(expr)?;
            }
            _ => {
                return Err(Refusal::clause("This expression"));
            }
        }
        self.put(")");
        Ok(())
    }

    fn postfix(&mut self, expr: &Expr, word: &str) -> Result<(), Refusal> {
        self.operand(expr)?;
        self.put(word);
        Ok(())
    }

    fn infix(&mut self, left: &Expr, word: &str, right: &Expr) -> Result<(), Refusal> {
        self.operand(left)?;
        self.put(word);
        self.operand(right).map(drop)
    }

    fn membership(&mut self, expr: &Expr, target: &InTarget, negated: bool) -> Result<(), Refusal> {
        self.postfix(expr, either(negated, " in (", " not in ("))?;
        match target {
            InTarget::List(items) if !items.is_empty() => {
                self.list(items, |writer, item| writer.expr(item).map(drop))?;
            }
            InTarget::Subquery(query) => {
                self.query(query)?;
            }
            _ => return Err(Refusal::clause("IN without a list or a subquery")),
        }
        self.put(")");
        Ok(())
    }

    fn like(
        &mut self,
        word: &str,
        negated: bool,
        expr: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
    ) -> Result<(), Refusal> {
        self.postfix(expr, either(negated, " ", " not "))?;
        self.put(word);
        self.operand(pattern)?;
        if let Some(escape) = escape {
            self.put(" escape ");
            self.operand(escape)?;
        }
        Ok(())
    }

    fn quantified(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        word: &str,
        right: &Expr,
    ) -> Result<(), Refusal> {
        let Expr::Subquery(query) = inner(right) else {
            return Err(Refusal::clause("ANY or ALL without a subquery"));
        };
        let op = allowed::comparison(op)?;
        self.operand(left)?;
        self.put(" ");
        self.put(op);
        self.put(word);
        self.put("(");
        self.query(query)?;
        self.put(")");
        Ok(())
    }
}

fn either(negated: bool, plain: &'static str, not: &'static str) -> &'static str {
    match negated {
        false => plain,
        true => not,
    }
}
