//! One run: what is due is asked, judged, and brought home.
//!
//! Invariant: of one period a check has one result, and is begun twice at most: it is claimed in this
//! object's storage before anything is asked. What is asked is counted, whoever wanted it.
//! Failure: a replica that cannot be asked is a result of every check that was due, and an alert about
//! the connection; none of these says anything about data.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rules::monitor::again::Again;
use rules::monitor::backfill::Backfill;
use rules::monitor::breaker::{self, Breaker};
use rules::monitor::check::{Check, Kind};
use rules::monitor::due::{self, Claim, Entry, Run};
use rules::monitor::ledger::Work;
use rules::monitor::outcome::{Outcome, Skipped};
use rules::monitor::schema::Snapshot;
use rules::monitor::session::Limits;
use rules::monitor::verdict::Verdict;
use serde_json::json;
use uuid::Uuid;

use super::asking::{Asking, Unasked};
use super::contact::{Contact, reach};
use super::filling;
use super::home;
use super::judging::{Case, Ran};
use super::line::Line;
use super::memory::{Learner, Memory};
use super::plan::{Plan, PlannedCheck, PlannedTable};
use super::storage::Storage;
use super::store;
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::scope::Scope;

/// What is run before its time.
const AGAIN: &str = "again";
/// Most checks of one run; the others are due again at once.
const MOST: usize = 25;

/// Which checks are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that are due.
    Due,
    /// Those of a table, now.
    Of(Uuid),
}

/// What a run came to.
pub struct Done {
    /// Each check that was run.
    pub ran: Vec<Ran>,
    /// Whether the replica could be asked, if it was tried.
    pub contact: Option<Contact>,
    /// When there is something to do next.
    pub next: Option<DateTime<Utc>>,
}

/// One run of one object.
pub struct Wake<'a> {
    /// What the event carries.
    pub ctx: &'a Ctx,
    /// The object's storage.
    pub storage: &'a Storage,
    /// The session.
    pub line: &'a mut Line,
    /// What checks have learned.
    pub memory: &'a mut Memory,
    /// The connection.
    pub connection: Uuid,
    /// Its tenant.
    pub tenant: Uuid,
}

/// What asking came to.
#[derive(Default)]
struct Asked {
    contact: Option<Contact>,
    ran: Vec<Ran>,
    work: Work,
    filled: Option<(Uuid, Backfill)>,
}

/// What is known from before, for judging.
struct Learned<'a> {
    memory: &'a mut Memory,
    tenant: Uuid,
}

/// A check with its table, ready to run.
struct Ready<'p> {
    planned: &'p PlannedCheck,
    table: &'p PlannedTable,
    check: Check,
}

