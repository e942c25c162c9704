//! A random table and what happens at it, from a seed.
//!
//! Invariant: the same seed gives the same orders; times, ids and codes are made here. What is
//! asked may depend on what was answered before, by the native rules.
//! Failure: none; nonsense is asked on purpose.

use super::engine::Engine;
use crate::demo::dice::Dice;
use chrono::{DateTime, TimeDelta, Utc};
use rules::checkin::ticket::{PrivateKey, Ticket, issue};
use serde_json::{Value, json};
use uuid::Uuid;

/// Requests at one table.
const REQUESTS: usize = 60;
const GUESTS: u128 = 24;
const CATEGORIES: [&str; 3] = ["vip", "standard", "Gäste"];
const GATES: [&str; 4] = ["North", "south", "Süd", "Nowhere"];
const ZONES: [&str; 4] = [
    "UTC",
    "Europe/Berlin",
    "America/Vancouver",
    "Asia/Kathmandu",
];
/// Sat 1 June 2024, 17:00 in Berlin.
const OPENING: i64 = 1_717_254_000_000;

/// A table under way.
struct Door<'e> {
    dice: Dice,
    engine: &'e mut Engine,
    table: Uuid,
    keys: [PrivateKey; 2],
    now: DateTime<Utc>,
    /// Ids given out.
    made: u128,
    /// Records that may be annulled.
    records: Vec<Uuid>,
    /// Scans that may be sent again.
    sent: Vec<Value>,
}

/// Asks everything at one table.
pub fn at_a_table(seed: u64, engine: &mut Engine) {
    let mut door = Door {
        dice: Dice::new(seed),
        engine,
        table: Uuid::from_u128(0xAA00 + u128::from(seed)),
        keys: [1, 2].map(|key| PrivateKey::from_seed(&[key; 32])),
        now: rules::time::from_ms(OPENING),
        made: 0,
        records: Vec::new(),
        sent: Vec::new(),
    };
    let table = door.table().to_string();
    door.engine.obey("load", Some(&table));
    for _ in 0..REQUESTS {
        door.request();
    }
    let after = door.dice.index(REQUESTS).to_string();
    door.engine.obey("log_after", Some(&after));
    // What was stored is the same table: it goes on as if nothing had happened.
    let snapshot = door.engine.obey("snapshot", None);
    door.engine.obey("load", Some(&snapshot));
    for _ in 0..REQUESTS / 4 {
        door.request();
    }
    door.engine.obey("snapshot", None);
}

