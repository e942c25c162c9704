//! Expressions.
//!
//! Invariant: an operand that is an operation itself stands in parentheses, so that nothing hangs on
//! what binds stronger; the longest text an expression may come to is bounded.
//! Failure: `sql_not_allowed`, `sql_operator`, `sql_literal`, `sql_type`, `sql_too_complex`.

use sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, Expr, Interval, TrimWhereField, TypedString, Value,
};
use sqlparser::tokenizer::Span;

use super::call::is_floating;
use super::{MAX_WIDTH, Refusal, Writer, allowed, words};

/// The longest text of a number, a time or a truth.
pub(super) const NARROW: u64 = 64;

/// The most digits of a number; a product of eight columns comes to as many.
const MAX_DIGITS: u64 = 8_192;

impl Writer<'_> {
    /// Writes an expression; answers the longest text it may come to.
    pub(super) fn expr(&mut self, expr: &Expr) -> Result<u64, Refusal> {
        let width = self
            .deeper(|writer| writer.any(expr))
            .and_then(bounded)
            .map_err(|refusal| match refusal.line {
                0 => refusal.at(place(expr)),
                _ => refusal,
            })?;
        Ok(width)
    }

    /// Writes an operand.
    pub(super) fn operand(&mut self, expr: &Expr) -> Result<u64, Refusal> {
        let expr = inner(expr);
        if is_atom(expr) {
            return self.expr(expr);
        }
        self.put("(");
        let width = self.expr(expr)?;
        self.put(")");
        Ok(width)
    }

    fn any(&mut self, expr: &Expr) -> Result<u64, Refusal> {
        let narrow = |_| NARROW;
        match inner(expr) {
            Expr::Identifier(ident) => self.column(ident).map(|column| column.width),
            Expr::CompoundIdentifier(idents) => match idents.as_slice() {
                [table, column] => self.column_of(table, column).map(|column| column.width),
                _ => Err(Refusal::of(
                    "sql_name",
                    "Columns are named column or table.column.",
                )),
            },
            Expr::Value(value) => self.value(&value.value),
            Expr::TypedString(typed) => self.typed(typed),
            Expr::Interval(interval) => self.interval(interval).map(narrow),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::UnaryOp { op, expr } => {
                self.put(allowed::unary(*op)?);
                self.operand(expr)
            }
            Expr::Function(function) => self.function(function),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type,
                format: None,
            } => {
                let (name, width) = allowed::data_type(data_type)?;
                if name == "numeric" && is_floating(expr) {
                    return self.expr(expr);
                }
                self.put("cast(");
                let from = self.expr(expr)?;
                if name.starts_with("numeric") {
                    digits(from)?;
                }
                self.put(" as ");
                self.put(&name);
                self.put(")");
                Ok(width.unwrap_or(from))
            }
            Expr::Case {
                case_token: _,
                end_token: _,
                operand,
                conditions,
                else_result,
            } => self.case(operand.as_deref(), conditions, else_result.as_deref()),
            Expr::Subquery(query) => {
                self.put("(");
                let columns = self.query(query)?;
                self.put(")");
                Ok(columns.first().map_or(0, |column| column.width))
            }
            other => match self.part_of_text(other)? {
                Some(width) => Ok(width),
                None => self.predicate(other).map(narrow),
            },
        }
    }

    /// Texts that are parts of texts: no longer than what they are part of.
    fn part_of_text(&mut self, expr: &Expr) -> Result<Option<u64>, Refusal> {
        match expr {
            Expr::Substring {
                expr,
                substring_from,
                substring_for,
                special: _,
                shorthand: _,
            } => {
                // `substr` takes places only; `substring` would take patterns too.
                self.put("substr(");
                let width = self.expr(expr)?;
                self.put(", ");
                match substring_from {
                    Some(from) => self.expr(from).map(drop)?,
                    None => self.put("1"),
                }
                if let Some(length) = substring_for {
                    self.put(", ");
                    self.expr(length)?;
                }
                self.put(")");
                Ok(Some(width))
            }
            Expr::Trim {
                trim_where,
                trim_what,
                expr,
                trim_characters,
            } => {
                let characters = match trim_characters.as_deref() {
                    None => None,
                    Some([characters]) => Some(characters),
                    Some(_) => return Err(Refusal::clause("TRIM of several things")),
                };
                self.put(match trim_where {
                    None | Some(TrimWhereField::Both) => "btrim(",
                    Some(TrimWhereField::Leading) => "ltrim(",
                    Some(TrimWhereField::Trailing) => "rtrim(",
                });
                let width = self.expr(expr)?;
                if let Some(what) = trim_what.as_deref().or(characters) {
                    self.put(", ");
                    self.expr(what)?;
                }
                self.put(")");
                Ok(Some(width))
            }
            _ => Ok(None),
        }
    }

    fn value(&mut self, value: &Value) -> Result<u64, Refusal> {
        match value {
            Value::Number(text, false) if words::is_number(text) => {
                self.put(text);
                return Ok(length(text).max(NARROW));
            }
            Value::Boolean(true) => self.put("true"),
            Value::Boolean(false) => self.put("false"),
            Value::Null => self.put("null"),
            Value::SingleQuotedString(text) => {
                words::write_text(&mut self.sql, text);
                return Ok(length(text));
            }
            Value::Placeholder(_) => {
                let message = "Parameters are not allowed; write the value.";
                return Err(Refusal::of("sql_literal", message));
            }
            _ => {
                let message =
                    "Literals are 'text', numbers in decimal digits, true, false and null.";
                return Err(Refusal::of("sql_literal", message));
            }
        }
        Ok(NARROW)
    }

    fn typed(&mut self, typed: &TypedString) -> Result<u64, Refusal> {
        let TypedString {
            data_type,
            value,
            uses_odbc_syntax,
        } = typed;
        let (Value::SingleQuotedString(text), false) = (&value.value, uses_odbc_syntax) else {
            let message = "A literal with a type is written date '2026-06-01'.";
            return Err(Refusal::of("sql_literal", message));
        };
        let (name, width) = allowed::data_type(data_type)?;
        if name.starts_with("numeric") {
            digits(length(text))?;
        }
        self.put("cast(");
        words::write_text(&mut self.sql, text);
        self.put(" as ");
        self.put(&name);
        self.put(")");
        Ok(width.unwrap_or(length(text)))
    }

    fn interval(&mut self, interval: &Interval) -> Result<(), Refusal> {
        let Interval {
            value,
            leading_field,
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        } = interval
        else {
            return Err(Refusal::clause("An interval with a precision"));
        };
        let text = match value.as_ref() {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) => Some(text),
                _ => None,
            },
            _ => None,
        };
        let Some(text) = text else {
            let message = "An interval is written interval '1 day'.";
            return Err(Refusal::of("sql_literal", message));
        };
        self.put("interval ");
        words::write_text(&mut self.sql, text);
        if let Some(field) = leading_field {
            self.put(" ");
            self.put(allowed::field(field)?);
        }
        Ok(())
    }

    /// Operations of one rank in a row are written side by side, as they are read.
    fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<u64, Refusal> {
        let (mut tail, mut head) = (vec![(op, right)], left);
        while let Expr::BinaryOp {
            left,
            op: before,
            right,
        } = head
            && rank(before).is_some()
            && rank(before) == rank(op)
        {
            tail.push((before, right));
            head = left;
        }
        let mut width = self.operand(head)?;
        for (op, right) in tail.into_iter().rev() {
            self.put(" ");
            self.put(self.operator(op)?);
            self.put(" ");
            let right = self.operand(right)?;
            width = match op {
                BinaryOperator::StringConcat => bounded(width.saturating_add(right))?,
                BinaryOperator::Multiply | BinaryOperator::Divide => {
                    digits(width.saturating_add(right))?
                }
                BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Modulo => {
                    digits(width.max(right))?
                }
                BinaryOperator::Arrow
                | BinaryOperator::LongArrow
                | BinaryOperator::HashArrow
                | BinaryOperator::HashLongArrow => width,
                _ => NARROW,
            };
        }
        Ok(width)
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
    ) -> Result<u64, Refusal> {
        let mut width = 0;
        self.put("case");
        if let Some(operand) = operand {
            self.put(" ");
            self.operand(operand)?;
        }
        for CaseWhen { condition, result } in conditions {
            self.put(" when ");
            self.expr(condition)?;
            self.put(" then ");
            width = self.expr(result)?.max(width);
        }
        if let Some(otherwise) = otherwise {
            self.put(" else ");
            width = self.expr(otherwise)?.max(width);
        }
        self.put(" end");
        Ok(width)
    }
}

