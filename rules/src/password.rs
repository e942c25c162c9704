//! What may be a password.
//!
//! Invariant: 10 to 256 characters, not the account's email, not among the commonest. No rule on
//! kinds of characters (NIST SP 800-63B): length is what helps.
//! Failure: refused at its pointer with `too_short`, `too_long`, `same_as_email` or `too_common`.

use crate::invalid::Invalid;

/// Least number of characters.
pub const MIN: usize = 10;
/// Greatest number of characters; bounds the work of the hash.
pub const MAX: usize = 256;

/// The commonest passwords of ten characters and more, lower case.
#[rustfmt::skip]
const COMMON: &[&str] = &[
    "0123456789", "0987654321", "1111111111", "1122334455", "1234512345", "1234554321",
    "1234567890", "12345678910", "123456789a", "1234567891", "123456789q", "1q2w3e4r5t",
    "1q2w3e4r5t6y", "1qaz2wsx3edc", "abcdefghij", "adminadmin", "administrator", "asdfasdfasdf",
    "asdfghjkl;", "changeme123", "football123", "iloveyou123", "letmein123", "passw0rd123",
    "password01", "password1!", "password10", "password11", "password12", "password123",
    "password1234", "passwordpassword", "princess123", "q1w2e3r4t5", "q1w2e3r4t5y6",
    "qazwsxedcrfv", "qwerty12345", "qwerty123456", "qwertyuiop", "qwertyuiop123", "qwertzuiop",
    "welcome123", "zaq12wsxcde3", "passwort123", "hallo12345", "pulse12345",
];

/// Checks a password that came in at `pointer` for the account of `email`. It is taken as typed:
/// blanks count and are kept.
pub fn check(pointer: &str, password: &str, email: &str) -> Result<(), Invalid> {
    let length = password.chars().count();
    let lower = password.to_lowercase();
    let mut letters = lower.chars();
    let first = letters.next();
    if length < MIN {
        Err(Invalid::one(
            pointer,
            "too_short",
            format!("Must have at least {MIN} characters."),
        ))
    } else if length > MAX {
        Err(Invalid::one(
            pointer,
            "too_long",
            format!("Must have at most {MAX} characters."),
        ))
    } else if lower.trim() == crate::email::key(email) {
        Err(Invalid::one(
            pointer,
            "same_as_email",
            "Must not be the email address.",
        ))
    } else if COMMON.contains(&lower.as_str()) || letters.all(|c| Some(c) == first) {
        Err(Invalid::one(
            pointer,
            "too_common",
            "Is one of the passwords tried first; choose another.",
        ))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(password: &str) -> Option<String> {
        check("/password", password, "Ada@Example.org")
            .err()
            .map(|invalid| invalid.errors[0].code.clone())
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(code("correct horse"), None);
        assert_eq!(code("äöüßéèêëïî"), None);
        assert_eq!(code("short").as_deref(), Some("too_short"));
        assert_eq!(code("123456789").as_deref(), Some("too_short"));
        assert_eq!(code(&"ab".repeat(128)), None);
        assert_eq!(code(&"ab".repeat(129)).as_deref(), Some("too_long"));
    }

    #[test]
    fn the_obvious_is_refused() {
        assert_eq!(code("ada@example.ORG").as_deref(), Some("same_as_email"));
        assert_eq!(code("Password123").as_deref(), Some("too_common"));
        assert_eq!(code("zzzzzzzzzzzz").as_deref(), Some("too_common"));
    }
}
