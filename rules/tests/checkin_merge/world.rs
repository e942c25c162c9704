//! A door as it physically happens: devices without a connection that know nothing of each other,
//! what they report afterwards, and what the table does meanwhile.
//!
//! Invariant: what a device told a guest is made by the rules themselves, and its report is made as
//! the scanner makes it.
//! Failure: the helpers panic; they are only used in tests.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rules::checkin::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::checkin_support::*;

const GATES: [&str; 3] = ["North", "South", "East"];
/// Codes that walk-ins get; the last is one that a guest of the list may get later.
const WRISTBANDS: [&str; 3] = ["X1", "X2", "C5"];
/// Devices from this number on are guests' phones.
const GUESTS: u128 = 5;

/// What a device reports.
#[derive(Clone)]
pub struct Report {
    pub device: u128,
    /// When it happened, by a clock that is right.
    pub at: DateTime<Utc>,
    /// How far the device's clock is ahead.
    pub ahead: TimeDelta,
    pub what: What,
}

#[derive(Clone)]
pub enum What {
    Scan(Box<ScanIn>),
    Undo(UndoIn),
}

/// What happens at the table itself.
#[derive(Clone)]
pub enum Happening {
    /// A scan with a connection.
    Scan(Box<ScanIn>),
    Remove(Uuid),
    Put(Box<Row>),
    /// A manager undoes the standing entry of this place, in the order of records.
    Undo(usize),
}

/// Everything that happens, in parts between which the order is fixed.
pub struct World {
    pub settings: Value,
    pub guests: Vec<Row>,
    pub parts: Vec<Part>,
}

/// Reports whose order of arrival is open, and what the table does after them.
#[derive(Clone, Default)]
pub struct Part {
    pub reports: Vec<Report>,
    pub then: Option<Happening>,
}

struct Phone {
    number: u128,
    ahead: TimeDelta,
    door: Door,
}

/// Who scans with a device: a paired one, or a guest's phone.
pub fn holder(number: u128) -> Caller {
    if number < GUESTS {
        return caller(number);
    }
    Caller {
        actor: Actor {
            kind: ActorKind::Anonymous,
            id: device(number),
        },
        session_id: None,
        device: None,
        scanner: Some(Scanner {
            name: Some(format!("Guest scanner {number}")),
            email: None,
        }),
        ..caller(number)
    }
}

impl World {
    pub fn of(chance: &mut Chance) -> Self {
        let (settings, guests) = (settings(chance), guests(chance));
        let reports = reports(chance, &settings, &guests);
        // Half of the worlds are reports alone.
        let happenings = [0, chance.below(5)][chance.below(2) as usize];
        let mut parts = vec![Part::default(); happenings as usize + 1];
        for part in parts.iter_mut().take(happenings as usize) {
            part.then = Some(happening(chance, &guests));
        }
        let mut places: BTreeMap<Uuid, usize> = BTreeMap::new();
        for report in reports {
            // What undoes a scan is reported after it.
            let first = match &report.what {
                What::Scan(_) => 0,
                What::Undo(undo) => places[&undo.annul],
            };
            let place = first + chance.below((parts.len() - first) as u64) as usize;
            if let What::Scan(scan) = &report.what {
                places.insert(record_of(&report, scan), place);
            }
            parts[place].reports.push(report);
        }
        Self {
            settings,
            guests,
            parts,
        }
    }

    /// Whether only guests and reports come and go: then every order gives the same guests.
    pub fn without_connection(&self) -> bool {
        self.parts.iter().all(|part| {
            let list = |then: &Happening| matches!(then, Happening::Remove(_) | Happening::Put(_));
            part.then.as_ref().is_none_or(list)
        })
    }

    pub fn reports(&self) -> impl Iterator<Item = &Report> {
        self.parts.iter().flat_map(|part| &part.reports)
    }
}

/// The id of the record of a report.
pub fn record_of(report: &Report, scan: &ScanIn) -> Uuid {
    let parsed = scan.clone().parse(on_day("23:00:00")).unwrap();
    let origin = holder(report.device).origin();
    parsed.own_ids(TABLE, origin).check_in
}

fn settings(chance: &mut Chance) -> Value {
    json!({
        "allow_duplicate_scans": chance.one_in(6),
        "allow_reentry": chance.one_in(2),
        "walk_ins": !chance.one_in(8),
        "capacity": if chance.one_in(4) { json!(3) } else { json!(null) },
        "max_entries": if chance.one_in(4) { json!(2) } else { json!(null) },
        "categories": if chance.one_in(5) { json!(["standard"]) } else { json!([]) },
    })
}

