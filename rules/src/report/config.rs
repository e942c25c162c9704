//! What a tenant types when it asks for a report, checked.
//!
//! Invariant: everything has a limit, and what passes is in the form that is stored: trimmed, each
//! recipient once.
//! Failure: refused at the pointer of the field.

use uuid::Uuid;

use super::condition;
use crate::email;
use crate::invalid::Invalid;
use crate::name;
use crate::phone;

/// Longest name, in characters.
pub const NAME: usize = 200;
/// Longest description, in characters.
pub const DESCRIPTION: usize = 2_000;
/// Longest prompt, in characters.
pub const PROMPT: usize = 20_000;
/// Longest condition, in characters.
pub const CONDITION: usize = 500;
/// Most recipients of a report.
pub const RECIPIENTS: usize = 100;
/// Most channels of a report.
pub const CHANNELS: usize = 10;
/// Most failures in a row that a report can be allowed.
pub const PAUSE_AFTER: u32 = 100;
/// Most reports of a tenant.
pub const PER_TENANT: usize = 1_000;
/// Most templates of a tenant.
pub const TEMPLATES: usize = 200;
/// Most occurrences of one backfill.
pub const BACKFILL: usize = 100;
/// Most upcoming runs that are told at once.
pub const UPCOMING: usize = 100;

/// The prompt: several lines, none of them needed but one character.
pub fn prompt(text: &str) -> Result<String, Invalid> {
    lines("/prompt", text, PROMPT)?
        .ok_or_else(|| Invalid::one("/prompt", "required", "Must not be empty."))
}

/// The description; it may be empty.
pub fn description(text: &str) -> Result<String, Invalid> {
    Ok(lines("/description", text, DESCRIPTION)?.unwrap_or_default())
}

fn lines(pointer: &str, text: &str, max: usize) -> Result<Option<String>, Invalid> {
    name::optional_lines(pointer, Some(text), max)
}

/// The recipients: e-mail addresses, or phone numbers as E.164 has them; each once. None is nobody.
pub fn recipients(given: Vec<String>) -> Result<Option<Vec<String>>, Invalid> {
    if given.len() > RECIPIENTS {
        return Err(Invalid::one(
            "/recipients",
            "too_many",
            format!("A report has at most {RECIPIENTS} recipients."),
        ));
    }
    let mut invalid = Invalid::default();
    let mut kept: Vec<String> = Vec::with_capacity(given.len());
    for (place, text) in given.iter().enumerate() {
        let pointer = format!("/recipients/{place}");
        let Some(address) = invalid.take(address(&pointer, text)) else {
            continue;
        };
        let known = kept
            .iter()
            .any(|one| email::key(one) == email::key(&address));
        if !known {
            kept.push(address);
        }
    }
    invalid.or((!kept.is_empty()).then_some(kept))
}

fn address(pointer: &str, text: &str) -> Result<String, Invalid> {
    match text.trim().starts_with('+') && !text.contains('@') {
        true => phone::parse(pointer, text),
        false => email::parse(pointer, text),
    }
}

/// The channels, each once.
pub fn channels(mut given: Vec<Uuid>) -> Result<Vec<Uuid>, Invalid> {
    if given.len() > CHANNELS {
        return Err(Invalid::one(
            "/channels",
            "too_many",
            format!("A report has at most {CHANNELS} channels."),
        ));
    }
    given.sort_unstable();
    given.dedup();
    Ok(given)
}

/// When the report is sent; an empty text is always.
pub fn send_if(text: &str) -> Result<Option<String>, Invalid> {
    let Some(text) = name::optional("/sendIf", Some(text), CONDITION)? else {
        return Ok(None);
    };
    match condition::parse(&text) {
        Ok(_) => Ok(Some(text)),
        Err(flaw) => Err(flaw.invalid("/sendIf")),
    }
}

/// How many failures in a row pause the report; 0 is never.
pub fn pause_after(times: u32) -> Result<Option<u32>, Invalid> {
    match times {
        0 => Ok(None),
        1..=PAUSE_AFTER => Ok(Some(times)),
        _ => Err(Invalid::one(
            "/pauseAfter",
            "out_of_range",
            format!("Must be at most {PAUSE_AFTER}; 0 or null is never."),
        )),
    }
}

/// How many of something are asked for, from 1.
pub fn count(
    pointer: &str,
    text: Option<&str>,
    usual: usize,
    most: usize,
) -> Result<usize, Invalid> {
    let Some(text) = text else {
        return Ok(usual);
    };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<usize>() {
        Ok(count) if digits && (1..=most).contains(&count) => Ok(count),
        _ => Err(Invalid::one(
            pointer,
            "out_of_range",
            format!("Must be a whole number from 1 to {most}."),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn recipients_are_addresses_or_phone_numbers_each_once() {
        let given = of(&[
            " ada@example.org ",
            "Ada@Example.org",
            "+14155550123",
            "bob@example.org",
        ]);
        let kept = recipients(given).unwrap().unwrap();
        assert_eq!(kept, ["ada@example.org", "+14155550123", "bob@example.org"]);
        assert_eq!(recipients(Vec::new()).unwrap(), None);
    }

    #[test]
    fn every_wrong_recipient_is_named() {
        let given = of(&["ada", "ok@example.org", "+1", "", "+049301234567"]);
        let errors = recipients(given).unwrap_err().errors;
        let named: Vec<_> = errors
            .iter()
            .map(|error| (error.pointer.as_str(), error.code.as_str()))
            .collect();
        assert_eq!(
            named,
            [
                ("/recipients/0", "invalid_email"),
                ("/recipients/2", "invalid_phone"),
                ("/recipients/3", "invalid_email"),
                ("/recipients/4", "invalid_phone"),
            ]
        );
        let many = vec!["a@b.c".to_owned(); RECIPIENTS + 1];
        assert_eq!(recipients(many).unwrap_err().errors[0].code, "too_many");
    }

    #[test]
    fn a_prompt_keeps_its_lines_and_is_not_empty() {
        assert_eq!(prompt(" a\r\nb ").unwrap(), "a\nb");
        assert_eq!(prompt(" \n ").unwrap_err().errors[0].code, "required");
        let long = "x".repeat(PROMPT + 1);
        assert_eq!(prompt(&long).unwrap_err().errors[0].code, "too_long");
        assert_eq!(description("  ").unwrap(), "");
    }

    #[test]
    fn counts_are_whole_and_bounded() {
        assert_eq!(count("/n", None, 10, 100).unwrap(), 10);
        assert_eq!(count("/n", Some("100"), 10, 100).unwrap(), 100);
        for bad in ["0", "101", "-1", "+5", "", "1.5", "x"] {
            let error = count("/n", Some(bad), 10, 100).unwrap_err();
            assert_eq!(error.errors[0].pointer, "/n", "{bad}");
        }
        assert_eq!(pause_after(0).unwrap(), None);
        assert_eq!(pause_after(3).unwrap(), Some(3));
        assert!(pause_after(PAUSE_AFTER + 1).is_err());
    }
}
