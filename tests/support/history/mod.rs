//! A history of scans: what was asked, what was acknowledged, and whether a log agrees.
//!
//! Invariant: the judgement uses only what clients saw and the log itself, with a model of its own;
//! no counter that Pulse keeps is trusted.
//! Failure: each broken promise panics with the operations or entries that show it.

use crate::answer::Counts;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;
use std::time::Instant;

/// One scan that a client sent, perhaps several times with the same nonce.
#[derive(Clone, Debug)]
struct Operation {
    nonce: String,
    invoked: Instant,
    acknowledged: Option<(Instant, Acknowledged)>,
}

/// What the client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Acknowledged {
    seq: u64,
    verdict: String,
    reason: Option<String>,
}

/// Everything that clients asked and were told, shared between them.
#[derive(Debug, Default)]
pub struct History {
    operations: Mutex<Vec<Operation>>,
}

/// An operation that was noted.
#[derive(Clone, Copy, Debug)]
pub struct Noted(usize);

impl History {
    fn operations(&self) -> std::sync::MutexGuard<'_, Vec<Operation>> {
        self.operations.lock().expect("no panic meanwhile")
    }

    /// A scan is about to be sent for the first time.
    pub fn invoke(&self, nonce: &str) -> Noted {
        let mut operations = self.operations();
        let (nonce, invoked) = (nonce.to_owned(), Instant::now());
        operations.push(Operation {
            nonce,
            invoked,
            acknowledged: None,
        });
        Noted(operations.len() - 1)
    }

    /// The answer to a scan came.
    pub fn acknowledge(&self, Noted(index): Noted, answer: &Value) {
        let told = Acknowledged {
            seq: answer["seq"]
                .as_u64()
                .unwrap_or_else(|| panic!("no seq: {answer}")),
            verdict: answer["verdict"].as_str().expect("a verdict").to_owned(),
            reason: answer["reason"].as_str().map(str::to_owned),
        };
        let operation = &mut self.operations()[index];
        match &operation.acknowledged {
            Some((_, before)) => assert_eq!(before, &told, "one nonce, two answers"),
            None => operation.acknowledged = Some((Instant::now(), told)),
        }
    }

    /// How many scans were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.operations()
            .iter()
            .filter(|operation| operation.acknowledged.is_some())
            .count()
    }

    /// Judges a whole log (its entries in order of `seq`) against what clients were told.
    pub fn judge(&self, log: &[Value]) {
        dense(log);
        let mut by_nonce: HashMap<&str, &Value> = HashMap::new();
        for entry in log.iter().filter(|entry| entry["kind"] == "scan") {
            let key = entry["nonce_key"].as_str().unwrap_or_default();
            let nonce = key.rsplit('|').next().unwrap_or_default();
            if let Some(other) = by_nonce.insert(nonce, entry) {
                panic!("one nonce, two entries: {other} {entry}");
            }
        }
        let operations = self.operations();
        for operation in operations.iter() {
            let Some((_, told)) = &operation.acknowledged else {
                continue;
            };
            let entry = by_nonce.get(&*operation.nonce);
            let entry = entry.unwrap_or_else(|| panic!("acknowledged and lost: {operation:?}"));
            let logged = Acknowledged {
                seq: entry["seq"].as_u64().unwrap_or_default(),
                verdict: entry["verdict"].as_str().unwrap_or_default().to_owned(),
                reason: entry["reason"].as_str().map(str::to_owned),
            };
            assert_eq!(
                told, &logged,
                "told one thing, logged another: {operation:?}"
            );
        }
        in_real_time_order(&operations);
    }
}

