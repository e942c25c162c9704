//! What comes in and goes out at signed tickets.
//!
//! Invariant: unknown fields are refused; the API document is made from these types.
//! Failure: every wrong field is named.

use rules::invalid::Invalid;
use rules::time;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Most tickets that one call issues or revokes.
pub const MOST: usize = 500;

/// Whom tickets are issued to: `row_ids`, or `all`, a page at a time.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueIn {
    /// These guests, each once.
    #[schema(min_items = 1, max_items = 500)]
    pub row_ids: Option<Vec<Uuid>>,
    /// Every guest of the list who can have one, in the order they were added: the others are
    /// passed over. Send `next_cursor` of the answer as `cursor` until there is none.
    pub all: Option<bool>,
    /// With `all`: only guests who have no good ticket. Without it, theirs are replaced.
    pub only_missing: Option<bool>,
    /// First instant of admission, besides the guest's own.
    #[schema(format = DateTime)]
    pub valid_from: Option<String>,
    /// Last instant of admission, besides the guest's own.
    #[schema(format = DateTime)]
    pub valid_until: Option<String>,
    /// With `all`: guests of a page; 200 when absent.
    #[schema(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// With `all`: where the page starts.
    #[schema(max_length = 1024)]
    pub cursor: Option<String>,
}

/// What was asked for, checked.
pub struct Order {
    pub row_ids: Option<Vec<Uuid>>,
    pub after: Option<Uuid>,
    pub only_missing: bool,
    pub limit: u32,
    pub valid_from: Option<String>,
    pub valid_until: Option<String>,
}

/// Which tickets are taken back: those of `ticket_ids`, or whatever the guests of `row_ids` have.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeIn {
    /// Guests, each once.
    #[schema(min_items = 1, max_items = 500)]
    pub row_ids: Option<Vec<Uuid>>,
    /// Tickets, each once.
    #[schema(min_items = 1, max_items = 500)]
    pub ticket_ids: Option<Vec<Uuid>>,
}

/// A change of keys.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateIn {
    /// Revoke every earlier key, and with it every ticket issued so far. `false` when absent.
    pub revoke_old: Option<bool>,
}

/// An issued ticket.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    /// The ticket.
    pub id: Uuid,
    /// The list.
    pub table_id: Uuid,
    /// The guest.
    pub row_id: Uuid,
    /// Its number on the list, from 1.
    pub serial: u32,
    /// Number of the key that signed it.
    pub key: u32,
    /// The guest's category when it was issued.
    pub category: Option<String>,
    /// First instant of admission, RFC 3339.
    #[schema(format = DateTime)]
    pub valid_from: Option<String>,
    /// Last instant of admission, RFC 3339.
    #[schema(format = DateTime)]
    pub valid_until: Option<String>,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub issued_at: String,
    /// When it was taken back or replaced, RFC 3339.
    #[schema(format = DateTime)]
    pub revoked_at: Option<String>,
}

/// A ticket with its code.
#[derive(Serialize, ToSchema)]
pub struct IssuedTicket {
    /// The ticket.
    #[serde(flatten)]
    pub ticket: Ticket,
    /// What goes into the QR code: upper-case letters and digits, at most 512. Shown this once.
    #[schema(max_length = 512, pattern = "^PULSE[A-Z2-7]+$")]
    pub code: String,
}