impl Door<'_> {
    fn table(&mut self) -> Value {
        let without_list = self.dice.chance(0.2);
        let roster: Vec<Value> = (1..=GUESTS).map(|number| self.guest(number)).collect();
        let revoked = self.dice.chance(0.2);
        let config = self.config();
        let (gate, holder) = (self.maybe(0.3, "North"), self.maybe(0.5, "Door"));
        let [first, second] = self.keys.each_ref().map(PrivateKey::public);
        json!({
            "table_id": self.table,
            "config": config,
            "tickets": {
                "keys": [{"number": 1, "public_key": first, "revoked": revoked}, {"number": 2, "public_key": second}],
                "revoked": [[3, 5], [900, 999]],
            },
            "roster": (!without_list).then_some(roster),
            "caller": {
                "session_id": Uuid::from_u128(0xD1),
                "gate": gate,
                "scanner": holder.map(|name| json!({"name": name})),
            },
        })
    }

    fn config(&mut self) -> Value {
        let mut settings = json!({
            "allow_duplicate_scans": self.dice.chance(0.15),
            "allow_reentry": self.dice.chance(0.4),
            "walk_ins": self.dice.chance(0.7),
            "admit_unpaid": self.dice.chance(0.5),
            "capacity_mode": *self.dice.pick(&["hard", "warn"]),
        });
        for (name, share, most) in [
            ("capacity", 0.3, 9),
            ("max_entries", 0.3, 3),
            ("entries_per_day", 0.3, 3),
        ] {
            if self.dice.chance(share) {
                settings[name] = json!(1 + self.dice.index(most));
            }
        }
        if self.dice.chance(0.3) {
            settings["questions"] = json!([
                {"id": "age", "text": "How old?", "kind": "number", "required": true, "categories": ["vip"]},
                {"id": "size", "text": "Größe?", "kind": "choice", "choices": ["S", "M"]}]);
        }
        if self.dice.chance(0.2) {
            settings["categories"] = json!([CATEGORIES[0], CATEGORIES[2]]);
        }
        if self.dice.chance(0.2) {
            settings["opens_at"] = json!(self.time(600, 600));
        }
        if self.dice.chance(0.2) {
            settings["closes_at"] = json!(self.time(7_200, 600));
        }
        if self.dice.chance(0.2) {
            settings["opening_hours"] = json!([{"day": "sat", "from": "15:00", "to": "17:30"},
                {"day": "sun", "from": "22:00", "to": "02:00"}]);
        }
        let gates = json!([{"name": "North", "categories": ["vip"]}, {"name": "South"},
            {"name": "Süd", "categories": ["Gäste", "vip"]}]);
        let gates = if self.dice.chance(0.6) {
            gates
        } else {
            json!([])
        };
        json!({"settings": settings, "gates": gates, "timezone": *self.dice.pick(&ZONES)})
    }

    fn guest(&mut self, number: u128) -> Value {
        // Some share a code with their neighbour.
        let code = number & !u128::from(self.dice.chance(0.1));
        let mut row = json!({"id": row(number), "name": format!("Guest {number} Ünal"),
            "email": format!("g{number}@example.org"), "barcode": format!("G{code}")});
        if self.dice.chance(0.8) {
            row["category"] = json!(*self.dice.pick(&CATEGORIES));
        }
        if self.dice.chance(0.2) {
            row["status"] = json!(
                *self
                    .dice
                    .pick(&["canceled", "blocked", "revoked", "unpaid", "unpaid"])
            );
        }
        if self.dice.chance(0.2) {
            row["party"] = json!(2 + self.dice.index(4));
        }
        if self.dice.chance(0.1) {
            row["valid_from"] = json!(self.time(1_800, 3_600));
        }
        if self.dice.chance(0.1) {
            row["valid_until"] = json!(self.time(1_800, 3_600));
        }
        if self.dice.chance(0.1) {
            row["attention_note"] = json!("Needs a seat \u{1F4BA}");
        }
        row
    }

    fn request(&mut self) {
        self.now += TimeDelta::milliseconds(self.dice.index(240_000) as i64);
        if self.dice.chance(0.03) {
            self.now += TimeDelta::hours(20);
        }
        match self.dice.index(20) {
            0 | 1 => self.annul(),
            2 if !self.sent.is_empty() => {
                let again = self.dice.pick(&self.sent).clone();
                self.send(again);
            }
            3 => {
                let odd = self.nonsense();
                self.engine.obey("scan", Some(&odd));
            }
            _ => {
                let scan = self.scan();
                self.sent.push(scan.clone());
                self.send(scan);
            }
        }
    }

    fn send(&mut self, scan: Value) {
        let ids = json!({"check_in": self.id(), "row": self.id()});
        let order = json!({"scan": scan, "now": rules::time::render(self.now), "ids": ids});
        let answer = self.engine.obey("scan", Some(&order.to_string()));
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        let record = answer
            .pointer("/answer/check_in/id")
            .and_then(Value::as_str);
        self.records
            .extend(record.and_then(|id| id.parse::<Uuid>().ok()));
    }

    fn annul(&mut self) {
        let record = match self.records.is_empty() || self.dice.chance(0.1) {
            true => self.id(),
            false => *self.dice.pick(&self.records),
        };
        let mut order = json!({"check_in_id": record, "now": rules::time::render(self.now)});
        if self.dice.chance(0.3) {
            order["nonce"] = json!("again");
        }
        self.engine.obey("annul", Some(&order.to_string()));
    }

    fn scan(&mut self) -> Value {
        self.made += 1;
        let mut scan = json!({"table_id": self.table, "nonce": format!("n{}", self.made)});
        let target = match self.dice.index(20) {
            0..=7 => ("barcode", json!(format!("G{}", self.number()))),
            8..=14 => ("barcode", json!(self.ticket())),
            15 | 16 => ("row_id", json!(row(self.number()))),
            17 => (
                "barcode",
                json!(
                    *self
                        .dice
                        .pick(&["unknown", "PULSE", "PULSEÄ", " G1 ", "g1"])
                ),
            ),
            _ => (
                "walk_in",
                json!({"name": "Eve", "category": self.maybe(0.5, "vip"), "barcode": self.maybe(0.3, "G1")}),
            ),
        };
        scan[target.0] = target.1;
        if self.dice.chance(0.25) && target.0 != "walk_in" {
            scan["direction"] = json!("exit");
        }
        if self.dice.chance(0.15) {
            scan["force"] = json!(true);
        }
        if self.dice.chance(0.3) {
            scan["people"] = json!(1 + self.dice.index(4));
        }
        if self.dice.chance(0.3) {
            scan["ignore_unpaid"] = json!(true);
        }
        if self.dice.chance(0.3) {
            let age = [json!(21), json!("old"), Value::Null];
            scan["answers"] =
                json!({"age": self.dice.pick(&age), "size": *self.dice.pick(&["S", "XL"])});
        }
        if self.dice.chance(0.1) {
            scan["questions_supported"] = json!(false);
        }
        if self.dice.chance(0.1) {
            scan["offline"] = match self.dice.chance(0.7) {
                true => json!({"verdict": "accepted"}),
                false => json!({"verdict": "refused", "reason": "incomplete"}),
            };
        }
        if self.dice.chance(0.4) {
            scan["gate"] = json!(*self.dice.pick(&GATES));
        }
        if self.dice.chance(0.3) {
            scan["scanned_at"] = json!(self.time(-3_600, 3_700));
            if self.dice.chance(0.7) {
                scan["sent_at"] = json!(self.time(-120, 240));
            }
        }
        if self.dice.chance(0.1) {
            scan["notes"] = json!("said:\n\u{201C}late\u{201D}");
        }
        scan
    }

    /// A signed ticket, good or not.
    fn ticket(&mut self) -> String {
        let number = self.number();
        let key = self.dice.index(2);
        let category = *self.dice.pick(&CATEGORIES);
        let mut ticket = Ticket {
            table_id: self.table,
            row_id: row(number),
            serial: u32::try_from(number).unwrap_or_default(),
            key: u32::try_from(key).unwrap_or_default() + 1,
            category: self.maybe(0.7, category.to_owned()),
            valid_from: None,
            valid_until: None,
        };
        if self.dice.chance(0.15) {
            ticket.valid_from = Some(self.instant(1_800, 3_600));
        }
        if self.dice.chance(0.15) {
            ticket.valid_until = Some(self.instant(0, 3_600));
        }
        match self.dice.index(12) {
            0 => ticket.table_id = Uuid::from_u128(1),
            1 => ticket.key = 3 - ticket.key,
            2 => ticket.row_id = row(number + 100),
            _ => {}
        }
        let [first, second] = &self.keys;
        let signer = if key == 0 { first } else { second };
        let mut code = issue(&ticket, signer).unwrap_or_default();
        if self.dice.chance(0.1) {
            let place = 5 + self.dice.index(code.len() - 6);
            code.replace_range(place..=place, "Q");
        }
        code
    }

    /// What is no scan.
    fn nonsense(&mut self) -> String {
        let now = rules::time::render(self.now);
        let ids = json!({"check_in": self.id(), "row": self.id()});
        let scan = |scan: Value| json!({"scan": scan, "now": now, "ids": ids}).to_string();
        let table = self.table;
        match self.dice.index(7) {
            0 => "{\"scan\":".to_owned(),
            1 => scan(json!({"table_id": table, "nonce": "x"})),
            2 => scan(
                json!({"table_id": table, "nonce": "", "barcode": "x".repeat(600), "gate": "y".repeat(90)}),
            ),
            3 => scan(json!({"table_id": Uuid::nil(), "nonce": "x", "barcode": "G1"})),
            4 => scan(json!({"table_id": table, "nonce": "x", "barcode": "G1", "color": "red"})),
            5 => scan(
                json!({"table_id": table, "nonce": "x", "walk_in": {"name": " "}, "direction": "exit"}),
            ),
            _ => json!({"scan": {}, "now": "today"}).to_string(),
        }
    }

    /// A guest's number; sometimes one too many.
    fn number(&mut self) -> u128 {
        1 + self.dice.index(GUESTS as usize + 1) as u128
    }

    fn id(&mut self) -> Uuid {
        self.made += 1;
        Uuid::from_u128(0xC0_0000 + self.made)
    }

    fn maybe<T>(&mut self, share: f64, value: T) -> Option<T> {
        self.dice.chance(share).then_some(value)
    }

    fn instant(&mut self, from: i64, span: usize) -> DateTime<Utc> {
        self.now + TimeDelta::seconds(from + self.dice.index(span) as i64)
    }

    fn time(&mut self, from: i64, span: usize) -> String {
        rules::time::render(self.instant(from, span))
    }
}

fn row(number: u128) -> Uuid {
    Uuid::from_u128(0x0100_0000 + number)
}
