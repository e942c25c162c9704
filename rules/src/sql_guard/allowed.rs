//! What may be used: functions, types, operators, parts of a time.
//!
//! Invariant: nothing here reads settings, catalogues or files, sleeps, locks, or makes a text
//! longer than what [`super::call`] bounds. Every name is one that Postgres 15 to 17 knows.
//! Failure: what is not listed is refused with the list.

use sqlparser::ast::{BinaryOperator, CharacterLength, DataType, DateTimeField, ExactNumberInfo};
use sqlparser::ast::{TimezoneInfo, UnaryOperator};

use super::Refusal;

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With its arguments alone.
    Plain,
    /// Over rows, also over a window.
    Aggregate,
    /// Over a window only.
    Window,
    /// `WITHIN GROUP (ORDER BY …)`.
    Ordered,
}

#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "abs", "age", "btrim", "cbrt", "ceil", "ceiling", "char_length", "coalesce", "concat",
    "concat_ws", "date_bin", "date_part", "date_trunc", "div", "exp", "floor", "greatest",
    "initcap", "isfinite", "justify_days", "justify_hours", "justify_interval", "least", "left",
    "length", "ln", "log", "lower", "lpad", "ltrim", "make_date", "make_interval", "make_time",
    "make_timestamp", "make_timestamptz", "mod", "now", "nullif", "power", "replace", "right",
    "round", "rpad", "rtrim", "sign", "split_part", "sqrt", "starts_with", "strpos", "substr",
    "to_char", "to_date", "to_number", "to_timestamp", "trunc", "upper", "width_bucket",
];
#[rustfmt::skip]
const AGGREGATE: &[&str] = &[
    "avg", "bool_and", "bool_or", "corr", "count", "covar_pop", "covar_samp", "every", "grouping",
    "max", "min", "regr_intercept", "regr_r2", "regr_slope", "stddev", "stddev_pop", "stddev_samp",
    "string_agg", "sum", "var_pop", "var_samp", "variance",
];
#[rustfmt::skip]
const WINDOW: &[&str] = &[
    "cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile",
    "percent_rank", "rank", "row_number",
];
const ORDERED: &[&str] = &["mode", "percentile_cont", "percentile_disc"];
/// What has a syntax of its own.
const SPECIAL: &[&str] = &[
    "current_date",
    "current_timestamp",
    "extract",
    "localtimestamp",
    "position",
    "substring",
    "trim",
];

/// What is calculated with doubles: with `numeric` it takes minutes for numbers of many digits, and
/// nothing ends it.
const FLOATING: &[&str] = &["exp", "ln", "log", "power", "sqrt"];

/// Whether a function is calculated with doubles.
pub fn is_floating(name: &str) -> bool {
    FLOATING.contains(&name)
}

/// What is allowed besides where the tables are a customer's own.
const MORE: &[&str] = &[
    "array_length",
    "cardinality",
    "json_array_length",
    "json_typeof",
    "jsonb_array_length",
    "jsonb_typeof",
    "md5",
    "octet_length",
];

/// Whether a function is allowed besides where the tables are a customer's own.
pub fn is_more(name: &str) -> bool {
    MORE.contains(&name)
}

/// An operator that is allowed besides there: patterns, and what looks into JSON.
pub fn more_binary(operator: &BinaryOperator) -> Option<&'static str> {
    Some(match operator {
        BinaryOperator::PGRegexMatch => "~",
        BinaryOperator::PGRegexIMatch => "~*",
        BinaryOperator::PGRegexNotMatch => "!~",
        BinaryOperator::PGRegexNotIMatch => "!~*",
        BinaryOperator::Arrow => "->",
        BinaryOperator::LongArrow => "->>",
        BinaryOperator::HashArrow => "#>",
        BinaryOperator::HashLongArrow => "#>>",
        BinaryOperator::AtArrow => "@>",
        _ => return None,
    })
}

/// How a function of this name is called, if it may be.
pub fn kind(name: &str) -> Option<Kind> {
    let lists = [
        (PLAIN, Kind::Plain),
        (AGGREGATE, Kind::Aggregate),
        (WINDOW, Kind::Window),
        (ORDERED, Kind::Ordered),
    ];
    lists
        .into_iter()
        .find(|(list, _)| list.contains(&name))
        .map(|(_, kind)| kind)
}

/// Every function that may be called, in alphabetical order.
pub fn functions() -> Vec<&'static str> {
    let mut all = [PLAIN, AGGREGATE, WINDOW, ORDERED, SPECIAL].concat();
    all.sort_unstable();
    all
}

/// Every type that may be cast to.
pub fn types() -> [&'static str; 14] {
    [
        "bigint",
        "boolean",
        "date",
        "double precision",
        "integer",
        "interval",
        "numeric",
        "real",
        "smallint",
        "text",
        "time",
        "timestamp",
        "timestamptz",
        "uuid",
    ]
}