/// A page of issued tickets.
#[derive(Serialize, ToSchema)]
pub struct IssuedTickets {
    /// In the order of the request, or in which the guests were added.
    pub items: Vec<IssuedTicket>,
    /// Guests of the page who were passed over: not confirmed, never admitted within the times
    /// given, or of a category of more than 160 bytes.
    pub skipped: u32,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// A page of tickets.
#[derive(Serialize, ToSchema)]
pub struct Tickets {
    /// Newest first.
    pub items: Vec<Ticket>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

/// What was taken back.
#[derive(Serialize, ToSchema)]
pub struct RevokedTickets {
    /// Tickets that were good before.
    pub revoked: u32,
}

/// The public keys of a list.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TicketKeys {
    /// The list.
    pub table_id: Uuid,
    /// `Ed25519`.
    pub algorithm: String,
    /// Number of the key that signs; null before the first ticket.
    pub signing: Option<u32>,
    /// Newest first.
    pub keys: Vec<TicketKey>,
}

/// A key of a list.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TicketKey {
    /// Its number, from 1.
    pub number: u32,
    /// 32 bytes, base64url without padding.
    #[schema(min_length = 43, max_length = 43)]
    pub public_key: String,
    /// RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When another one began to sign; what this one signed stays good. RFC 3339.
    #[schema(format = DateTime)]
    pub retired_at: Option<String>,
    /// When it was revoked with everything it signed. RFC 3339.
    #[schema(format = DateTime)]
    pub revoked_at: Option<String>,
}

/// Which tickets.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TicketsQuery {
    /// Of this guest.
    pub row_id: Option<Uuid>,
    /// Only revoked or only good ones.
    pub revoked: Option<bool>,
    /// 1 to 200; 50 when absent.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(max_length = 1024)]
    pub cursor: Option<String>,
}

impl IssueIn {
    /// What was asked for, checked.
    pub(super) fn check(self) -> Result<Order, Invalid> {
        let mut invalid = Invalid::default();
        let all = self.all.unwrap_or_default();
        if all == self.row_ids.is_some() {
            invalid.add("", "one_target", "Give either row_ids or all: true.");
        }
        each_once("/row_ids", self.row_ids.as_deref(), &mut invalid);
        let only_missing = self.only_missing.unwrap_or_default();
        for (field, given) in [
            ("/only_missing", only_missing),
            ("/limit", self.limit.is_some()),
            ("/cursor", self.cursor.is_some()),
        ] {
            if given && !all {
                invalid.add(field, "only_with_all", "Goes with all: true only.");
            }
        }
        let limit = self.limit.unwrap_or(200);
        if !(1..=MOST).contains(&usize::try_from(limit).unwrap_or(usize::MAX)) {
            invalid.add("/limit", "out_of_range", "1 to 500.");
        }
        let mut instant = |pointer, text: Option<&str>| {
            let instant = text.map(|text| time::parse(pointer, text)).transpose();
            invalid.take(instant).flatten()
        };
        let from = instant("/valid_from", self.valid_from.as_deref());
        let until = instant("/valid_until", self.valid_until.as_deref());
        if until.zip(from).is_some_and(|(until, from)| until < from) {
            let message = "Must not lie before valid_from.";
            invalid.add("/valid_until", "before_valid_from", message);
        }
        let after = invalid.take(rules::page::decode(self.cursor.as_deref()));
        invalid.or(Order {
            row_ids: self.row_ids,
            after: after.flatten(),
            only_missing,
            limit,
            valid_from: from.map(time::render),
            valid_until: until.map(time::render),
        })
    }
}

impl RevokeIn {
    /// The same, checked.
    pub(super) fn check(self) -> Result<Self, Invalid> {
        let mut invalid = Invalid::default();
        if self.row_ids.is_some() == self.ticket_ids.is_some() {
            invalid.add("", "one_target", "Give either row_ids or ticket_ids.");
        }
        each_once("/row_ids", self.row_ids.as_deref(), &mut invalid);
        each_once("/ticket_ids", self.ticket_ids.as_deref(), &mut invalid);
        invalid.or(self)
    }
}

/// A list of ids: 1 to [`MOST`], none twice.
fn each_once(pointer: &str, ids: Option<&[Uuid]>, invalid: &mut Invalid) {
    let Some(ids) = ids else { return };
    if ids.is_empty() {
        invalid.add(pointer, "required", "Must name at least one.");
    }
    if ids.len() > MOST {
        return invalid.add(pointer, "too_many", "At most 500 at a time.");
    }
    let mut seen = std::collections::HashSet::new();
    for (place, id) in ids.iter().enumerate() {
        if !seen.insert(id) {
            invalid.add(format!("{pointer}/{place}"), "repeated", "Given twice.");
        }
    }
}
