//! What a connection may cost its replica in an hour, and what it did.
//!
//! Invariant: what was spent and set aside in any 60 minutes is never more than the budget, as long
//! as nothing costs more than what was set aside for it. Before a statement runs, the most that it
//! can cost is set aside; afterwards, what it did cost takes that place. A clock that goes back gives
//! nothing back.
//! Failure: what does not fit is told when it will.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::time;

/// Minutes that are looked back on: an hour, and the minute that is only partly part of it.
const MINUTES: i64 = 61;

/// An amount of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReplicaWork))]
pub struct Work {
    /// Statements.
    pub statements: u64,
    /// Milliseconds that they took.
    pub milliseconds: u64,
    /// Pages that were read, in buffers of 8 kB, as far as the plans tell.
    pub buffers: u64,
}

/// What may be spent in any hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReplicaBudget))]
pub struct Budget {
    /// Statements.
    pub statements: u64,
    /// Milliseconds.
    pub milliseconds: u64,
    /// Buffers.
    pub buffers: u64,
}

impl Default for Budget {
    /// One statement a second, a twelfth of one processor's time, 16 GB of pages.
    fn default() -> Self {
        Self {
            statements: 3_600,
            milliseconds: 300_000,
            buffers: 2_000_000,
        }
    }
}

/// What was spent, by the minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The minute and what was spent in it, oldest first.
    minutes: VecDeque<(i64, Work)>,
}

/// Work that was set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    minute: i64,
    work: Work,
}

/// There is not enough left of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotBefore {
    /// From then on there is; none when it is more than the whole budget.
    #[serde(with = "time::ms_option")]
    pub at: Option<DateTime<Utc>>,
}

/// What a connection costs its replica.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReplicaImpact))]
pub struct Impact {
    /// What may be spent in an hour now.
    pub budget: Budget,
    /// What was spent in the last hour.
    pub spent: Work,
    /// The largest of the three shares, 0 to 1.
    pub share: f64,
    /// What was spent in each minute of the last hour that had any.
    pub minutes: Vec<ImpactMinute>,
}

/// What was spent in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ReplicaImpactMinute))]
pub struct ImpactMinute {
    /// Its start.
    #[serde(with = "time::ms")]
    pub at: DateTime<Utc>,
    /// What was spent.
    #[serde(flatten)]
    pub work: Work,
}

impl Work {
    fn plus(self, other: Self) -> Self {
        Self {
            statements: self.statements.saturating_add(other.statements),
            milliseconds: self.milliseconds.saturating_add(other.milliseconds),
            buffers: self.buffers.saturating_add(other.buffers),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            statements: self.statements.saturating_sub(other.statements),
            milliseconds: self.milliseconds.saturating_sub(other.milliseconds),
            buffers: self.buffers.saturating_sub(other.buffers),
        }
    }

    fn fits(self, budget: &Budget) -> bool {
        self.statements <= budget.statements
            && self.milliseconds <= budget.milliseconds
            && self.buffers <= budget.buffers
    }
}

impl Budget {
    /// A part of it, rounded down.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        let part = |whole: u64| (whole as f64 * factor.clamp(0.0, 1.0)) as u64;
        Self {
            statements: part(self.statements),
            milliseconds: part(self.milliseconds),
            buffers: part(self.buffers),
        }
    }
}

impl Ledger {
    /// Whether this much work may be done now.
    pub fn may(&self, budget: &Budget, work: Work, now: DateTime<Utc>) -> Result<(), NotBefore> {
        let minute = self.minute(now);
        let spent = self.since(minute - MINUTES + 1);
        if spent.plus(work).fits(budget) {
            return Ok(());
        }
        let never = NotBefore { at: None };
        if !work.fits(budget) {
            return Err(never);
        }
        // Minutes fall out of the hour one by one.
        let later = self.minutes.iter().map(|(minute, _)| minute + MINUTES);
        let at = later
            .filter(|later| *later > minute)
            .find(|later| self.since(later - MINUTES + 1).plus(work).fits(budget));
        Err(at.map_or(never, |at| NotBefore {
            at: Some(time::from_ms(at.saturating_mul(60_000))),
        }))
    }

    /// Sets work aside, if it may be done.
    pub fn reserve(
        &mut self,
        budget: &Budget,
        work: Work,
        now: DateTime<Utc>,
    ) -> Result<Reserved, NotBefore> {
        self.may(budget, work, now)?;
        let minute = self.minute(now);
        self.add(minute, work);
        Ok(Reserved { minute, work })
    }

    /// Puts what was done in the place of what was set aside.
    pub fn settle(&mut self, reserved: Reserved, done: Work) {
        let found = self
            .minutes
            .iter_mut()
            .find(|(minute, _)| *minute == reserved.minute);
        if let Some((_, work)) = found {
            *work = work.minus(reserved.work).plus(done);
        }
    }

    /// Notes work that was done without being set aside.
    pub fn spend(&mut self, work: Work, now: DateTime<Utc>) {
        self.add(self.minute(now), work);
    }

    /// What was spent in the last hour.
    pub fn spent(&self, now: DateTime<Utc>) -> Work {
        self.since(self.minute(now) - MINUTES + 1)
    }

    /// What is shown of it.
    pub fn impact(&self, budget: &Budget, now: DateTime<Utc>) -> Impact {
        let spent = self.spent(now);
        let share = |part: u64, whole: u64| match whole {
            0 => f64::from(u8::from(part > 0)),
            whole => part as f64 / whole as f64,
        };
        let oldest = self.minute(now) - MINUTES + 1;
        let minutes = self.minutes.iter().filter(|(minute, _)| *minute >= oldest);
        Impact {
            budget: *budget,
            spent,
            share: share(spent.statements, budget.statements)
                .max(share(spent.milliseconds, budget.milliseconds))
                .max(share(spent.buffers, budget.buffers)),
            minutes: minutes
                .map(|(minute, work)| ImpactMinute {
                    at: time::from_ms(minute.saturating_mul(60_000)),
                    work: *work,
                })
                .collect(),
        }
    }

    /// The minute it is, never before the last one that is noted.
    fn minute(&self, now: DateTime<Utc>) -> i64 {
        let minute = now.timestamp().div_euclid(60);
        self.minutes
            .back()
            .map_or(minute, |(last, _)| minute.max(*last))
    }

    fn since(&self, oldest: i64) -> Work {
        let within = self.minutes.iter().filter(|(minute, _)| *minute >= oldest);
        within.fold(Work::default(), |sum, (_, work)| sum.plus(*work))
    }

    fn add(&mut self, minute: i64, work: Work) {
        match self.minutes.back_mut() {
            Some((last, sum)) if *last == minute => *sum = sum.plus(work),
            _ => self.minutes.push_back((minute, work)),
        }
        while self
            .minutes
            .front()
            .is_some_and(|(first, _)| *first <= minute - MINUTES)
        {
            self.minutes.pop_front();
        }
    }
}
