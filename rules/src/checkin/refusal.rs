//! Why a scan is not accepted, with what a sentence about it needs.
//!
//! Invariant: every refusal has one stable reason and one English sentence, times in the event's
//! zone.
//! Failure: none.

use chrono::{DateTime, Utc};

use super::hours::Minute;
use super::ticket::Unreadable;
use super::verdict::Reason;
use crate::civil::{Weekday, Zone};

/// Why a scan is not accepted.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Refusal<'a> {
    /// No guest has this code or row.
    Unknown,
    /// Without a guest list, only signed tickets mean anybody.
    NoList,
    /// It looks like a signed ticket and is none of this table.
    NoTicket(Unreadable),
    /// The guest was taken off the list: the bearer of a signed ticket, or whom a device let in
    /// without a connection.
    NotListed,
    /// The code was this guest's, as a device without a connection knew it, and is not any more.
    OtherCode,
    /// Several guests share the code.
    Ambiguous {
        guests: usize,
    },
    /// Several of the lists that were asked know the code.
    OnSeveralLists {
        names: &'a [String],
    },
    /// A walk-in was given a code that is on the list.
    CodeTaken,
    /// Walk-ins are off.
    WalkInsOff,
    Canceled,
    Blocked,
    Revoked,
    Unpaid,
    WrongCategory {
        category: Option<&'a str>,
        allowed: &'a [String],
    },
    /// `go_to` are the gates that admit the guest.
    WrongGate {
        gate: &'a str,
        known: bool,
        category: Option<&'a str>,
        go_to: Vec<&'a str>,
    },
    NotYetValid {
        from: DateTime<Utc>,
    },
    NoLongerValid {
        until: DateTime<Utc>,
    },
    NotOpenYet {
        opens: DateTime<Utc>,
    },
    Closed {
        since: DateTime<Utc>,
    },
    OutsideHours {
        next: Option<(Weekday, Minute)>,
    },
    /// `left` when the guest went out and may not come back.
    AlreadyIn {
        first: DateTime<Utc>,
        gate: Option<&'a str>,
        left: Option<DateTime<Utc>>,
    },
    DailyLimit {
        limit: u32,
    },
    TotalLimit {
        limit: u32,
    },
    Full {
        capacity: u32,
        inside: u32,
    },
    /// More people than the ticket has room for.
    PartyFull {
        party: u16,
        room: u32,
    },
    /// A required question has no answer.
    Unanswered {
        question: &'a str,
    },
    /// An answer does not fit its question.
    WrongAnswer {
        question: &'a str,
    },
}

