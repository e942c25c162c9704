//! Signed tickets: codes that say by themselves whose they are, so that a scanner without a guest
//! list can judge them.
//!
//! A code is `PULSE` and base32 without padding: upper-case letters and digits, so a QR code packs
//! them at 5.5 bits each and a hand scanner types them the same on every keyboard. The smallest
//! one has 165 characters and fits QR version 7-M (45 modules); base64url would need version 8 for
//! it, base45 saves 6 % and needs symbols and spaces. The bytes inside: see `body`.
//!
//! Invariant: a ticket has one code and a code one ticket; nobody makes one without the private
//! key of its table. Time and keys are arguments.
//! Failure: every other text is [`Unreadable`], with why. Nothing in it may be believed then.

mod body;
#[cfg(feature = "server")]
pub mod cases;
mod keys;
mod known;
mod serials;

use chrono::{DateTime, Utc};
use data_encoding::BASE32_NOPAD;
use uuid::Uuid;

pub use keys::{PrivateKey, PublicKey};
pub use known::{Presented, TicketKey, Tickets};
pub use serials::Serials;

/// What every code begins with.
pub const PREFIX: &str = "PULSE";
/// The longest code, in characters: as long as any code may be.
pub const MAX_CODE: usize = 512;
/// The longest category of a ticket, in bytes of UTF-8.
pub const MAX_CATEGORY: usize = 160;
/// Bytes of a signature.
const SIGNATURE: usize = 64;

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The table it admits to.
    pub table_id: Uuid,
    /// The guest's row.
    pub row_id: Uuid,
    /// The ticket's number in its table, from 1.
    pub serial: u32,
    /// The number of the key that signed it, from 1.
    pub key: u32,
    /// The guest's category when it was issued, 1 to [`MAX_CATEGORY`] bytes.
    pub category: Option<String>,
    /// First instant of admission, to the millisecond.
    pub valid_from: Option<DateTime<Utc>>,
    /// Last instant of admission, to the millisecond.
    pub valid_until: Option<DateTime<Utc>>,
}

/// Why a code is no ticket of this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It does not begin as a ticket does.
    NoTicket,
    /// It begins as one, but is cut off, altered or made up.
    Broken,
    /// It was made by a newer version of these rules.
    OtherVersion,
    /// It says that it is of another table.
    OtherTable,
    /// No key of this table has signed it.
    WrongSignature,
    /// The key that signed it was revoked, so anybody may have made it.
    RevokedKey,
}

/// The category does not fit into a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// A code that has the form of a ticket. What it says is not proven yet.
#[derive(Clone, Debug)]
pub struct Unproven {
    ticket: Ticket,
    signed: Vec<u8>,
    signature: [u8; SIGNATURE],
}

/// The code of a ticket, signed. The same ticket and key always give the same code.
pub fn issue(ticket: &Ticket, key: &PrivateKey) -> Result<String, TooLong> {
    let mut bytes = body::write(ticket).ok_or(TooLong)?;
    let signature = key.sign(&bytes);
    bytes.extend_from_slice(&signature);
    let code = format!("{PREFIX}{}", BASE32_NOPAD.encode(&bytes));
    match code.len() <= MAX_CODE {
        true => Ok(code),
        false => Err(TooLong),
    }
}

/// Reads the form of a code. Only the one notation that [`issue`] writes is read.
pub fn parse(code: &str) -> Result<Unproven, Unreadable> {
    let text = code.strip_prefix(PREFIX).ok_or(Unreadable::NoTicket)?;
    if code.len() > MAX_CODE {
        return Err(Unreadable::Broken);
    }
    let mut signed = BASE32_NOPAD
        .decode(text.as_bytes())
        .map_err(|_| Unreadable::Broken)?;
    if signed
        .first()
        .is_some_and(|version| *version != body::VERSION)
    {
        return Err(Unreadable::OtherVersion);
    }
    let end = signed.len().checked_sub(SIGNATURE);
    let signature = signed.split_off(end.ok_or(Unreadable::Broken)?);
    Ok(Unproven {
        ticket: body::read(&signed).ok_or(Unreadable::Broken)?,
        signature: signature.try_into().map_err(|_| Unreadable::Broken)?,
        signed,
    })
}

impl Unproven {
    /// What it claims.
    pub fn claims(&self) -> &Ticket {
        &self.ticket
    }

    /// The ticket, if it is of this table and this key has signed it.
    pub fn verify(self, table: Uuid, key: &PublicKey) -> Result<Ticket, Unreadable> {
        if self.ticket.table_id != table {
            Err(Unreadable::OtherTable)
        } else if key.has_signed(&self.signed, &self.signature) {
            Ok(self.ticket)
        } else {
            Err(Unreadable::WrongSignature)
        }
    }
}

impl Unreadable {
    /// The stable word, in case files.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoTicket => "no_ticket",
            Self::Broken => "broken",
            Self::OtherVersion => "other_version",
            Self::OtherTable => "other_table",
            Self::WrongSignature => "wrong_signature",
            Self::RevokedKey => "revoked_key",
        }
    }
}
