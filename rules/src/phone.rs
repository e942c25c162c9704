//! Phone numbers in the international form E.164: `+`, a country code that does not begin with zero,
//! seven to fifteen digits in all.
//!
//! Invariant: what is kept has no blanks or punctuation.
//! Failure: refused at its pointer with `invalid_phone`.

use crate::invalid::Invalid;

/// Checks a number that came in at `pointer`; blanks, hyphens, full stops and brackets are taken out.
pub fn parse(pointer: &str, text: &str) -> Result<String, Invalid> {
    let number: String = text
        .trim()
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')'))
        .collect();
    if well_formed(&number) {
        Ok(number)
    } else {
        Err(Invalid::one(
            pointer,
            "invalid_phone",
            "Must be a phone number such as +14155550123.",
        ))
    }
}

fn well_formed(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_without_punctuation() {
        for (typed, kept) in [
            ("+14155550123", "+14155550123"),
            (" +49 (30) 123-456.78 ", "+493012345678"),
            ("+2904000", "+2904000"),
        ] {
            assert_eq!(parse("/address", typed).unwrap(), kept);
        }
    }

    #[test]
    fn what_is_no_international_number_is_refused() {
        for bad in [
            "",
            "+",
            "14155550123",
            "0014155550123",
            "+0123456789",
            "+123456",
            "+1234567890123456",
            "+1415555O123",
            "+1415\u{665}550123",
            "+1\n4155550123",
        ] {
            let refused = parse("/address", bad).unwrap_err();
            assert_eq!(refused.errors[0].code, "invalid_phone", "{bad}");
        }
    }
}
