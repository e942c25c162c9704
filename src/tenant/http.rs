//! The route of the live connection: decode, call, render.
//!
//! Invariant: nothing is decided here but which object is asked.
//! Failure: 426 for what is no WebSocket, 401 for a credential that is none.

use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::platform::error::Error;
use crate::platform::http::{Access, Answer, Body, Call, Reply, Route, routes};
use crate::platform::object;

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![__path_connect, connect => Access::Public;]
}

/// Whose object.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ConnectQuery {
    /// The tenant, for a client that brings its token in the first frame, and for people who are members
    /// of several.
    tenant: Option<Uuid>,
}

/// Opens the live connection of a tenant's staff: a WebSocket. The token comes in the subprotocol pair
/// `pulse.v1, <token>`, or in the first frame; then `tenant` says whose connection it is.
///
/// Its channel `alerts` has an event for every change of an alert: `data` says which alert it is of, what
/// happened to it and where it stands now.
#[utoipa::path(get, path = "/live/tenant", operation_id = "connect_tenant", params(ConnectQuery),
    responses((status = 101), (status = 426)))]
async fn connect(call: Call<'_>) -> Answer {
    if !call.head.upgrade.eq_ignore_ascii_case("websocket") {
        return Err(Error::new(
            426,
            "upgrade_required",
            "This address speaks WebSocket.",
        ));
    }
    call.same_origin()?;
    let query: ConnectQuery = call.query()?;
    let address = super::address(call.ctx, &call.head.protocol, query.tenant).await?;
    let response = object::upgrade(call.ctx, &address, call.request).await?;
    Ok(Reply::new(101, Body::Raw(response)))
}