impl Wake<'_> {
    /// Runs, and brings home what came of it unless it is a dry run.
    pub async fn run(&mut self, which: Which, dry: bool) -> Result<Option<Done>> {
        let Some(mut plan) = self.caught_up().await? else {
            return Ok(None);
        };
        let now = clock::now();
        let mut entries = self.entries(&plan)?;
        let ready = ready(&plan);
        let mut runs = match which {
            Which::Due => due::due(&entries, now, MOST),
            Which::Of(table) => ready
                .iter()
                .filter(|ready| ready.table.id == table)
                .map(|ready| Run {
                    check: ready.planned.id,
                    period: now,
                    waiting: now,
                })
                .collect(),
        };
        let before = self.claims()?;
        let mut again: Again = self.storage.get(AGAIN)?.unwrap_or_default();
        again.keep(|check| ready.iter().any(|ready| ready.planned.id == check));
        if which == Which::Due {
            join(&mut runs, &again, now);
            self.claim(&mut entries, &runs)?;
        }
        let looks = which == Which::Due && plan.access.enabled && again.looks(now);
        let fills = which == Which::Due
            && filling::next(&plan, self.storage, now)?.is_some_and(|at| at <= now);
        let asked = match runs.is_empty() && !fills && !looks {
            true => Asked::default(),
            false => match self.ask(&plan, &ready, &runs, which, fills, now).await {
                Ok(asked) => asked,
                // Nothing came of it, and not because of the replica: all of it is due again.
                Err(error) => {
                    self.storage.put("claims", &before)?;
                    return Err(error);
                }
            },
        };
        let Asked {
            contact,
            ran,
            work,
            filled,
        } = asked;
        drop(ready);
        let at = clock::now();
        if !dry {
            if let Some(contact) = &contact {
                again.reached(contact.is_there(), at);
            }
            for ran in &ran {
                let entry = entries.iter().find(|entry| entry.check == ran.check);
                let due_at = entry.map_or(at, Entry::due_at);
                again.ran(ran.check, ran.outcome, due_at, at);
            }
        }
        if let Some((check, backfill)) = filled {
            if !backfill.is_open() && backfill.points > 0 {
                again.soon(check, at);
            }
            plan.filled(check, backfill);
        }
        self.storage.put(AGAIN, &again)?;
        let next = [
            again.next().filter(|_| plan.access.enabled),
            due::next_alarm(&entries, at),
            filling::next(&plan, self.storage, at)?,
        ];
        let next = next.into_iter().flatten().min();
        let mut done = Done { ran, contact, next };
        if dry {
            let whose = (self.tenant, self.connection);
            home::note(self.ctx, self.storage, whose, &work, done.ran.len()).await?;
        } else {
            let found = home::Found {
                number: None,
                at: clock::now(),
                contact: done.contact,
                ran: done.ran,
                work,
                next,
                waiting: due::waiting(&entries),
                due_seen: plan.due_at.clone(),
            };
            let found = self.keep(found)?;
            done = Done {
                next: self.bring_home(plan, &found).await?,
                ran: found.ran,
                contact: found.contact,
            };
        }
        Ok(Some(done))
    }

    pub(super) async fn plan(&self) -> Result<Option<Plan>> {
        let which = json!({"id": self.connection});
        let scope = Scope::system(self.tenant);
        let plan = self.ctx.pg.call(&scope, &store::PLAN, &which).await?;
        Ok(plan.map(|mut plan: Plan| {
            if !plan.access.enabled {
                plan.checks.clear();
            }
            plan
        }))
    }

    /// The periods that this object has begun, by check.
    fn claims(&self) -> Result<BTreeMap<Uuid, Claim>> {
        Ok(self.storage.get("claims")?.unwrap_or_default())
    }

    fn entries(&self, plan: &Plan) -> Result<Vec<Entry>> {
        let claims = self.claims()?;
        let entry = |planned: &PlannedCheck| {
            let every = planned.check().map_or(3_600, |check| check.every);
            let claim = claims.get(&planned.id);
            let claim = claim.filter(|claim| claim.stands(planned.last_at));
            planned.entry(every, claim.map(|claim| claim.period))
        };
        Ok(plan.checks.iter().map(entry).collect())
    }

    fn claim(&self, entries: &mut [Entry], runs: &[Run]) -> Result<()> {
        let before = self.claims()?;
        let mut claims = BTreeMap::new();
        for entry in entries.iter_mut() {
            let known = before.get(&entry.check);
            let claim = match runs.iter().find(|run| run.check == entry.check) {
                Some(run) => {
                    entry.claim(run.period);
                    Some(Claim::begin(run.period, known))
                }
                None => known.copied(),
            };
            claims.extend(claim.map(|claim| (entry.check, claim)));
        }
        self.storage.put("claims", &claims)
    }

    async fn ask(
        &mut self,
        plan: &Plan,
        ready: &[Ready<'_>],
        runs: &[Run],
        which: Which,
        fills: bool,
        now: DateTime<Utc>,
    ) -> Result<Asked> {
        let runs = runs.iter().filter_map(|run| {
            let found = ready.iter().find(|ready| ready.planned.id == run.check)?;
            Some((found, run.period))
        });
        let runs: Vec<_> = runs.collect();
        let learners: Vec<_> = runs.iter().map(|(ready, _)| ready.learner()).collect();
        self.memory
            .refresh(self.ctx, self.tenant, &learners, now)
            .await?;
        let mut breaker: Breaker = self.storage.get("breaker")?.unwrap_or_default();
        let mut asking = Asking {
            ctx: self.ctx,
            storage: self.storage,
            line: self.line,
            connection: self.connection,
            access: &plan.access,
            budget: plan.access.hourly(),
            factor: breaker.factor(now),
            ledger: self.storage.get("ledger")?.unwrap_or_default(),
            work: Work::default(),
            share: None,
            catalog: BTreeMap::new(),
            version: 0,
            limits: Limits::default(),
        };
        let contact = reach(&mut asking, &mut breaker).await;
        let mut ran = Vec::with_capacity(runs.len());
        let mut gone = None;
        for (one, period) in runs {
            let case = Case {
                id: one.planned.id,
                check: &one.check,
                period,
                origin: match which {
                    Which::Due => "schedule",
                    Which::Of(_) => "manual",
                },
                as_of: contact.as_of(),
                state: &one.planned.state,
                previous: one.planned.last_value,
                revision: one.planned.revision,
                now: clock::now(),
            };
            let outcome = match (&contact, &gone) {
                (Contact::Down(unasked), _) => case.failed(unasked),
                (_, Some(unasked)) => case.failed(unasked),
                (Contact::Up { standing, .. }, None) => {
                    match (
                        Verdict::inconclusive(*standing),
                        breaker.state(clock::now()),
                    ) {
                        (Some(judged), _) => case.inconclusive(&judged),
                        (None, breaker::State::Open { .. }) => {
                            let text = "The replica suffers, and is left alone for a while.";
                            case.skipped(Skipped::Breaker, text)
                        }
                        (None, _) => {
                            let learned = Learned {
                                memory: &mut *self.memory,
                                tenant: self.tenant,
                            };
                            one.run(&mut asking, &case, learned, &mut breaker, &mut gone)
                                .await
                        }
                    }
                }
            };
            ran.push(outcome);
        }
        // What is filled in tells itself what it took.
        let looked = !ran.is_empty() || !fills;
        let work = match looked {
            true => std::mem::take(&mut asking.work),
            false => Work::default(),
        };
        let filled = match fills && gone.is_none() {
            true => filling::step(&mut asking, plan, &contact, &mut breaker, self.tenant).await,
            false => Ok(None),
        };
        self.storage.put("breaker", &breaker)?;
        self.storage.put("ledger", &asking.ledger)?;
        if let Contact::Down(Unasked {
            ours: Some(error), ..
        }) = contact
        {
            return Err(*error);
        }
        let filled = filled.unwrap_or_else(|error| {
            filling::complain(&error);
            None
        });
        Ok(Asked {
            contact: looked.then_some(contact),
            ran,
            work,
            filled,
        })
    }
}

