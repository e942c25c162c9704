//! Connections to read replicas.
//!
//! Invariant: a password goes in, is sealed, and comes out nowhere but in the object that signs in
//! with it. A change reaches that object before the next thing it asks.
//! Failure: a replica that cannot be asked is said to be so, with what to do about it; see `test`.

pub mod http;
mod sealed;
mod store;
mod wire;

pub use sealed::Owner;
pub use wire::{Budget, SslMode};

use rules::monitor::TableName;
use rules::page::Page;
use serde_json::{Value, json};
use uuid::Uuid;

use super::replica::{self, Columns, Look, ReplicaSchemas, ReplicaTables};
use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::outbound;
use crate::platform::pg::Called;
use crate::platform::scope::Scope;
use wire::{
    ColumnsQuery, ConnectionImpact, ConnectionIn, ConnectionPatch, ConnectionsQuery,
    MonitorConnection, TablesQuery,
};

/// Adds a connection. Whether it works, a test says.
pub async fn create(
    ctx: &Ctx,
    scope: &Scope,
    input: ConnectionIn,
) -> Result<Called<MonitorConnection>> {
    let (checked, password) = input.check(&outbound::policy(&ctx.config))?;
    let id = ctx.new_id();
    let owner = Owner {
        tenant: tenant(ctx, scope).await?,
        connection: id,
        version: 1,
    };
    let mut new = serde_json::to_value(checked)?;
    put(&mut new, "id", json!(id));
    put(&mut new, "secret", json!(owner.seal(ctx, &password)?));
    ctx.pg.call_full(scope, &store::INSERT, &new).await
}

/// Connections, newest first.
pub async fn list(
    ctx: &Ctx,
    scope: &Scope,
    query: &ConnectionsQuery,
) -> Result<Page<MonitorConnection>> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let filter = json!({
        "before": rules::page::decode::<Uuid>(query.cursor.as_deref())?,
        "limit": limit + 1,
    });
    let found = ctx.pg.call(scope, &store::LIST, &filter).await?;
    Ok(rules::page::cut(found, limit, |connection| connection.id))
}

/// One connection.
pub async fn get(ctx: &Ctx, scope: &Scope, connection: Uuid) -> Result<MonitorConnection> {
    let which = json!({"id": connection});
    ctx.pg.call(scope, &store::GET, &which).await
}

/// Changes a connection, and lets its object know.
pub async fn patch(
    ctx: &Ctx,
    scope: &Scope,
    connection: Uuid,
    if_match: Option<i64>,
    input: ConnectionPatch,
) -> Result<Called<MonitorConnection>> {
    let which = json!({"id": connection});
    let known = ctx
        .pg
        .call_full(&reading(scope), &store::KNOWN, &which)
        .await?;
    let (tenant, known) = (known.tenant, known.result);
    let (checked, password) = input.check(&outbound::policy(&ctx.config), Some(&known))?;
    let mut change = serde_json::to_value(checked)?;
    put(&mut change, "id", json!(connection));
    // It was checked against this version, so it is right for no other.
    put(
        &mut change,
        "if_match",
        json!(if_match.unwrap_or(known.version)),
    );
    if let Some(password) = password {
        let owner = Owner {
            tenant,
            connection,
            version: known.secret_version + 1,
        };
        put(&mut change, "secret", json!(owner.seal(ctx, &password)?));
        put(&mut change, "secret_version", json!(owner.version));
    }
    let done = ctx.pg.call_full(scope, &store::PATCH, &change).await?;
    replica::changed(ctx, done.tenant, &done.result).await;
    done.try_map(|followed| Ok(followed.it))
}

/// Removes a connection with its tables, checks and history.
pub async fn delete(
    ctx: &Ctx,
    scope: &Scope,
    connection: Uuid,
    if_match: Option<i64>,
) -> Result<()> {
    let which = json!({"id": connection, "if_match": if_match});
    let gone = ctx.pg.call_full(scope, &store::DELETE, &which).await?;
    replica::changed(ctx, gone.tenant, &gone.result).await;
    Ok(())
}

/// Signs in to the replica and looks at it, through the object that owns its socket.
pub async fn test(ctx: &Ctx, scope: &Scope, connection: Uuid) -> Result<replica::Tested> {
    let which = json!({"id": connection});
    let home = ctx.pg.call_full(scope, &store::HOME, &which).await?;
    replica::test(ctx, home.tenant, &home.result).await
}

/// The schemas of the replica.
pub async fn schemas(ctx: &Ctx, scope: &Scope, connection: Uuid) -> Result<ReplicaSchemas> {
    let items = look(ctx, scope, connection, &Look::Schemas).await?;
    Ok(ReplicaSchemas { items })
}

/// Tables of a schema, by name.
pub async fn tables(
    ctx: &Ctx,
    scope: &Scope,
    connection: Uuid,
    query: TablesQuery,
) -> Result<ReplicaTables> {
    let limit = rules::page::limit(query.limit.as_deref())?;
    let after = rules::page::decode::<String>(query.cursor.as_deref())?;
    let wanted = Look::Tables {
        schema: query.schema.unwrap_or_else(public),
        after: after.unwrap_or_default(),
        limit: limit + 1,
    };
    let found: Vec<rules::monitor::catalog::Listed> = look(ctx, scope, connection, &wanted).await?;
    let page = rules::page::cut(found, limit, |table| table.name.clone());
    Ok(ReplicaTables {
        items: page.items,
        next_cursor: page.next_cursor,
    })
}

/// The columns and indexes of a table.
pub async fn columns(
    ctx: &Ctx,
    scope: &Scope,
    connection: Uuid,
    query: ColumnsQuery,
) -> Result<Columns> {
    let table = TableName {
        schema: query.schema.unwrap_or_else(public),
        name: query.table,
    };
    look(ctx, scope, connection, &Look::Columns { table }).await
}

/// What it cost the replica, by the hour.
pub async fn impact(ctx: &Ctx, scope: &Scope, connection: Uuid) -> Result<ConnectionImpact> {
    let which = json!({"id": connection});
    ctx.pg.call(scope, &store::IMPACT, &which).await
}

async fn look<T: serde::de::DeserializeOwned>(
    ctx: &Ctx,
    scope: &Scope,
    connection: Uuid,
    look: &Look,
) -> Result<T> {
    let which = json!({"id": connection});
    let home = ctx.pg.call_full(scope, &store::HOME, &which).await?;
    replica::browse(ctx, home.tenant, &home.result, look).await
}

fn public() -> String {
    "public".to_owned()
}

async fn tenant(ctx: &Ctx, scope: &Scope) -> Result<Uuid> {
    let asked = ctx
        .pg
        .call_full(&reading(scope), &store::WHOSE, &json!({}))
        .await?;
    Ok(asked.tenant)
}

/// What is read is nobody's answer: the key of a repeated request belongs to the write.
fn reading(scope: &Scope) -> Scope {
    Scope {
        idempotency: None,
        ..scope.clone()
    }
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}