impl Refusal<'_> {
    /// The stable word.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NoTicket(Unreadable::RevokedKey) => Reason::Revoked,
            Self::Unknown | Self::NoList | Self::NoTicket(_) | Self::OtherCode => {
                Reason::UnknownCode
            }
            Self::Ambiguous { .. } | Self::OnSeveralLists { .. } | Self::CodeTaken => {
                Reason::Ambiguous
            }
            Self::WalkInsOff => Reason::WalkInsNotAllowed,
            Self::Canceled | Self::NotListed => Reason::Canceled,
            Self::Blocked => Reason::Blocked,
            Self::Revoked => Reason::Revoked,
            Self::Unpaid => Reason::Unpaid,
            Self::WrongCategory { .. } => Reason::WrongCategory,
            Self::WrongGate { .. } => Reason::WrongGate,
            Self::NotYetValid { .. } => Reason::NotYetValid,
            Self::NoLongerValid { .. } => Reason::NoLongerValid,
            Self::NotOpenYet { .. } | Self::Closed { .. } | Self::OutsideHours { .. } => {
                Reason::EventNotOpen
            }
            Self::AlreadyIn { .. } => Reason::AlreadyCheckedIn,
            Self::DailyLimit { .. } | Self::TotalLimit { .. } | Self::PartyFull { .. } => {
                Reason::LimitReached
            }
            Self::Unanswered { .. } | Self::WrongAnswer { .. } => Reason::Incomplete,
            Self::Full { .. } => Reason::CapacityReached,
        }
    }

    /// Does `force` override it? Not when nobody knows whom the scan is about.
    pub fn can_be_forced(&self) -> bool {
        !matches!(
            self,
            Self::Unknown
                | Self::NoList
                | Self::NoTicket(_)
                | Self::Ambiguous { .. }
                | Self::OnSeveralLists { .. }
                | Self::CodeTaken
        )
    }

    /// The sentence for the person at the door; `now` is when the scan happened.
    pub fn sentence(&self, zone: &Zone, now: DateTime<Utc>) -> String {
        let moment = |at| moment(zone, at, now);
        match self {
            Self::Unknown => "This code is not on the list.".to_owned(),
            Self::NoList => {
                "This scanner has no guest list: it reads signed tickets only.".to_owned()
            }
            Self::NoTicket(why) => match why {
                Unreadable::OtherTable => "This is a ticket of another event.",
                Unreadable::OtherVersion => "This ticket is of a kind this scanner cannot read.",
                Unreadable::RevokedKey => "This ticket was revoked, with all of its kind.",
                _ => "This is no ticket of this event.",
            }
            .to_owned(),
            Self::NotListed => "This guest is not on the list any more.".to_owned(),
            Self::OtherCode => "This code is not the guest's any more.".to_owned(),
            Self::Ambiguous { guests } => {
                format!("{guests} guests share this code. Find the guest by name.")
            }
            Self::OnSeveralLists { names } => {
                format!("This code is on several lists: {}.", names.join(", "))
            }
            Self::CodeTaken => "This code already belongs to a guest on the list.".to_owned(),
            Self::WalkInsOff => "Walk-ins are not admitted.".to_owned(),
            Self::Canceled => "This ticket was canceled.".to_owned(),
            Self::Blocked => "This guest is blocked.".to_owned(),
            Self::Revoked => "This ticket was revoked.".to_owned(),
            Self::Unpaid => "This ticket is not paid for.".to_owned(),
            Self::WrongCategory { category, allowed } => {
                let allowed = one_of(allowed.iter().map(String::as_str));
                match category {
                    Some(category) => {
                        format!("Category {category} is not admitted, only {allowed}.")
                    }
                    None => format!("Only {allowed} is admitted; this guest has no category."),
                }
            }
            Self::WrongGate {
                gate,
                known,
                category,
                go_to,
            } => {
                let unknown = match known {
                    true => String::new(),
                    false => format!("There is no gate {gate}. "),
                };
                let go_to = one_of(go_to.iter().copied());
                match (go_to.as_str(), category) {
                    ("", Some(category)) => format!("{unknown}No gate admits category {category}."),
                    ("", None) => format!("{unknown}No gate admits a guest without category."),
                    (gates, _) => format!("{unknown}Go to gate {gates}."),
                }
            }
            Self::NotYetValid { from } => {
                format!("This ticket is valid from {}.", stamp(zone, *from, now))
            }
            Self::NoLongerValid { until } => {
                format!("This ticket was valid until {}.", stamp(zone, *until, now))
            }
            Self::NotOpenYet { opens } => format!("The event opens {}.", moment(*opens)),
            Self::Closed { since } => format!("The event closed {}.", moment(*since)),
            Self::OutsideHours {
                next: Some((day, minute)),
            } => {
                format!("The doors are closed. They open {day} at {minute}.")
            }
            Self::OutsideHours { next: None } => "The doors are closed.".to_owned(),
            Self::AlreadyIn { first, gate, left } => {
                let place = gate.map(|gate| format!(" at {gate}")).unwrap_or_default();
                let entered = format!("Already checked in {}{place}", moment(*first));
                match left {
                    None => format!("{entered}."),
                    Some(left) => {
                        format!(
                            "{entered}, left {}. Re-entry is not allowed.",
                            moment(*left)
                        )
                    }
                }
            }
            Self::DailyLimit { limit: 1 } => "The entry of this day is used.".to_owned(),
            Self::DailyLimit { limit } => format!("All {limit} entries of this day are used."),
            Self::TotalLimit { limit: 1 } => "The one entry is used.".to_owned(),
            Self::TotalLimit { limit } => format!("All {limit} entries are used."),
            Self::Full { capacity, inside } => {
                format!("The venue is full: {inside} inside, room for {capacity}.")
            }
            Self::PartyFull { party, room: 0 } => format!("The ticket is for {party}; all are in."),
            Self::PartyFull { party, room } => {
                format!("The ticket is for {party}; {room} more may enter.")
            }
            Self::Unanswered { question } => format!("Ask first: {question}"),
            Self::WrongAnswer { question } => {
                format!("The answer does not fit the question: {question}")
            }
        }
    }
}

/// A moment in a sentence: `at 18:02`, or `on Sat 1 Jun at 18:02` when it is not of the same day.
pub(crate) fn moment(zone: &Zone, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match other_day(zone, at, now) {
        None => format!("at {}", zone.clock(at)),
        Some(day) => format!("on {day} at {}", zone.clock(at)),
    }
}

/// The same without prepositions: `18:02`, or `Sat 1 Jun 18:02`.
fn stamp(zone: &Zone, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match other_day(zone, at, now) {
        None => zone.clock(at),
        Some(day) => format!("{day} {}", zone.clock(at)),
    }
}

/// The day for people, with the year when it differs too; none when it is the same day.
fn other_day(zone: &Zone, at: DateTime<Utc>, now: DateTime<Utc>) -> Option<String> {
    let (day, today) = (zone.local_day(at), zone.local_day(now));
    if day == today {
        return None;
    }
    let short = day.short();
    Some(if day.year == today.year {
        short
    } else {
        format!("{short} {}", day.year)
    })
}

/// `North`, `North or South`, `East, North or South`.
fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
