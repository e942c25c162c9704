//! What a run came to, brought home to Postgres.
//!
//! Invariant: it is kept in this object's storage before Postgres is told, and nothing more is asked of
//! the replica until Postgres has taken it; Postgres takes a run once, by its number. So one run at
//! most is kept.
//! Failure: with Postgres away the run waits for the next alarm; alerts see it with the time at which
//! it was made.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rules::monitor::breaker::Breaker;
use rules::monitor::ledger::Work;
use rules::monitor::outcome::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::contact::Contact;
use super::judging::Ran;
use super::plan::Plan;
use super::storage::Storage;
use super::store;
use super::telling::{self, Told};
use super::wake::Wake;
use crate::delivery;
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::scope::Scope;
use crate::tenant;

/// Most questions by hand that are told of later.
const OWED: usize = 100;
/// How often a run that lost the race decides again.
const RACES: usize = 5;

/// What a run came to.
#[derive(Deserialize, Serialize)]
pub struct Found {
    /// Later runs have higher numbers, also after this storage was lost; none if nothing was asked.
    pub number: Option<i64>,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Whether the replica could be asked, if it was tried.
    pub contact: Option<Contact>,
    /// Each check that was run.
    pub ran: Vec<Ran>,
    /// What was spent.
    pub work: Work,
    /// When there is something to ask next.
    pub next: Option<DateTime<Utc>>,
    /// Since when the check waits that has waited longest, which may be long before that.
    #[serde(default)]
    pub waiting: Option<DateTime<Utc>>,
    /// When it was to be looked at as the plan said; whoever has changed that since is not overruled.
    #[serde(default)]
    pub due_seen: Option<String>,
}

impl Wake<'_> {
    /// The plan, after what an earlier run came to was brought home; none when the connection is gone.
    pub(super) async fn caught_up(&self) -> Result<Option<Plan>> {
        let Some(plan) = self.plan().await? else {
            return Ok(None);
        };
        match self.storage.get::<Found>("found")? {
            Some(found) => {
                self.bring_home(plan, &found).await?;
                self.plan().await
            }
            None => Ok(Some(plan)),
        }
    }

    /// Keeps what was found until Postgres has taken it.
    pub(super) fn keep(&self, mut found: Found) -> Result<Found> {
        if found.contact.is_some() {
            let last: i64 = self.storage.get("number")?.unwrap_or_default();
            let number = found.at.timestamp_millis().max(last + 1);
            found.number = Some(number);
            self.storage.put("number", &number)?;
            self.storage.put("found", &found)?;
        }
        Ok(found)
    }

    /// Answers when there is something to do next.
    pub(super) async fn bring_home(
        &self,
        mut plan: Plan,
        found: &Found,
    ) -> Result<Option<DateTime<Utc>>> {
        let scope = Scope::system(self.tenant);
        for _ in 0..RACES {
            let now = clock::now();
            let told = Told::of(
                &plan,
                self.connection,
                found.contact.as_ref(),
                &found.ran,
                found.at,
            );
            let evaluation = told.evaluate(&plan.standing, now);
            let next = found.next.into_iter().chain(evaluation.next).min();
            // Health goes by what waits, not by the alarm.
            let due_at = next.into_iter().chain(found.waiting).min();
            let mut home = json!({
                "id": self.connection, "run": found.number, "standing": plan.standing.standing,
                "due_at": due_at, "due_seen": found.due_seen,
                "results": found.ran.iter().map(|ran| &ran.result).collect::<Vec<_>>(),
                "checks": stood(&plan, &found.ran), "tables": looked(&plan, &found.ran),
                "ledger": ledger(found),
            });
            if let (Some(fields), Some(contact)) = (home.as_object_mut(), &found.contact) {
                let breaker: Breaker = self.storage.get("breaker")?.unwrap_or_default();
                fields.insert("status".to_owned(), contact.status(&breaker, found.at));
            }
            telling::written(&told, &evaluation, &self.ctx.config.public_url, &mut home);
            let recorded = self.ctx.pg.call(&scope, &store::TAKE, &home).await?;
            let Some(recorded) = recorded else {
                return Ok(None);
            };
            if !recorded.conflict {
                if found.number.is_some() {
                    self.storage.drop("found")?;
                }
                if recorded.emitted > 0 {
                    tenant::announce(self.ctx, self.tenant, &plan.live.place()).await;
                }
                if recorded.posted > 0 {
                    delivery::announce(self.ctx, self.tenant).await;
                }
                return Ok(next);
            }
            match self.plan().await? {
                Some(again) => plan.standing = again.standing,
                None => return Ok(None),
            }
        }
        Err(Error::unavailable(
            "the alerts were moved by others each time",
        ))
    }
}

