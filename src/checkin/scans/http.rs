//! Routes of scans, their records, the dashboard and the live connection.
//!
//! Invariant: a scan that is answered is durable; 201 means an admission was recorded by this very
//! request, 200 everything else, a refusal included.
//! Failure: see the problems of the API document.

use rules::checkin::annul::AnnulIn;
use rules::checkin::dashboard::Dashboard;
use rules::checkin::entry::CheckIn;
use rules::checkin::scan::ScanIn;
use rules::invalid::Invalid;
use rules::roles::{Resource, Verb};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use uuid::Uuid;

use super::wire::{CheckIns, CheckInsQuery, OfTable, ScanAnswer, SyncIn, Synced};
use crate::checkin::{address, live::REPLAYED};
use crate::platform::error::{Error, Result};
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, decode, json, routes};
use crate::platform::object::{self, ObjectAnswer};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_scan, scan => Access::May(Verb::Scan, Resource::CheckIn);
        __path_sync, sync => Access::May(Verb::Scan, Resource::CheckIn);
        __path_list, list => Access::May(Verb::Read, Resource::CheckIn);
        __path_get, get => Access::May(Verb::Read, Resource::CheckIn);
        __path_annul, annul => Access::May(Verb::Annul, Resource::CheckIn);
        __path_dashboard, dashboard => Access::May(Verb::Read, Resource::Dashboard);
        __path_connect, connect => Access::Public;
    ]
}

/// Decides a scan and records it.
///
/// With `tables` instead of `table_id` each of them is asked whether it knows the code. The one that
/// does takes the scan; `check_in.table_id` says which. When several know it the scan is refused as
/// `ambiguous`, when none does as `unknown_code`: at the session's own table if that is named, else at
/// the first one. A caller who may not scan for one of them scans for none.
#[utoipa::path(post, path = "/pulse/check-ins", operation_id = "scan", request_body = ScanIn,
    responses((status = 201, body = ScanAnswer, description = "An admission was recorded."),
              (status = 200, body = ScanAnswer, description = "Any other verdict, or a replay.")))]
async fn scan(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let body = call.text().await?;
    let target = serde_json::from_str::<Target>(&body).unwrap_or_default();
    answered(match target.tables {
        Some(_) => super::several::scan(call.ctx, &scope, &body).await?,
        None => super::scan(call.ctx, &scope, target.one::<ScanIn>(&body)?, &body).await?,
    })
}

/// Takes up to 200 scans, such as a device queued without a connection; each is answered. A scan
/// with `offline` says what the device told the guest, and the server keeps to it, also when
/// check-in was disabled meanwhile: the earliest entry of a ticket stands, whatever the order of
/// arrival, and a later one names it as its `conflict`. An item with `annul` undoes a scan of the
/// device. An item that is wrong does not keep the others from being recorded. The same goes over
/// the live connection, in one frame of at most 64 KiB: `{"id":9,"sync":{"items":[…]}}`.
#[utoipa::path(post, path = "/pulse/check-ins/sync", operation_id = "sync_scans",
    request_body = SyncIn, responses((status = 200, body = Synced)))]
async fn sync(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    let body = call.text().await?;
    let target = serde_json::from_str::<Target>(&body).unwrap_or_default();
    let table = target.one::<SyncIn>(&body)?;
    answered(super::sync(call.ctx, &scope, table, &body).await?)
}

/// Enough of a body to know where to send it.
#[derive(Default, Deserialize)]
struct Target {
    #[serde(default)]
    table_id: Option<Uuid>,
    #[serde(default)]
    tables: Option<IgnoredAny>,
}

impl Target {
    /// The table of a body. What is wrong with it is told as precisely as for any body.
    fn one<T: DeserializeOwned>(self, body: &str) -> Result<Uuid> {
        if let Some(table) = self.table_id {
            return Ok(table);
        }
        decode::<T>(body)?;
        Err(Invalid::one("/table_id", "missing_field", "missing field `table_id`.").into())
    }
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
///
/// A scanner may also scan over it. `{"id":9,"scan":{…}}` is answered `{"id":9,"verdict":{…}}` and
/// `{"id":9,"sync":{"items":[…]}}` is answered `{"id":9,"synced":{…}}`, with the bodies of
/// `POST /pulse/check-ins` and `POST /pulse/check-ins/sync`; `table_id` may be left out.
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