/// The type as it is written, and the longest text it holds, where the type says so.
pub fn data_type(wanted: &DataType) -> Result<(String, Option<u64>), Refusal> {
    let found = match wanted {
        DataType::SmallInt(None) | DataType::Int2(None) => "smallint",
        DataType::Integer(None) | DataType::Int(None) | DataType::Int4(None) => "integer",
        DataType::BigInt(None) | DataType::Int8(None) => "bigint",
        DataType::Numeric(digits) | DataType::Decimal(digits) | DataType::Dec(digits) => {
            return numeric(digits);
        }
        DataType::Real | DataType::Float4 => "real",
        DataType::DoublePrecision | DataType::Float8 | DataType::Float(ExactNumberInfo::None) => {
            "double precision"
        }
        DataType::Boolean | DataType::Bool => "boolean",
        DataType::Text
        | DataType::Varchar(None)
        | DataType::CharacterVarying(None)
        | DataType::CharVarying(None) => return Ok(("text".to_owned(), None)),
        DataType::Varchar(Some(length))
        | DataType::CharacterVarying(Some(length))
        | DataType::CharVarying(Some(length)) => return varchar(length),
        DataType::Date => "date",
        DataType::Time(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => "time",
        DataType::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            "timestamp"
        }
        DataType::Timestamp(None, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => "timestamptz",
        DataType::Interval {
            fields: None,
            precision: None,
        } => "interval",
        DataType::Uuid => "uuid",
        _ => return Err(not_a_type(wanted)),
    };
    Ok((found.to_owned(), Some(64)))
}

fn numeric(digits: &ExactNumberInfo) -> Result<(String, Option<u64>), Refusal> {
    let written = match digits {
        // As many digits as what it is made of.
        ExactNumberInfo::None => return Ok(("numeric".to_owned(), None)),
        ExactNumberInfo::Precision(precision @ 1..=100) => format!("numeric({precision})"),
        ExactNumberInfo::PrecisionAndScale(precision @ 1..=100, scale @ 0..=100) => {
            format!("numeric({precision}, {scale})")
        }
        _ => {
            let message = "numeric has at most 100 digits.";
            return Err(Refusal::of("sql_type", message));
        }
    };
    Ok((written, Some(1_024)))
}

fn varchar(length: &CharacterLength) -> Result<(String, Option<u64>), Refusal> {
    match length {
        CharacterLength::IntegerLength {
            length: length @ 1..=10_000,
            unit: None,
        } => Ok((format!("varchar({length})"), Some(4 * length))),
        _ => Err(Refusal::of(
            "sql_type",
            "varchar has 1 to 10000 characters.",
        )),
    }
}

fn not_a_type(wanted: &DataType) -> Refusal {
    let named: String = match wanted {
        DataType::Array(_) => "of arrays".to_owned(),
        wanted => wanted.to_string().chars().take(60).collect(),
    };
    let message = format!(
        "The type {named} is not allowed. Allowed are {}.",
        types().join(", ")
    );
    Refusal::of("sql_type", message)
}

/// An operator between two operands, as it is written.
pub fn binary(operator: &BinaryOperator) -> Result<&'static str, Refusal> {
    Ok(match operator {
        BinaryOperator::Plus => "+",
        BinaryOperator::Minus => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Modulo => "%",
        BinaryOperator::StringConcat => "||",
        BinaryOperator::And => "and",
        BinaryOperator::Or => "or",
        _ => return comparison(operator),
    })
}

/// An operator that compares, as it is written.
pub fn comparison(operator: &BinaryOperator) -> Result<&'static str, Refusal> {
    Ok(match operator {
        BinaryOperator::Eq => "=",
        BinaryOperator::NotEq => "<>",
        BinaryOperator::Lt => "<",
        BinaryOperator::LtEq => "<=",
        BinaryOperator::Gt => ">",
        BinaryOperator::GtEq => ">=",
        _ => return Err(not_an_operator(&operator.to_string())),
    })
}

/// An operator before its operand, as it is written.
pub fn unary(operator: UnaryOperator) -> Result<&'static str, Refusal> {
    match operator {
        UnaryOperator::Minus => Ok("-"),
        UnaryOperator::Plus => Ok("+"),
        UnaryOperator::Not => Ok("not "),
        _ => Err(not_an_operator(&operator.to_string())),
    }
}

fn not_an_operator(named: &str) -> Refusal {
    let named: String = named.chars().take(40).collect();
    Refusal::of(
        "sql_operator",
        format!(
            "The operator {named} is not allowed. Allowed are + - * / % || = <> < <= > >= AND, OR, NOT, \
             IN, BETWEEN, LIKE, ILIKE, IS NULL, IS DISTINCT FROM, EXISTS, ANY and ALL with a subquery."
        ),
    )
}

/// A part of a time, as `EXTRACT` and intervals take it.
pub fn field(wanted: &DateTimeField) -> Result<&'static str, Refusal> {
    Ok(match wanted {
        DateTimeField::Year | DateTimeField::Years => "year",
        DateTimeField::Quarter => "quarter",
        DateTimeField::Month | DateTimeField::Months => "month",
        DateTimeField::Week(None) | DateTimeField::Weeks => "week",
        DateTimeField::Day | DateTimeField::Days => "day",
        DateTimeField::Hour | DateTimeField::Hours => "hour",
        DateTimeField::Minute | DateTimeField::Minutes => "minute",
        DateTimeField::Second | DateTimeField::Seconds => "second",
        DateTimeField::Dow => "dow",
        DateTimeField::Isodow => "isodow",
        DateTimeField::Doy => "doy",
        DateTimeField::Isoyear => "isoyear",
        DateTimeField::Epoch => "epoch",
        _ => {
            return Err(Refusal::of(
                "sql_not_allowed",
                "Parts of a time are year, quarter, month, week, day, hour, minute, second, dow, \
                 isodow, doy, isoyear and epoch.",
            ));
        }
    })
}
