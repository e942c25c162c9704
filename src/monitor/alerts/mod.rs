//! Alerts and incidents, and what people do to them.
//!
//! Invariant: what an act means is decided by `rules::alert::act` on an alert as it stands; whatever
//! follows is told by the object of the connection, which alone tells anybody anything.
//! Failure: 409 for an act that makes no sense any more.

pub mod http;
mod store;
mod wire;

use chrono::{DateTime, Utc};
use rules::alert::mark::{self, Mark};
use rules::alert::{Alert, Change, act, quiet};
use rules::invalid::Invalid;
use rules::page::Page;
use serde_json::json;
use uuid::Uuid;

use super::replica;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::scope::Scope;
use crate::tenant;
use store::Acted;
use wire::{
    AlertQuietness, AlertsQuery, IncidentsQuery, MonitorAlert, MonitorAlerts, MonitorIncident,
    QuietChannel, QuietnessQuery,
};

/// Weeks of quietness unless others are wanted.
const WEEKS: usize = 4;
/// How often an act that lost the race is decided again.
const RACES: usize = 5;

/// What somebody does to an alert.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// Looks after it.
    Acknowledge,
    /// Says that it is over.
    Resolve,
    /// Says what it was.
    Mark(Option<Mark>),
}

impl Deed {
    /// What is shown of it.
    fn name(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledged",
            Self::Resolve => "resolved",
            Self::Mark(_) => "marked",
        }
    }
}

/// Alerts, newest first.
pub async fn list(ctx: &Ctx, scope: &Scope, query: &AlertsQuery) -> Result<MonitorAlerts> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let mut filter = serde_json::to_value(query)?;
    if let Some(fields) = filter.as_object_mut() {
        let before = rules::page::decode::<Uuid>(query.cursor.as_deref())?;
        fields.insert("before".to_owned(), json!(before));
        fields.insert("limit".to_owned(), json!(limit + 1));
    }
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    let page = rules::page::cut(found.items, limit, |alert| alert.id);
    Ok(MonitorAlerts {
        items: page.items,
        next_cursor: page.next_cursor,
        live: found.live,
    })
}

/// How quiet the channels were, week by week: alerts and messages, and how many of them were false.
pub async fn quietness(ctx: &Ctx, scope: &Scope, query: &QuietnessQuery) -> Result<AlertQuietness> {
    let weeks = query.weeks.as_deref().map_or(Ok(WEEKS), str::parse);
    let weeks = weeks
        .ok()
        .filter(|weeks| (1..=quiet::WEEKS).contains(weeks));
    let weeks = weeks.ok_or_else(|| {
        let message = format!("Must be a number from 1 to {}.", quiet::WEEKS);
        Invalid::one("/weeks", "out_of_range", message)
    })?;
    let asked = json!({"now": ctx.now, "weeks": weeks});
    let found = ctx.pg.call(scope, &store::SENT, &asked).await?;
    let channels = quiet::channels(&found.sent, weeks, ctx.now).into_iter();
    let named = channels.map(|channel| QuietChannel {
        channel_id: channel.channel_id,
        name: channel
            .channel_id
            .and_then(|id| found.names.get(&id).cloned()),
        weeks: channel.weeks,
    });
    Ok(AlertQuietness {
        data: named.collect(),
    })
}

/// One alert.
pub async fn get(ctx: &Ctx, scope: &Scope, alert: Uuid) -> Result<MonitorAlert> {
    ctx.pg.call(scope, &store::GET, &json!({"id": alert})).await
}

/// Does something to an alert.
pub async fn act(ctx: &Ctx, scope: &Scope, alert: Uuid, deed: Deed) -> Result<MonitorAlert> {
    // The same act twice changes nothing, so no answer needs to be kept.
    let scope = &Scope {
        idempotency: None,
        ..scope.clone()
    };
    for _ in 0..RACES {
        let which = json!({"id": alert});
        let known = ctx.pg.call(scope, &store::KNOWN, &which).await?;
        let mut after = known.data.clone();
        let change = done(&mut after, deed, known.actor, ctx.now)?;
        if after == known.data {
            return get(ctx, scope, alert).await;
        }
        let feedback = match deed {
            Deed::Mark(_) => mark::feedback(&after),
            _ => None,
        };
        let written = json!({
            "id": alert, "standing": known.standing, "data": after, "state": after.state,
            "resolved_at": after.resolved_at, "change": change, "deed": deed.name(),
            "feedback": feedback.map(|feedback| json!({
                "from": feedback.from, "until": feedback.until, "mark": feedback.mark})),
        });
        let acted = ctx.pg.call_full(scope, &store::ACT, &written).await?;
        if let Acted::Done(followed) = acted.result {
            tenant::announce(ctx, acted.tenant, &followed.live.place()).await;
            replica::changed(ctx, acted.tenant, &followed).await;
            return Ok(followed.it);
        }
    }
    Err(Error::unavailable(
        "the alerts were moved by others each time",
    ))
}

fn done(
    alert: &mut Alert,
    deed: Deed,
    by: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Option<Change>> {
    let outcome = match deed {
        Deed::Acknowledge => act::acknowledge(alert, by, now).map(|()| None),
        Deed::Resolve => act::resolve(alert, now),
        Deed::Mark(mark) => act::mark(alert, mark, by, now).map(|()| None),
    };
    outcome.map_err(|refusal| Error::conflict(refusal.code(), refusal.message()))
}

/// Incidents, newest first.
pub async fn incidents(
    ctx: &Ctx,
    scope: &Scope,
    query: &IncidentsQuery,
) -> Result<Page<MonitorIncident>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "open": query.open, "connection_id": query.connection_id,
        "before": rules::page::decode::<Uuid>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::INCIDENTS, &filter).await?;
    Ok(rules::page::cut(found, limit, |incident| incident.id))
}

/// One incident.
pub async fn incident(ctx: &Ctx, scope: &Scope, incident: Uuid) -> Result<MonitorIncident> {
    let which = json!({"id": incident});
    ctx.pg.call(scope, &store::INCIDENT, &which).await
}
