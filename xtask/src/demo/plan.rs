//! Who comes when: a whole event, planned before its doors open.
//!
//! Invariant: the same options give the same plan. Scans are ordered by time; whoever exits entered
//! before, and whoever is a duplicate too.
//! Failure: none.

use super::dice::Dice;
use std::fmt::Write;
use std::time::Duration;

/// Gates and the categories they admit; an empty list admits everyone.
pub const GATES: [(&str, &[&str]); 3] = [
    ("Main hall", &[]),
    ("South", &[]),
    ("VIP", &["vip", "crew"]),
];
/// The gate that refuses most guests.
const STRICT: usize = 2;

const FIRST: [&str; 16] = [
    "Ada", "Bruno", "Chidi", "Dana", "Emil", "Farah", "Goro", "Hana", "Ines", "Jonas", "Kofi",
    "Lena", "Mateo", "Noor", "Olga", "Pavel",
];
const LAST: [&str; 16] = [
    "Almeida",
    "Bergström",
    "Castel",
    "Dervish",
    "Eklund",
    "Fontaine",
    "Greco",
    "Hassan",
    "Ivanov",
    "Jensen",
    "Kaya",
    "Lindqvist",
    "Moreau",
    "Novak",
    "Okafor",
    "Petrov",
];

/// Of all guests, those who come.
const SHOW_UP: f64 = 0.93;
/// Of all guests, those whose ticket was canceled; they come all the same.
const CANCELED: f64 = 0.02;
/// Of those who come: scanned a second time, code that nobody has, wrong gate first, on no list,
/// out for a while.
const DUPLICATE: f64 = 0.03;
const UNKNOWN: f64 = 0.01;
const WRONG_GATE: f64 = 0.02;
const WALK_IN: f64 = 0.02;
const BREAK: f64 = 0.04;
/// Scans whose request is cut before its answer, and sent again with the same nonce.
const CUT: f64 = 0.01;
/// Scans for each guest who comes, for the length of the event.
const SCANS_PER_GUEST: f64 = 1.0 + DUPLICATE + UNKNOWN + WRONG_GATE + WALK_IN + 1.8 * BREAK;

/// What event it is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Guests on the list.
    pub guests: usize,
    /// Scanners at the gates.
    pub scanners: usize,
    /// Scans a second, on average.
    pub rate: f64,
    /// Ends the event early.
    pub seconds: Option<f64>,
    /// Of chance.
    pub seed: u64,
}

/// A guest on the list.
#[derive(Clone, Debug)]
pub struct Guest {
    name: String,
    code: String,
    category: &'static str,
    canceled: bool,
}

/// Whom a scan is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Whom {
    /// The holder of a code.
    Code(String),
    /// Somebody on no list.
    WalkIn(String),
}

/// A scan to come.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// When, from the opening of the doors on.
    pub at: Duration,
    /// Which scanner.
    pub scanner: usize,
    /// Whom it is about.
    pub whom: Whom,
    /// The guest leaves.
    pub exit: bool,
    /// The connection is cut before the answer comes.
    pub cut: bool,
}

/// The whole event.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The list.
    pub guests: Vec<Guest>,
    /// The gate of each scanner, an index into [`GATES`].
    pub scanners: Vec<usize>,
    /// What happens, in order.
    pub scans: Vec<Planned>,
}

impl Plan {
    /// Plans an event.
    pub fn of(options: &Options) -> Self {
        let mut dice = Dice::new(options.seed);
        let guests: Vec<Guest> = (0..options.guests).map(|n| guest(&mut dice, n)).collect();
        let scanners: Vec<usize> = (0..options.scanners.max(1))
            .map(|n| [0, 1, 0, 2, 1][n % 5])
            .collect();
        let mut coming: Vec<&Guest> = guests.iter().filter(|_| dice.chance(SHOW_UP)).collect();
        for place in (1..coming.len()).rev() {
            coming.swap(place, dice.index(place + 1));
        }
        let length = coming.len() as f64 * SCANS_PER_GUEST / options.rate;
        let mut draft = Draft {
            dice,
            scanners: &scanners,
            scans: Vec::new(),
        };
        for (at, guest) in arrivals(&mut draft.dice, coming.len(), length)
            .into_iter()
            .zip(coming)
        {
            draft.arrive(at, guest);
        }
        let end = options.seconds.unwrap_or(length + 5.0);
        let mut scans = draft.scans;
        scans.retain(|scan| scan.at.as_secs_f64() <= end);
        scans.sort_by_key(|scan| scan.at);
        Self {
            guests,
            scanners,
            scans,
        }
    }

    /// The list as a CSV file.
    pub fn csv(&self) -> String {
        let mut csv = "Name,Email,Ticket code,Category,Status\n".to_owned();
        for (number, guest) in self.guests.iter().enumerate() {
            let Guest {
                name,
                code,
                category,
                canceled,
            } = guest;
            let status = if *canceled { "canceled" } else { "confirmed" };
            let _ = writeln!(
                csv,
                "{name},guest{number}@example.com,{code},{category},{status}"
            );
        }
        csv
    }

    /// How long it takes.
    pub fn length(&self) -> Duration {
        self.scans.last().map_or(Duration::ZERO, |scan| scan.at)
    }
}

fn guest(dice: &mut Dice, number: usize) -> Guest {
    let category = match dice.share() {
        share if share < 0.80 => "standard",
        share if share < 0.94 => "vip",
        _ => "crew",
    };
    let (first, last) = (dice.pick(&FIRST), dice.pick(&LAST));
    Guest {
        name: format!("{first} {last}"),
        code: format!("EV-{number:05}-{:04X}", dice.next() & 0xffff),
        category,
        canceled: dice.chance(CANCELED),
    }
}

