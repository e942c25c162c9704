//! The bytes of a ticket that are signed.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, 1 |
//! | 1 | what follows at the end: bit 0 category, bit 1 valid from, bit 2 valid until |
//! | 16, 16 | table, row |
//! | 1–5, 1–5 | serial, number of the key |
//! | 1 and as many | length and text of the category |
//! | 1–10, 1–10 | valid from, valid until: Unix milliseconds, zigzag |
//!
//! Numbers are LEB128, seven bits a byte, the lowest first.
//!
//! Invariant: each ticket has one notation; [`read`] takes no other.
//! Failure: nothing is read from bytes that are not exactly a ticket.

use chrono::{DateTime, TimeZone, Utc};
use uuid::Uuid;

use super::{MAX_CATEGORY, Ticket};

/// The version these rules write and read.
pub const VERSION: u8 = 1;

const CATEGORY: u8 = 1;
const FROM: u8 = 2;
const UNTIL: u8 = 4;

/// The bytes of a ticket; none when its category is empty or too long.
pub fn write(ticket: &Ticket) -> Option<Vec<u8>> {
    let flag = |present: bool, flag: u8| if present { flag } else { 0 };
    let flags = flag(ticket.category.is_some(), CATEGORY)
        | flag(ticket.valid_from.is_some(), FROM)
        | flag(ticket.valid_until.is_some(), UNTIL);
    let mut out = vec![VERSION, flags];
    out.extend_from_slice(ticket.table_id.as_bytes());
    out.extend_from_slice(ticket.row_id.as_bytes());
    number(&mut out, u64::from(ticket.serial));
    number(&mut out, u64::from(ticket.key));
    if let Some(category) = &ticket.category {
        let length = category.len();
        if length == 0 || length > MAX_CATEGORY {
            return None;
        }
        out.push(u8::try_from(length).ok()?);
        out.extend_from_slice(category.as_bytes());
    }
    for instant in [ticket.valid_from, ticket.valid_until]
        .into_iter()
        .flatten()
    {
        let ms = instant.timestamp_millis();
        number(&mut out, ((ms << 1) ^ (ms >> 63)) as u64);
    }
    Some(out)
}

/// The ticket of exactly these bytes.
pub fn read(bytes: &[u8]) -> Option<Ticket> {
    let mut rest = Rest(bytes);
    let [version, flags] = rest.take::<2>()?;
    if version != VERSION || flags & !(CATEGORY | FROM | UNTIL) != 0 {
        return None;
    }
    let has = |flag: u8| flags & flag != 0;
    let ticket = Ticket {
        table_id: Uuid::from_bytes(rest.take()?),
        row_id: Uuid::from_bytes(rest.take()?),
        serial: u32::try_from(rest.number()?).ok()?,
        key: u32::try_from(rest.number()?).ok()?,
        category: match has(CATEGORY) {
            true => Some(rest.text()?),
            false => None,
        },
        valid_from: rest.instant_if(has(FROM))?,
        valid_until: rest.instant_if(has(UNTIL))?,
    };
    rest.0.is_empty().then_some(ticket)
}

fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// A number in its shortest notation.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for place in 0..10 {
            let [byte] = self.take()?;
            let bits = u64::from(byte & 0x7f);
            if place == 9 && bits > 1 {
                return None;
            }
            number |= bits << (7 * place);
            if byte < 0x80 {
                return (bits != 0 || place == 0).then_some(number);
            }
        }
        None
    }

    fn text(&mut self) -> Option<String> {
        let [length] = self.take()?;
        let length = usize::from(length);
        if length == 0 || length > MAX_CATEGORY {
            return None;
        }
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        str::from_utf8(text).ok().map(str::to_owned)
    }

    fn instant_if(&mut self, present: bool) -> Option<Option<DateTime<Utc>>> {
        if !present {
            return Some(None);
        }
        let zigzag = self.number()?;
        let ms = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
        Utc.timestamp_millis_opt(ms).single().map(Some)
    }
}
