//! What the scanners were told, counted as the dashboard should count it.
//!
//! Invariant: a scan counts once, however often it was sent; the counts are made of answers alone.
//! Failure: two scans with one place in the log, or a scan without an answer, are differences too.

use crate::bench::figures::{Latencies, whole};
use crate::say::paint;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

/// Counts of one event.
#[derive(Debug, Default)]
pub struct Tally {
    guests: u64,
    /// Answered scans.
    pub answered: u64,
    /// Scans nobody answered.
    pub lost: u64,
    /// Requests that were sent again.
    pub retries: u64,
    /// Answers that said they were given before.
    pub replays: u64,
    /// Accepted scans, exits included.
    pub accepted: u64,
    /// Duplicates.
    pub duplicates: u64,
    /// Refusals by reason.
    pub refused: BTreeMap<String, u64>,
    /// How long answers took.
    pub latencies: Latencies,
    /// Scans that were decided without a connection.
    pub offline: u64,
    /// Those of them that the server decided otherwise.
    pub broken: u64,
    walk_ins: u64,
    seqs: HashSet<u64>,
    shared: u64,
    visits: HashMap<String, Vec<Visit>>,
    gates: BTreeMap<String, (u64, u64)>,
}

/// Ordered as the product orders visits: by corrected time, those decided without a connection
/// first, by record; then by place in the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Visit {
    at: String,
    online: bool,
    record: Option<String>,
    seq: u64,
    entry: bool,
}

/// One scan and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The answer.
    pub answer: &'a Value,
    /// Where it was scanned.
    pub gate: &'a str,
    /// The guest left.
    pub exit: bool,
    /// Somebody on no list.
    pub walk_in: bool,
    /// How long it took; none when it was decided without a connection.
    pub took: Option<Duration>,
}

/// A count of ours and the dashboard's.
#[derive(Clone, Debug)]
pub struct Line {
    what: String,
    ours: u64,
    theirs: Option<u64>,
}

impl Tally {
    /// Nothing yet, of an event with so many guests on its list.
    pub fn of(guests: usize) -> Self {
        Self {
            guests: guests as u64,
            ..Self::default()
        }
    }

    /// Counts an answer.
    pub fn count(&mut self, told: Told<'_>) {
        let answer = told.answer;
        self.answered += 1;
        if let Some(took) = told.took {
            self.latencies.add(took);
        }
        let seq = answer["seq"].as_u64().unwrap_or_default();
        self.shared += u64::from(!self.seqs.insert(seq));
        let gate = self.gates.entry(told.gate.to_owned()).or_default();
        match answer["verdict"].as_str().unwrap_or_default() {
            "accepted" => {
                self.accepted += 1;
                self.walk_ins += u64::from(told.walk_in);
                gate.0 += u64::from(!told.exit);
                let check_in = &answer["check_in"];
                let row = check_in["row_id"].as_str().unwrap_or_default().to_owned();
                let at = check_in["check_in_time"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let online = told.took.is_some();
                let record = check_in["id"].as_str().filter(|_| !online);
                self.visits.entry(row).or_default().push(Visit {
                    at,
                    online,
                    record: record.map(str::to_owned),
                    seq,
                    entry: !told.exit,
                });
            }
            "duplicate" => self.duplicates += 1,
            _ => {
                gate.1 += 1;
                let reason = answer["reason"].as_str().unwrap_or("unknown").to_owned();
                *self.refused.entry(reason).or_default() += 1;
            }
        }
    }

    /// All refusals.
    pub fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    /// What was told against what a dashboard says.
    pub fn compare(&self, dashboard: &Value) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut line = |what: &str, ours: u64, theirs: &Value| {
            lines.push(Line {
                what: what.to_owned(),
                ours,
                theirs: theirs.as_u64(),
            });
        };
        let visits = || self.visits.values();
        let entered = visits()
            .filter(|visits| visits.iter().any(|visit| visit.entry))
            .count();
        let inside = visits()
            .filter(|v| v.iter().max().is_some_and(|last| last.entry))
            .count();
        line(
            "guests on the list",
            self.guests + self.walk_ins,
            &dashboard["total"],
        );
        line("checked in", entered as u64, &dashboard["checked_in"]);
        line("inside", inside as u64, &dashboard["inside"]);
        let conflicts: usize = visits().map(|visits| too_many(visits)).sum();
        line("let in twice", conflicts as u64, &dashboard["conflicts"]);
        line("walk-ins", self.walk_ins, &dashboard["walk_ins"]);
        line("duplicates", self.duplicates, &dashboard["duplicates"]);
        let zero = Value::from(0);
        let shown = dashboard["refused"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let reasons: std::collections::BTreeSet<&String> =
            self.refused.keys().chain(shown.keys()).collect();
        for reason in reasons {
            let ours = self.refused.get(reason).copied().unwrap_or(0);
            line(
                &format!("refused: {reason}"),
                ours,
                shown.get(reason).unwrap_or(&zero),
            );
        }
        let none = Vec::new();
        for gate in dashboard["by_gate"].as_array().unwrap_or(&none) {
            let name = gate["gate"].as_str().unwrap_or("no gate");
            let (accepted, refused) = self.gates.get(name).copied().unwrap_or_default();
            line(&format!("{name}: entries"), accepted, &gate["accepted"]);
            line(&format!("{name}: refusals"), refused, &gate["refused"]);
        }
        line(
            "scans in the log",
            self.seqs.len() as u64,
            &dashboard["record"]["seq"],
        );
        line(
            "scans in Postgres",
            self.seqs.len() as u64,
            &dashboard["record"]["flushed_seq"],
        );
        line("scans that share a place in the log", self.shared, &zero);
        line("scans without an answer", self.lost, &zero);
        line("offline scans decided otherwise", self.broken, &zero);
        lines
    }
}

/// Entries of a guest who was inside already, in the order of the visits.
fn too_many(visits: &[Visit]) -> usize {
    let mut visits: Vec<&Visit> = visits.iter().collect();
    visits.sort_unstable();
    let pairs = visits.windows(2);
    pairs
        .filter(|pair| pair.iter().all(|visit| visit.entry))
        .count()
}

impl Line {
    /// Is it the same?
    pub fn equal(&self) -> bool {
        self.theirs == Some(self.ours)
    }

