//! What is asked of a replica for one check: its catalogue, the plan of the statement, and then the
//! statement.
//!
//! Invariant: every statement runs in a read-only transaction with limits, after its plan was found
//! cheap enough and its cost was set aside from the budget; a server that is no replica is asked
//! one question.
//! Failure: an [`Unasked`] with the outcome that follows; after an error the transaction is ended,
//! and a session that cannot be used any more is given up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rules::monitor::TableName;
use rules::monitor::backfill::{self, Chunk};
use rules::monitor::catalog::{self, Catalog, TableFacts};
use rules::monitor::check::{Check, Kind};
use rules::monitor::explain;
use rules::monitor::ledger::{Budget, Ledger, Work};
use rules::monitor::outcome::{self, Failure, Hint, Outcome, Skipped};
use rules::monitor::privileges;
use rules::monitor::session::{self, Limits};
use rules::monitor::shift::Histogram;
use rules::monitor::sql::{self, Ask, Measured, Param, Plan, Row, Size, Statement};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::fault::{self, Trouble};
use super::line::Line;
use super::storage::Storage;
use super::store::Access;
use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::Error;
use crate::platform::pg::session::Parameter;

/// Everything it takes to ask one replica.
pub struct Asking<'a> {
    /// What the event carries.
    pub ctx: &'a Ctx,
    /// The object's storage.
    pub storage: &'a Storage,
    /// The session.
    pub line: &'a mut Line,
    /// The connection.
    pub connection: Uuid,
    /// How to sign in.
    pub access: &'a Access,
    /// What may be spent in an hour.
    pub budget: Budget,
    /// What the breaker leaves of it, 0 to 1.
    pub factor: f64,
    /// What was spent.
    pub ledger: Ledger,
    /// What was spent by this run.
    pub work: Work,
    /// What it may spend of the budget, and has spent, where that is a part of it.
    pub share: Option<(Budget, Ledger)>,
    /// What was learned of tables.
    pub catalog: Catalog,
    /// The server's version.
    pub version: i32,
    /// Limits of a transaction.
    pub limits: Limits,
}

/// What was asked and answered.
pub struct Asked {
    /// What ran.
    pub plan: Plan,
    /// What came back; none for a check of the schema.
    pub measured: Option<Measured>,
    /// Wrong rows, when they are wanted.
    pub samples: Vec<Row>,
    /// The total cost of the plan.
    pub cost: f64,
    /// About how many buffers it read.
    pub buffers: u64,
    /// Its samples were in the way of recovery.
    pub conflict: bool,
}

/// What was not asked, or not answered.
#[derive(Deserialize, Serialize)]
pub struct Unasked {
    /// What follows for the run.
    pub outcome: Outcome,
    /// A code.
    pub code: String,
    /// In words.
    pub text: String,
    /// The server's own words.
    pub words: Option<String>,
    /// It was a conflict with recovery.
    pub conflict: bool,
    /// The session is over.
    pub gone: bool,
    /// The same may go well at once.
    #[serde(skip)]
    pub retry: Option<TimeDelta>,
    /// Not the replica's fault but ours.
    #[serde(skip)]
    pub ours: Option<Box<Error>>,
}

impl Unasked {
    /// Whether it says something about the server, and not about us.
    pub fn tells(&self) -> bool {
        self.ours.is_none() && !matches!(&*self.code, "busy" | "budget")
    }

    /// With an outcome, a code and words.
    pub fn of(outcome: Outcome, code: &str, text: impl Into<String>) -> Self {
        Self {
            outcome,
            code: code.to_owned(),
            text: text.into(),
            words: None,
            conflict: false,
            gone: false,
            retry: None,
            ours: None,
        }
    }
}

type Answer<T> = Result<T, Unasked>;

