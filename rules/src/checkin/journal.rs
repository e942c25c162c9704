//! A check-in table in memory: the whole path of a scan, with the log in place of storage.
//!
//! Invariant: the state is the fold of the log; one nonce has one entry. It is what a scanner
//! without a connection keeps, and what the rules are tested with.
//! Failure: input that breaks a rule is refused and nothing is recorded.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::annul::{AnnulIn, AnnulRefusal, Undo, UndoIn, annul, take_back};
use super::caller::Caller;
use super::decide::{Ids, decide};
use super::entry::{Entry, record};
use super::scan::ScanIn;
use super::state::State;
use super::told;
use super::verdict::Effect;
use crate::invalid::Invalid;

/// A table with its log.
#[derive(Clone, Debug)]
pub struct Journal {
    state: State,
    log: Vec<Entry>,
    nonces: HashMap<String, usize>,
    records: HashMap<Uuid, usize>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// Its log entry.
    pub entry: &'a Entry,
    /// It had been recorded before.
    pub replayed: bool,
}

/// Why an annulment was not recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAnnulled {
    /// No record has this id.
    Unknown,
    /// The request is malformed.
    Invalid(Invalid),
    /// A rule forbids it.
    Refused(AnnulRefusal),
}

impl Journal {
    /// A table with an empty log.
    pub fn new(state: State) -> Self {
        Self {
            state,
            log: Vec::new(),
            nonces: HashMap::new(),
            records: HashMap::new(),
        }
    }

    /// A table with the log it had before. `state` has an empty ledger.
    pub fn resumed(state: State, log: Vec<Entry>) -> Self {
        let mut journal = Self::new(state);
        for entry in log {
            journal.append(entry);
        }
        journal
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state, to change the configuration or the guest list.
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// The log, in order.
    pub fn log(&self) -> &[Entry] {
        &self.log
    }

    /// The entry that created a record.
    pub fn record(&self, check_in_id: Uuid) -> Option<&Entry> {
        self.records
            .get(&check_in_id)
            .and_then(|place| self.log.get(*place))
    }

    /// The entry of a place in the log.
    pub fn entry(&self, seq: u64) -> Option<&Entry> {
        // The last one is asked for most.
        self.log.iter().rev().find(|entry| entry.seq == seq)
    }

    /// A scan as its device reports it, which decided it by the entry of this place in the log.
    pub fn report(&self, scan: ScanIn, seq: u64) -> Option<ScanIn> {
        let entry = self.entry(seq)?;
        let mut rows = self.log.iter().filter_map(|entry| entry.new_row.as_ref());
        let made = rows.find(|row| Some(row.id) == entry.row_id);
        Some(scan.report(entry, made))
    }

    /// Takes a scan that arrived at `now`.
    pub fn scan(
        &mut self,
        body: ScanIn,
        caller: &Caller,
        ids: Ids,
        now: DateTime<Utc>,
    ) -> Result<Outcome<'_>, Invalid> {
        let scan = body.parse(now)?;
        let nonce_key = scan.nonce_key(caller.origin());
        let mut otherwise = false;
        if let Some((place, earlier)) = self.by_nonce(&nonce_key) {
            if !told::otherwise(&scan, earlier) {
                return self.outcome(place, true).ok_or_else(Invalid::default);
            }
            if let Some((place, _)) = self.by_nonce(&told::key(&nonce_key)) {
                return self.outcome(place, true).ok_or_else(Invalid::default);
            }
            otherwise = true;
            let back = take_back(&self.state, earlier, &scan.times, caller);
            back.map(|entry| self.append(entry));
        }
        let ids = scan.ids(self.state.table_id, caller.origin(), ids);
        let decision = decide(&self.state, &scan, caller, ids)?;
        let original = decision
            .repeats
            .and_then(|visit| self.record(visit.check_in_id));
        let original = original.and_then(|entry| entry.check_in(self.state.table_id));
        let mut entry = record(&self.state, scan, caller, decision, ids, original);
        if otherwise {
            entry = told::entry(&self.state, entry);
        }
        let place = self.append(entry);
        self.outcome(place, false).ok_or_else(Invalid::default)
    }

    /// Undoes an admission.
    pub fn annul(
        &mut self,
        check_in_id: Uuid,
        request: AnnulIn,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Outcome<'_>, NotAnnulled> {
        let request = request.parse(now).map_err(NotAnnulled::Invalid)?;
        self.undo(check_in_id, &request, caller)
    }

    /// Takes what a device undid without a connection, as its report arrives at `now`.
    pub fn annul_queued(
        &mut self,
        request: UndoIn,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<Outcome<'_>, NotAnnulled> {
        let check_in_id = request.annul;
        let request = request.parse(now).map_err(NotAnnulled::Invalid)?;
        self.undo(check_in_id, &request, caller)
    }

    fn undo(
        &mut self,
        check_in_id: Uuid,
        request: &Undo,
        caller: &Caller,
    ) -> Result<Outcome<'_>, NotAnnulled> {
        let key = request.nonce_key(caller.origin(), check_in_id);
        if let Some(place) = key.and_then(|key| self.nonces.get(&key).copied()) {
            return self.outcome(place, true).ok_or(NotAnnulled::Unknown);
        }
        let original = self.record(check_in_id).ok_or(NotAnnulled::Unknown)?;
        let entry = annul(&self.state, original, request, caller);
        let place = self.append(entry.map_err(NotAnnulled::Refused)?);
        self.outcome(place, false).ok_or(NotAnnulled::Unknown)
    }

    fn by_nonce(&self, nonce_key: &str) -> Option<(usize, &Entry)> {
        let place = *self.nonces.get(nonce_key)?;
        Some((place, self.log.get(place)?))
    }

    fn append(&mut self, entry: Entry) -> usize {
        let place = self.log.len();
        self.state.apply(&entry);
        self.nonces.insert(entry.nonce_key.clone(), place);
        if matches!(entry.effect, Effect::Admit | Effect::Exit | Effect::Refuse) {
            self.records.insert(entry.check_in_id, place);
        }
        self.log.push(entry);
        place
    }

    fn outcome(&self, place: usize, replayed: bool) -> Option<Outcome<'_>> {
        self.log.get(place).map(|entry| Outcome { entry, replayed })
    }
}
