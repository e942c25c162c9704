//! Keys and revocations of signed tickets, as the object follows them.
//!
//! Invariant: what was taken over is in storage before the position moves past it, so a revocation
//! that the object was told of is never forgotten.
//! Failure: what is kept and does not decode is an error; the object does not judge tickets by half
//! of what it knew.

use std::collections::HashMap;

use rules::checkin::ticket::Tickets;

use super::store::PulledTickets;
use super::table::Table;
use crate::platform::error::Result;

const KEPT: &str = "tickets";

/// What the object keeps of them.
pub fn kept(meta: &HashMap<String, String>) -> Result<Tickets> {
    let kept = meta.get(KEPT).map(|text| serde_json::from_str(text));
    Ok(kept.transpose()?.unwrap_or_default())
}

/// Takes over what is new, in storage and in memory.
pub fn take(table: &Table, news: Option<PulledTickets>) -> Result<()> {
    let Some(news) = news else { return Ok(()) };
    let mut tickets = table.state.borrow().tickets.clone();
    tickets.keys = news.keys;
    for serial in news.revoked {
        tickets.revoked.insert(serial);
    }
    table.changes.note_table(&table.storage)?;
    table.storage.put(KEPT, &serde_json::to_string(&tickets)?)?;
    table.state.borrow_mut().tickets = tickets;
    {
        let mut position = table.position.borrow_mut();
        (position.tickets_seq, position.ticket_serial) = news.position;
    }
    table.keep_position()
}
