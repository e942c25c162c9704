//! A phone without a connection and what it is told, from a seed: lists in pages, sealed or not, changes
//! and pushes, its own decisions, reports and their answers.
//!
//! Invariant: the same seed gives the same orders; what the server would have said is made here.
//! Failure: none; nonsense is told on purpose.

use super::engine::Engine;
use crate::demo::dice::Dice;
use rules::checkin::sealed;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What happens at one phone.
const STEPS: usize = 60;
const GUESTS: u128 = 20;
/// Sat 1 June 2024, 17:00 in Berlin.
const OPENING: i64 = 1_717_254_000_000;

/// A phone under way, and the server's list.
struct Phone<'e> {
    dice: Dice,
    engine: &'e mut Engine,
    table: Uuid,
    salt: Option<[u8; sealed::SALT]>,
    guests: BTreeMap<u128, Value>,
    /// Changes so far.
    changes: u64,
    now_ms: i64,
    made: u128,
    records: Vec<String>,
}

/// Asks everything of one phone.
pub fn at_a_phone(seed: u64, engine: &mut Engine) {
    let mut dice = Dice::new(seed ^ 0x0ff1_14e0);
    let is_sealed = dice.chance(0.4);
    let mut phone = Phone {
        salt: is_sealed.then_some([seed as u8; sealed::SALT]),
        dice,
        engine,
        table: Uuid::from_u128(0xBB00 + u128::from(seed)),
        guests: BTreeMap::new(),
        changes: 0,
        now_ms: OPENING,
        made: 0,
        records: Vec::new(),
    };
    phone.begins();
    for _ in 0..STEPS {
        phone.step();
    }
    let snapshot = phone.engine.obey("snapshot", None);
    phone.engine.obey("load", Some(&snapshot));
    phone.engine.obey("position", None);
    for _ in 0..STEPS / 4 {
        phone.step();
    }
    phone.engine.obey("snapshot", None);
}

