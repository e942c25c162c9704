//! Names and literals as they are written out.
//!
//! Invariant: a name is read back as a name and a text as a text, whatever is in them.
//! Failure: a name that Postgres would cut is refused.

use sqlparser::ast::Ident;

use super::Refusal;

/// Longest name, in bytes: Postgres cuts longer ones.
const LONGEST: usize = 63;

/// Words that Postgres 15 to 17 does not read as a name everywhere (all but its "unreserved" ones):
/// names like them are quoted.
const QUOTED: &str = " all analyse analyze and any array as asc asymmetric authorization between \
    bigint binary bit boolean both case cast char character check coalesce collate collation column \
    concurrently constraint create cross current_catalog current_date current_role current_schema \
    current_time current_timestamp current_user dec decimal default deferrable desc distinct do else \
    end except exists extract false fetch float for foreign freeze from full grant greatest group \
    grouping having ilike in initially inner inout int integer intersect interval into is isnull join \
    json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar \
    json_serialize json_table json_value lateral leading least left like limit localtime \
    localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric \
    offset on only or order out outer overlaps overlay placing position precision primary real \
    references returning right row select session_user setof similar smallint some substring \
    symmetric system_user table tablesample then time timestamp to trailing treat trim true union \
    unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat \
    xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable ";

/// The words that are quoted as names.
pub fn quoted_words() -> impl Iterator<Item = &'static str> {
    QUOTED.split_whitespace()
}

/// A name as Postgres would read it: lower case unless quoted.
pub fn name(ident: &Ident) -> Result<String, Refusal> {
    let name = match ident.quote_style {
        None => ident.value.to_ascii_lowercase(),
        Some('"') => ident.value.clone(),
        Some(_) => {
            let message = "Names are quoted with \" if at all.";
            return Err(Refusal::of("sql_syntax", message).at(ident.span));
        }
    };
    match name.len() {
        1..=LONGEST => Ok(name),
        _ => {
            let message = format!("A name has 1 to {LONGEST} bytes.");
            Err(Refusal::of("sql_name", message).at(ident.span))
        }
    }
}

/// Writes a name, quoted where it must be.
pub fn write_name(sql: &mut String, name: &str) {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !quoted_words().any(|word| word == name);
    if plain {
        sql.push_str(name);
    } else {
        sql.push('"');
        sql.push_str(&name.replace('"', "\"\""));
        sql.push('"');
    }
}

/// Writes a text literal, for a session with `standard_conforming_strings`.
pub fn write_text(sql: &mut String, text: &str) {
    sql.push('\'');
    sql.push_str(&text.replace('\'', "''"));
    sql.push('\'');
}

/// Whether a number is written in plain decimal digits.
pub fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        digits(exponent) && exponent.len() <= 3
    });
    let mantissa = (whole.is_empty() || digits(whole)) && (fraction.is_empty() || digits(fraction));
    let some = !(whole.is_empty() && fraction.is_empty());
    text.len() <= 40 && mantissa && some && exponent
}
