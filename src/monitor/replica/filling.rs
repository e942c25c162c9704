//! The history of checks, filled in from the rows that are there already: one statement at a time.
//!
//! Invariant: at most one statement every ten seconds, whatever number of checks wait; never while the
//! breaker is not closed or the replica is further behind than its limit; within a quarter of the budget
//! besides the whole of it. Nobody is told of what is found.
//! Failure: what nothing can be done about now waits a minute; what failed three times is left out. With
//! Postgres away the same is asked again later, and answered the same.

use chrono::{DateTime, TimeDelta, Utc};
use rules::monitor::backfill::{self, Backfill, Chunk, Past, Progress, Step};
use rules::monitor::breaker::{self, Breaker};
use rules::monitor::check::Check;
use rules::monitor::ledger::Ledger;
use rules::monitor::outcome::{Outcome, Skipped};
use serde_json::{Value, json};
use uuid::Uuid;

use super::asking::{Asking, Unasked};
use super::contact::Contact;
use super::home;
use super::memory;
use super::plan::{Plan, PlannedCheck};
use super::storage::Storage;
use super::store;
use crate::platform::clock;
use crate::platform::error::{Error, Result};
use crate::platform::log::{self, Level};
use crate::platform::scope::Scope;

/// No statement before then.
const NOT_BEFORE: &str = "fill_at";
/// What was spent of the quarter.
const LEDGER: &str = "fill_ledger";
/// Judgements that are brought home at a time.
const SLICE: usize = 10_000;

/// When there is something to fill in; none when all is done.
pub fn next(plan: &Plan, storage: &Storage, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    let due = plan
        .checks
        .iter()
        .filter_map(|check| check.backfill.due(now));
    let Some(due) = due.min() else {
        return Ok(None);
    };
    let not_before: Option<DateTime<Utc>> = storage.get(NOT_BEFORE)?;
    Ok(Some(not_before.map_or(due, |at| at.max(due))))
}

/// One step: asks about one chunk, or judges what was filled in. Answers how far which check is now.
pub async fn step(
    asking: &mut Asking<'_>,
    plan: &Plan,
    contact: &Contact,
    breaker: &mut Breaker,
    tenant: Uuid,
) -> Result<Option<(Uuid, Backfill)>> {
    let now = clock::now();
    // Whatever comes of it, the next one is not soon.
    wait(asking, backfill::PAUSE)?;
    let waiting = plan.checks.iter().filter(|check| {
        let due = check.backfill.due(now);
        due.is_some_and(|due| due <= now)
    });
    // Who asked first is filled in first, so that one is of use before all are.
    let first = waiting.min_by_key(|check| (check.backfill.asked_at.clone(), check.id));
    let Some((planned, check)) = first.and_then(|first| Some((first, first.check()?))) else {
        return Ok(None);
    };
    let filling = Filling {
        planned,
        check: &check,
        tenant,
    };
    let progress = planned.backfill.progress.clone();
    let Some(progress) = progress.or_else(|| backfill::begin(&check, contact.as_of())) else {
        let why = backfill::unavailable(&check).unwrap_or_default();
        return filling
            .home(asking, Backfill::unavailable(why), &[], &[])
            .await;
    };
    let chunk = match backfill::next(&check, planned.id, &progress, now) {
        Step::Done => return filling.end(asking, progress).await,
        Step::Wait(_) => return Ok(None),
        Step::Ask(chunk) => chunk,
    };
    if !contact.is_within() || !matches!(breaker.state(now), breaker::State::Closed) {
        wait(asking, backfill::HELD_UP)?;
        return Ok(None);
    }
    filling.ask(asking, plan, breaker, progress, &chunk).await
}

fn wait(asking: &Asking<'_>, pause: TimeDelta) -> Result<()> {
    asking.storage.put(NOT_BEFORE, &(clock::now() + pause))
}

/// A check whose history is filled in.
struct Filling<'a> {
    planned: &'a PlannedCheck,
    check: &'a Check,
    tenant: Uuid,
}

