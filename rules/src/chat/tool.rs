//! The tools of a model: what they are called, what they take.
//!
//! Invariant: a call that is not understood is answered with what would be, never guessed at.
//! Failure: a text for the model.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;
use crate::report::dataset;

/// What a model asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Which sources there are.
    ListSources {
        /// Only those that mention this.
        search: Option<String>,
    },
    /// What a source holds.
    DescribeSource {
        /// Its name.
        name: String,
    },
    /// What a query finds.
    RunQuery {
        /// What the result is called.
        name: String,
        /// The query.
        sql: String,
    },
}

const NAMES: &str = "list_sources, describe_source and run_query";

/// The tools as a request lists them. Schemas are plain: some servers refuse what others ignore.
pub fn definitions() -> Value {
    let tool = |name: &str, description: &str, properties: Value, required: &[&str]| {
        json!({"type": "function", "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object", "properties": properties, "required": required,
            },
        }})
    };
    json!([
        tool(
            "list_sources",
            "Lists the sources of data that can be queried.",
            json!({"search": {"type": "string", "description": "Only sources that mention this word."}}),
            &[],
        ),
        tool(
            "describe_source",
            "Describes a source: its columns, what they hold, what kind of values they are.",
            json!({"name": {"type": "string", "description": "A source, as list_sources names it."}}),
            &["name"],
        ),
        tool(
            "run_query",
            "Runs one read-only SELECT over the sources and answers its rows.",
            json!({
                "name": {"type": "string", "description": "What the result is called in the report: a lower-case letter, then lower-case letters, digits and _, for example admissions_by_day."},
                "sql": {"type": "string", "description": "The query, in the SQL of Postgres."},
            }),
            &["name", "sql"],
        ),
    ])
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    search: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    name: String,
    sql: String,
}

/// What a call asks for, or what to tell the model.
pub fn read(call: &Call) -> Result<Tool, String> {
    match call.name.as_str() {
        "list_sources" => {
            arguments::<Search>(call).map(|Search { search }| Tool::ListSources { search })
        }
        "describe_source" => {
            arguments::<Named>(call).map(|Named { name }| Tool::DescribeSource { name })
        }
        "run_query" => {
            let Query { name, sql } = arguments(call)?;
            let name = dataset::name("/name", &name).map_err(|invalid| {
                let told = invalid.errors.into_iter().next();
                format!(
                    "name: {}",
                    told.map(|told| told.message).unwrap_or_default()
                )
            })?;
            Ok(Tool::RunQuery { name, sql })
        }
        other => {
            let other: String = other.chars().take(60).collect();
            Err(format!("There is no tool {other}. There are {NAMES}."))
        }
    }
}

fn arguments<T: serde::de::DeserializeOwned>(call: &Call) -> Result<T, String> {
    let text = match call.arguments.trim() {
        "" => "{}",
        text => text,
    };
    let told = |why: String| {
        let why: String = why.chars().take(200).collect();
        format!(
            "The arguments of {} must be a JSON object as its parameters say: {why}.",
            call.name
        )
    };
    let json: Value = serde_json::from_str(text).map_err(|error| told(error.to_string()))?;
    if !json.is_object() {
        return Err(told("this is none".to_owned()));
    }
    serde_json::from_value(json).map_err(|error| told(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, arguments: &str) -> Result<Tool, String> {
        read(&Call {
            id: "c".to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        })
    }

    #[test]
    fn calls_are_read() {
        for arguments in ["", "{}", r#"{"search":null}"#] {
            let all = Tool::ListSources { search: None };
            assert_eq!(of("list_sources", arguments), Ok(all));
        }
        let name = "guests".to_owned();
        assert_eq!(
            of("describe_source", r#"{"name":"guests"}"#),
            Ok(Tool::DescribeSource { name })
        );
        let query = of("run_query", r#"{"name":"n","sql":"select 1"}"#);
        assert!(matches!(query, Ok(Tool::RunQuery { sql, .. }) if sql == "select 1"));
    }

    #[test]
    fn a_call_that_is_not_understood_is_told_what_would_be() {
        for (name, arguments, told) in [
            ("drop_table", "{}", "There are list_sources"),
            ("run_query", "{\"sql\":", "JSON object"),
            ("run_query", "[]", "JSON object"),
            ("run_query", r#"{"sql":"select 1"}"#, "missing field `name`"),
            (
                "run_query",
                r#"{"name":"No!","sql":"x"}"#,
                "lower-case letter",
            ),
            ("describe_source", r#"{"name":5}"#, "expected a string"),
            ("list_sources", r#"{"all":true}"#, "unknown field"),
        ] {
            let error = of(name, arguments).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn every_tool_that_is_offered_is_read() {
        for tool in definitions().as_array().unwrap() {
            let name = tool["function"]["name"].as_str().unwrap();
            assert!(NAMES.contains(name));
            let error = of(name, "[]").unwrap_err();
            assert!(error.contains("JSON object"), "{error}");
        }
    }
}
