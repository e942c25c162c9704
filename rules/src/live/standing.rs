//! How long the word of the database about a member of staff holds, and what a newer word means for
//! a socket.
//!
//! Invariant: a socket of staff is asked about again after [`CONFIRMED_FOR_MS`]. While nobody can be
//! asked, it stays for [`GRACE_MS`] after the last answer, a token's life, and no longer.
//! Failure: a word from the future, after a clock was set back, counts as old.

use super::close::{self, Close};
use super::session::Identity;
use crate::roles::Role;

/// How long a word counts without asking again, in milliseconds.
pub const CONFIRMED_FOR_MS: i64 = 60_000;
/// How long it counts at most, while nobody can be asked, in milliseconds.
pub const GRACE_MS: i64 = 15 * 60_000;

/// How good the last word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Good.
    Fresh,
    /// Good until it can be asked again.
    Due,
    /// No longer good.
    Lapsed,
}

/// How good a word of `confirmed_ms` is now.
pub fn standing(confirmed_ms: i64, now_ms: i64) -> Standing {
    match now_ms.saturating_sub(confirmed_ms) {
        age if age >= GRACE_MS => Standing::Lapsed,
        age if !(-CONFIRMED_FOR_MS..CONFIRMED_FOR_MS).contains(&age) => Standing::Due,
        _ => Standing::Fresh,
    }
}

/// What becomes of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stays as it is.
    Stays,
    /// It stays in another role.
    Becomes(Role),
    /// It ends.
    Ends(Close),
}

/// What becomes of a reader's socket, now that its role is known to be this one; none when it is
/// nobody here any more. `may_watch` says whether a role may have a socket at all.
pub fn fate(reader: &Identity, role: Option<Role>, may_watch: impl Fn(Role) -> bool) -> Fate {
    match role.filter(|role| may_watch(*role)) {
        None => Fate::Ends(close::REVOKED),
        Some(role) if role == reader.role => Fate::Stays,
        Some(role) => Fate::Becomes(role),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_holds_for_a_minute_and_in_need_for_a_quarter_of_an_hour() {
        let at = 1_700_000_000_000;
        for (later, expect) in [
            (0, Standing::Fresh),
            (59_999, Standing::Fresh),
            (60_000, Standing::Due),
            (899_999, Standing::Due),
            (900_000, Standing::Lapsed),
            (-60_000, Standing::Fresh),
            (-60_001, Standing::Due),
        ] {
            assert_eq!(standing(at, at + later), expect, "{later}");
        }
        assert_eq!(standing(i64::MIN, at), Standing::Lapsed);
    }

    #[test]
    fn who_is_nobody_or_may_not_watch_goes_for_good_and_another_role_stays() {
        let reader = Identity {
            kind: "user".into(),
            id: "1".into(),
            sign_in: None,
            tenant: "2".into(),
            role: Role::Manager,
            profile: None,
            generation: None,
            confirmed_ms: Some(0),
        };
        let watches = |role: Role| Role::STAFF.contains(&role);
        for (role, expect) in [
            (None, Fate::Ends(close::REVOKED)),
            (Some(Role::Patient), Fate::Ends(close::REVOKED)),
            (Some(Role::Manager), Fate::Stays),
            (Some(Role::ReadOnly), Fate::Becomes(Role::ReadOnly)),
            (Some(Role::Admin), Fate::Becomes(Role::Admin)),
        ] {
            assert_eq!(fate(&reader, role, watches), expect, "{role:?}");
        }
    }
}
