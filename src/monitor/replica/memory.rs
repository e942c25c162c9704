//! What the object of a connection remembers of what its checks have learned.
//!
//! A run of a check that learns needs the results of eight weeks once a day, and otherwise the last
//! day's: of the rest the baseline is kept, which holds from midnight to midnight. It is kept in memory
//! only: an object that forgot it reads and learns once, and says the same.
//!
//! Invariant: what is judged is what the whole history would say; a changed definition, a mark and what
//! was filled in from the past are learned from anew.
//! Failure: what Postgres does not answer is not judged; the run says so.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use rules::detector::{Kept, Point};
use rules::monitor::check::{Check, Kind, Reference};
use rules::monitor::learned::Learning;
use serde_json::{Value, json};
use uuid::Uuid;

use super::plan::PlannedCheck;
use super::store;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::scope::Scope;

/// How far back history is read: what the detector learns from, and the day of the value.
const HISTORY: TimeDelta = TimeDelta::days(58);
/// The time around a week ago, for thresholds that refer to it.
const WEEK_AGO: (TimeDelta, TimeDelta) = (TimeDelta::days(8), TimeDelta::days(6));
/// Points that are remembered of all checks together, about 32 MB.
const MOST: usize = 1_000_000;

/// What is remembered of all checks.
#[derive(Default)]
pub struct Memory {
    checks: HashMap<Uuid, Remembered>,
    week_ago: BTreeMap<Uuid, Vec<Point>>,
}

/// What is remembered of one check.
struct Remembered {
    /// The version of the check, and of its results, that it was learned from.
    of: (i64, i64),
    kept: Kept,
    used_at: DateTime<Utc>,
}

/// A check that is about to run.
#[derive(Clone, Copy)]
pub struct Learner<'a> {
    /// The check as it is planned.
    pub planned: &'a PlannedCheck,
    /// What it is.
    pub check: &'a Check,
}

/// What a run of a check is judged by.
#[derive(Clone, Copy, Default)]
pub struct Past<'a> {
    /// What it has learned, if it learns.
    pub kept: Option<&'a Kept>,
    /// What it measured, oldest first, as far as that is needed.
    pub points: &'a [Point],
}

impl Learner<'_> {
    fn of(&self) -> (i64, i64) {
        (self.planned.version, self.planned.learnt)
    }

    fn refers(&self) -> bool {
        let references = self.check.thresholds.references();
        references.contains(&Reference::SameHourLastWeek)
    }

    /// About when its next value is of.
    fn next_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match &self.check.kind {
            Kind::Volume(volume) => {
                let seconds = i64::from(volume.bucket) + i64::from(volume.late_arrivals);
                now - TimeDelta::seconds(seconds)
            }
            _ => now,
        }
    }

    fn wants(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Value {
        let PlannedCheck { id, revision, .. } = self.planned;
        json!({"check": id, "revision": revision, "since": since, "until": until})
    }
}

impl Memory {
    /// Makes sure that what these checks are judged by is known, as far as can be told before they are
    /// asked; what is not is read from Postgres, for all at once.
    pub async fn refresh(
        &mut self,
        ctx: &Ctx,
        tenant: Uuid,
        learners: &[Learner<'_>],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let wants = learners.iter().filter_map(|learner| {
            let at = learner.next_at(now);
            match (Learning::of(learner.check), self.current(learner, at)) {
                (Some(_), Some(kept)) => Some(learner.wants(kept.since(), now)),
                (Some(_), None) => Some(learner.wants(now - HISTORY, now)),
                (None, _) if learner.refers() => {
                    Some(learner.wants(at - WEEK_AGO.0, at - WEEK_AGO.1))
                }
                (None, _) => None,
            }
        });
        let wants: Vec<Value> = wants.collect();
        if wants.is_empty() {
            return Ok(());
        }
        let mut found = read(ctx, tenant, &wants).await?;
        let mut again = Vec::new();
        for learner in learners {
            let id = learner.planned.id;
            let points = found.remove(&id).unwrap_or_default();
            if Learning::of(learner.check).is_none() {
                if learner.refers() {
                    self.week_ago.insert(id, points);
                }
                continue;
            }
            let at = learner.next_at(now);
            let known = self.checks.get_mut(&id);
            let known = known.filter(|known| known.of == learner.of() && known.kept.current(at));
            match known.map(|known| known.renew(&points, now)) {
                Some(true) => {}
                // What was learned from has changed since.
                Some(false) => again.push((*learner, at)),
                None => self.learn(learner, &points, at, now),
            }
        }
        for (learner, at) in again {
            self.read_whole(ctx, tenant, learner, at, now).await?;
        }
        self.forget_some();
        Ok(())
    }

    /// What a check is judged by that measured a value of this instant.
    pub async fn past(
        &mut self,
        ctx: &Ctx,
        tenant: Uuid,
        learner: Learner<'_>,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Past<'_>> {
        let id = learner.planned.id;
        if Learning::of(learner.check).is_none() {
            let points = self.week_ago.get(&id).map_or(&[][..], Vec::as_slice);
            return Ok(Past { kept: None, points });
        }
        // The value is of another day than was thought.
        if self.current(&learner, at).is_none() {
            self.read_whole(ctx, tenant, learner, at, now).await?;
        }
        let kept = self.checks.get(&id).map(|known| &known.kept);
        let points = kept.map_or(&[][..], Kept::points);
        Ok(Past { kept, points })
    }

    fn current(&self, learner: &Learner<'_>, at: DateTime<Utc>) -> Option<&Kept> {
        let known = self.checks.get(&learner.planned.id)?;
        (known.of == learner.of() && known.kept.current(at)).then_some(&known.kept)
    }

    async fn read_whole(
        &mut self,
        ctx: &Ctx,
        tenant: Uuid,
        learner: Learner<'_>,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let wants = [learner.wants(now - HISTORY, now)];
        let mut found = read(ctx, tenant, &wants).await?;
        let points = found.remove(&learner.planned.id).unwrap_or_default();
        self.learn(&learner, &points, at, now);
        Ok(())
    }

    fn learn(
        &mut self,
        learner: &Learner<'_>,
        points: &[Point],
        at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) {
        let Some(learning) = Learning::of(learner.check) else {
            return;
        };
        let remembered = Remembered {
            of: learner.of(),
            kept: Kept::learn(&learning.series(points), at),
            used_at: now,
        };
        self.checks.insert(learner.planned.id, remembered);
    }

    /// Forgets what was not used for longest, so that a connection of many checks stays within bounds.
    fn forget_some(&mut self) {
        let size = |known: &Remembered| known.kept.points().len();
        let mut all: usize = self.checks.values().map(size).sum();
        let mut oldest: Vec<_> = self
            .checks
            .iter()
            .map(|(id, known)| (known.used_at, *id))
            .collect();
        oldest.sort_unstable();
        for (_, id) in oldest {
            if all <= MOST {
                return;
            }
            if let Some(known) = self.checks.remove(&id) {
                all -= size(&known);
            }
        }
    }
}

impl Remembered {
    fn renew(&mut self, points: &[Point], now: DateTime<Utc>) -> bool {
        self.used_at = now;
        self.kept.renew(points)
    }
}

/// Results of some checks, oldest first.
pub async fn read(ctx: &Ctx, tenant: Uuid, wants: &[Value]) -> Result<BTreeMap<Uuid, Vec<Point>>> {
    let asked = json!({"wants": wants});
    ctx.pg
        .call(&Scope::system(tenant), &store::HISTORY, &asked)
        .await
}
