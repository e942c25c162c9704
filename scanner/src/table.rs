//! A table in memory, as a scanner without a connection keeps it.
//!
//! Invariant: the log is what this scanner did, and its state the fold of it; a snapshot that is
//! loaded again is the same table.
//! Failure: what the rules refuse is told, and nothing is recorded.

use rules::checkin::journal::{NotAnnulled, Outcome};
use rules::checkin::{
    Actor, ActorKind, AnnulIn, Caller, Entry, Ids, Journal, Row, State, UndoIn, answer,
};
use uuid::Uuid;

use crate::offline::{BATCH, Item, Offline};
use crate::wire::{self, Annulled, Decided, Device, Kept, Problem, Scanned};

/// A table with its scanner.
pub struct Table {
    journal: Journal,
    device: Device,
    offline: Offline,
}

impl Table {
    /// Takes in a table; the reason when it is none.
    pub fn load(json: &str) -> Result<Self, String> {
        let kept: Kept = wire::read(json).map_err(|problem| problem.detail)?;
        let mut state = State::new(kept.table_id, kept.config);
        state.tickets = kept.tickets;
        match kept.roster {
            Some(rows) => state.roster = rows.into(),
            None => state.without_list = true,
        }
        let mut journal = Journal::resumed(state, kept.log);
        kept.offline.restore(journal.state_mut());
        Ok(Self {
            journal,
            device: kept.caller,
            offline: kept.offline,
        })
    }

    /// Decides and records a scan.
    pub fn scan(&mut self, json: &str) -> String {
        let Scanned { scan, now, ids } = match wire::read(json) {
            Ok(scanned) => scanned,
            Err(problem) => return wire::text(&wire::Outcome::from(problem)),
        };
        let table_id = self.journal.state().table_id;
        if scan.table_id != table_id && !scan.table_id.is_nil() {
            return wire::text(&wire::Outcome::from(unknown(
                "There is no such table here.",
            )));
        }
        let ids = Ids {
            check_in: ids.check_in,
            row: ids.row,
        };
        let caller = self.caller();
        wire::text(&match self.journal.scan(scan, &caller, ids, now) {
            Ok(outcome) => done(&outcome, table_id),
            Err(invalid) => Problem::from(invalid).into(),
        })
    }

    /// Decides a scan without a connection, records it and queues it.
    pub fn decide(&mut self, json: &str) -> String {
        let Decided { mut scan, now } = match wire::read(json) {
            Ok(decided) => decided,
            Err(problem) => return wire::text(&wire::Outcome::from(problem)),
        };
        let table_id = self.journal.state().table_id;
        if scan.table_id != table_id && !scan.table_id.is_nil() {
            return wire::text(&wire::Outcome::from(unknown(
                "There is no such table here.",
            )));
        }
        scan.table_id = table_id;
        scan.scanned_at.get_or_insert(now);
        // The rules decide here; what they say is what the server is told.
        (scan.offline, scan.sent_at) = (None, None);
        let caller = self.caller();
        if let Some(code) = &scan.barcode {
            self.offline.open(self.journal.state_mut(), code);
        }
        let ids = match scan.clone().parse(now) {
            Ok(parsed) => parsed.own_ids(table_id, caller.origin()),
            Err(invalid) => return wire::text(&wire::Outcome::from(Problem::from(invalid))),
        };
        let (text, news) = match self.journal.scan(scan.clone(), &caller, ids, now) {
            Ok(outcome) => {
                let news = (!outcome.replayed).then_some(outcome.entry.seq);
                (wire::text(&done(&outcome, table_id)), news)
            }
            Err(invalid) => return wire::text(&wire::Outcome::from(Problem::from(invalid))),
        };
        let report = news.and_then(|seq| self.journal.report(scan, seq));
        let report = report.map(|scan| Item::Scan(Box::new(scan)));
        self.offline.queue.extend(report);
        text
    }

