//! Who was let in, judged guest by guest.
//!
//! Every admission that was decided with a connection must have had room at its place in the log:
//! what was known of the guest then, in the order of the visits' times, must have left them outside.
//! Whoever was turned away with a connection as one who was in already must have had none, and a
//! code that is on the list, or was a guest's before, must not have been unknown.
//! What devices let in without a connection stands; of a guest's visits those that are one too many
//! follow from the visits alone, and exactly those must be marked as conflicts, after each entry.
//!
//! Invariant: a model of its own, for tickets of one person and lists that lose nobody.
//! Failure: each breach is a [`Fault`].

use super::fault::{self, Fault, Promise};
use super::log::{self, Effect, Logged};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};

/// When a guest may come in again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Never.
    Once,
    /// After an exit.
    AfterExit,
}

/// What became of all guests.
#[derive(Debug, Default)]
pub struct Admissions {
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// Entries that stand and are one too many.
    pub conflicts: u64,
    /// Admissions decided with a connection.
    pub online: u64,
    /// Admissions that devices decided without one.
    pub offline: u64,
}

impl Admissions {
    /// Judges a whole log.
    pub fn of(log: &[Logged], rule: Rule) -> Self {
        Self::of_list(log, rule, &HashSet::new())
    }

    /// The same, knowing codes that were on the list from the beginning.
    pub fn of_list(log: &[Logged], rule: Rule, codes: &HashSet<String>) -> Self {
        let mut this = Self::default();
        let mut known: HashSet<&str> = codes.iter().map(String::as_str).collect();
        let mut guests: HashMap<&str, Vec<&Logged>> = HashMap::new();
        let mut marked: HashSet<&str> = HashSet::new();
        for entry in log {
            this.turned_away(&guests, &known, entry, rule);
            known.extend(entry.barcode.as_deref().filter(|_| entry.row_id.is_some()));
            if let Effect::Annul = entry.effect {
                this.annul(&mut guests, entry);
            }
            if let (Effect::Admit | Effect::Exit, Some(guest)) = (entry.effect, &entry.row_id) {
                this.visit(guests.entry(guest).or_default(), entry, rule);
            }
            mark(&mut marked, &entry.check_in_id, entry);
            for other in &entry.reelected {
                match other.conflict {
                    Some(_) => marked.insert(&other.check_in_id),
                    None => marked.remove(&*other.check_in_id),
                };
            }
            if let Some(visits) = entry.row_id.as_deref().and_then(|guest| guests.get(guest)) {
                this.conflicts_of(visits, &marked, entry, rule);
            }
        }
        let too_many = guests.values().map(|visits| one_too_many(visits, rule));
        this.conflicts = too_many.map(|found| found.len() as u64).sum();
        this
    }

    /// As [`Admissions::of_list`]; any fault panics.
    #[track_caller]
    pub fn judge(log: &[Value], rule: Rule, codes: &HashSet<String>) -> Self {
        let this = Self::of_list(&log::read(log), rule, codes);
        fault::none(&this.faults);
        this
    }

    fn fault(&mut self, promise: Promise, what: String) {
        self.faults.push(Fault::of(promise, what));
    }

    fn turned_away(
        &mut self,
        guests: &HashMap<&str, Vec<&Logged>>,
        known: &HashSet<&str>,
        entry: &Logged,
        rule: Rule,
    ) {
        let seq = entry.seq;
        // What a device said by itself follows from what it knew.
        if entry.offline.is_some() {
            return;
        }
        let unknown = entry.reason.as_deref() == Some("unknown_code");
        if let Some(code) = entry.barcode.as_deref()
            && unknown
            && entry.effect == Effect::Refuse
            && known.contains(code)
        {
            let what = format!("seq {seq} did not know {code}, which is a guest's");
            self.fault(Promise::NoRefusal, what);
        }
        let guest = entry.row_id.as_deref();
        let visits = guest.and_then(|guest| guests.get(guest));
        let visits = visits.map_or(&[][..], Vec::as_slice);
        if entry.effect == Effect::Repeat && has_room(visits, rule) {
            let known: Vec<u64> = visits.iter().map(|visit| visit.seq).collect();
            let what = format!("seq {seq} turned away who was outside by {known:?}");
            self.fault(Promise::NoRefusal, what);
        }
    }

    fn visit<'a>(&mut self, visits: &mut Vec<&'a Logged>, entry: &'a Logged, rule: Rule) {
        let admitted = entry.effect == Effect::Admit;
        let online = entry.offline.is_none();
        if admitted {
            self.online += u64::from(online);
            self.offline += u64::from(!online);
        }
        if admitted && online && !entry.forced && !has_room(visits, rule) {
            let known: Vec<u64> = visits.iter().map(|visit| visit.seq).collect();
            let seq = entry.seq;
            self.fault(
                Promise::NoDouble,
                format!("seq {seq} let in who was in by {known:?}"),
            );
        }
        let place = visits.partition_point(|one| one.order() < entry.order());
        visits.insert(place, entry);
    }

    fn annul(&mut self, guests: &mut HashMap<&str, Vec<&Logged>>, entry: &Logged) {
        let named = entry.annuls.as_ref().map(|named| &*named.check_in_id);
        let visits = entry
            .row_id
            .as_deref()
            .and_then(|guest| guests.get_mut(guest));
        let found = visits.and_then(|visits| {
            let place = visits
                .iter()
                .position(|one| Some(&*one.check_in_id) == named)?;
            Some(visits.remove(place))
        });
        if found.is_none() {
            self.fault(
                Promise::Once,
                format!("seq {} undid what did not stand", entry.seq),
            );
        }
    }

    fn conflicts_of(
        &mut self,
        visits: &[&Logged],
        marked: &HashSet<&str>,
        at: &Logged,
        rule: Rule,
    ) {
        let should: BTreeSet<u64> = one_too_many(visits, rule).into_iter().collect();
        let is = visits
            .iter()
            .filter(|visit| marked.contains(&*visit.check_in_id));
        let is: BTreeSet<u64> = is.map(|visit| visit.seq).collect();
        if should != is {
            let seq = at.seq;
            self.fault(
                Promise::Conflicts,
                format!("after seq {seq}: {should:?} are one too many, {is:?} are marked"),
            );
        }
    }
}

/// What an entry says of its own record; a repeat speaks of another's.
fn mark<'a>(marked: &mut HashSet<&'a str>, record: &'a str, entry: &Logged) {
    if matches!(entry.effect, Effect::Admit | Effect::Exit) && entry.conflict.is_some() {
        marked.insert(record);
    }
}

/// May the guest of these visits come in now?
fn has_room(visits: &[&Logged], rule: Rule) -> bool {
    match rule {
        Rule::Once => visits.iter().all(|visit| visit.effect == Effect::Exit),
        Rule::AfterExit => visits
            .last()
            .is_none_or(|visit| visit.effect == Effect::Exit),
    }
}

/// The admissions among a guest's visits that had no room, in order of time; the first always has.
fn one_too_many(visits: &[&Logged], rule: Rule) -> Vec<u64> {
    let mut found = Vec::new();
    for (place, visit) in visits.iter().enumerate() {
        let before = &visits[..place];
        let entered = before.iter().any(|one| one.effect == Effect::Admit);
        if visit.effect == Effect::Admit && entered && !has_room(before, rule) {
            found.push(visit.seq);
        }
    }
    found
}
