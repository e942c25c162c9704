//! The numbers that follow from a log alone.
//!
//! Invariant: folded with a model of its own.
//! Failure: a dashboard that counts otherwise panics with both.

use super::fault::{self, Fault, Promise};
use super::log::{self, Effect, Logged, Order};
use crate::answer::Counts;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// When a guest passed a door, whether on the way in, how many people went, and how many the ticket
/// is for.
type Visit<'a> = (Order<'a>, bool, i64, i64);

/// People of one ticket inside after all that happened: nobody is inside twice.
fn inside(visits: &[Visit<'_>]) -> i64 {
    let step = |inside: i64, visit: &Visit<'_>| match *visit {
        (_, true, people, party) => (inside + people).min(party.max(inside)),
        (_, false, people, _) => (inside - people).max(0),
    };
    visits.iter().fold(0, step)
}

/// The numbers of one event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Guests with at least one entry that stands.
    pub checked_in: u64,
    /// People inside after all standing records, by scan time.
    pub inside: i64,
    /// Guests created at the door whose entry stands.
    pub walk_ins: u64,
    /// Repeats.
    pub duplicates: u64,
    /// Refusals by reason.
    pub refused: BTreeMap<String, u64>,
    /// Entries that admitted somebody, annulled ones included.
    pub admissions: u64,
}

impl Replay {
    /// Folds a log.
    pub fn of(log: &[Value]) -> Self {
        let log = log::read(log);
        fault::none(&dense(&log));
        Self::fold(&log)
    }

    /// Folds entries.
    pub fn fold(log: &[Logged]) -> Self {
        let mut replay = Self::default();
        let annulled = annulled(log);
        let mut guests: HashMap<&str, Vec<Visit<'_>>> = HashMap::new();
        for entry in log {
            match entry.effect {
                // A device without a connection turned away who was in already.
                Effect::Refuse if entry.verdict == "duplicate" => replay.duplicates += 1,
                Effect::Refuse => {
                    let reason = entry.reason.clone().unwrap_or_default();
                    *replay.refused.entry(reason).or_default() += 1;
                }
                Effect::Repeat => replay.duplicates += 1,
                Effect::Admit | Effect::Exit => {
                    let entered = entry.effect == Effect::Admit;
                    replay.admissions += u64::from(entered);
                    if annulled.contains(&*entry.check_in_id) {
                        continue;
                    }
                    replay.walk_ins += u64::from(entry.walk_in);
                    let guest = entry.row_id.as_deref().unwrap_or_default();
                    let visits = guests.entry(guest).or_default();
                    visits.push((entry.order(), entered, entry.people, entry.party));
                }
                Effect::Annul => {}
            }
        }
        for visits in guests.values_mut() {
            visits.sort_unstable();
            replay.checked_in += u64::from(visits.iter().any(|visit| visit.1));
            replay.inside += inside(visits);
        }
        replay
    }

    /// What a dashboard counts otherwise.
    pub fn faults(&self, counts: &Counts) -> Vec<Fault> {
        let refused = counts.refused.0.iter().filter(|(_, count)| **count > 0);
        let refused: BTreeMap<_, _> = refused.map(|(why, count)| (why.clone(), *count)).collect();
        let pairs = [
            ("checked_in", self.checked_in == counts.checked_in),
            ("inside", self.inside == counts.inside),
            ("walk_ins", self.walk_ins == counts.walk_ins),
            ("duplicates", self.duplicates == counts.duplicates),
            ("refused", self.refused == refused),
        ];
        let wrong = pairs.iter().filter(|(_, equal)| !equal);
        wrong
            .map(|(name, _)| {
                let what = format!("{name}: {self:?}, shown {counts:?}");
                Fault::of(Promise::Counters, what)
            })
            .collect()
    }

    /// Demands that a dashboard counts the same.
    #[track_caller]
    pub fn agrees(&self, counts: &Counts) {
        fault::none(&self.faults(counts));
    }

    /// Demands that nobody came in twice: no guest has two admissions that stand.
    #[track_caller]
    pub fn no_guest_twice(log: &[Value]) {
        let log = log::read(log);
        let annulled = annulled(&log);
        let mut admitted: HashMap<&str, u64> = HashMap::new();
        let stand = |entry: &&Logged| {
            entry.effect == Effect::Admit && !annulled.contains(&*entry.check_in_id)
        };
        for entry in log.iter().filter(stand) {
            let guest = entry.row_id.as_deref().expect("a guest");
            if let Some(before) = admitted.insert(guest, entry.seq) {
                panic!("admitted twice: {guest} by seq {before} and {}", entry.seq);
            }
        }
    }
}

fn annulled(log: &[Logged]) -> HashSet<&str> {
    let named = log.iter().filter_map(|entry| entry.annuls.as_ref());
    named.map(|named| &*named.check_in_id).collect()
}

/// A log's `seq` runs from 1 without gap or repeat.
pub(super) fn dense(log: &[Logged]) -> Vec<Fault> {
    let wrong = (1_u64..).zip(log).find(|(seq, entry)| entry.seq != *seq);
    wrong
        .map(|(seq, entry)| {
            let what = format!("not dense: seq {} where {seq} belongs", entry.seq);
            Fault::of(Promise::Dense, what)
        })
        .into_iter()
        .collect()
}
