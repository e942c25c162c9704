//! What the words in cells mean: statuses, yes and no, blanks.
//!
//! Invariant: a word that is not known is told, never taken for a guest who may come in.
//! Failure: none; unknown words are nothing here, and an error of their line above.

use super::columns::plain;
use crate::checkin::guest::Status;

/// May come.
#[rustfmt::skip]
const CONFIRMED: &[&str] = &[
    "confirmed", "attending", "checked in", "paid", "p", "approved", "going", "yes", "y",
    "accepted", "active", "valid", "ok", "complete", "completed", "placed", "registered", "free",
    "bestätigt", "bezahlt", "zugesagt", "angemeldet", "aktiv", "gültig", "ja", "genehmigt",
    "teilnehmend", "teilnahme", "pending confirmed", "ausstehend bestätigt",
];
/// No longer comes.
#[rustfmt::skip]
const CANCELED: &[&str] = &[
    "canceled", "cancelled", "c", "refunded", "partially refunded", "not attending", "not going",
    "declined", "rejected", "deleted", "removed", "transferred", "no", "expired", "e", "void",
    "voided", "storniert", "abgesagt", "abgelehnt", "erstattet", "gelöscht", "abgelaufen", "nein",
    "canceled paid fee", "storniert bezahlte gebühr",
];
/// Not yet: unapproved or held back; `pending` is not said of what. Door staff see them, and an
/// organiser may let them in.
#[rustfmt::skip]
const BLOCKED: &[&str] = &[
    "blocked", "pending", "pending approval", "approval pending", "waitlist", "waitlisted",
    "waiting list", "waiting", "invited", "on hold", "maybe", "session", "blockiert", "gesperrt",
    "ausstehend", "offen", "warteliste", "auf warteliste", "eingeladen", "genehmigung ausstehend",
    "freigabe ausstehend",
];
/// May come, once it is paid.
#[rustfmt::skip]
const UNPAID: &[&str] = &[
    "unpaid", "not paid", "n", "pending payment", "payment pending", "awaiting payment", "unbezahlt",
    "nicht bezahlt", "zahlung ausstehend",
];
/// The ticket was taken back.
#[rustfmt::skip]
const REVOKED: &[&str] = &["revoked", "invalid", "invalidated", "widerrufen", "ungültig", "entwertet"];

/// The status a cell says.
pub fn status(cell: &str) -> Option<Status> {
    let word = plain(cell);
    let lists = [
        (CONFIRMED, Status::Confirmed),
        (CANCELED, Status::Canceled),
        (BLOCKED, Status::Blocked),
        (REVOKED, Status::Revoked),
        (UNPAID, Status::Unpaid),
    ];
    lists
        .into_iter()
        .find(|(words, _)| words.contains(&word.as_str()))
        .map(|(_, status)| status)
}

/// Whether a cell says yes or no; anything that is neither is nothing.
pub fn yes(cell: &str) -> Option<bool> {
    match plain(cell).as_str() {
        "yes" | "y" | "true" | "1" | "x" | "ja" | "j" | "wahr" | "oui" | "sí" | "si" => Some(true),
        "no" | "n" | "false" | "0" | "nein" | "falsch" | "non" => Some(false),
        _ => None,
    }
}

/// The whole number a cell says; spreadsheets write one as `3.0` or `3,0` too.
pub fn count(cell: &str) -> Option<i64> {
    let (whole, part) = cell.split_once(['.', ',']).unwrap_or((cell, "0"));
    let plain = part.bytes().all(|byte| byte == b'0') && !part.is_empty();
    whole.parse().ok().filter(|_| plain)
}

/// What a cell says once the marks of spreadsheets and the place-holders of vendors are off.
/// `="007"` is a text that a spreadsheet must not count with; the `'` that keeps a text from being a
/// formula is written by [`crate::export`].
/// Eventbrite writes "Info Requested" where nobody answered yet.
pub fn bare(cell: &str) -> &str {
    let cell = cell.trim();
    let cell = cell
        .strip_prefix("=\"")
        .and_then(|cell| cell.strip_suffix('"'))
        .unwrap_or(cell)
        .trim();
    let cell = cell
        .strip_prefix('\'')
        .filter(|rest| crate::export::is_formula(rest))
        .unwrap_or(cell);
    if cell.eq_ignore_ascii_case("info requested") {
        ""
    } else {
        cell
    }
}

/// Whether a code is what a spreadsheet makes of a long number: `5.0011E+11`.
pub fn rounded(code: &str) -> bool {
    let Some((mantissa, exponent)) = code.split_once(['E', 'e']) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    whole.len() == 1
        && digits(whole)
        && digits(part)
        && exponent.strip_prefix('+').is_some_and(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_of_the_vendors_are_known() {
        for (cell, expect) in [
            ("Attending", Status::Confirmed),
            ("Checked In", Status::Confirmed),
            ("paid", Status::Confirmed),
            ("p", Status::Confirmed),
            ("approved", Status::Confirmed),
            (" Bezahlt ", Status::Confirmed),
            ("Not Attending", Status::Canceled),
            ("Refunded", Status::Canceled),
            ("canceled", Status::Canceled),
            ("Cancelled", Status::Canceled),
            ("c", Status::Canceled),
            ("declined", Status::Canceled),
            ("expired", Status::Canceled),
            ("Storniert", Status::Canceled),
            ("Deleted", Status::Canceled),
            ("n", Status::Unpaid),
            ("Awaiting payment", Status::Unpaid),
            ("Nicht bezahlt", Status::Unpaid),
            ("pending", Status::Blocked),
            ("pending_approval", Status::Blocked),
            ("waitlist", Status::Blocked),
            ("invited", Status::Blocked),
            ("ausstehend", Status::Blocked),
            ("revoked", Status::Revoked),
            ("UNGÜLTIG", Status::Revoked),
            ("pending (confirmed)", Status::Confirmed),
            ("storniert (bezahlte Gebühr)", Status::Canceled),
            ("Freigabe ausstehend", Status::Blocked),
        ] {
            assert_eq!(status(cell), Some(expect), "{cell}");
        }
        for unknown in ["", "?", "42", "sort of", "Attendingg"] {
            assert_eq!(status(unknown), None);
        }
    }

    #[test]
    fn no_word_means_two_statuses() {
        let all: Vec<&str> = [CONFIRMED, CANCELED, BLOCKED, REVOKED, UNPAID].concat();
        for word in &all {
            assert_eq!(plain(word), *word);
            assert_eq!(
                all.iter().filter(|other| *other == word).count(),
                1,
                "{word}"
            );
        }
    }

    #[test]
    fn marks_of_spreadsheets_come_off() {
        assert_eq!(bare(" =\"00123\" "), "00123");
        assert_eq!(bare("'+49 30 1234"), "+49 30 1234");
        assert_eq!(bare("'Allo"), "'Allo");
        assert_eq!(bare("Info Requested"), "");
        assert_eq!(
            (yes("Ja"), yes("No"), yes("perhaps"), yes("")),
            (Some(true), Some(false), None, None)
        );
    }

    #[test]
    fn rounded_codes_are_recognised() {
        for bad in ["5.0011E+11", "5,0011E+11", "1E+15", "5.0e+8"] {
            assert!(rounded(bad), "{bad}");
        }
        for good in [
            "E+11",
            "50E11",
            "ABE+1",
            "5.0011E11",
            "12E+3",
            "5.0011",
            "1e",
            "",
        ] {
            assert!(!rounded(good), "{good}");
        }
    }
}
