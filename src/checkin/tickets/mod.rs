//! Signed tickets of a guest list: issued, listed, revoked; the key that signs them.
//!
//! Invariant: a guest has one good ticket at most; issuing another revokes it. The private key is
//! sealed in Postgres and opened only to sign; a code is made from what Postgres answered, so a
//! repeated request gets the same codes, and codes are kept nowhere.
//! Failure: a revocation that reached Postgres but not the live object is picked up by the minute
//! sweep.

pub mod http;
mod store;
mod wire;

use rules::checkin::ticket::{self, PrivateKey};
use rules::invalid::Invalid;
use rules::page::{self, Page};
use rules::time;
use uuid::Uuid;

use super::changed;
use crate::platform::crypto::DataKeys;
use crate::platform::ctx::{Ctx, random};
use crate::platform::error::{Error, Result};
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use store::{Filter, Issue, Issued, NewKey, Revoke, Rotate, SigningKey, Target};
use wire::{
    IssueIn, IssuedTicket, IssuedTickets, RevokeIn, RevokedTickets, RotateIn, Ticket, TicketKeys,
    TicketsQuery,
};

/// What the database says when something that was named cannot be used.
const REFUSED: &str = "tickets_refused";

/// Issues tickets to the guests named, or to the next page of all.
pub async fn issue(
    ctx: &Ctx,
    scope: &Scope,
    table_id: Uuid,
    input: IssueIn,
) -> Result<Called<IssuedTickets>> {
    let order = input.check()?;
    let most = order.row_ids.as_ref().map(Vec::len);
    let most = most.and_then(|most| u32::try_from(most).ok());
    let mut asked = Issue {
        table_id,
        ids: ids(ctx, most.unwrap_or(order.limit)),
        key: new_key(ctx, table_id)?,
        row_ids: order.row_ids,
        after: order.after,
        only_missing: order.only_missing,
        limit: order.limit,
        valid_from: order.valid_from,
        valid_until: order.valid_until,
        review: false,
    };
    let done = match ctx.pg.call_full(scope, &store::ISSUE, &asked).await {
        Err(error) if error.code == REFUSED => {
            asked.review = true;
            let found = ctx.pg.call(&unkeyed(scope), &store::ISSUE, &asked).await?;
            let wrong = found.it.wrong.iter().map(|w| (w.place, w.code.as_str()));
            return Err(named(wrong, "/row_ids").err().unwrap_or(error));
        }
        done => done?,
    };
    if done.result.it.news {
        changed(ctx, done.tenant, table_id, done.result.live.as_ref()).await;
    }
    done.try_map(|issued| signed(ctx, table_id, issued.it))
}

/// Tickets of a list, newest first.
pub async fn list(
    ctx: &Ctx,
    scope: &Scope,
    table_id: Uuid,
    query: TicketsQuery,
) -> Result<Page<Ticket>> {
    let limit = page::limit(query.limit.as_deref())?;
    let filter = Filter {
        table_id,
        row_id: query.row_id,
        revoked: query.revoked,
        before: page::decode(query.cursor.as_deref())?,
        limit: limit + 1,
    };
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    Ok(page::cut(found.items, limit, |ticket| ticket.serial))
}

/// Takes tickets back. What was taken back before stays so.
pub async fn revoke(
    ctx: &Ctx,
    scope: &Scope,
    table_id: Uuid,
    input: RevokeIn,
) -> Result<Called<RevokedTickets>> {
    let input = input.check()?;
    let (pointer, code) = match input.row_ids {
        Some(_) => ("/row_ids", "unknown_row"),
        None => ("/ticket_ids", "unknown_ticket"),
    };
    let mut asked = Revoke {
        table_id,
        row_ids: input.row_ids,
        ticket_ids: input.ticket_ids,
        review: false,
    };
    let done = match ctx.pg.call_full(scope, &store::REVOKE, &asked).await {
        Err(error) if error.code == REFUSED => {
            asked.review = true;
            let found = ctx.pg.call(&unkeyed(scope), &store::REVOKE, &asked).await?;
            let wrong = found.it.wrong.iter().map(|place| (*place, code));
            return Err(named(wrong, pointer).err().unwrap_or(error));
        }
        done => done?,
    };
    let revoked = done.result.it.revoked;
    if revoked > 0 {
        changed(ctx, done.tenant, table_id, done.result.live.as_ref()).await;
    }
    done.try_map(|_| Ok(RevokedTickets { revoked }))
}