impl Asking<'_> {
    /// Makes sure that there is a session with a server that may be asked.
    pub async fn identify(&mut self) -> Answer<()> {
        let ready = self
            .line
            .ready(self.ctx, self.storage, self.connection, self.access)
            .await;
        ready.map_err(|trouble| self.unasked(trouble, TimeDelta::zero(), None))?;
        let answer = self.ask(session::IDENTIFY, &[], None).await?;
        let identity = session::identify(&answer, self.access.allow_primary);
        match identity {
            Ok(identity) => {
                self.version = identity.version;
                let limited = self.line.limit(self.storage).await;
                let limited =
                    limited.map_err(|trouble| self.unasked(trouble, TimeDelta::zero(), None))?;
                if limited {
                    let one = Work {
                        statements: 1,
                        ..Work::default()
                    };
                    self.ledger.spend(one, clock::now());
                    self.note(one);
                }
                Ok(())
            }
            Err(refusal) => {
                self.line.close().await;
                Err(Unasked {
                    gone: true,
                    ..Unasked::of(
                        Outcome::skipped(Skipped::Unreachable),
                        &refusal.code,
                        refusal.message,
                    )
                })
            }
        }
    }

    /// Where the replica is.
    pub async fn standing(&mut self) -> Answer<session::Standing> {
        self.begin().await?;
        let found = self.position().await;
        self.end().await;
        found
    }

    async fn position(&mut self) -> Answer<session::Standing> {
        let answer = self.ask(session::POSITION, &[], None).await?;
        let allowed = self.access.allow_primary;
        let read = |aurora| session::standing(&answer, aurora, &self.limits, allowed);
        let refused = |refusal: session::Refusal| {
            let outcome = Outcome::skipped(Skipped::Unreachable);
            Unasked::of(outcome, &refusal.code, refusal.message)
        };
        let found = read(None).map_err(refused)?;
        if !found.aurora {
            return Ok(found);
        }
        let answer = self.ask(session::AURORA, &[], None).await?;
        let lag = serde_json::from_str::<Value>(&answer).ok();
        let lag = lag.and_then(|lag| lag.get("lag_ms").and_then(Value::as_f64));
        let again = self.ask(session::POSITION, &[], None).await?;
        session::standing(&again, lag, &self.limits, allowed).map_err(refused)
    }

    /// Runs a check.
    pub async fn check(
        &mut self,
        table: &TableName,
        check: &Check,
        as_of: DateTime<Utc>,
        histogram: Option<&Histogram>,
    ) -> Answer<Asked> {
        self.affordable(self.least(4))?;
        self.begin().await?;
        let answer = self.in_transaction(table, check, as_of, histogram).await;
        self.end().await;
        answer.map_err(|unasked| self.granted(unasked, &check.tables(table)))
    }

    /// Counts stretches of the past, for a check whose history is filled in.
    pub async fn past(
        &mut self,
        table: &TableName,
        check: &Check,
        chunk: &Chunk,
    ) -> Answer<String> {
        self.affordable(self.least(4))?;
        self.begin().await?;
        let answer = self.counted(table, check, chunk).await;
        self.end().await;
        answer.map_err(|unasked| self.granted(unasked, &check.tables(table)))
    }

    async fn counted(&mut self, table: &TableName, check: &Check, chunk: &Chunk) -> Answer<String> {
        for name in check.tables(table) {
            self.learn(&name).await?;
        }
        let size = Size::default();
        let statement = backfill::statement(check, table, &self.catalog, size, chunk);
        let statement = statement.map_err(|unable| {
            Unasked::of(Outcome::Misconfigured, "misconfigured", unable.message)
        })?;
        let (answer, ..) = self.guarded(&statement, table).await?;
        Ok(answer)
    }

    async fn in_transaction(
        &mut self,
        table: &TableName,
        check: &Check,
        as_of: DateTime<Utc>,
        histogram: Option<&Histogram>,
    ) -> Answer<Asked> {
        for name in check.tables(table) {
            self.learn(&name).await?;
        }
        let ask = Ask {
            check,
            table,
            catalog: &self.catalog,
            as_of,
            size: Size::default(),
            histogram,
        };
        let plan = sql::statement(&ask).map_err(|unable| {
            Unasked::of(Outcome::Misconfigured, "misconfigured", unable.message)
        })?;
        let mut asked = Asked {
            plan,
            measured: None,
            samples: Vec::new(),
            cost: 0.0,
            buffers: 0,
            conflict: false,
        };
        if matches!(check.kind, Kind::Schema(_)) {
            return Ok(asked);
        }
        let statement = asked.plan.statement.clone();
        let (answer, cost, buffers) = self.guarded(&statement, table).await?;
        let measured = sql::read(check, &asked.plan, &answer).map_err(|unreadable| {
            Unasked::of(Outcome::Errored, "unreadable", unreadable.message)
        })?;
        asked.measured = Some(measured);
        asked.cost = cost;
        asked.buffers = buffers;
        if let Some(samples) = asked.plan.samples.clone() {
            // Rows to look at are a help; without them the verdict is the same.
            match self.guarded(&samples, table).await {
                Ok((answer, ..)) => asked.samples = sql::samples(&answer).unwrap_or_default(),
                Err(unasked) => asked.conflict = unasked.conflict,
            }
        }
        Ok(asked)
    }

    /// What the catalogue says of a table, once a run.
    pub async fn learn(&mut self, table: &TableName) -> Answer<()> {
        if self.catalog.contains_key(table) {
            return Ok(());
        }
        let parameters = [Parameter::Text(&table.schema), Parameter::Text(&table.name)];
        let answer = self.ask(catalog::FACTS, &parameters, Some(table)).await?;
        if let Ok(facts) = serde_json::from_str::<TableFacts>(&answer) {
            self.catalog.insert(table.clone(), facts);
        }
        Ok(())
    }

    /// Asks for the plan of a statement, and if that is cheap enough for what it answers.
    async fn guarded(
        &mut self,
        statement: &Statement,
        table: &TableName,
    ) -> Answer<(String, f64, u64)> {
        let parameters = bound(&statement.params);
        let plan = self
            .ask(&statement.explain(), &parameters, Some(table))
            .await?;
        let plan: Value = serde_json::from_str(&plan).unwrap_or_default();
        let limits = explain::Limits::default();
        let allowed = explain::judge(&plan, &limits, &self.catalog).map_err(|refused| {
            Unasked::of(Outcome::skipped(Skipped::Cost), &refused.code, refused.why)
        })?;
        let work = explain::work(&allowed, self.limits.statement_ms.into());
        self.affordable(work)?;
        let reserved = self.reserve(&self.data_budget(), work)?;
        let began = clock::now();
        let answer = self.put(&statement.sql, &parameters).await;
        let took = clock::now() - began;
        let done = Work {
            statements: 1,
            milliseconds: u64::try_from(took.num_milliseconds()).unwrap_or_default(),
            buffers: allowed.buffers,
        };
        self.ledger.settle(reserved, done);
        self.note(done);
        let answer = answer.map_err(|trouble| self.unasked(trouble, took, Some(table)))?;
        Ok((answer.unwrap_or_default(), allowed.cost, allowed.buffers))
    }

    /// Asks the server about itself.
    pub async fn ask(
        &mut self,
        sql: &str,
        parameters: &[Parameter<'_>],
        table: Option<&TableName>,
    ) -> Answer<String> {
        let budget = self.budget;
        let reserved = self.reserve(&budget, self.least(1))?;
        let began = clock::now();
        let answer = self.put(sql, parameters).await;
        let took = clock::now() - began;
        let done = Work {
            statements: 1,
            milliseconds: u64::try_from(took.num_milliseconds()).unwrap_or_default(),
            buffers: 0,
        };
        self.ledger.settle(reserved, done);
        self.note(done);
        let answer = answer.map_err(|trouble| self.unasked(trouble, took, table))?;
        Ok(answer.unwrap_or_default())
    }

    async fn put(
        &mut self,
        sql: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<String>, Trouble> {
        let patience = self.patience();
        self.line.ask(self.storage, sql, parameters, patience).await
    }

    /// Begins a transaction with its limits.
    pub async fn begin(&mut self) -> Answer<()> {
        let began = clock::now();
        let begin = session::begin(&self.limits, self.version);
        let patience = self.patience();
        let begun = self.line.run(self.storage, &begin, patience).await;
        begun.map_err(|trouble| self.unasked(trouble, clock::now() - began, None))
    }

    /// Ends it, whatever happened. A session that does not end it is none any more.
    pub async fn end(&mut self) {
        let patience = self.patience();
        let ended = self.line.run(self.storage, session::END, patience).await;
        if ended.is_err() {
            self.line.close().await;
        }
    }

    fn patience(&self) -> Duration {
        session::deadline(&self.limits)
    }

    /// Something is wrong on our side.
    pub fn broken(&self, error: Error) -> Unasked {
        let outcome = Outcome::skipped(Skipped::Unreachable);
        Unasked {
            gone: true,
            ours: Some(Box::new(error)),
            ..Unasked::of(outcome, "internal", "Something went wrong on our side.")
        }
    }

    /// Of a privilege that lacks the catalogue knows more than the server's message.
    fn granted(&self, unasked: Unasked, tables: &[TableName]) -> Unasked {
        if unasked.code != fault::PRIVILEGE {
            return unasked;
        }
        let (user, words) = (&self.access.username, unasked.words.as_deref());
        match privileges::told(user, tables, &self.catalog, words) {
            Some(text) => Unasked { text, ..unasked },
            None => unasked,
        }
    }

    pub(super) fn unasked(
        &self,
        trouble: Trouble,
        took: TimeDelta,
        table: Option<&TableName>,
    ) -> Unasked {
        let fault = match trouble {
            Trouble::Busy => {
                let text = "A statement of ours may still be running there.";
                let outcome = Outcome::skipped(Skipped::Busy);
                return Unasked {
                    gone: true,
                    ..Unasked::of(outcome, "busy", text)
                };
            }
            Trouble::Ours(error) => return self.broken(error),
            Trouble::Fault(fault) => fault,
        };
        let open = self.line.is_open();
        let failure = Failure {
            sqlstate: fault.sqlstate.clone(),
            message: fault.words.clone(),
            disconnected: !open,
            deadline: fault.late,
        };
        let limit = TimeDelta::milliseconds(self.limits.statement_ms.into());
        let meaning = outcome::meaning(&failure, took, limit);
        let about = Hint {
            user: &self.access.username,
            database: &self.access.database,
            schema: table.map(|table| &*table.schema),
            table: table.map(|table| &*table.name),
        };
        let (code, words) = fault::hint(&fault);
        let text = match (open, fault.sqlstate.is_some()) {
            (false, false) => words.to_owned(),
            _ => outcome::hint(&failure, &about),
        };
        Unasked {
            outcome: meaning.outcome,
            code: code.to_owned(),
            text,
            // The runtime's words help nobody.
            words: fault.sqlstate.is_some().then_some(fault.words),
            conflict: meaning.conflict,
            gone: meaning.reconnect || !open,
            retry: outcome::retry(&meaning, 1),
            ours: None,
        }
    }
}

fn bound(params: &[Param]) -> Vec<Parameter<'_>> {
    params.iter().map(typed).collect()
}

fn typed(param: &Param) -> Parameter<'_> {
    match param {
        Param::Time(at) => Parameter::Time(*at),
        Param::Text(text) => Parameter::Text(text),
        Param::Texts(texts) => Parameter::Texts(texts),
        Param::Numbers(numbers) => Parameter::Numbers(numbers),
    }
}