/// How the checks stand that were run.
fn stood(plan: &Plan, ran: &[Ran]) -> Vec<Value> {
    let stood = ran.iter().filter_map(|ran| {
        let planned = plan.checks.iter().find(|check| check.id == ran.check)?;
        Some(json!({
            "id": ran.check, "version": planned.version, "state": ran.state,
            "last_at": ran.period, "last_outcome": ran.result.outcome,
            "last_value": ran.result.value,
        }))
    });
    stood.collect()
}

/// The tables whose columns were looked at.
fn looked(plan: &Plan, ran: &[Ran]) -> Vec<Value> {
    let looked = ran.iter().filter_map(|ran| {
        let snapshot = ran.snapshot.as_ref()?;
        let planned = plan.checks.iter().find(|check| check.id == ran.check)?;
        Some(json!({"id": planned.table_id, "columns": snapshot}))
    });
    looked.collect()
}

/// What was spent, for the hour.
fn ledger(found: &Found) -> Vec<Value> {
    let mut skipped: BTreeMap<String, u32> = BTreeMap::new();
    for ran in &found.ran {
        if let (Outcome::Skipped { .. }, Some(reason)) = (ran.outcome, &ran.result.reason) {
            *skipped.entry(reason.clone()).or_default() += 1;
        }
    }
    if found.contact.is_none() {
        return Vec::new();
    }
    let mut ledger = spent_at(found.at, &found.work, found.ran.len());
    if let Some(hour) = ledger.first_mut().and_then(Value::as_object_mut) {
        hour.insert("skipped".to_owned(), json!(skipped));
    }
    ledger
}

/// What was spent at a time, as the ledger takes it.
pub(super) fn spent_at(at: DateTime<Utc>, work: &Work, runs: usize) -> Vec<Value> {
    let hour = at.timestamp() - at.timestamp().rem_euclid(3_600);
    vec![json!({
        "hour": rules::time::from_ms(hour * 1_000), "statements": work.statements,
        "milliseconds": work.milliseconds, "buffers": work.buffers, "runs": runs,
    })]
}

/// Adds what was asked by hand, or for a dry run, to what the connection cost. What Postgres does not
/// take now is added the next time.
pub(super) async fn note(
    ctx: &Ctx,
    storage: &Storage,
    (tenant, connection): (Uuid, Uuid),
    work: &Work,
    runs: usize,
) -> Result<()> {
    let mut owed: Vec<Value> = storage.get("owed")?.unwrap_or_default();
    owed.extend(spent_at(clock::now(), work, runs));
    let surplus = owed.len().saturating_sub(OWED);
    owed.drain(..surplus);
    storage.put("owed", &owed)?;
    let scope = Scope::system(tenant);
    // One hour may be told of once in a statement.
    while let Some(hour) = owed.first() {
        let noted = json!({"id": connection, "ledger": [hour]});
        if ctx.pg.call(&scope, &store::SPENT, &noted).await.is_err() {
            break;
        }
        owed.remove(0);
        storage.put("owed", &owed)?;
    }
    Ok(())
}