/// The public keys of a list.
pub async fn keys(ctx: &Ctx, scope: &Scope, table_id: Uuid) -> Result<TicketKeys> {
    ctx.pg.call(scope, &store::KEYS, &Target { table_id }).await
}

/// Makes a new key sign; earlier ones stay good unless they are to be revoked.
pub async fn rotate(
    ctx: &Ctx,
    scope: &Scope,
    table_id: Uuid,
    input: RotateIn,
) -> Result<Called<TicketKeys>> {
    let asked = Rotate {
        table_id,
        revoke_old: input.revoke_old.unwrap_or_default(),
        key: new_key(ctx, table_id)?,
    };
    let done = ctx.pg.call_full(scope, &store::ROTATE, &asked).await?;
    changed(ctx, done.tenant, table_id, done.result.live.as_ref()).await;
    done.try_map(|rotated| Ok(rotated.it))
}

/// A key nobody has yet, its private part sealed for this list and public part.
fn new_key(ctx: &Ctx, table: Uuid) -> Result<NewKey> {
    let key = PrivateKey::from_seed(&random());
    let public_key = key.public().to_string();
    let keys = DataKeys::parse(&ctx.config.data_keys)?;
    Ok(NewKey {
        private_key: keys.seal(&owner(table, &public_key), key.seed())?,
        public_key,
    })
}

/// The key that signs, with its number.
fn open(ctx: &Ctx, table: Uuid, key: &SigningKey) -> Result<(u32, PrivateKey)> {
    let keys = DataKeys::parse(&ctx.config.data_keys)?;
    let seed = keys.open(&owner(table, &key.public_key), &key.private_key)?;
    let seed = seed.as_slice().try_into();
    let seed = seed.map_err(|_| Error::internal("a ticket key has the wrong length"))?;
    Ok((key.number, PrivateKey::from_seed(seed)))
}

fn owner(table: Uuid, public_key: &str) -> String {
    format!("pulse_ticket_keys/{table}/{public_key}/private_key")
}

/// The codes of what was issued.
fn signed(ctx: &Ctx, table: Uuid, issued: Issued) -> Result<IssuedTickets> {
    let key = issued.key.ok_or_else(|| Error::internal("no key signs"))?;
    let key = open(ctx, table, &key)?;
    let items = issued.items.into_iter().map(|ticket| sign(ticket, &key));
    Ok(IssuedTickets {
        items: items.collect::<Result<_>>()?,
        skipped: issued.skipped,
        next_cursor: issued.next.map(|last| page::encode(&last)),
    })
}

fn sign(ticket: Ticket, (number, key): &(u32, PrivateKey)) -> Result<IssuedTicket> {
    let instant = |text: &Option<String>| text.as_deref().and_then(time::try_parse);
    let says = ticket::Ticket {
        table_id: ticket.table_id,
        row_id: ticket.row_id,
        serial: ticket.serial,
        key: *number,
        category: ticket.category.clone(),
        valid_from: instant(&ticket.valid_from),
        valid_until: instant(&ticket.valid_until),
    };
    let code = ticket::issue(&says, key);
    let code = code.map_err(|_| Error::internal("a ticket is too long"))?;
    Ok(IssuedTicket { ticket, code })
}

fn ids(ctx: &Ctx, count: u32) -> Vec<Uuid> {
    let ms = u64::try_from(ctx.now.timestamp_millis()).unwrap_or_default();
    (0..count)
        .map(|nth| rules::id::in_order(ms, nth, random()))
        .collect()
}

/// The scope of a look that is no write.
fn unkeyed(scope: &Scope) -> Scope {
    Scope {
        idempotency: None,
        ..scope.clone()
    }
}

/// Every item of a list that cannot be used.
fn named<'w>(wrong: impl Iterator<Item = (usize, &'w str)>, pointer: &str) -> Result<()> {
    let mut invalid = Invalid::default();
    for (place, code) in wrong {
        let message = match code {
            "unknown_row" => "There is no such guest on the list.",
            "unknown_ticket" => "There is no such ticket of the list.",
            "guest_not_confirmed" => "This guest is canceled, blocked or revoked.",
            "category_too_long" => "A category on a ticket has at most 160 bytes.",
            "never_valid" => "Within these times this guest is never admitted.",
            _ => "This cannot be used.",
        };
        invalid.add(format!("{pointer}/{place}"), code, message);
    }
    Ok(invalid.or(())?)
}
