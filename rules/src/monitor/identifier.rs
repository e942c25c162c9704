//! Names and literals as they stand in what is sent to a replica.
//!
//! Invariant: a name is read back as that name and a text as that text, whatever is in them, in a
//! session with `standard_conforming_strings`, which [`super::session`] sets.
//! Failure: a name that Postgres would cut or cannot hold is refused at its pointer.

use crate::invalid::Invalid;
use crate::sql_guard::TableName;

/// Longest name, in bytes: Postgres cuts longer ones.
pub const LONGEST: usize = 63;

/// Checks a name that came in at `pointer`. Letter case and blanks are kept: they are part of it.
pub fn parse(pointer: &str, name: &str) -> Result<String, Invalid> {
    let (code, message) = match name {
        "" => ("required", "Must not be empty.".to_owned()),
        name if name.len() > LONGEST => {
            ("too_long", format!("A name has at most {LONGEST} bytes."))
        }
        name if name.chars().any(char::is_control) => (
            "control_character",
            "Must not contain control characters.".to_owned(),
        ),
        name => return Ok(name.to_owned()),
    };
    Err(Invalid::one(pointer, code, message))
}

/// Checks the name of a table: not one of the system's.
pub fn table(pointer: &str, table: &TableName) -> Result<TableName, Invalid> {
    let mut invalid = Invalid::default();
    let schema = invalid.take(parse(&format!("{pointer}/schema"), &table.schema));
    let name = invalid.take(parse(&format!("{pointer}/name"), &table.name));
    if schema
        .as_deref()
        .is_some_and(|schema| schema.starts_with("pg_") || schema == "information_schema")
    {
        let message = "Tables of the system are not monitored.";
        invalid.add(format!("{pointer}/schema"), "system_schema", message);
    }
    invalid.or(TableName {
        schema: schema.unwrap_or_default(),
        name: name.unwrap_or_default(),
    })
}

/// A name in quotes, always.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table with its schema, in quotes.
pub fn qualified(table: &TableName) -> String {
    format!("{}.{}", quote(&table.schema), quote(&table.name))
}

/// A text literal.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_a_name_stays_in_the_name() {
        assert_eq!(quote("orders"), r#""orders""#);
        assert_eq!(
            quote(r#"a"; drop table b; --"#),
            r#""a""; drop table b; --""#
        );
        let table = TableName {
            schema: "Sales".to_owned(),
            name: "order lines".to_owned(),
        };
        assert_eq!(qualified(&table), r#""Sales"."order lines""#);
        assert_eq!(literal(r"it's \' fine"), r"'it''s \'' fine'");
    }

    #[test]
    fn names_that_postgres_cannot_hold_are_refused() {
        for (name, code) in [
            ("", "required"),
            ("a\0b", "control_character"),
            (&"ü".repeat(32), "too_long"),
        ] {
            assert_eq!(parse("/column", name).unwrap_err().errors[0].code, code);
        }
        assert_eq!(parse("/column", " Größe ").unwrap(), " Größe ");
    }

    #[test]
    fn tables_of_the_system_are_no_tables_to_monitor() {
        for schema in ["pg_catalog", "pg_toast", "information_schema", "pg_temp_3"] {
            let name = TableName {
                schema: schema.to_owned(),
                name: "x".to_owned(),
            };
            let refused = table("/table", &name).unwrap_err();
            assert_eq!(refused.errors[0].pointer, "/table/schema", "{schema}");
        }
    }
}
