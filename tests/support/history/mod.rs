//! A history of scans: what was asked, what was acknowledged, and whether a log agrees.
//!
//! Invariant: the judgement uses only what clients saw and the log itself, with models of its own;
//! no counter that Pulse keeps is trusted.
//! Failure: each broken promise is a [`Fault`] with the operations or entries that show it.

mod admissions;
mod fault;
mod log;
mod replay;
#[cfg(test)]
mod tests;

pub use admissions::{Admissions, Rule};
pub use fault::{Fault, PROMISES, Promise, none};
pub use log::{Effect, Logged, read};
pub use replay::Replay;

use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

/// A scan or an annulment that a client sent, perhaps several times with the same nonce.
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
    /// Retries that were told something else than before.
    unequal: Mutex<Vec<Fault>>,
}

/// An operation that was noted.
#[derive(Clone, Copy, Debug)]
pub struct Noted(usize);

impl History {
    fn operations(&self) -> MutexGuard<'_, Vec<Operation>> {
        self.operations.lock().expect("no panic meanwhile")
    }

    /// An operation is about to be sent for the first time.
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

    /// The answer to an operation came, for the first time or again.
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
            Some((_, before)) if *before != told => {
                let what = format!("one nonce, two answers: {operation:?}, then {told:?}");
                let fault = Fault::of(Promise::SameAnswer, what);
                self.unequal.lock().expect("no panic meanwhile").push(fault);
            }
            Some(_) => {}
            None => operation.acknowledged = Some((Instant::now(), told)),
        }
    }

    /// How many operations were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.operations()
            .iter()
            .filter(|operation| operation.acknowledged.is_some())
            .count()
    }

    /// Judges a whole log (its entries in order of `seq`) against what clients were told.
    #[track_caller]
    pub fn judge(&self, log: &[Value]) {
        none(&self.faults(&read(log)));
    }

    /// What a whole log and what clients were told do not agree on.
    pub fn faults(&self, log: &[Logged]) -> Vec<Fault> {
        let mut faults = replay::dense(log);
        faults.extend(self.unequal.lock().expect("no panic meanwhile").clone());
        let mut by_nonce: HashMap<&str, &Logged> = HashMap::with_capacity(log.len());
        for entry in log {
            if let Some(other) = by_nonce.insert(entry.nonce(), entry) {
                let what = format!("one nonce, two entries: {other:?} {entry:?}");
                faults.push(Fault::of(Promise::Once, what));
            }
        }
        let operations = self.operations();
        for operation in operations.iter() {
            let Some((_, told)) = &operation.acknowledged else {
                continue;
            };
            let Some(entry) = by_nonce.get(&*operation.nonce) else {
                faults.push(Fault::of(Promise::Kept, format!("{operation:?}")));
                continue;
            };
            let logged = Acknowledged {
                seq: entry.seq,
                verdict: entry.verdict.clone(),
                reason: entry.reason.clone(),
            };
            if *told != logged {
                let what = format!("{operation:?}, logged {logged:?}");
                faults.push(Fault::of(Promise::SameAnswer, what));
            }
        }
        faults.extend(out_of_real_time(&operations));
        faults
    }
}

/// Operations that began after another was acknowledged and come earlier in the log.
fn out_of_real_time(operations: &[Operation]) -> Vec<Fault> {
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
    let (mut highest, mut next, mut faults) = (0, 0, Vec::new());
    for (invoked, seq) in begun {
        while next < done.len() && done[next].0 < invoked {
            highest = highest.max(done[next].1);
            next += 1;
        }
        if seq <= highest {
            let what = format!("seq {seq} began after seq {highest} was acknowledged");
            faults.push(Fault::of(Promise::RealTime, what));
        }
    }
    faults
}