    /// Takes in the list, or what changed.
    pub fn learn(&mut self, json: &str) -> String {
        let news = match wire::read(json) {
            Ok(news) => news,
            Err(problem) => return wire::text(&wire::Outcome::from(problem)),
        };
        let log = self.journal.log().iter();
        let own = log
            .filter_map(|entry| entry.new_row.as_ref().map(|row| row.id))
            .collect();
        match self.offline.learn(self.journal.state_mut(), &own, news) {
            Some(learnt) => wire::text(&learnt),
            None => wire::text(&wire::Outcome::from(unknown("This is another table's."))),
        }
    }

    /// How far the list is.
    pub fn position(&self) -> Option<String> {
        self.offline.position.clone()
    }

    /// What is to be reported.
    pub fn pending(&self) -> String {
        wire::text(&self.offline.queue.iter().take(BATCH).collect::<Vec<_>>())
    }

    /// Takes the answer to them.
    pub fn acknowledge(&mut self, json: &str) -> String {
        match wire::read(json) {
            Ok(results) => wire::text(&self.offline.acknowledge(results)),
            Err(problem) => wire::text(&wire::Outcome::from(problem)),
        }
    }

    /// Undoes an admission. What was decided without a connection is undone on the server with the
    /// next report.
    pub fn annul(&mut self, json: &str) -> String {
        let Annulled {
            check_in_id,
            nonce,
            now,
        } = match wire::read(json) {
            Ok(annulled) => annulled,
            Err(problem) => return wire::text(&wire::Outcome::from(problem)),
        };
        let request = AnnulIn {
            table_id: None,
            nonce: nonce.clone(),
        };
        let (caller, table_id) = (self.caller(), self.journal.state().table_id);
        let original = self.journal.record(check_in_id);
        let own = original.is_some_and(|entry| entry.is_of_device(table_id));
        let outcome = self.journal.annul(check_in_id, request, &caller, now);
        if own && outcome.as_ref().is_ok_and(|outcome| !outcome.replayed) {
            self.offline.queue.push(Item::Undo(UndoIn {
                annul: check_in_id,
                table_id,
                // A record is undone once, so any will do.
                nonce: nonce.unwrap_or_else(|| "undo".to_owned()),
                annulled_at: now,
                sent_at: None,
            }));
        }
        wire::text(&match outcome {
            Ok(outcome) => done(&outcome, table_id),
            Err(NotAnnulled::Unknown) => unknown("There is no such check-in here.").into(),
            Err(NotAnnulled::Invalid(invalid)) => Problem::from(invalid).into(),
            Err(NotAnnulled::Refused(refusal)) => {
                Problem::new(refusal.code(), refusal.message()).into()
            }
        })
    }

    /// The log after an entry.
    pub fn log_after(&self, seq: u64) -> String {
        let after = |entry: &&Entry| entry.seq > seq;
        wire::text(&self.journal.log().iter().filter(after).collect::<Vec<_>>())
    }

    /// The whole table. Guests are ordered, so that equal tables give equal text.
    pub fn snapshot(&self) -> String {
        let state = self.journal.state();
        let mut rows: Vec<Row> = state.roster.rows().cloned().collect();
        rows.sort_unstable_by_key(|row| row.id);
        wire::text(&Kept {
            table_id: state.table_id,
            config: state.config.clone(),
            tickets: state.tickets.clone(),
            roster: (!state.without_list).then_some(rows),
            caller: self.device.clone(),
            log: self.journal.log().to_vec(),
            offline: self.offline.clone(),
        })
    }

    fn caller(&self) -> Caller {
        Caller {
            actor: Actor {
                kind: ActorKind::Device,
                id: self.device.session_id,
            },
            session_id: Some(self.device.session_id),
            guest_device: None,
            device: self.device.name.clone(),
            gate: self.device.gate.clone(),
            scanner: self.device.scanner.clone(),
            manager: false,
        }
    }
}

fn done<'a>(outcome: &Outcome<'a>, table_id: Uuid) -> wire::Outcome<'a> {
    wire::Outcome::Done {
        replayed: outcome.replayed,
        recorded: outcome.entry.is_admission() && !outcome.replayed,
        answer: Box::new(answer(outcome.entry, table_id)),
    }
}

fn unknown(detail: &str) -> Problem {
    Problem::new("not_found", detail)
}
