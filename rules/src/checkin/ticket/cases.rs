//! Case files of kind `ticket`: codes, what they are made of, and what must be read from them.
//!
//! Invariant: a case with `issue` makes the code with the key of `seed` and compares it; a case
//! without reads `code` with the `keys` it gives, at `table_id`.
//! Failure: a file of another form is refused as a whole; a case that cannot be run has failed.
//!
//! ```json
//! {"cases": [
//!   {"id": "smallest", "seed": "<64 hex digits>", "table_id": "…", "expect": {"code": "PULSE…"},
//!    "issue": {"row_id": "…", "serial": 1, "key": 1}},
//!   {"id": "cut-off", "table_id": "…", "code": "PULSE…", "expect": {"error": "broken"},
//!    "tickets": {"keys": [{"number": 1, "public_key": "…"}], "revoked": [[7, 9]]}}]}
//! ```
//! What is read: `row_id`, `serial`, `key`, `category`, `valid_from`, `valid_until`, `revoked`, or
//! `error` with the reason.

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{PrivateKey, Ticket, Tickets, issue};
use crate::cases::{CaseResult, each};
use crate::invalid::Invalid;
use crate::time;

#[derive(Deserialize)]
struct Case {
    table_id: Uuid,
    #[serde(flatten)]
    asks: Asks,
    expect: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Asks {
    Issue { seed: String, issue: Claims },
    Read { code: String, tickets: Tickets },
}

#[derive(Deserialize)]
struct Claims {
    row_id: Uuid,
    serial: u32,
    key: u32,
    #[serde(default)]
    category: Option<String>,
    #[serde(default, with = "time::ms_option")]
    valid_from: Option<DateTime<Utc>>,
    #[serde(default, with = "time::ms_option")]
    valid_until: Option<DateTime<Utc>>,
}

/// Runs the cases of a file's text.
pub fn run(json: &str) -> Result<Vec<CaseResult>, Invalid> {
    each(json, |case: &Case| {
        let observed = match &case.asks {
            Asks::Issue { seed, issue } => issued(case.table_id, seed, issue),
            Asks::Read { code, tickets } => read(case.table_id, code, tickets),
        };
        (case.expect != observed).then(|| format!("expected {}, got {observed}", case.expect))
    })
}

fn issued(table_id: Uuid, seed: &str, claims: &Claims) -> Value {
    let seed = HEXLOWER.decode(seed.as_bytes()).ok();
    let Some(seed) = seed.and_then(|seed| <[u8; 32]>::try_from(seed).ok()) else {
        return json!({"error": "seed"});
    };
    let ticket = Ticket {
        table_id,
        row_id: claims.row_id,
        serial: claims.serial,
        key: claims.key,
        category: claims.category.clone(),
        valid_from: claims.valid_from,
        valid_until: claims.valid_until,
    };
    let key = PrivateKey::from_seed(&seed);
    match issue(&ticket, &key) {
        Ok(code) => json!({"code": code, "public_key": key.public().to_string()}),
        Err(_) => json!({"error": "too_long"}),
    }
}

fn read(table_id: Uuid, code: &str, tickets: &Tickets) -> Value {
    match tickets.read(table_id, code) {
        Ok(presented) => json!({
            "row_id": presented.ticket.row_id,
            "serial": presented.ticket.serial,
            "key": presented.ticket.key,
            "category": presented.ticket.category,
            "valid_from": presented.ticket.valid_from.map(time::render),
            "valid_until": presented.ticket.valid_until.map(time::render),
            "revoked": presented.revoked,
        }),
        Err(unreadable) => json!({"error": unreadable.code()}),
    }
}
