//! Calls of functions, and windows.
//!
//! Invariant: a function is on the list and called in its way; `now()` and its like are written as
//! the moment the statement is about; what makes texts longer is bounded.
//! Failure: `sql_function` with the functions there are, `sql_not_allowed`.

use chrono::{DateTime, SecondsFormat, Utc};
use sqlparser::ast::{
    DataType, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident, OrderByExpr, Value,
    WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

use super::allowed::{self, Kind};
use super::expr::{NARROW, bounded, inner, length};
use super::query::whole;
use super::select::single;
use super::{Refusal, Writer, words};

/// What texts of many rows together are taken to come to, in bytes.
const GATHERED: u64 = 256 << 10;
/// Longest number that a double comes to.
const FLOATING: u64 = 400;
/// Longest text that `lpad` and `rpad` fill up to.
const PADDED: u32 = 200;
/// Longest text that `replace` puts in, in bytes.
const REPLACEMENT: usize = 100;

impl Writer<'_> {
    /// Writes a call; answers the longest text it may come to.
    pub(super) fn function(&mut self, function: &Function) -> Result<u64, Refusal> {
        let Function {
            name,
            uses_odbc_syntax,
            parameters,
            args,
            within_group,
            filter,
            null_treatment,
            over,
        } = function;
        let ident = single(name).map_err(|_| not_a_function(&name.to_string()))?;
        let name = words::name(ident)?;
        if *uses_odbc_syntax
            || null_treatment.is_some()
            || !matches!(parameters, FunctionArguments::None)
        {
            return Err(Refusal::clause("This way to call a function").at(ident.span));
        }
        let bare = within_group.is_empty() && filter.is_none() && over.is_none();
        if let Some(width) = self.moment(&name, args, bare) {
            return Ok(width);
        }
        let kind = self
            .kind_of(&name)
            .ok_or_else(|| not_a_function(&name).at(ident.span))?;
        if kind != Kind::Plain && self.opened.as_ref().is_some_and(|opened| opened.row) {
            let message = format!("{name} is about many rows; a condition is about one.");
            return Err(Refusal::of("sql_function", message).at(ident.span));
        }
        let FunctionArguments::List(list) = args else {
            return Err(Refusal::clause("A call without ( )").at(ident.span));
        };
        let fits = match kind {
            Kind::Plain => bare,
            Kind::Aggregate => within_group.is_empty(),
            Kind::Window => within_group.is_empty() && filter.is_none() && over.is_some(),
            Kind::Ordered => !within_group.is_empty() && over.is_none(),
        };
        if !fits {
            return Err(wrong_call(&name, kind).at(ident.span));
        }
        let floating = allowed::is_floating(&name);
        if floating {
            self.put("cast(");
        }
        // The name is one of the list, so it is written as it is.
        self.put(&name);
        let width = self.arguments(ident, &name, kind, list)?;
        if floating {
            self.put(" as numeric)");
        }
        self.within_group(within_group)?;
        if let Some(filter) = filter {
            self.put(" filter (where ");
            self.expr(filter)?;
            self.put(")");
        }
        if let Some(over) = over {
            self.over(over)?;
        }
        Ok(width)
    }

    /// Writes the time that the statement takes for now, if that is what is called.
    fn moment(&mut self, name: &str, args: &FunctionArguments, bare: bool) -> Option<u64> {
        let none = matches!(args, FunctionArguments::None);
        let empty = match args {
            FunctionArguments::List(list) => list.args.is_empty() && list.clauses.is_empty(),
            _ => false,
        };
        let now = instant(self.terms.now);
        let written = match name {
            "now" if empty && bare => format!("cast('{now}' as timestamptz)"),
            "current_timestamp" if none && bare => format!("cast('{now}' as timestamptz)"),
            "localtimestamp" if none && bare => {
                format!("cast(cast('{now}' as timestamptz) as timestamp)")
            }
            "current_date" if none && bare => {
                format!("cast(cast('{now}' as timestamptz) as date)")
            }
            _ => return None,
        };
        self.put(&written);
        Some(NARROW)
    }

    fn arguments(
        &mut self,
        ident: &Ident,
        name: &str,
        kind: Kind,
        list: &FunctionArgumentList,
    ) -> Result<u64, Refusal> {
        let FunctionArgumentList {
            duplicate_treatment,
            args,
            clauses,
        } = list;
        self.put("(");
        match (duplicate_treatment, kind) {
            (None, _) => {}
            (Some(DuplicateTreatment::Distinct), Kind::Aggregate) => self.put("distinct "),
            _ => return Err(Refusal::clause("DISTINCT or ALL here").at(ident.span)),
        }
        let mut exprs: Vec<&Expr> = Vec::new();
        let mut widths = Vec::new();
        self.list(args, |writer, arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => {
                exprs.push(expr);
                widths.push(match allowed::is_floating(name) {
                    true => writer.double(expr)?,
                    false => writer.expr(expr)?,
                });
                Ok(())
            }
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if name == "count" => {
                writer.put("*");
                Ok(())
            }
            _ => Err(Refusal::clause("This argument").at(ident.span)),
        })?;
        for clause in clauses {
            match clause {
                FunctionArgumentClause::OrderBy(exprs) if kind == Kind::Aggregate => {
                    self.put(" ");
                    self.order_within(exprs)?;
                }
                _ => return Err(Refusal::clause("This part of a call").at(ident.span)),
            }
        }
        self.put(")");
        width_of(name, &exprs, &widths).map_err(|refusal| refusal.at(ident.span))
    }

    /// Writes an argument as a double, once.
    fn double(&mut self, expr: &Expr) -> Result<u64, Refusal> {
        if let Expr::Cast { data_type, .. } = inner(expr)
            && matches!(data_type, DataType::DoublePrecision)
        {
            return self.expr(expr);
        }
        self.put("cast(");
        self.expr(expr)?;
        self.put(" as double precision)");
        Ok(NARROW)
    }

    fn within_group(&mut self, exprs: &[OrderByExpr]) -> Result<(), Refusal> {
        if !exprs.is_empty() {
            self.put(" within group (");
            self.order_within(exprs)?;
            self.put(")");
        }
        Ok(())
    }

    fn over(&mut self, over: &WindowType) -> Result<(), Refusal> {
        self.put(" over ");
        match over {
            WindowType::WindowSpec(spec) => self.window(spec),
            WindowType::NamedWindow(ident) => self.window_name(ident),
        }
    }

    fn window_name(&mut self, ident: &Ident) -> Result<(), Refusal> {
        let name = words::name(ident)?;
        let known = self
            .frames
            .last()
            .is_some_and(|frame| frame.windows.contains(&name));
        if !known {
            let message = format!("WINDOW defines no {name}.");
            return Err(Refusal::of("sql_name", message).at(ident.span));
        }
        words::write_name(&mut self.sql, &name);
        Ok(())
    }

    /// Writes a window in its parentheses.
    pub(super) fn window(&mut self, spec: &WindowSpec) -> Result<(), Refusal> {
        let WindowSpec {
            window_name,
            partition_by,
            order_by,
            window_frame,
        } = spec;
        self.put("(");
        let mut space = "";
        if let Some(name) = window_name {
            self.window_name(name)?;
            space = " ";
        }
        if !partition_by.is_empty() {
            self.put(space);
            self.put("partition by ");
            self.list(partition_by, |writer, expr| writer.expr(expr).map(drop))?;
            space = " ";
        }
        if !order_by.is_empty() {
            self.put(space);
            self.order_within(order_by)?;
            space = " ";
        }
        if let Some(frame) = window_frame {
            self.put(space);
            self.window_frame(frame)?;
        }
        self.put(")");
        Ok(())
    }

    fn window_frame(&mut self, frame: &WindowFrame) -> Result<(), Refusal> {
        let WindowFrame {
            units,
            start_bound,
            end_bound,
        } = frame;
        self.put(match units {
            WindowFrameUnits::Rows => "rows ",
            WindowFrameUnits::Range => "range ",
            WindowFrameUnits::Groups => "groups ",
        });
        match end_bound {
            None => self.bound(start_bound),
            Some(end_bound) => {
                self.put("between ");
                self.bound(start_bound)?;
                self.put(" and ");
                self.bound(end_bound)
            }
        }
    }

    fn bound(&mut self, bound: &WindowFrameBound) -> Result<(), Refusal> {
        let (distance, word) = match bound {
            WindowFrameBound::CurrentRow => {
                self.put("current row");
                return Ok(());
            }
            WindowFrameBound::Preceding(distance) => (distance, " preceding"),
            WindowFrameBound::Following(distance) => (distance, " following"),
        };
        match distance {
            None => self.put("unbounded"),
            Some(distance) => {
                self.expr(distance)?;
            }
        }
        self.put(word);
        Ok(())
    }
}

