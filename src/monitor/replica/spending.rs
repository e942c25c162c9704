//! What asking may cost, and what it did.
//!
//! Invariant: before a statement runs, the most that it may take is set aside and kept in this object's
//! storage; a tenth of the budget is never for data, so that the replica's position can be watched.
//! Failure: what is not left is [`Unasked`] with `budget`, and nothing is asked.

use rules::monitor::breaker::{Breaker, Sign};
use rules::monitor::ledger::{Budget, Reserved, Work};
use rules::monitor::outcome::{Outcome, Skipped};

use super::asking::{Asking, Unasked};
use crate::platform::clock;

/// What part of the budget is not for data.
const WATCHING: f64 = 0.1;

impl Asking<'_> {
    /// Whether data may be read that takes this much.
    pub(super) fn affordable(&self, work: Work) -> Result<(), Unasked> {
        let now = clock::now();
        if let Some((budget, ledger)) = &self.share {
            ledger.may(budget, work, now).map_err(|_| spent())?;
        }
        let may = self.ledger.may(&self.data_budget(), work, now);
        may.map_err(|_| spent())
    }

    /// A statement was in the way of recovery.
    pub fn conflict(&mut self, breaker: &mut Breaker) {
        let now = clock::now();
        *breaker = std::mem::take(breaker).after(Sign::Conflict, now);
        self.factor = breaker.factor(now);
    }

    /// What data may be read for: what the breaker leaves, less what it takes to go on watching where
    /// the replica is.
    pub(super) fn data_budget(&self) -> Budget {
        self.budget.times(self.factor * (1.0 - WATCHING))
    }

    /// The most that so many statements about the catalogue take: one may use up its time.
    pub(super) fn least(&self, statements: u64) -> Work {
        Work {
            statements,
            milliseconds: u64::from(self.limits.statement_ms),
            buffers: 0,
        }
    }

    /// Sets work aside. It stays so if this object dies before the statement ends.
    pub(super) fn reserve(&mut self, budget: &Budget, work: Work) -> Result<Reserved, Unasked> {
        let reserved = self.ledger.reserve(budget, work, clock::now());
        let reserved = reserved.map_err(|_| spent())?;
        let kept = self.storage.put("ledger", &self.ledger);
        kept.map_err(|error| self.broken(error))?;
        Ok(reserved)
    }

    /// Counts what was done.
    pub(super) fn note(&mut self, done: Work) {
        self.work.statements += done.statements;
        self.work.milliseconds += done.milliseconds;
        self.work.buffers += done.buffers;
        if let Some((_, ledger)) = &mut self.share {
            ledger.spend(done, clock::now());
        }
    }
}

fn spent() -> Unasked {
    let text = "The budget of the hour is spent.";
    Unasked::of(Outcome::skipped(Skipped::Budget), "budget", text)
}