impl Filling<'_> {
    async fn ask(
        &self,
        asking: &mut Asking<'_>,
        plan: &Plan,
        breaker: &mut Breaker,
        progress: Progress,
        chunk: &Chunk,
    ) -> Result<Option<(Uuid, Backfill)>> {
        let Some(table) = plan.table(self.planned.table_id) else {
            return Ok(None);
        };
        let ledger: Ledger = asking.storage.get(LEDGER)?.unwrap_or_default();
        asking.share = Some((backfill::budget(&asking.budget), ledger));
        let answer = asking.past(&table.qualified(), self.check, chunk).await;
        if let Some((_, ledger)) = asking.share.take() {
            asking.storage.put(LEDGER, &ledger)?;
        }
        let now = clock::now();
        let before = self.planned.backfill.clone();
        let read = answer.and_then(|answer| {
            let read = backfill::read(self.check, self.planned.id, chunk, &answer);
            read.map_err(|wrong| Unasked::of(Outcome::Errored, "unreadable", wrong.message))
        });
        let (after, points) = match read {
            Ok(points) => {
                let progress = backfill::filled(progress, chunk, now);
                (before.stepped(progress, points.len()), points)
            }
            Err(unasked) => {
                if unasked.conflict {
                    asking.conflict(breaker);
                }
                if unasked.gone {
                    asking.line.close().await;
                }
                let after = match unasked.outcome {
                    Outcome::Misconfigured => Backfill::unavailable(unasked.text),
                    Outcome::Skipped {
                        why: Skipped::Conflict | Skipped::Locked | Skipped::Cost,
                    }
                    | Outcome::Errored => {
                        let progress = backfill::failed(progress, now);
                        before.stepped(progress, 0).because(&unasked.text)
                    }
                    // Nothing is wrong with the chunk.
                    _ => before.stepped(backfill::held_up(progress, now), 0),
                };
                (after, Vec::new())
            }
        };
        self.home(asking, after, &points, &[]).await
    }

    /// Judges all that is known of the past, as it would have been judged then.
    async fn end(
        &self,
        asking: &mut Asking<'_>,
        progress: Progress,
    ) -> Result<Option<(Uuid, Backfill)>> {
        let wants = json!({"check": self.planned.id, "revision": self.planned.revision,
            "since": progress.until - TimeDelta::days(1), "until": clock::now()});
        let mut found = memory::read(asking.ctx, self.tenant, &[wants]).await?;
        let points = found.remove(&self.planned.id).unwrap_or_default();
        let judged = serde_json::to_value(backfill::judge(self.check, &points))?;
        let judged = judged.as_array().map_or(&[][..], Vec::as_slice);
        let under_way = &self.planned.backfill;
        for slice in judged.chunks(SLICE) {
            self.home(asking, under_way.clone(), &[], slice).await?;
        }
        let ended = under_way.clone().stepped(progress, 0).ended();
        self.home(asking, ended, &[], &[]).await
    }

    async fn home(
        &self,
        asking: &mut Asking<'_>,
        after: Backfill,
        points: &[Past],
        judged: &[Value],
    ) -> Result<Option<(Uuid, Backfill)>> {
        let PlannedCheck { id, revision, .. } = self.planned;
        let after = Backfill {
            asked_at: self.planned.backfill.asked_at.clone(),
            ..after
        };
        let work = std::mem::take(&mut asking.work);
        let home = json!({
            "id": asking.connection, "check": id, "revision": revision,
            "asked_at": after.asked_at, "backfill": after, "as_of": clock::now(),
            "points": points, "judged": judged, "ledger": home::spent_at(clock::now(), &work, 0),
        });
        let scope = Scope::system(self.tenant);
        let taken = asking.ctx.pg.call(&scope, &store::FILLED, &home).await?;
        Ok(taken.map(|_: Value| (*id, after)))
    }
}

/// Says in the log that a step was not brought home; it is taken again.
pub fn complain(error: &Error) {
    log::write(
        Level::Warn,
        "filling",
        &[
            ("code", error.code.as_ref().into()),
            ("context", error.context.clone().into()),
        ],
    );
}
