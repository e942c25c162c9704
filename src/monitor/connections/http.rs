//! Routes of connections: decode, call, render.
//!
//! Invariant: no answer holds a password.
//! Failure: see the problems of the API document.

use rules::roles::{Resource, Verb};

use super::wire::{
    ColumnsQuery, ConnectionImpact, ConnectionIn, ConnectionPatch, ConnectionsQuery,
    MonitorConnection, MonitorConnections, TablesQuery,
};
use crate::monitor::replica::{Columns, ReplicaSchemas, ReplicaTables, Tested};
use crate::platform::http::{Access, Answer, Call, Route, created, json, no_content, routes};

/// The routes.
pub fn routes() -> Vec<Route> {
    routes![
        __path_create, create => Access::May(Verb::Create, Resource::Connection);
        __path_list, list => Access::May(Verb::Read, Resource::Connection);
        __path_get, get => Access::May(Verb::Read, Resource::Connection);
        __path_patch, patch => Access::May(Verb::Write, Resource::Connection);
        __path_delete, delete => Access::May(Verb::Delete, Resource::Connection);
        __path_test, test => Access::May(Verb::Write, Resource::Connection);
        __path_schemas, schemas => Access::May(Verb::Search, Resource::Connection);
        __path_tables, tables => Access::May(Verb::Search, Resource::Connection);
        __path_columns, columns => Access::May(Verb::Search, Resource::Connection);
        __path_impact, impact => Access::May(Verb::Read, Resource::Connection);
    ]
}

/// Adds a connection to a read replica. Nothing is asked of it yet.
#[utoipa::path(post, path = "/api/connections", operation_id = "create_connection",
    request_body = ConnectionIn, responses((status = 201, body = MonitorConnection)))]
async fn create(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<ConnectionIn>().await?;
    let done = super::create(call.ctx, &scope, input).await?;
    Ok(created(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Lists connections, newest first.
#[utoipa::path(get, path = "/api/connections", operation_id = "list_connections",
    params(ConnectionsQuery), responses((status = 200, body = MonitorConnections)))]
async fn list(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::list(call.ctx, &scope, &call.query()?).await?)
}

/// One connection.
#[utoipa::path(get, path = "/api/connections/{id}", operation_id = "get_connection",
    params(("id" = Uuid, Path)), responses((status = 200, body = MonitorConnection)))]
async fn get(call: Call<'_>) -> Answer {
    let connection = super::get(call.ctx, &call.scope().await?, call.id("id")?).await?;
    Ok(json(&connection)?.version(connection.version))
}

/// Changes a connection. Another server, or one without encryption, takes the password again.
#[utoipa::path(patch, path = "/api/connections/{id}", operation_id = "update_connection",
    params(("id" = Uuid, Path)), request_body = ConnectionPatch,
    responses((status = 200, body = MonitorConnection)))]
async fn patch(call: Call<'_>) -> Answer {
    let (scope, input) = call.write::<ConnectionPatch>().await?;
    let (id, if_match) = (call.id("id")?, call.if_match()?);
    let done = super::patch(call.ctx, &scope, id, if_match, input).await?;
    Ok(json(&done.result)?
        .version(done.result.version)
        .replayed(done.replayed))
}

/// Removes a connection with its tables, their checks and what came of them.
#[utoipa::path(delete, path = "/api/connections/{id}", operation_id = "delete_connection",
    params(("id" = Uuid, Path)), responses((status = 204)))]
async fn delete(call: Call<'_>) -> Answer {
    let scope = call.writing("").await?;
    super::delete(call.ctx, &scope, call.id("id")?, call.if_match()?).await?;
    no_content()
}

/// Signs in to the replica and says what it is, or what keeps it from being asked and what to do
/// about it.
#[utoipa::path(post, path = "/api/connections/{id}/test", operation_id = "test_connection",
    params(("id" = Uuid, Path)), responses((status = 200, body = Tested)))]
async fn test(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::test(call.ctx, &scope, call.id("id")?).await?)
}

/// Lists the schemas of the replica, and whether the role may use them.
#[utoipa::path(get, path = "/api/connections/{id}/schemas", operation_id = "list_replica_schemas",
    params(("id" = Uuid, Path)), responses((status = 200, body = ReplicaSchemas)))]
async fn schemas(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::schemas(call.ctx, &scope, call.id("id")?).await?)
}

/// Lists tables of a schema with what the catalogue estimates of their rows, by name.
#[utoipa::path(get, path = "/api/connections/{id}/tables", operation_id = "list_replica_tables",
    params(("id" = Uuid, Path), TablesQuery), responses((status = 200, body = ReplicaTables)))]
async fn tables(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::tables(call.ctx, &scope, call.id("id")?, call.query()?).await?)
}

/// The columns and indexes of a table.
#[utoipa::path(get, path = "/api/connections/{id}/columns", operation_id = "list_replica_columns",
    params(("id" = Uuid, Path), ColumnsQuery), responses((status = 200, body = Columns)))]
async fn columns(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::columns(call.ctx, &scope, call.id("id")?, call.query()?).await?)
}

/// What Pulse cost the replica, by the hour, against its budget.
#[utoipa::path(get, path = "/api/connections/{id}/impact", operation_id = "get_connection_impact",
    params(("id" = Uuid, Path)), responses((status = 200, body = ConnectionImpact)))]
async fn impact(call: Call<'_>) -> Answer {
    let scope = call.scope().await?;
    json(&super::impact(call.ctx, &scope, call.id("id")?).await?)
}
