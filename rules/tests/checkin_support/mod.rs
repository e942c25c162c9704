//! Builders for the check-in tests: a door in memory, guests, scanners, seeded chance.
//!
//! Invariant: ids come from counters, chance from a seed; a test gives the same result each time.
//! Failure: the helpers panic; they are only used in tests.
#![allow(dead_code, missing_docs)]

#[path = "../seeded_support/mod.rs"]
mod seeded;

use chrono::{DateTime, Utc};
use rules::checkin::journal::{NotAnnulled, Outcome};
use rules::checkin::*;
use rules::civil::Zone;
use rules::invalid::Invalid;
use serde_json::{Value, json};
use uuid::Uuid;

#[allow(unused_imports, reason = "each test uses a part of it")]
pub use seeded::Chance;

/// The table of every test.
pub const TABLE: Uuid = Uuid::from_u128(0xAA);

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// 2024-06-01 at this time, UTC.
pub fn on_day(clock: &str) -> DateTime<Utc> {
    at(&format!("2024-06-01T{clock}Z"))
}

pub fn guest(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub fn device(number: u128) -> Uuid {
    Uuid::from_u128(0xD000 + number)
}

/// A guest whose code is `code` and whose number is `number`.
pub fn row(number: u128, code: &str) -> Row {
    Row {
        id: guest(number),
        name: format!("Guest {number}"),
        email: Some(format!("guest{number}@example.org")),
        barcode: Some(code.to_owned()),
        category: Some("standard".to_owned()),
        status: Status::Confirmed,
        valid_from: None,
        valid_until: None,
        attention_note: None,
        party: 1,
    }
}

pub fn caller(number: u128) -> Caller {
    Caller {
        actor: Actor {
            kind: ActorKind::Device,
            id: device(number),
        },
        session_id: Some(device(number)),
        guest_device: None,
        device: Some(format!("Device {number}")),
        gate: None,
        scanner: Some(Scanner {
            name: Some("Door".to_owned()),
            email: None,
        }),
        manager: false,
    }
}

pub fn scan_of(code: &str, nonce: &str) -> ScanIn {
    ScanIn {
        barcode: Some(code.to_owned()),
        nonce: nonce.to_owned(),
        ..ScanIn::default()
    }
}

/// What a device without a connection reports: it let the guest in at this time.
pub fn offline(code: &str, device: u128, clock: &str) -> ScanIn {
    ScanIn {
        scanned_at: Some(on_day(clock)),
        offline: Some(Offline::told(Verdict::Accepted, None)),
        ..scan_of(code, &format!("{device}{clock}"))
    }
}

/// A table in memory that numbers its own ids and nonces.
pub struct Door {
    pub journal: Journal,
    pub made: u128,
}

impl Door {
    pub fn new(settings: Value, gates: Value, timezone: &str) -> Self {
        let config = Config {
            settings: Settings::parse(&settings, "/settings").unwrap(),
            gates: gate::parse(&gates, "/gates").unwrap(),
            timezone: Zone::parse(timezone).unwrap(),
        };
        Self {
            journal: Journal::new(State::new(TABLE, config)),
            made: 0,
        }
    }

    /// A table in UTC without gates, with guests whose codes are given.
    pub fn with(settings: Value, codes: &[&str]) -> Self {
        let mut door = Self::new(settings, json!([]), "UTC");
        for (place, code) in codes.iter().enumerate() {
            door.put(row(place as u128 + 1, code));
        }
        door
    }

    pub fn put(&mut self, row: Row) {
        self.journal.state_mut().roster.upsert(row);
    }

    pub fn state(&self) -> &State {
        self.journal.state()
    }

    pub fn ids(&mut self) -> Ids {
        self.made += 1;
        Ids {
            check_in: Uuid::from_u128(0xC0_0000 + self.made),
            row: Uuid::from_u128(0xE0_0000 + self.made),
        }
    }

    pub fn send(
        &mut self,
        body: ScanIn,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Outcome<'_>, Invalid> {
        let ids = self.ids();
        self.journal.scan(body, caller, ids, now)
    }

    /// A scan of a code by device 1, with a nonce of its own.
    pub fn scan(&mut self, code: &str, clock: &str) -> Entry {
        let body = scan_of(code, &format!("n{}", self.made));
        self.take(body, on_day(clock))
    }

    /// A scan by device 1.
    pub fn take(&mut self, body: ScanIn, now: DateTime<Utc>) -> Entry {
        self.send(body, &caller(1), now).unwrap().entry.clone()
    }

    pub fn undo(
        &mut self,
        record: Uuid,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Entry, NotAnnulled> {
        let outcome = self.journal.annul(record, AnnulIn::default(), caller, now);
        outcome.map(|outcome| outcome.entry.clone())
    }
}
