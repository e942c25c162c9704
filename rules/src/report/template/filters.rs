//! What templates may do with values: numbers, money, dates, tables, charts.
//!
//! Invariant: what comes from data is escaped unless a filter made Markdown of it.
//! Failure: a value that a filter cannot use is an error at its place.

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, Value};

use super::rows::Rows;
use crate::civil::Zone;
use crate::report::chart::{Form, MAX_SERIES, Spec};
use crate::report::moment::Moment;
use crate::report::{compose, format, markdown};

/// The functions, which are no variables.
pub const FUNCTIONS: [&str; 4] = ["rows", "chart", "range", "dict"];

/// What stands for nothing.
const NOTHING: &str = "–";

/// Adds them.
pub fn add(environment: &mut Environment<'static>, zone: &Zone) {
    environment.add_filter("number", number);
    environment.add_filter("percent", percent);
    environment.add_filter("money", money);
    let own = zone.clone();
    environment.add_filter("date", move |value: &Value, style: Option<&str>| {
        date(value, style, &own)
    });
    let own = zone.clone();
    environment.add_filter("table", move |value: &Value, most: Option<usize>| {
        table(value, most, &own)
    });
    environment.add_function("rows", count);
    environment.add_function("chart", chart);
}

/// Writes a value into the report.
pub fn write(out: &mut Output<'_>, _state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text = match value.as_str() {
        _ if value.is_undefined() => return Err(Error::from(ErrorKind::UndefinedError)),
        _ if value.is_none() => NOTHING.to_owned(),
        Some(text) if value.is_safe() => text.to_owned(),
        Some(text) => markdown::escaped(text),
        None if value.kind() == ValueKind::Bool => yes_or_no(value.is_true()).to_owned(),
        None if value.is_number() => plain(value),
        None if value.downcast_object_ref::<Rows>().is_some() => {
            return Err(wrong("a dataset is no text: name a column, or use |table"));
        }
        None => markdown::escaped(&value.to_string()),
    };
    out.write_str(&text).map_err(Error::from)
}

/// As in composed tables.
fn yes_or_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// A number as it is, without the dust of floating point.
fn plain(value: &Value) -> String {
    match f64::try_from(value.clone()) {
        Ok(number) if !value.is_integer() => format::short(number, 10).replace(',', ""),
        _ => value.to_string(),
    }
}

fn number(value: &Value, decimals: Option<usize>) -> Result<Value, Error> {
    made(value, |number| match decimals {
        Some(decimals) => format::fixed(number, decimals),
        None => format::short(number, 2),
    })
}

/// A part of a whole as hundredths of it.
fn percent(value: &Value, decimals: Option<usize>) -> Result<Value, Error> {
    made(value, |number| {
        format!("{} %", format::fixed(number * 100.0, decimals.unwrap_or(1)))
    })
}

fn money(value: &Value, currency: &str, options: Kwargs) -> Result<Value, Error> {
    let minor = options.get::<Option<bool>>("minor")?.unwrap_or(false);
    let decimals = options.get::<Option<usize>>("decimals")?.unwrap_or(2);
    options.assert_all_used()?;
    let currency = markdown::escaped(currency);
    made(value, |number| {
        let number = if minor { number / 100.0 } else { number };
        format!("{} {currency}", format::fixed(number, decimals))
    })
}

fn date(value: &Value, style: Option<&str>, zone: &Zone) -> Result<Value, Error> {
    if value.is_none() {
        return Ok(Value::from(NOTHING));
    }
    let moment = value.as_str().and_then(|text| Moment::read(text, zone));
    let moment = moment.ok_or_else(|| wrong("date takes a time"))?;
    let day = Moment {
        clock: None,
        ..moment
    };
    let clock = Moment {
        day: None,
        ..moment
    };
    let text = match style.unwrap_or("long") {
        "long" => moment.long(),
        "short" => moment.short(),
        "iso" => moment.plain(),
        "day" => day.long(),
        "time" => clock.long(),
        _ => {
            return Err(wrong(
                "the style of a date is long, short, iso, day or time",
            ));
        }
    };
    Ok(Value::from_safe_string(text))
}

fn table(value: &Value, most: Option<usize>, zone: &Zone) -> Result<Value, Error> {
    let rows = value.downcast_object_ref::<Rows>();
    let rows = rows.ok_or_else(|| wrong("table takes a dataset"))?;
    let most = most.unwrap_or(compose::SHOWN_ROWS);
    Ok(Value::from_safe_string(compose::table(
        &rows.set, most, zone,
    )))
}

fn count(value: &Value) -> Result<usize, Error> {
    let rows = value.downcast_object_ref::<Rows>();
    let rows = rows.ok_or_else(|| wrong("rows takes a dataset"))?;
    Ok(rows.set.rows.len())
}

/// `chart(orders, "line", x="day", y="total", title="Orders")`; further columns of numbers follow the
/// form: `chart(orders, "stacked", "accepted", "refused")`.
fn chart(
    value: &Value,
    form: Option<&str>,
    series: Rest<String>,
    options: Kwargs,
) -> Result<Value, Error> {
    let rows = value.downcast_object_ref::<Rows>();
    let rows = rows.ok_or_else(|| wrong("chart takes a dataset"))?;
    let form = form.unwrap_or("bar");
    let form = Form::parse(form)
        .ok_or_else(|| wrong(format!("the form of a chart is {}", Form::NAMES)))?;
    let mut y = series.to_vec();
    y.extend(options.get::<Option<String>>("y")?);
    if y.len() > MAX_SERIES {
        return Err(wrong(format!("a chart has at most {MAX_SERIES} series")));
    }
    let spec = Spec {
        dataset: rows.set.name.clone(),
        form,
        x: options.get::<Option<String>>("x")?,
        y,
    };
    let title = options.get::<Option<String>>("title")?;
    options.assert_all_used()?;
    for column in spec.x.iter().chain(&spec.y) {
        if rows.set.column(column).is_none() {
            return Err(wrong(format!("{} has no column {column}", rows.set.name)));
        }
    }
    let title = title.unwrap_or_else(|| compose::heading(&rows.set.name));
    let picture = compose::picture(&title, &spec);
    Ok(Value::from_safe_string(picture))
}

/// A number as text; nothing stays a dash.
fn made(value: &Value, text: impl Fn(f64) -> String) -> Result<Value, Error> {
    if value.is_none() {
        return Ok(Value::from(NOTHING));
    }
    let number = match value.as_str() {
        Some(digits) => digits.trim().parse().ok(),
        None => f64::try_from(value.clone()).ok(),
    };
    let number = number.ok_or_else(|| wrong("expected a number"))?;
    Ok(Value::from_safe_string(text(number)))
}

fn wrong(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.into())
}
