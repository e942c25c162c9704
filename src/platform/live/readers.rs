//! Who is on the sockets of an object, and what becomes of them when their standing changes.
//!
//! Invariant: however many sockets a reader has, it is one reader to ask about; all its sockets share
//! what becomes of it.
//! Failure: a socket that would lose a channel with its role is told to come back, so that its client
//! learns it from the answer to its subscribe.

use chrono::{DateTime, Utc};
use rules::live::close;
use rules::live::session::{Access, Identity, Session};
use rules::live::standing::Fate;

use super::hub::{Hub, millis, present, session_of, sockets};
use super::surface::Surface;

impl Hub {
    /// The readers of a kind whose sockets are open and alive, with when each was last heard of.
    pub fn present(&self, kind: &str, now: DateTime<Utc>) -> Vec<(Identity, DateTime<Utc>)> {
        let now = now.timestamp_millis();
        let readers = self.readers(kind).into_iter().filter_map(|(seen, who)| {
            let seen = rules::live::alive(seen, now).then_some(seen)?;
            Some((who, DateTime::from_timestamp_millis(seen)?))
        });
        readers.collect()
    }

    /// The members of staff whose sockets are open, each sign-in and key once.
    pub fn staff(&self) -> Vec<Identity> {
        let open = ["user", "key"]
            .into_iter()
            .flat_map(|kind| self.readers(kind));
        let mut staff: Vec<Identity> = open.map(|(_, who)| who).collect();
        let name = |who: &Identity| (who.kind.clone(), who.id.clone(), who.sign_in.clone());
        staff.sort_by_key(name);
        staff.dedup_by_key(|who| name(who));
        staff
    }

    /// When the staff on the sockets was confirmed: the longest ago of them.
    pub fn staff_since(&self) -> Option<DateTime<Utc>> {
        let times = self.times.borrow();
        let longest_ago = times.values().filter_map(|times| times.confirmed).min();
        longest_ago.and_then(DateTime::from_timestamp_millis)
    }

    /// The open sockets of a kind of reader: when each was last heard of, and whose it is.
    fn readers(&self, kind: &str) -> Vec<(i64, Identity)> {
        let open = present(&self.js, &format!("\"k\":\"{kind}\""));
        let readers = open.lines().filter_map(|line| {
            let (seen, attachment) = line.split_once(' ')?;
            let session: Session = serde_json::from_str(attachment).ok()?;
            let who = session.identity().filter(|who| who.kind == kind)?;
            Some((millis(seen.parse().ok()?), who.clone()))
        });
        readers.collect()
    }

    /// Looks again at who may be here: `stays` false closes the socket for good.
    pub fn recheck(&self, surface: &impl Surface, stays: impl Fn(&Identity) -> bool) {
        self.review(surface, |who| match stays(who) {
            true => Fate::Stays,
            false => Fate::Ends(close::REVOKED),
        });
    }

    /// Lets what was found about the readers come true on every socket of theirs.
    pub fn review(&self, surface: &impl Surface, fate: impl Fn(&Identity) -> Fate) {
        for socket in sockets(&self.js) {
            let open = |session: &Session| self.times.borrow().contains_key(&session.id);
            let Some(mut session) = session_of(&socket).filter(open) else {
                continue;
            };
            match session.identity().map(&fate) {
                None | Some(Fate::Stays) => {}
                Some(Fate::Ends(close)) => self.close(&socket, close),
                Some(Fate::Becomes(role)) => {
                    session.set_role(role);
                    let seen = |who: &Identity, channel: &str| {
                        surface.access(who, channel) == Access::Granted
                    };
                    match session.drop_channels(seen).is_empty() {
                        true => self.keep(&socket, &session),
                        false => self.close(&socket, close::RESTART),
                    }
                }
            }
        }
    }
}