/// The longest text a call may come to, from the widths of its arguments.
fn width_of(name: &str, args: &[&Expr], widths: &[u64]) -> Result<u64, Refusal> {
    let sum = widths.iter().fold(0, |sum: u64, w| sum.saturating_add(*w));
    let first = widths.first().copied().unwrap_or_default();
    let count = u64::try_from(widths.len()).unwrap_or(u64::MAX);
    bounded(match name {
        "concat" => sum,
        "concat_ws" => sum.saturating_add(first.saturating_mul(count)),
        "string_agg" => GATHERED,
        "log" if args.len() > 1 => {
            let message =
                "log takes one argument, and is of base 10; of another, ln(x) / ln(base).";
            return Err(Refusal::of("sql_function", message));
        }
        // The digits of a double.
        name if allowed::is_floating(name) => FLOATING,
        "to_char" => sum.saturating_mul(10),
        "lpad" | "rpad" => {
            if args
                .get(1)
                .and_then(|expr| whole(expr))
                .is_none_or(|n| n > PADDED)
            {
                let message =
                    format!("{name} takes a number in digits as its length, at most {PADDED}.");
                return Err(Refusal::of("sql_function", message));
            }
            u64::from(PADDED) * 4
        }
        "replace" => {
            let put_in = args.get(2).and_then(|expr| text(expr));
            let Some(put_in) = put_in.filter(|text| text.len() <= REPLACEMENT) else {
                let message = format!(
                    "replace takes what it puts in as a literal of at most {REPLACEMENT} bytes."
                );
                return Err(Refusal::of("sql_function", message));
            };
            first.saturating_mul(length(put_in).max(1))
        }
        _ => widths.iter().copied().max().unwrap_or_default().max(NARROW),
    })
}

/// Whether it is a call that is written as a number with digits anyway.
pub(super) fn is_floating(expr: &Expr) -> bool {
    let name = match inner(expr) {
        Expr::Function(function) => single(&function.name).and_then(words::name).ok(),
        _ => None,
    };
    name.is_some_and(|name| allowed::is_floating(&name))
}

/// A text literal.
fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// An instant as a literal.
fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn not_a_function(name: &str) -> Refusal {
    let name: String = name.chars().take(63).collect();
    Refusal::of(
        "sql_function",
        format!(
            "The function {name} is not allowed. Allowed are {}.",
            allowed::functions().join(", ")
        ),
    )
}

fn wrong_call(name: &str, kind: Kind) -> Refusal {
    let way = match kind {
        Kind::Plain => "takes no FILTER, OVER or WITHIN GROUP",
        Kind::Aggregate => "takes no WITHIN GROUP",
        Kind::Window => "needs OVER (…) and takes no FILTER or WITHIN GROUP",
        Kind::Ordered => "needs WITHIN GROUP (ORDER BY …) and takes no OVER",
    };
    Refusal::of("sql_function", format!("{name} {way}."))
}