/// The expression without the parentheses around it.
pub(super) fn inner(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(nested) = expr {
        expr = nested;
    }
    expr
}

/// Where an expression begins, as far as is easily told.
fn place(mut expr: &Expr) -> Span {
    loop {
        expr = match expr {
            Expr::Identifier(ident) => return ident.span,
            Expr::CompoundIdentifier(idents) => {
                return idents.first().map_or_else(Span::empty, |ident| ident.span);
            }
            Expr::Value(value) => return value.span,
            Expr::TypedString(typed) => return typed.value.span,
            Expr::Case { case_token, .. } => return case_token.0.span,
            Expr::BinaryOp { left: inner, .. }
            | Expr::AnyOp { left: inner, .. }
            | Expr::AllOp { left: inner, .. }
            | Expr::UnaryOp { expr: inner, .. }
            | Expr::Cast { expr: inner, .. }
            | Expr::Like { expr: inner, .. }
            | Expr::ILike { expr: inner, .. }
            | Expr::SimilarTo { expr: inner, .. }
            | Expr::Between { expr: inner, .. }
            | Expr::In { expr: inner, .. }
            | Expr::Collate { expr: inner, .. }
            | Expr::CompoundFieldAccess { root: inner, .. }
            | Expr::AtTimeZone {
                timestamp: inner, ..
            }
            | Expr::Nested(inner) => inner,
            _ => return Span::empty(),
        };
    }
}