/// A scan that began after another was acknowledged comes later in the log.
fn in_real_time_order(operations: &[Operation]) {
    let mut done: Vec<(Instant, u64)> = Vec::new();
    let mut begun: Vec<(Instant, u64)> = Vec::new();
    for operation in operations {
        if let Some((acknowledged, told)) = &operation.acknowledged {
            done.push((*acknowledged, told.seq));
            begun.push((operation.invoked, told.seq));
        }
    }
    done.sort_unstable();
    begun.sort_unstable();
    let (mut highest, mut next) = (0, 0);
    for (invoked, seq) in begun {
        while next < done.len() && done[next].0 < invoked {
            highest = highest.max(done[next].1);
            next += 1;
        }
        assert!(
            seq > highest,
            "seq {seq} began after seq {highest} was acknowledged"
        );
    }
}

/// A log's `seq` runs from 1 without gap or repeat.
fn dense(log: &[Value]) {
    for (expected, entry) in (1_u64..).zip(log) {
        assert_eq!(entry["seq"], expected, "the log is not dense at {entry}");
    }
}

/// When a guest passed a door, where in the log that is, and whether on the way in.
type Record = (DateTime<Utc>, u64, bool);

/// The numbers that follow from a log alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Guests with at least one entry that stands.
    pub checked_in: u64,
    /// Guests whose last standing record, by scan time, is an entry.
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
    /// Folds a log with a model of its own.
    pub fn of(log: &[Value]) -> Self {
        dense(log);
        let mut replay = Self::default();
        let annulled: HashSet<&str> = log
            .iter()
            .filter_map(|entry| entry["annuls"]["check_in_id"].as_str())
            .collect();
        let mut guests: HashMap<&str, Vec<Record>> = HashMap::new();
        for entry in log {
            let stands = !annulled.contains(entry["check_in_id"].as_str().unwrap_or_default());
            let effect = entry["effect"].as_str().unwrap_or_default();
            match effect {
                "refuse" => {
                    let reason = entry["reason"].as_str().expect("a reason").to_owned();
                    *replay.refused.entry(reason).or_default() += 1;
                }
                "repeat" => replay.duplicates += 1,
                "admit" | "exit" => {
                    let entered = effect == "admit";
                    replay.admissions += u64::from(entered);
                    if !stands {
                        continue;
                    }
                    replay.walk_ins += u64::from(entry["walk_in"] == true);
                    let guest = entry["row_id"].as_str().expect("a guest");
                    let at = entry["check_in_time"]
                        .as_str()
                        .expect("a time")
                        .parse()
                        .expect("a time");
                    let seq = entry["seq"].as_u64().expect("a seq");
                    guests.entry(guest).or_default().push((at, seq, entered));
                }
                "annul" => {}
                _ => panic!("no effect: {entry}"),
            }
        }
        for records in guests.values_mut() {
            records.sort_unstable();
            replay.checked_in += u64::from(records.iter().any(|record| record.2));
            replay.inside += i64::from(records.last().is_some_and(|record| record.2));
        }
        replay
    }

    /// Demands that a dashboard counts the same.
    #[track_caller]
    pub fn agrees(&self, counts: &Counts) {
        assert_eq!(self.checked_in, counts.checked_in, "checked_in: {counts:?}");
        assert_eq!(self.inside, counts.inside, "inside: {counts:?}");
        assert_eq!(self.walk_ins, counts.walk_ins, "walk_ins: {counts:?}");
        assert_eq!(self.duplicates, counts.duplicates, "duplicates: {counts:?}");
        let refused: BTreeMap<_, _> = counts
            .refused
            .0
            .iter()
            .filter(|(_, count)| **count > 0)
            .collect();
        assert_eq!(
            self.refused.iter().collect::<BTreeMap<_, _>>(),
            refused,
            "refused: {counts:?}"
        );
    }

    /// Demands that nobody came in twice: no guest has two admissions that stand.
    #[track_caller]
    pub fn no_guest_twice(log: &[Value]) {
        let annulled: HashSet<&str> = log
            .iter()
            .filter_map(|entry| entry["annuls"]["check_in_id"].as_str())
            .collect();
        let mut admitted: HashMap<&str, &Value> = HashMap::new();
        for entry in log.iter().filter(|entry| entry["effect"] == "admit") {
            if annulled.contains(entry["check_in_id"].as_str().unwrap_or_default()) {
                continue;
            }
            if let Some(before) = admitted.insert(entry["row_id"].as_str().expect("a guest"), entry)
            {
                panic!("admitted twice: {before} {entry}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{History, Replay};
    use serde_json::{Value, json};

    fn scan(seq: u64, guest: &str, effect: &str, at: &str) -> Value {
        let verdict = match effect {
            "repeat" => "duplicate",
            "refuse" => "refused",
            _ => "accepted",
        };
        json!({"seq": seq, "kind": "scan", "nonce_key": format!("s|entry|{guest}|n{seq}"),
               "verdict": verdict, "reason": (effect == "refuse").then_some("blocked"),
               "effect": effect, "row_id": guest, "check_in_id": format!("c{seq}"),
               "check_in_time": format!("2026-01-01T{at}:00.000Z"), "walk_in": false})
    }

    fn annul(seq: u64, check_in: &str) -> Value {
        json!({"seq": seq, "kind": "annul", "effect": "annul", "annuls": {"check_in_id": check_in}})
    }

    #[test]
    fn a_replay_counts_what_stands_by_scan_time() {
        let log = [
            scan(1, "a", "admit", "10:00"),
            scan(2, "a", "repeat", "10:01"),
            scan(3, "a", "exit", "12:00"),
            scan(4, "b", "admit", "10:02"),
            scan(5, "c", "refuse", "10:03"),
            annul(6, "c4"),
            scan(7, "a", "admit", "11:00"),
        ];
        let replay = Replay::of(&log);
        assert_eq!(
            (replay.checked_in, replay.inside, replay.duplicates),
            (1, 0, 1)
        );
        assert_eq!((replay.refused["blocked"], replay.admissions), (1, 3));
    }

    #[test]
    #[should_panic(expected = "admitted twice")]
    fn a_second_admission_is_found() {
        Replay::no_guest_twice(&[
            scan(1, "a", "admit", "10:00"),
            scan(2, "a", "admit", "10:01"),
        ]);
    }

    #[test]
    fn a_guest_may_come_in_again_after_an_annulment() {
        Replay::no_guest_twice(&[
            scan(1, "a", "admit", "10:00"),
            annul(2, "c1"),
            scan(3, "a", "admit", "10:01"),
        ]);
    }

    #[test]
    #[should_panic(expected = "acknowledged and lost")]
    fn a_lost_acknowledgement_is_found() {
        let history = History::default();
        let noted = history.invoke("n9");
        history.acknowledge(
            noted,
            &json!({"seq": 9, "verdict": "accepted", "reason": null}),
        );
        history.judge(&[scan(1, "a", "admit", "10:00")]);
    }

    #[test]
    #[should_panic(expected = "not dense")]
    fn a_gap_is_found() {
        History::default().judge(&[
            scan(1, "a", "admit", "10:00"),
            scan(3, "b", "admit", "10:00"),
        ]);
    }

    #[test]
    #[should_panic(expected = "one nonce, two entries")]
    fn a_nonce_recorded_twice_is_found() {
        let mut twice = scan(2, "a", "repeat", "10:00");
        twice["nonce_key"] = json!("s|entry|a|n1");
        History::default().judge(&[scan(1, "a", "admit", "10:00"), twice]);
    }

    #[test]
    #[should_panic(expected = "was acknowledged")]
    fn an_answer_out_of_real_time_order_is_found() {
        let history = History::default();
        for (nonce, seq) in [("n2", 2), ("n1", 1)] {
            let noted = history.invoke(nonce);
            history.acknowledge(
                noted,
                &json!({"seq": seq, "verdict": "accepted", "reason": null}),
            );
        }
        history.judge(&[
            scan(1, "a", "admit", "10:00"),
            scan(2, "b", "admit", "10:00"),
        ]);
    }
}
