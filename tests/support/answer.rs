//! The answer to a scan and what the dashboard counts, with the claims a test makes about them.
//!
//! Invariant: each claim takes the answer and gives it back, so claims read as one sentence.
//! Failure: a claim that does not hold panics at the caller's line with the answer.

use crate::client::Reply;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Index;

/// The answer to one scan.
#[derive(Clone, Debug)]
pub struct Answer {
    /// As it came over HTTP.
    pub reply: Reply,
    /// The body.
    pub json: Value,
}

impl Answer {
    /// Reads an answer; any problem document panics.
    #[track_caller]
    pub fn of(reply: Reply) -> Self {
        assert!(
            matches!(reply.status, 200 | 201),
            "a scan is answered, not refused: {reply}"
        );
        Self {
            json: reply.json(),
            reply,
        }
    }

    #[track_caller]
    fn is(self, pointer: &str, expected: impl Into<Value>) -> Self {
        let expected = expected.into();
        assert_eq!(self.at(pointer), expected, "{pointer} of {}", self.reply);
        self
    }

    /// The value at a JSON pointer; null when there is none.
    pub fn at(&self, pointer: &str) -> Value {
        self.json.pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// Demands a value at a JSON pointer.
    #[track_caller]
    pub fn has(self, pointer: &str, expected: impl Into<Value>) -> Self {
        self.is(pointer, expected)
    }

    /// Demands an admission recorded now: 201 with a check-in.
    #[track_caller]
    pub fn accepted(self) -> Self {
        let this = self
            .is("/verdict", "accepted")
            .is("/reason", Value::Null)
            .is("/check_in/verdict", "accepted");
        assert_eq!(
            this.reply.status,
            if this.is_replay() { 200 } else { 201 },
            "{}",
            this.reply
        );
        this
    }

    /// Demands a repeat of a guest who is in already: 200, with the first entry shown.
    #[track_caller]
    pub fn duplicate(self) -> Self {
        assert_eq!(self.reply.status, 200, "{}", self.reply);
        let this = self.is("/verdict", "duplicate");
        assert!(
            this.at("/first_entry/at").is_string(),
            "no first entry: {}",
            this.reply
        );
        this
    }

    /// Demands a refusal with this reason: 200, told to people too.
    #[track_caller]
    pub fn refused(self, reason: &str) -> Self {
        assert_eq!(self.reply.status, 200, "{}", self.reply);
        let this = self.is("/verdict", "refused").is("/reason", reason);
        let told = this
            .at("/explanation")
            .as_str()
            .is_some_and(|text| text.len() > 3);
        assert!(told, "no explanation: {}", this.reply);
        this
    }

    /// Demands that the explanation mentions something.
    #[track_caller]
    pub fn explains(self, what: &str) -> Self {
        let told = self
            .at("/explanation")
            .as_str()
            .is_some_and(|text| text.contains(what));
        assert!(
            told,
            "the explanation does not mention {what}: {}",
            self.reply
        );
        self
    }

    /// Demands a warning that mentions something.
    #[track_caller]
    pub fn warns(self, what: &str) -> Self {
        let warned = self.at("/warnings").to_string().contains(what);
        assert!(warned, "no warning mentions {what}: {}", self.reply);
        self
    }

    /// Demands that the answer was given before to the same scan.
    #[track_caller]
    pub fn replayed(self) -> Self {
        assert!(
            self.is_replay(),
            "no replay: {:?} {}",
            self.reply.headers,
            self.reply
        );
        assert_eq!(self.reply.status, 200, "{}", self.reply);
        self
    }

    /// Demands that the scan was decided now.
    #[track_caller]
    pub fn fresh(self) -> Self {
        assert!(!self.is_replay(), "a replay: {}", self.reply);
        self
    }

    /// Was the answer given before?
    pub fn is_replay(&self) -> bool {
        self.reply.header("idempotent-replayed") == Some("true")
    }

    /// The place in the table's log.
    #[track_caller]
    pub fn seq(&self) -> u64 {
        self.at("/seq")
            .as_u64()
            .unwrap_or_else(|| panic!("no seq: {}", self.reply))
    }

    /// The id of the check-in record.
    #[track_caller]
    pub fn check_in(&self) -> String {
        self.at("/check_in/id")
            .as_str()
            .unwrap_or_else(|| panic!("no check-in: {}", self.reply))
            .to_owned()
    }
}

/// Refusals by reason; a reason nobody met counts zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Refused(pub BTreeMap<String, u64>);

impl Index<&str> for Refused {
    type Output = u64;

    fn index(&self, reason: &str) -> &u64 {
        self.0.get(reason).unwrap_or(&0)
    }
}

impl Refused {
    /// All refusals.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

/// The numbers of a dashboard.
#[derive(Clone, Debug, Deserialize)]
pub struct Counts {
    /// Guests on the list.
    pub total: u64,
    /// Guests who came in at least once.
    pub checked_in: u64,
    /// People inside now.
    pub inside: i64,
    /// People who came in.
    pub arrived: u64,
    /// Guests created at the door.
    pub walk_ins: u64,
    /// Repeats of guests who were in already.
    pub duplicates: u64,
    /// Refusals by reason.
    pub refused: Refused,
    /// Checked in of total, 0 to 1.
    pub rate: f64,
}

/// A dashboard as it was read.
#[derive(Clone, Debug)]
pub struct Dashboard {
    /// The body.
    pub json: Value,
    /// Its numbers.
    pub counts: Counts,
}

impl Dashboard {
    /// Reads a dashboard.
    #[track_caller]
    pub fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{reply}");
        let json = reply.json();
        let counts = Counts::deserialize(&json).unwrap_or_else(|error| panic!("{error}: {reply}"));
        Self { json, counts }
    }

    /// Demands something of the numbers.
    #[track_caller]
    pub fn counts(self, holds: impl FnOnce(&Counts) -> bool) -> Self {
        assert!(holds(&self.counts), "not so: {:?}", self.counts);
        self
    }

    /// The value at a JSON pointer; null when there is none.
    pub fn at(&self, pointer: &str) -> Value {
        self.json.pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    /// The place in a live channel that the dashboard was read at.
    #[track_caller]
    pub fn position(&self) -> crate::socket::Position {
        crate::socket::Position::deserialize(&self.json["live"]).expect("a live position")
    }
}