/// Whether an expression is one thing wherever it stands.
fn is_atom(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Value(_)
            | Expr::TypedString(_)
            | Expr::Function(_)
            | Expr::Cast { .. }
            | Expr::Subquery(_)
            | Expr::Extract { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. }
    )
}

/// Operators that are read from left to right among each other.
fn rank(op: &BinaryOperator) -> Option<u8> {
    match op {
        BinaryOperator::Or => Some(0),
        BinaryOperator::And => Some(1),
        BinaryOperator::StringConcat => Some(2),
        BinaryOperator::Plus | BinaryOperator::Minus => Some(3),
        BinaryOperator::Multiply | BinaryOperator::Divide | BinaryOperator::Modulo => Some(4),
        _ => None,
    }
}

/// The length of a text, in bytes.
pub(super) fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// Refuses what may come to a number of too many digits: nothing ends a calculation with it.
fn digits(width: u64) -> Result<u64, Refusal> {
    match width {
        0..=MAX_DIGITS => Ok(width),
        _ => Err(Refusal::of(
            "sql_too_complex",
            format!("This may come to a number of more than {MAX_DIGITS} digits."),
        )),
    }
}

/// Refuses what may come to too long a text.
pub(super) fn bounded(width: u64) -> Result<u64, Refusal> {
    match width {
        0..=MAX_WIDTH => Ok(width),
        _ => Err(Refusal::of(
            "sql_too_complex",
            "This may come to a text of more than a megabyte.",
        )),
    }
}
