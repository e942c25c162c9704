//! Routes of schedules and ticks: decode, call, render.
//!
//! Invariant: nothing is decided here but who may have all tenants looked after.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{Dispatched, Ticked, UpcomingIn, UpcomingQuery, UpcomingRuns};
use crate::platform::error::{Error, Result};
use crate::platform::http::{Access, Answer, Call, Route, json, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_foresee, foresee => Access::May(Verb::Read, Resource::Report);
        __path_upcoming, upcoming => Access::May(Verb::Read, Resource::Report);
        __path_tick, tick => Access::May(Verb::Write, Resource::ReportTick);
        __path_dispatch, dispatch => Access::May(Verb::Write, Resource::ReportTick);
    ]
}

/// What a schedule would mean, before it is saved: its next runs with their local times, what clock
/// changes do to them, jitter, and the schedule in words. The answer is that of
/// `GET /api/pulse/{configId}/upcoming`, or why the schedule is none.
#[utoipa::path(post, path = "/api/pulse/upcoming", operation_id = "foresee_runs",
    request_body = UpcomingIn, responses((status = 200, body = UpcomingRuns)))]
async fn foresee(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let input = call.body::<UpcomingIn>().await?;
    json(&super::foresee(call.ctx, &scope, &input).await?)
}

/// The next runs of a report.
#[utoipa::path(get, path = "/api/pulse/{configId}/upcoming", operation_id = "list_upcoming_runs",
    params(("configId" = Uuid, Path), UpcomingQuery),
    responses((status = 200, body = UpcomingRuns)))]
async fn upcoming(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let query = call.query()?;
    json(&super::upcoming(call.ctx, &scope, call.id("configId")?, &query).await?)
}

/// Runs what is due of the tenant. Nobody needs to call it: the Worker does the same every minute
/// for all. Any number of calls at once run each occurrence once.
#[utoipa::path(post, path = "/api/pulse/tick", operation_id = "tick_reports",
    responses((status = 200, body = Ticked)))]
async fn tick(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::tick(call.ctx, &scope).await?)
}

/// Runs what is due of every tenant, for holders of the operator token: one read finds the tenants,
/// the queue does the rest. A member is answered with one tick of their own tenant, where the
/// deployment is one house's own (`HOSTING` is off).
#[utoipa::path(post, path = "/api/pulse/dispatch-ticks", operation_id = "dispatch_ticks",
    responses((status = 200, body = Dispatched)))]
async fn dispatch(call: Call<'_>) -> Answer {
    let done = match reach(call.ctx.config.hosting, call.is_operator())? {
        Reach::Everybody => super::dispatch(call.ctx).await?,
        Reach::Own => super::dispatch_own(call.ctx, &call.scope().await?).await?,
    };
    json(&done)
}

/// Whose reports a dispatch looks after.
#[derive(Debug, PartialEq, Eq)]
enum Reach {
    Everybody,
    Own,
}

fn reach(hosting: bool, operator: bool) -> Result<Reach> {
    match (hosting, operator) {
        (_, true) => Ok(Reach::Everybody),
        (false, false) => Ok(Reach::Own),
        (true, false) => Err(Error::unauthenticated("operator_token_wrong")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_dispatch_for_themselves_and_only_where_nobody_is_a_stranger() {
        assert_eq!(reach(true, true), Ok(Reach::Everybody));
        assert_eq!(reach(false, true), Ok(Reach::Everybody));
        assert_eq!(reach(false, false), Ok(Reach::Own));
        assert_eq!(reach(true, false).unwrap_err().status, 401);
    }
}
