//! Sources: what reports are written about, and queries over it.
//!
//! A source is a view of the database with comments; adding one needs nothing here.
//! Invariant: what runs was written by `rules::sql_guard` for the sources there are, in one round
//! trip, for one tenant, as a role that can read these sources and nothing else.
//! Failure: 422 at `/sql` for a query that is refused, fails, costs or takes too much.

pub mod http;
mod store;
mod wire;

use std::cell::RefCell;
use std::rc::Rc;

use chrono::{DateTime, TimeDelta, Utc};
use rules::civil::Zone;
use rules::invalid::Invalid;
use rules::report::Dataset;
use rules::sql_guard::{self, Terms};
use serde_json::json;

use crate::platform::clock;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::pg;
use crate::platform::scope::Scope;
use store::{Found, Run};
pub use wire::Source;
use wire::{QueryIn, Sources};

/// The schema of the sources.
const SCHEMA: &str = "report";
/// How long an isolate believes what it knows of the sources: they change with migrations only.
const FRESH: TimeDelta = TimeDelta::minutes(5);

/// A query.
pub struct Query<'a> {
    /// What its result is called.
    pub name: &'a str,
    /// The query as it was written.
    pub sql: &'a str,
    /// Most rows of the result.
    pub limit: u32,
    /// Where days begin.
    pub zone: &'a Zone,
    /// What it takes for now.
    pub now: DateTime<Utc>,
}

/// The sources.
pub async fn list(ctx: &Ctx, scope: &Scope) -> Result<Sources> {
    let items = ctx.pg.call(scope, &store::LIST, &json!({})).await?;
    Ok(Sources { items })
}

/// One source.
pub async fn get(ctx: &Ctx, scope: &Scope, name: &str) -> Result<Source> {
    let found = list(ctx, scope).await?.items.into_iter();
    let mut named = found.filter(|source| source.name == name);
    named.next().ok_or_else(Error::not_found)
}

/// Runs a query that a person asks for.
pub async fn query(ctx: &Ctx, scope: &Scope, input: QueryIn) -> Result<Dataset> {
    let asked = input.check()?;
    let query = Query {
        name: &asked.name,
        sql: &asked.sql,
        limit: asked.limit,
        zone: &asked.zone,
        now: ctx.now,
    };
    run(ctx, scope, &query).await
}

/// Sources, and when they were read.
type Read = (DateTime<Utc>, Rc<Vec<Source>>);

thread_local! {
    static KNOWN: RefCell<Option<Read>> = const { RefCell::new(None) };
}

/// The sources as this isolate knows them.
pub async fn known(ctx: &Ctx) -> Result<Rc<Vec<Source>>> {
    let now = clock::now();
    let fresh = KNOWN.with_borrow(|known| match known {
        Some((at, sources)) if now - *at < FRESH => Some(Rc::clone(sources)),
        _ => None,
    });
    if let Some(sources) = fresh {
        return Ok(sources);
    }
    let sources = Rc::new(ctx.pg.function(&store::KNOWN, &json!({})).await?);
    KNOWN.set(Some((now, Rc::clone(&sources))));
    Ok(sources)
}

/// Runs a query.
pub async fn run(ctx: &Ctx, scope: &Scope, query: &Query<'_>) -> Result<Dataset> {
    let known = known(ctx).await?;
    let sources: Vec<_> = known.iter().map(Source::named).collect();
    let terms = Terms {
        sources: &sources,
        schema: SCHEMA,
        now: query.now,
    };
    let guarded = sql_guard::check(query.sql, &terms).map_err(|no| no.invalid("/sql"))?;
    let run = Run {
        sql: &guarded.sql,
        sources: &guarded.sources,
        limit: query.limit,
        timezone: query.zone.name(),
    };
    let input = serde_json::to_value(&run)?;
    match ctx.pg.call(scope, &store::RUN, &input).await {
        Ok(found) => Ok(dataset(query.name, guarded.sql, found)),
        Err(error) => Err(told(error)),
    }
}

fn dataset(name: &str, sql: String, found: Found) -> Dataset {
    Dataset {
        name: name.to_owned(),
        sql: Some(sql),
        columns: found.columns,
        rows: found.rows,
        truncated: found.truncated,
    }
    .bounded()
}

/// What went wrong, for whoever wrote the query.
fn told(error: Error) -> Error {
    match &*error.code {
        pg::TOO_SLOW => Invalid::one(
            "/sql",
            "query_too_slow",
            "The query takes too long. Narrow it down, for example by time or by table_id.",
        )
        .into(),
        "source_unknown" => {
            KNOWN.set(None);
            error
        }
        _ => error,
    }
}