    /// For the terminal.
    pub fn shown(&self) -> String {
        let theirs = self
            .theirs
            .map_or("missing".to_owned(), |theirs| whole(theirs as f64));
        let mark = if self.equal() {
            paint("32", "=")
        } else {
            paint("31;1", "≠")
        };
        format!(
            "  {:<38} {:>8}  {mark} {theirs:>8}",
            self.what,
            whole(self.ours as f64)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(tally: &mut Tally, answer: Value, exit: bool, walk_in: bool) {
        let took = Duration::from_millis(3);
        tally.count(Told {
            answer: &answer,
            gate: "Main",
            exit,
            walk_in,
            took: Some(took),
        });
    }

    #[test]
    fn an_entry_after_an_entry_is_one_too_many_whatever_the_order_of_arrival() {
        let mut tally = Tally::of(1);
        for (seq, at, exit) in [
            (1, "10:05", false),
            (2, "10:09", true),
            (3, "10:01", false),
            (4, "10:11", false),
        ] {
            told(&mut tally, accepted(seq, "a", at), exit, false);
        }
        let mut dashboard = dashboard();
        dashboard["conflicts"] = 1.into();
        let lines = tally.compare(&dashboard);
        assert!(
            lines
                .iter()
                .any(|line| line.what == "let in twice" && line.equal())
        );
    }

    fn accepted(seq: u64, row: &str, at: &str) -> Value {
        json!({"verdict": "accepted", "seq": seq, "check_in": {"row_id": row, "check_in_time": at}})
    }

    fn dashboard() -> Value {
        json!({
            "total": 11, "checked_in": 2, "inside": 1, "walk_ins": 1, "duplicates": 1, "conflicts": 0,
            "refused": {"unknown_code": 1}, "by_gate": [{"gate": "Main", "accepted": 2, "refused": 1}],
            "record": {"seq": 5, "flushed_seq": 5},
        })
    }

    fn tally() -> Tally {
        let mut tally = Tally::of(10);
        told(&mut tally, accepted(1, "a", "10:00"), false, false);
        told(&mut tally, accepted(2, "w", "10:01"), false, true);
        told(
            &mut tally,
            json!({"verdict": "duplicate", "seq": 3}),
            false,
            false,
        );
        told(
            &mut tally,
            json!({"verdict": "refused", "reason": "unknown_code", "seq": 4}),
            false,
            false,
        );
        told(&mut tally, accepted(5, "a", "10:02"), true, false);
        tally
    }

    #[test]
    fn what_was_told_is_what_the_dashboard_shows() {
        let lines = tally().compare(&dashboard());
        assert!(lines.iter().all(Line::equal), "{lines:?}");
    }

    #[test]
    fn any_difference_shows() {
        for (pointer, value) in [
            ("/inside", 2),
            ("/refused/unknown_code", 0),
            ("/record/seq", 6),
            ("/by_gate/0/accepted", 3),
        ] {
            let mut other = dashboard();
            *other.pointer_mut(pointer).unwrap() = value.into();
            assert!(
                !tally().compare(&other).iter().all(Line::equal),
                "{pointer}"
            );
        }
        let mut tally = tally();
        told(
            &mut tally,
            json!({"verdict": "duplicate", "seq": 3}),
            false,
            false,
        );
        assert!(!tally.compare(&dashboard()).iter().all(Line::equal));
    }
}
