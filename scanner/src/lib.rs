//! The check-in rules in the browser.
//!
//! A thin class over [`Table`]: a table as a phone keeps it while it has no connection. JSON text
//! goes in, JSON text comes out, one crossing a call. Time and identifiers come from the page.
//!
//! Invariant: decides exactly as the Worker does, because it is the same code; the suite compares
//! byte by byte what this build and a native one answer to scans, undos, lists, reports and case
//! files, and the logs and snapshots of both.
//! Failure: input that is not right is answered with a problem, never thrown, except by `load`,
//! which has nothing to answer with.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod offline;
mod table;
mod wire;

pub use table::Table;

use wasm_bindgen::prelude::wasm_bindgen;

/// A table as a scanner keeps it.
#[wasm_bindgen]
pub struct Scanner {
    table: Table,
}

#[wasm_bindgen]
impl Scanner {
    /// Takes in a table: `{table_id, config, tickets, roster, caller, log}`, or what
    /// [`Scanner::snapshot`] gave. `roster: null` is a scanner without a guest list. Throws the
    /// reason as text.
    pub fn load(json: &str) -> Result<Scanner, String> {
        Table::load(json).map(|table| Self { table })
    }

    /// Decides and records a scan: `{scan, now, ids: {check_in, row}}`, where `scan` is the body of
    /// `POST /pulse/check-ins`. Answers `{replayed, recorded, answer}`, or `{problem}`.
    pub fn scan(&mut self, json: &str) -> String {
        self.table.scan(json)
    }

    /// Undoes an admission: `{check_in_id, nonce, now}`. Answers as [`Scanner::scan`] does. One that
    /// was decided by [`Scanner::decide`] is queued to be undone on the server too.
    pub fn annul(&mut self, json: &str) -> String {
        self.table.annul(json)
    }

    /// Decides a scan without a connection and queues it: `{scan, now}`. Answers as
    /// [`Scanner::scan`] does; its record will have the same id on the server.
    pub fn decide(&mut self, json: &str) -> String {
        self.table.decide(json)
    }

    /// Takes in an answer of `GET /pulse/{table_id}/roster`, or a push of the channel `roster`.
    /// Answers `{position, seq, next, ask}`, or `{problem}`; `seq` is what the scanner reports as its
    /// `roster_seq`.
    pub fn learn(&mut self, json: &str) -> String {
        self.table.learn(json)
    }

    /// How far the list is: `since` of the next question.
    pub fn position(&self) -> Option<String> {
        self.table.position()
    }

    /// The oldest 200 scans, and what was undone, to report: `items` of
    /// `POST /pulse/check-ins/sync`.
    pub fn pending(&self) -> String {
        self.table.pending()
    }

    /// Takes the answer to what [`Scanner::pending`] gave: `{taken, dropped, waiting}`, or
    /// `{problem}`. Only an answer of status 200 has results; after any other nothing was taken and
    /// everything waits.
    pub fn acknowledge(&mut self, json: &str) -> String {
        self.table.acknowledge(json)
    }

    /// The log entries after `seq` as a list, oldest first: what is still to be stored or sent.
    pub fn log_after(&self, seq: u32) -> String {
        self.table.log_after(u64::from(seq))
    }

    /// The whole of it, for [`Scanner::load`].
    pub fn snapshot(&self) -> String {
        self.table.snapshot()
    }
}

/// Runs a case file: `{results: [{id, passed, detail}]}`, or `{problem}`.
#[cfg(feature = "cases")]
#[wasm_bindgen]
pub fn run_cases(kind: &str, text: &str) -> String {
    wire::text(&match rules::cases::run(kind, text) {
        Ok(results) => wire::Ran::Results(results),
        Err(invalid) => wire::Ran::Problem(invalid.into()),
    })
}