impl Phone<'_> {
    /// A phone that knows nothing takes the list.
    fn begins(&mut self) {
        let empty = json!({"table_id": self.table, "roster": null, "caller": {"session_id": Uuid::from_u128(0xD2)},
            "config": {"settings": {}, "gates": [], "timezone": "UTC"}});
        self.engine.obey("load", Some(&empty.to_string()));
        for number in 1..=GUESTS {
            let guest = self.guest(number);
            self.guests.insert(number, guest);
        }
        self.whole_list();
    }

    fn step(&mut self) {
        self.now_ms += self.dice.index(60_000) as i64;
        match self.dice.index(20) {
            0 => self.whole_list(),
            1..=3 => self.change(),
            4 => self.undo(),
            5 | 6 => self.reports(),
            7 => self.nonsense(),
            _ => self.decides(),
        }
    }

    fn guest(&mut self, number: u128) -> Value {
        let mut guest = json!({"id": row(number), "name": format!("Guest {number} Ünal"),
            "barcode": format!("G{}", number & !u128::from(self.dice.chance(0.1)))});
        if self.dice.chance(0.2) {
            guest["status"] = json!(*self.dice.pick(&["canceled", "blocked", "unpaid"]));
        }
        if self.dice.chance(0.2) {
            guest["party"] = json!(2 + self.dice.index(3));
        }
        if self.dice.chance(0.3) {
            self.made += 1;
            let at = self.now_ms - self.dice.index(3_600_000) as i64;
            let exit = self.dice.chance(0.2);
            guest["v"] = json!([[
                Uuid::from_u128(0xE0_0000 + self.made),
                self.made,
                at,
                exit,
                false,
                1,
                "North"
            ]]);
        }
        guest
    }

    fn about(&mut self) -> Value {
        let reentry = self.dice.chance(0.3);
        json!({"table_id": self.table, "name": "Door", "tickets": {"keys": [], "revoked": []},
            "config": {"settings": {"allow_reentry": reentry, "walk_ins": true}, "gates": [], "timezone": "UTC"}})
    }

    fn position(&self) -> String {
        format!("e-1-{}", self.changes)
    }

    /// The guests as the phone is given them: openly, or by their codes.
    fn put(&self, news: &mut Value, guests: &[Value]) {
        let Some(salt) = &self.salt else {
            news["rows"] = json!(guests);
            return;
        };
        let mut by_code: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for guest in guests {
            let code = guest["barcode"].as_str().unwrap_or_default().to_owned();
            by_code.entry(code).or_default().push(guest);
        }
        let sealed: Vec<_> = by_code
            .iter()
            .map(|(code, guests)| {
                let text = json!(guests).to_string();
                let text = sealed::seal(salt, self.table, code, &text).unwrap_or_default();
                json!([sealed::name(salt, code), text])
            })
            .collect();
        news["salt"] = json!(format!("{:032x}", u128::from_be_bytes(*salt)));
        news["sealed"] = json!(sealed);
    }

    fn whole_list(&mut self) {
        let guests: Vec<Value> = self.guests.values().cloned().collect();
        let about = self.about();
        let mut page = 1 + self.dice.index(guests.len());
        if self.salt.is_some() {
            page = guests.len();
        }
        let pages: Vec<&[Value]> = guests.chunks(page).collect();
        for (place, guests) in pages.iter().enumerate() {
            let next = (place + 1 < pages.len()).then(|| row(place as u128));
            let mut news = json!({"position": self.position(), "seq": self.changes, "full": true,
                "rows": [], "gone": [], "next": next});
            if place == 0 {
                news["about"] = about.clone();
            }
            self.put(&mut news, guests);
            self.engine.obey("learn", Some(&news.to_string()));
        }
    }

    /// A guest changes or goes; the phone asks or is told, and sometimes misses it.
    fn change(&mut self) {
        let from = self.position();
        self.changes += 1;
        let number = 1 + self.dice.index(GUESTS as usize + 3) as u128;
        let mut news =
            json!({"position": self.position(), "seq": self.changes, "rows": [], "gone": []});
        if self.dice.chance(0.2) {
            let gone = self.guests.remove(&number);
            news["gone"] = match (&self.salt, gone) {
                (Some(salt), Some(gone)) => {
                    json!([sealed::name(
                        salt,
                        gone["barcode"].as_str().unwrap_or_default()
                    )])
                }
                _ => json!([row(number)]),
            };
        } else {
            let guest = self.guest(number);
            self.put(&mut news, std::slice::from_ref(&guest));
            self.guests.insert(number, guest);
        }
        match self.dice.index(4) {
            0 => {}
            1 => {
                (news["from"], news["more"]) = (json!(from), json!(self.dice.chance(0.1)));
                self.engine.obey("learn", Some(&news.to_string()));
            }
            _ => {
                news["full"] = json!(false);
                if self.dice.chance(0.2) {
                    news["about"] = self.about();
                }
                self.engine.obey("learn", Some(&news.to_string()));
            }
        }
    }

    fn decides(&mut self) {
        self.made += 1;
        let code = format!("G{}", 1 + self.dice.index(GUESTS as usize + 2));
        let mut scan = json!({"table_id": self.table, "nonce": format!("n{}", self.made)});
        match self.dice.index(8) {
            0 => scan["walk_in"] = json!({"name": "Eve", "barcode": format!("W{}", self.made % 3)}),
            1 => scan["barcode"] = json!(format!("W{}", self.made % 3)),
            2 => scan["row_id"] = json!(row(1 + self.made % GUESTS)),
            _ => scan["barcode"] = json!(code),
        }
        if self.dice.chance(0.2) && scan["walk_in"].is_null() {
            scan["direction"] = json!("exit");
        }
        if self.dice.chance(0.2) {
            scan["people"] = json!(1 + self.dice.index(3));
        }
        let order = json!({"scan": scan, "now": self.now()}).to_string();
        let answer = self.engine.obey("decide", Some(&order));
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        let record = answer
            .pointer("/answer/check_in/id")
            .and_then(Value::as_str);
        self.records.extend(record.map(str::to_owned));
    }

    fn undo(&mut self) {
        if self.records.is_empty() {
            return;
        }
        self.made += 1;
        let record = self.dice.pick(&self.records).clone();
        let order =
            json!({"check_in_id": record, "nonce": format!("u{}", self.made), "now": self.now()});
        self.engine.obey("annul", Some(&order.to_string()));
    }

    /// The queue is brought; some of it is refused, some not now.
    fn reports(&mut self) {
        let pending = self.engine.obey("pending", None);
        let pending: Vec<Value> = serde_json::from_str(&pending).unwrap_or_default();
        let results: Vec<Value> = pending
            .iter()
            .map(|_| {
                let status = *self.dice.pick(&[201, 201, 200, 200, 409, 422, 404, 429]);
                match status < 300 {
                    true => json!({"status": status}),
                    false => json!({"status": status, "error": {"code": "x"}}),
                }
            })
            .collect();
        let answer = json!({"results": results, "seq": self.made});
        self.engine.obey("acknowledge", Some(&answer.to_string()));
    }

    fn nonsense(&mut self) {
        let other = json!({"position": "x-1-1", "full": true, "rows": [], "gone": [], "next": null,
            "about": {"table_id": Uuid::nil(), "config": {"settings": {}, "gates": [], "timezone": "UTC"},
                      "tickets": {"keys": [], "revoked": []}}});
        let (operation, text) = match self.dice.index(5) {
            0 => ("learn", other.to_string()),
            1 => ("learn", "{\"position\":".to_owned()),
            2 => ("acknowledge", json!({"results": 7}).to_string()),
            3 => (
                "decide",
                json!({"scan": {"nonce": "x"}, "now": self.now()}).to_string(),
            ),
            _ => ("decide", json!({"scan": {}, "now": "today"}).to_string()),
        };
        self.engine.obey(operation, Some(&text));
    }

    fn now(&self) -> String {
        rules::time::render(rules::time::from_ms(self.now_ms))
    }
}

fn row(number: u128) -> Uuid {
    Uuid::from_u128(0x0200_0000 + number)
}
