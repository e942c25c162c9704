//! SQL of signed tickets.
//!
//! Invariant: every statement sees its tenant's lists only; what is issued, revoked or rotated on
//! one list happens one after the other.
//! Failure: a list that is not there is 404; what cannot be done is named by its place.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::wire::{Ticket, TicketKeys};
use crate::checkin::Followed;
use crate::platform::pg::Statement;

/// What is to be issued.
#[derive(Serialize)]
pub struct Issue {
    pub table_id: Uuid,
    /// These guests; none for the next page of all.
    pub row_ids: Option<Vec<Uuid>>,
    /// The last guest of the page before.
    pub after: Option<Uuid>,
    /// Of the page, only guests without a good ticket.
    pub only_missing: bool,
    /// Guests of a page.
    pub limit: u32,
    pub valid_from: Option<String>,
    pub valid_until: Option<String>,
    /// An id for each ticket there can be.
    pub ids: Vec<Uuid>,
    /// Signs, if the list has no key yet.
    #[serde(flatten)]
    pub key: NewKey,
    /// Tell what stands in the way and do nothing.
    pub review: bool,
}

/// A key that is offered.
#[derive(Serialize)]
pub struct NewKey {
    pub public_key: String,
    /// Sealed.
    pub private_key: String,
}

/// What was issued, or what stands in the way.
#[derive(Deserialize)]
pub struct Issued {
    #[serde(default)]
    pub wrong: Vec<Wrong>,
    #[serde(default)]
    pub items: Vec<Ticket>,
    /// Guests of the page who cannot have a ticket.
    #[serde(default)]
    pub skipped: u32,
    /// The last guest of the page, if it is full.
    #[serde(default)]
    pub next: Option<Uuid>,
    /// The live object has to know.
    #[serde(default)]
    pub news: bool,
    /// The key that signs.
    #[serde(default)]
    pub key: Option<SigningKey>,
}

/// A guest who cannot have a ticket, by the place in the request.
#[derive(Deserialize)]
pub struct Wrong {
    pub place: usize,
    pub code: String,
}

/// A key as it is kept.
#[derive(Deserialize)]
pub struct SigningKey {
    pub number: u32,
    pub public_key: String,
    /// Sealed.
    pub private_key: String,
}

/// What is to be taken back.
#[derive(Serialize)]
pub struct Revoke {
    pub table_id: Uuid,
    pub row_ids: Option<Vec<Uuid>>,
    pub ticket_ids: Option<Vec<Uuid>>,
    /// Tell what is not known and do nothing.
    pub review: bool,
}

/// How many were, or which are not known, by their places.
#[derive(Deserialize)]
pub struct Revoked {
    #[serde(default)]
    pub wrong: Vec<usize>,
    #[serde(default)]
    pub revoked: u32,
}

/// A new key for a list.
#[derive(Serialize)]
pub struct Rotate {
    pub table_id: Uuid,
    pub revoke_old: bool,
    #[serde(flatten)]
    pub key: NewKey,
}

/// Which tickets.
#[derive(Serialize)]
pub struct Filter {
    pub table_id: Uuid,
    pub row_id: Option<Uuid>,
    pub revoked: Option<bool>,
    /// Those with a lower serial number.
    pub before: Option<u32>,
    pub limit: u32,
}

/// Which list.
#[derive(Serialize)]
pub struct Target {
    pub table_id: Uuid,
}

/// Tickets that were found.
#[derive(Deserialize)]
pub struct Found {
    pub items: Vec<Ticket>,
}

/// Issues tickets.
pub const ISSUE: Statement<Issue, Followed<Issued>> =
    Statement::new("select app.followed(app.issue_tickets($1), ($1->>'table_id')::uuid)");

/// Takes tickets back.
pub const REVOKE: Statement<Revoke, Followed<Revoked>> =
    Statement::new("select app.followed(app.revoke_tickets($1), ($1->>'table_id')::uuid)");

/// Makes another key sign.
pub const ROTATE: Statement<Rotate, Followed<TicketKeys>> =
    Statement::new("select app.followed(app.rotate_ticket_key($1), ($1->>'table_id')::uuid)");

/// The public keys of a list.
pub const KEYS: Statement<Target, TicketKeys> =
    Statement::new("select app.ticket_keys(($1->>'table_id')::uuid)");

/// Tickets, newest first.
pub const LIST: Statement<Filter, Found> = Statement::new(
    "select jsonb_build_object('items', coalesce((
              select jsonb_agg(found.json order by found.serial desc)
                from (select k.serial, app.ticket_json(k) as json
                        from pulse_tickets k
                       where k.table_id = t.id
                         and ($1->>'row_id' is null or k.row_id = ($1->>'row_id')::uuid)
                         and ($1->>'revoked' is null
                              or (k.revoked_at is not null) = ($1->>'revoked')::bool)
                         and ($1->>'before' is null or k.serial < ($1->>'before')::bigint)
                       order by k.serial desc
                       limit ($1->>'limit')::int) found), '[]'))
       from pulse_tables t
      where t.id = ($1->>'table_id')::uuid and t.deleted_at is null",
);
