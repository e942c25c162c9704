//! Free JSON that callers keep with their things.
//!
//! Invariant: what passes comes back from the database as it went in, and to every reader: no NUL,
//! which Postgres cannot keep, and no number that it would write with more digits than readers take.
//! Failure: refused at its pointer with `too_large`, `control_character` or `out_of_range`.

use serde_json::{Map, Value};

use crate::invalid::Invalid;

/// Numbers other than 0 lie between these, whatever their sign.
const SIZES: std::ops::RangeInclusive<f64> = 1e-30..=1e30;

/// Checks an object that came in at `pointer`; its JSON may have `max` bytes.
pub fn check(pointer: &str, data: &Map<String, Value>, max: usize) -> Result<(), Invalid> {
    let bytes = serde_json::to_vec(data).map_or(usize::MAX, |json| json.len());
    if bytes > max {
        return Err(Invalid::one(
            pointer,
            "too_large",
            format!("Must have at most {max} bytes."),
        ));
    }
    fields(data).map_err(|(code, message)| Invalid::one(pointer, code, message))
}

type Fault = (&'static str, &'static str);

fn fields(data: &Map<String, Value>) -> Result<(), Fault> {
    data.iter()
        .try_for_each(|(key, value)| text(key).and_then(|()| one(value)))
}

fn one(value: &Value) -> Result<(), Fault> {
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::String(string) => text(string),
        Value::Number(number) => match number.as_f64().map(f64::abs) {
            Some(size) if size == 0.0 || SIZES.contains(&size) => Ok(()),
            _ => Err((
                "out_of_range",
                "Numbers have at most 30 digits before or after the point.",
            )),
        },
        Value::Array(items) => items.iter().try_for_each(one),
        Value::Object(inner) => fields(inner),
    }
}

fn text(string: &str) -> Result<(), Fault> {
    match string.contains('\0') {
        true => Err(("control_character", "Must not contain NUL.")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(json: &str) -> Option<String> {
        let data = serde_json::from_str(json).unwrap();
        check("/data", &data, 100)
            .err()
            .map(|invalid| invalid.errors[0].code.clone())
    }

    #[test]
    fn ordinary_json_passes() {
        for good in [
            "{}",
            r#"{"a":[1,-2.5,1e29,-1e-29,0.0,null,true,{"b":"c"}]}"#,
            r#"{"n":18446744073709551615,"m":-9223372036854775808}"#,
        ] {
            assert_eq!(code(good), None, "{good}");
        }
    }

    #[test]
    fn what_would_not_come_back_is_refused() {
        for (bad, why) in [
            (r#"{"a":"\u0000"}"#, "control_character"),
            (r#"{"a":[{"\u0000":1}]}"#, "control_character"),
            (r#"{"a":1.7976931348623157e308}"#, "out_of_range"),
            (r#"{"a":[[-1e31]]}"#, "out_of_range"),
            (r#"{"a":{"b":1e-300}}"#, "out_of_range"),
        ] {
            assert_eq!(code(bad).as_deref(), Some(why), "{bad}");
        }
        assert_eq!(
            code(&format!(r#"{{"a":"{}"}}"#, "x".repeat(100))).as_deref(),
            Some("too_large")
        );
    }
}