impl Ready<'_> {
    fn learner(&self) -> Learner<'_> {
        Learner {
            planned: self.planned,
            check: &self.check,
        }
    }

    async fn run(
        &self,
        asking: &mut Asking<'_>,
        case: &Case<'_>,
        learned: Learned<'_>,
        breaker: &mut Breaker,
        gone: &mut Option<Unasked>,
    ) -> Ran {
        let table = self.table.qualified();
        let began = clock::now();
        let mut tries = 1;
        loop {
            let histogram = self.planned.state.histogram.as_ref();
            let asked = asking
                .check(&table, &self.check, case.as_of, histogram)
                .await;
            let unasked = match asked {
                Ok(asked) => {
                    if let (Kind::Schema(_), Some(facts)) =
                        (&self.check.kind, asking.catalog.get(&table))
                    {
                        return case.columns(self.table.columns.as_ref(), Snapshot::of(facts));
                    }
                    let took = clock::now() - began;
                    if asked.conflict {
                        asking.conflict(breaker);
                    }
                    let Learned { memory, tenant } = learned;
                    let at = case.at(&asked);
                    let past = memory.past(asking.ctx, tenant, self.learner(), at, case.now);
                    return match past.await {
                        Ok(past) => case.answered(&asked, past, took),
                        Err(error) => case.failed(&asking.broken(error)),
                    };
                }
                Err(unasked) => unasked,
            };
            if unasked.conflict {
                asking.conflict(breaker);
            }
            let spared = matches!(breaker.state(clock::now()), breaker::State::Open { .. });
            let more = tries <= rules::monitor::outcome::RETRIES && !unasked.gone && !spared;
            let ran = case.failed(&unasked);
            match unasked.retry {
                Some(wait) if more => {
                    let wait = wait * i32::try_from(tries).unwrap_or(1);
                    worker::Delay::from(wait.to_std().unwrap_or_default()).await;
                    tries += 1;
                }
                _ => {
                    if unasked.gone {
                        asking.line.close().await;
                        *gone = Some(Unasked {
                            outcome: Outcome::skipped(Skipped::Unreachable),
                            ..unasked
                        });
                    }
                    return ran;
                }
            }
        }
    }
}

/// Adds what is run before its time.
fn join(runs: &mut Vec<Run>, again: &Again, now: DateTime<Utc>) {
    let room = MOST.saturating_sub(runs.len());
    for check in again.due(now, room) {
        if !runs.iter().any(|run| run.check == check) {
            runs.push(Run {
                check,
                period: now,
                waiting: now,
            });
        }
    }
}

fn ready(plan: &Plan) -> Vec<Ready<'_>> {
    let ready = |planned| {
        let planned: &PlannedCheck = planned;
        Some(Ready {
            planned,
            table: plan.table(planned.table_id)?,
            check: planned.check()?,
        })
    };
    plan.checks.iter().filter_map(ready).collect()
}
