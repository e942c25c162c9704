//! Routes of scans, their records, the dashboard and the live connection.
//!
//! Invariant: a scan that is answered is durable; 201 means an admission was recorded by this very
//! request, 200 everything else, a refusal included.
//! Failure: see the problems of the API document.

use rules::checkin::annul::AnnulIn;
use rules::checkin::dashboard::Dashboard;
use rules::checkin::entry::CheckIn;
use rules::checkin::scan::ScanIn;
use rules::roles::{Resource, Verb};
use serde::Deserialize;
use uuid::Uuid;

use super::wire::{CheckIns, CheckInsQuery, OfTable, ScanAnswer};
use crate::checkin::{address, live::REPLAYED};
use crate::platform::error::Error;
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, decode, json, routes};
use crate::platform::object::{self, ObjectAnswer};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_scan, scan => Access::May(Verb::Scan, Resource::CheckIn);
        __path_list, list => Access::May(Verb::Read, Resource::CheckIn);
        __path_get, get => Access::May(Verb::Read, Resource::CheckIn);
        __path_annul, annul => Access::May(Verb::Annul, Resource::CheckIn);
        __path_dashboard, dashboard => Access::May(Verb::Read, Resource::Dashboard);
        __path_connect, connect => Access::Public;
    ]
}

/// Decides a scan and records it.
#[utoipa::path(post, path = "/pulse/check-ins", operation_id = "scan", request_body = ScanIn,
    responses((status = 201, body = ScanAnswer, description = "An admission was recorded."),
              (status = 200, body = ScanAnswer, description = "Any other verdict, or a replay.")))]
async fn scan(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let body = call.text().await?;
    let Ok(target) = serde_json::from_str::<Target>(&body) else {
        // What is wrong with it is told as precisely as for any body.
        return Err(decode::<ScanIn>(&body)
            .err()
            .unwrap_or_else(Error::not_found));
    };
    answered(super::scan(call.ctx, &scope, target.table_id, &body).await?)
}

/// Enough of a scan to know where to send it.
#[derive(Deserialize)]
struct Target {
    table_id: Uuid,
}

fn answered(answer: ObjectAnswer) -> Answer {
    Ok(match answer.status {
        REPLAYED => Reply::new(200, Body::Json(answer.body)).header("idempotent-replayed", "true"),
        status => Reply::new(status, Body::Json(answer.body)),
    })
}

/// Lists records.
#[utoipa::path(get, path = "/pulse/check-ins", operation_id = "list_check_ins",
    params(CheckInsQuery), responses((status = 200, body = CheckIns)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// One record.
#[utoipa::path(get, path = "/pulse/check-ins/{id}", operation_id = "get_check_in",
    params(("id" = Uuid, Path), OfTable), responses((status = 200, body = CheckIn)))]
async fn get(call: Call<'_>) -> Answer {
    let (scope, of) = (call.scope().await?, call.query::<OfTable>()?);
    json(&super::get(call.ctx, &scope, call.id("id")?, of.table_id).await?)
}

/// Undoes an admission or an exit. The record stays. A device may undo its own for 15 minutes, a
/// manager any at any time.
#[utoipa::path(post, path = "/pulse/check-ins/{id}/annul", operation_id = "annul_check_in",
    params(("id" = Uuid, Path)), request_body = AnnulIn,
    responses((status = 200, body = ScanAnswer)))]
async fn annul(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let body = call.text().await?;
    let input = decode::<AnnulIn>(&body)?;
    answered(super::annul(call.ctx, &scope, call.id("id")?, input.table_id, &body).await?)
}

/// The live dashboard: counters, feed, scanners, and where to subscribe from.
#[utoipa::path(get, path = "/pulse/dashboard/{table_id}", operation_id = "get_dashboard",
    params(("table_id" = Uuid, Path)), responses((status = 200, body = Dashboard)))]
async fn dashboard(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    answered(super::dashboard(call.ctx, &scope, call.id("table_id")?).await?)
}

/// Opens the live connection of a table: a WebSocket. The token comes in the first frame or in the
/// subprotocol pair `pulse.v1, <token>`.
#[utoipa::path(get, path = "/live/check-in/{table_id}", operation_id = "connect_check_in",
    params(("table_id" = Uuid, Path)), responses((status = 101), (status = 426)))]
async fn connect(call: Call<'_>) -> Answer {
    if !call.head.upgrade.eq_ignore_ascii_case("websocket") {
        return Err(Error::new(
            426,
            "upgrade_required",
            "This address speaks WebSocket.",
        ));
    }
    call.same_origin()?;
    let address = address(call.ctx, call.id("table_id")?, None).await?;
    let response = object::upgrade(call.ctx, &address, call.request).await?;
    Ok(Reply::new(101, Body::Raw(response)))
}
