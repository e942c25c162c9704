//! Names and other short labels people type.
//!
//! Invariant: trimmed, at least one character, no control characters, no more than the limit
//! (counted in characters, not bytes).
//! Failure: refused at its pointer with `required`, `too_long` or `control_character`.

use crate::invalid::Invalid;

/// Trims and checks a label that came in at `pointer`.
pub fn parse(pointer: &str, text: &str, max: usize) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Invalid::one(pointer, "required", "Must not be empty."));
    }
    if text.chars().count() > max {
        return Err(Invalid::one(
            pointer,
            "too_long",
            format!("Must have at most {max} characters."),
        ));
    }
    if text.chars().any(forbidden) {
        return Err(Invalid::one(
            pointer,
            "control_character",
            "Must not contain control characters.",
        ));
    }
    Ok(text.to_owned())
}

/// The same for a label that may be missing; an empty one counts as missing.
pub fn optional(pointer: &str, text: Option<&str>, max: usize) -> Result<Option<String>, Invalid> {
    match text.map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => parse(pointer, text, max).map(Some),
    }
}

/// The same for text of several lines: line feeds and tabs are kept, `\r\n` becomes `\n`.
pub fn optional_lines(
    pointer: &str,
    text: Option<&str>,
    max: usize,
) -> Result<Option<String>, Invalid> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if text.chars().count() > max {
        return Err(Invalid::one(
            pointer,
            "too_long",
            format!("Must have at most {max} characters."),
        ));
    }
    if text.chars().any(|c| forbidden(c) && c != '\n' && c != '\t') {
        return Err(Invalid::one(
            pointer,
            "control_character",
            "Must not contain control characters.",
        ));
    }
    Ok(Some(text))
}

/// Control characters, and the marks that reorder text around them.
fn forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_trimmed_and_counted_in_characters() {
        assert_eq!(parse("/name", "  Zoë Ünal ", 8).unwrap(), "Zoë Ünal");
        assert_eq!(
            parse("/name", "äöüäöüäöü", 8).unwrap_err().errors[0].code,
            "too_long"
        );
        assert_eq!(
            parse("/name", " \u{a0}\t", 8).unwrap_err().errors[0].code,
            "required"
        );
        for bad in ["a\nb", "a\0b", "a\u{7f}b", "a\u{85}b", "abc\u{202e}txt.exe"] {
            assert_eq!(
                parse("/name", bad, 80).unwrap_err().errors[0].code,
                "control_character"
            );
        }
    }

    #[test]
    fn an_empty_optional_label_is_missing() {
        assert_eq!(optional("/gate", None, 8).unwrap(), None);
        assert_eq!(optional("/gate", Some("  "), 8).unwrap(), None);
        assert_eq!(
            optional("/gate", Some(" N "), 8).unwrap().as_deref(),
            Some("N")
        );
    }

    #[test]
    fn notes_keep_their_lines() {
        assert_eq!(
            optional_lines("/notes", Some("a\r\nb\rc\n"), 8)
                .unwrap()
                .as_deref(),
            Some("a\nb\nc")
        );
        assert!(optional_lines("/notes", Some("a\0"), 8).is_err());
        assert!(optional_lines("/notes", Some("123456789"), 8).is_err());
    }
}