fn guests(chance: &mut Chance) -> Vec<Row> {
    let statuses = [Status::Confirmed, Status::Confirmed, Status::Canceled];
    (1..=4)
        .map(|number| Row {
            party: chance.of(&[1, 1, 1, 3]),
            status: chance.of(&statuses),
            category: Some(chance.of(&["standard", "standard", "vip"]).to_owned()),
            // Two guests sometimes share a code.
            ..row(
                number,
                &format!("C{}", number - u128::from(number == 4 && chance.one_in(4))),
            )
        })
        .collect()
}

pub fn empty(settings: &Value, guests: &[Row]) -> Door {
    let mut door = Door::new(settings.clone(), json!([]), "UTC");
    guests.iter().for_each(|guest| door.put(guest.clone()));
    door
}

fn reports(chance: &mut Chance, settings: &Value, guests: &[Row]) -> Vec<Report> {
    let mut phones: Vec<Phone> = (1..=1 + u128::from(chance.below(6)))
        .map(|number| Phone {
            number,
            ahead: TimeDelta::seconds(chance.of(&[0, 0, 7_200, -7_200, 3])),
            door: empty(settings, guests),
        })
        .collect();
    let mut reports = Vec::new();
    for place in 0..5 + chance.below(16) {
        let who = chance.below(phones.len() as u64) as usize;
        // Seconds, so that two devices often scan at the same instant.
        let at = on_day("18:00:00") + chance.seconds(12);
        let what = match chance.one_in(7) {
            true => phones[who].undoes(chance, place, at),
            false => phones[who].scans(chance, place, at),
        };
        let Phone { number, ahead, .. } = phones[who];
        reports.extend(what.map(|what| Report {
            device: number,
            at,
            ahead,
            what,
        }));
    }
    reports
}

impl Phone {
    /// Decides a scan by what this phone knows.
    fn scans(&mut self, chance: &mut Chance, place: u64, at: DateTime<Utc>) -> Option<What> {
        let clock = at + self.ahead;
        let body = ScanIn {
            scanned_at: Some(clock),
            ..scan(chance, &format!("{}-{place}", self.number))
        };
        let caller = holder(self.number);
        let own = body.clone().parse(clock).unwrap();
        let ids = own.own_ids(TABLE, caller.origin());
        let journal = &mut self.door.journal;
        let seq = match journal.scan(body.clone(), &caller, ids, clock) {
            Ok(outcome) => outcome.entry.seq,
            Err(_) => return None,
        };
        Some(What::Scan(Box::new(journal.report(body, seq).unwrap())))
    }

    /// Undoes one of its own entries and exits, if it may and any stands.
    fn undoes(&mut self, chance: &mut Chance, place: u64, at: DateTime<Utc>) -> Option<What> {
        let log = self.door.journal.log();
        let own: Vec<Uuid> = log
            .iter()
            .filter(|entry| entry.is_admission())
            .map(|entry| entry.check_in_id)
            .collect();
        if own.is_empty() || self.number >= GUESTS {
            return None;
        }
        let (annul, clock) = (chance.of(&own), at + self.ahead);
        let (caller, nonce) = (holder(self.number), format!("undo {place}"));
        let request = AnnulIn {
            table_id: None,
            nonce: Some(nonce.clone()),
        };
        let undone = self.door.journal.annul(annul, request, &caller, clock);
        undone.is_ok().then_some(What::Undo(UndoIn {
            annul,
            table_id: Uuid::nil(),
            nonce,
            annulled_at: clock,
            sent_at: None,
        }))
    }
}

/// A scan of anybody, or a walk-in.
fn scan(chance: &mut Chance, nonce: &str) -> ScanIn {
    let mut codes = vec!["C1", "C2", "C3", "C4"];
    codes.extend(WRISTBANDS);
    let mut body = scan_of(chance.of(&codes), nonce);
    if chance.one_in(4) {
        let walk_in = WalkIn {
            name: format!("Walk-in {nonce}"),
            category: chance.one_in(2).then(|| "standard".to_owned()),
            barcode: (!chance.one_in(4)).then(|| chance.of(&WRISTBANDS).to_owned()),
            email: None,
        };
        (body.barcode, body.walk_in) = (None, Some(walk_in));
    } else {
        if chance.one_in(10) {
            // Somebody found the guest by name.
            let row = guest(1 + u128::from(chance.below(5)));
            (body.barcode, body.row_id) = (None, Some(row));
        }
        if chance.one_in(4) {
            body.direction = Direction::Exit;
        }
    }
    if chance.one_in(4) {
        body.people = Some(1 + chance.below(3) as u16);
    }
    body.gate = Some(chance.of(&GATES).to_owned());
    body
}

