//! Routes of signed tickets: decode, call, render.
//!
//! Invariant: a code appears in the answer to its issue only; private keys appear nowhere.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{
    IssueIn, IssuedTickets, RevokeIn, RevokedTickets, RotateIn, TicketKeys, Tickets, TicketsQuery,
};
use crate::platform::http::{Access, Answer, Call, Route, created, json, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_issue, issue => Access::May(Verb::Create, Resource::Ticket);
        __path_list, list => Access::May(Verb::Read, Resource::Ticket);
        __path_revoke, revoke => Access::May(Verb::Delete, Resource::Ticket);
        __path_keys, keys => Access::May(Verb::Read, Resource::TicketKey);
        __path_rotate, rotate => Access::May(Verb::Create, Resource::TicketKey);
    ]
}

/// Issues signed tickets: codes a scanner can judge without the guest list. A guest's earlier
/// ticket is revoked. The first issue makes the list's key.
#[utoipa::path(post, path = "/pulse/tables/{id}/tickets", operation_id = "issue_tickets",
    params(("id" = Uuid, Path)), request_body = IssueIn,
    responses((status = 201, body = IssuedTickets)))]
async fn issue(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<IssueIn>().await?;
    let done = super::issue(call.ctx, &scope, call.id("id")?, input).await?;
    Ok(created(&done.result)?.replayed(done.replayed))
}

/// Lists issued tickets, without their codes.
#[utoipa::path(get, path = "/pulse/tables/{id}/tickets", operation_id = "list_tickets",
    params(("id" = Uuid, Path), TicketsQuery), responses((status = 200, body = Tickets)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, call.id("id")?, call.query()?).await?)
}

/// Revokes tickets. From then on they are refused at the door.
#[utoipa::path(post, path = "/pulse/tables/{id}/tickets/revoke", operation_id = "revoke_tickets",
    params(("id" = Uuid, Path)), request_body = RevokeIn,
    responses((status = 200, body = RevokedTickets)))]
async fn revoke(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<RevokeIn>().await?;
    let done = super::revoke(call.ctx, &scope, call.id("id")?, input).await?;
    Ok(json(&done.result)?.replayed(done.replayed))
}

/// The public keys that verify the list's tickets.
#[utoipa::path(get, path = "/pulse/tables/{id}/ticket-key", operation_id = "get_ticket_keys",
    params(("id" = Uuid, Path)), responses((status = 200, body = TicketKeys)))]
async fn keys(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::keys(call.ctx, &scope, call.id("id")?).await?)
}

/// Makes a new key sign. Tickets of earlier keys stay good, unless `revoke_old` revokes them all.
#[utoipa::path(post, path = "/pulse/tables/{id}/ticket-key", operation_id = "rotate_ticket_key",
    params(("id" = Uuid, Path)), request_body = RotateIn,
    responses((status = 201, body = TicketKeys)))]
async fn rotate(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<RotateIn>().await?;
    let done = super::rotate(call.ctx, &scope, call.id("id")?, input).await?;
    Ok(created(&done.result)?.replayed(done.replayed))
}
