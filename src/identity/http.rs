//! What the routes of identity share.
//!
//! Invariant: a path that names a tenant acts on that tenant, whatever the credential was made for.
//! Failure: a tenant the caller does not belong to is 404: its existence is nobody else's business.

use rules::page::Page;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::error::{Error, Result};
use crate::platform::http::{Answer, Call};
use crate::platform::scope::Scope;

/// Where a list goes on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    #[param(max_length = 1024)]
    pub cursor: Option<String>,
}

impl ListQuery {
    /// How many items are shown.
    pub fn limit(&self) -> Result<u32> {
        Ok(rules::page::limit(self.limit.as_deref())?)
    }

    /// The last item of the page before.
    pub fn before(&self) -> Result<Option<Uuid>> {
        Ok(rules::page::decode(self.cursor.as_deref())?)
    }

    /// As the store takes it: one item more than is shown, so that a further page is noticed.
    pub fn input(&self) -> Result<Value> {
        Ok(json!({"before": self.before()?, "limit": self.limit()? + 1}))
    }
}

/// One page of a list, newest first.
#[derive(Serialize, ToSchema)]
pub struct Listed<T: ToSchema> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page starts.
    pub next_cursor: Option<String>,
}

impl<T: ToSchema> From<Page<T>> for Listed<T> {
    fn from(Page { items, next_cursor }: Page<T>) -> Self {
        Self { items, next_cursor }
    }
}

/// The scope of a call whose path names its tenant.
pub async fn at_tenant(call: &Call<'_>) -> Result<Scope> {
    let scope = call.scope().await?;
    Ok(Scope {
        tenant: Some(call.id("id")?),
        ..scope
    })
}

/// The scope and the body of a write whose path names its tenant.
pub async fn write_at_tenant<T: DeserializeOwned>(call: &Call<'_>) -> Result<(Scope, T)> {
    let (scope, input) = call.write().await?;
    Ok((
        Scope {
            tenant: Some(call.id("id")?),
            ..scope
        },
        input,
    ))
}

/// The scope of a removal whose path names its tenant.
pub async fn remove_at_tenant(call: &Call<'_>) -> Result<Scope> {
    let scope = call.writing("").await?;
    Ok(Scope {
        tenant: Some(call.id("id")?),
        ..scope
    })
}

/// Hides a tenant from those who do not belong to it.
pub fn hidden(error: Error) -> Error {
    match error.code.as_ref() {
        "not_a_member" => Error::not_found(),
        _ => error,
    }
}

/// Marks the answer to a repeated request.
pub fn replayed(answer: Answer, replayed: bool) -> Answer {
    match replayed {
        true => Ok(answer?.header("idempotent-replayed", "true")),
        false => answer,
    }
}
