//! What a table, or a scanner of it, knows to judge signed tickets with: keys and revocations.
//!
//! Invariant: small, whatever the guest list: a key is 60 bytes, and revoked tickets are ranges of
//! numbers. Knowing less never admits what knowing more would not, but for a revocation that has
//! not arrived yet.
//! Failure: without keys every ticket is unreadable.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{PublicKey, Serials, Ticket, Unreadable, parse};

/// One key of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketKey {
    /// Its number in the table, from 1; the highest signs.
    pub number: u32,
    /// Verifies what it signed.
    pub public_key: PublicKey,
    /// What it signed is worth nothing any more.
    #[serde(default)]
    pub revoked: bool,
}

/// Keys and revoked tickets of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tickets {
    /// Every key the table ever had.
    #[serde(default)]
    pub keys: Vec<TicketKey>,
    /// Serial numbers of revoked tickets.
    #[serde(default)]
    pub revoked: Serials,
}

/// A ticket whose signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// What it says.
    pub ticket: Ticket,
    /// It was taken back.
    pub revoked: bool,
}

impl Tickets {
    /// Reads a code that was scanned at this table.
    pub fn read(&self, table: Uuid, code: &str) -> Result<Presented, Unreadable> {
        let unproven = parse(code)?;
        let claims = unproven.claims();
        if claims.table_id != table {
            return Err(Unreadable::OtherTable);
        }
        let key = self.keys.iter().find(|key| key.number == claims.key);
        let key = key.ok_or(Unreadable::WrongSignature)?;
        let ticket = unproven.verify(table, &key.public_key)?;
        match key.revoked {
            true => Err(Unreadable::RevokedKey),
            false => Ok(Presented {
                revoked: self.revoked.contains(ticket.serial),
                ticket,
            }),
        }
    }
}