/// Times of arrival in seconds: a crowd at the doors, three buses, and otherwise a Poisson process.
fn arrivals(dice: &mut Dice, count: usize, length: f64) -> Vec<f64> {
    let buses: Vec<f64> = (0..3).map(|_| dice.between(0.15, 0.9) * length).collect();
    let mut times: Vec<f64> = (0..count)
        .map(|_| match dice.share() {
            share if share < 0.12 => dice.between(0.0, 0.05) * length,
            share if share < 0.21 => dice.pick(&buses) + dice.between(0.0, 0.02) * length,
            _ => dice.between(0.0, 1.0) * length,
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    times
}

struct Draft<'a> {
    dice: Dice,
    scanners: &'a [usize],
    scans: Vec<Planned>,
}

impl Draft<'_> {
    /// Everything one guest does.
    fn arrive(&mut self, at: f64, guest: &Guest) {
        let code = || Whom::Code(guest.code.clone());
        let strict = guest.category == "standard";
        let mut at = at;
        if self.dice.chance(UNKNOWN) {
            self.scan(at, Whom::Code(format!("{}?", guest.code)), false, true);
            at += self.dice.between(2.0, 6.0);
        }
        if strict && self.dice.chance(WRONG_GATE / 0.8) && self.scanners.contains(&STRICT) {
            self.scan_at_gate(at, code(), STRICT);
            at += self.dice.between(4.0, 12.0);
        }
        self.scan(at, code(), false, strict);
        if self.dice.chance(DUPLICATE) {
            let later = at + self.dice.between(2.0, 15.0);
            self.scan(later, code(), false, strict);
        }
        if self.dice.chance(BREAK) {
            let out = at + self.dice.between(16.0, 40.0);
            self.scan(out, code(), true, strict);
            if self.dice.chance(0.8) {
                let back = out + self.dice.between(5.0, 20.0);
                self.scan(back, code(), false, strict);
            }
        }
        if self.dice.chance(WALK_IN) {
            let name = format!("{} of {}", self.dice.pick(&FIRST), guest.name);
            self.scan(at + 1.0, Whom::WalkIn(name), false, true);
        }
    }

    /// At any scanner; `everyone` keeps to gates that admit everyone.
    fn scan(&mut self, at: f64, whom: Whom, exit: bool, everyone: bool) {
        let gates: &[usize] = if everyone { &[0, 1] } else { &[0, 1, 2] };
        let scanners = self.scanners.iter().enumerate();
        let fit: Vec<usize> = scanners
            .filter(|(_, gate)| gates.contains(gate))
            .map(|(scanner, _)| scanner)
            .collect();
        let scanner = *self.dice.pick(&fit);
        self.push(at, scanner, whom, exit);
    }

    fn scan_at_gate(&mut self, at: f64, whom: Whom, gate: usize) {
        let scanners = self.scanners.iter().enumerate();
        let fit: Vec<usize> = scanners
            .filter(|(_, one)| **one == gate)
            .map(|(scanner, _)| scanner)
            .collect();
        let scanner = *self.dice.pick(&fit);
        self.push(at, scanner, whom, false);
    }

    fn push(&mut self, at: f64, scanner: usize, whom: Whom, exit: bool) {
        let cut = self.dice.chance(CUT);
        self.scans.push(Planned {
            at: Duration::from_secs_f64(at),
            scanner,
            whom,
            exit,
            cut,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const OPTIONS: Options = Options {
        guests: 5_000,
        scanners: 20,
        rate: 50.0,
        seconds: None,
        seed: 1,
    };

    #[test]
    fn the_same_seed_plans_the_same_event() {
        let (one, other) = (Plan::of(&OPTIONS), Plan::of(&OPTIONS));
        assert_eq!((one.csv(), &one.scans), (other.csv(), &other.scans));
        assert_ne!(Plan::of(&Options { seed: 2, ..OPTIONS }).scans, one.scans);
    }

    #[test]
    fn it_has_the_rate_that_was_asked_for_and_bursts() {
        let plan = Plan::of(&OPTIONS);
        let length = plan.length().as_secs_f64();
        let rate = plan.scans.len() as f64 / length;
        assert!(
            (42.0..55.0).contains(&rate),
            "{rate} scans a second in {length} s"
        );
        let mut seconds: HashMap<u64, u32> = HashMap::new();
        plan.scans
            .iter()
            .for_each(|scan| *seconds.entry(scan.at.as_secs()).or_default() += 1);
        assert!(seconds.values().any(|scans| *scans > 90), "no burst");
    }

    #[test]
    fn every_kind_of_scan_is_there_and_standard_guests_keep_to_their_gates() {
        let plan = Plan::of(&OPTIONS);
        let count = |pick: &dyn Fn(&Planned) -> bool| plan.scans.iter().filter(|s| pick(s)).count();
        assert!(count(&|scan| matches!(scan.whom, Whom::WalkIn(_))) > 50);
        assert!(count(&|scan| scan.exit) > 100);
        assert!(count(&|scan| scan.cut) > 20);
        assert!(count(&|scan| matches!(&scan.whom, Whom::Code(code) if code.ends_with('?'))) > 20);
        assert!(plan.guests.iter().any(|guest| guest.canceled));
    }

    #[test]
    fn small_events_work_too() {
        for (guests, scanners) in [(1, 1), (0, 3), (10, 2)] {
            let plan = Plan::of(&Options {
                guests,
                scanners,
                seconds: Some(10.0),
                ..OPTIONS
            });
            assert!(plan.scans.iter().all(|scan| scan.scanner < scanners));
            assert_eq!(plan.csv().lines().count(), guests + 1);
        }
    }
}