fn happening(chance: &mut Chance, guests: &[Row]) -> Happening {
    let guest = &guests[chance.below(guests.len() as u64) as usize];
    let nonce = format!("online {}", chance.next());
    match chance.below(6) {
        0 => Happening::Remove(guest.id),
        1 => Happening::Put(Box::new(Row {
            status: Status::Blocked,
            ..guest.clone()
        })),
        2 => Happening::Put(Box::new(row(5, "C5"))),
        3 => Happening::Undo(chance.below(4) as usize),
        _ => Happening::Scan(Box::new(ScanIn {
            scanned_at: chance
                .one_in(2)
                .then(|| on_day("18:00:00") + chance.seconds(12)),
            force: chance.one_in(6),
            ..scan(chance, &nonce)
        })),
    }
}

/// The table while reports arrive: part after part, a report that was lost on the way again.
pub struct Arrival {
    pub door: Door,
    now: DateTime<Utc>,
    happened: u128,
}

impl Arrival {
    pub fn at(world: &World) -> Self {
        Self {
            door: empty(&world.settings, &world.guests),
            now: on_day("21:00:00"),
            happened: 0,
        }
    }

    /// A report comes, maybe twice. `heard`: nothing was asked of it before.
    pub fn report(&mut self, report: &Report, heard: bool, chance: &mut Chance) {
        self.now += TimeDelta::seconds(1);
        let times = 1 + u64::from(chance.one_in(5));
        for repeat in 0..times {
            let (caller, sent_at) = (holder(report.device), Some(self.now + report.ahead));
            let ids = self.door.ids();
            let journal = &mut self.door.journal;
            let replayed = match &report.what {
                What::Scan(scan) => {
                    let body = ScanIn {
                        sent_at,
                        ..ScanIn::clone(scan)
                    };
                    let taken = journal.scan(body, &caller, ids, self.now);
                    taken.unwrap().replayed
                }
                What::Undo(undo) => {
                    let undo = UndoIn {
                        sent_at,
                        ..undo.clone()
                    };
                    match journal.annul_queued(undo, &caller, self.now) {
                        Ok(outcome) => outcome.replayed,
                        // A manager was first.
                        Err(journal::NotAnnulled::Refused(AnnulRefusal::AlreadyAnnulled)) => {
                            continue;
                        }
                        Err(refused) => panic!("{refused:?}"),
                    }
                }
            };
            assert!(replayed == (repeat > 0) || !heard);
        }
    }

    /// The same scan was asked with a connection before, and the answer was lost.
    pub fn ask(&mut self, report: &Report) {
        self.now += TimeDelta::seconds(1);
        let What::Scan(scan) = &report.what else {
            return;
        };
        let body = ScanIn {
            offline: None,
            sent_at: Some(self.now + report.ahead),
            ..ScanIn::clone(scan)
        };
        let ids = self.door.ids();
        // A walk-in where none are taken is no scan.
        let _ = self
            .door
            .journal
            .scan(body, &holder(report.device), ids, self.now);
    }

    pub fn happens(&mut self, happening: &Happening) {
        self.now += TimeDelta::seconds(1);
        // Ids that do not depend on what came before.
        self.happened += 1;
        self.door.made = 1_000 * self.happened;
        let state = self.door.journal.state_mut();
        match happening {
            Happening::Remove(row) => state.remove(*row),
            Happening::Put(row) => state.put(Row::clone(row)),
            // A walk-in where none are taken is no scan.
            Happening::Scan(scan) => {
                let _ = self.door.send(ScanIn::clone(scan), &caller(9), self.now);
            }
            Happening::Undo(place) => {
                let ledger = &self.door.state().ledger;
                let visits = ledger.guests().flat_map(|(_, visits)| visits.iter());
                let mut records: Vec<Uuid> = visits.map(|visit| visit.check_in_id).collect();
                records.sort_unstable();
                let Some(record) = records.get(*place) else {
                    return;
                };
                let manager = Caller {
                    manager: true,
                    ..caller(9)
                };
                self.door.undo(*record, &manager, self.now).unwrap();
            }
        }
    }
}
