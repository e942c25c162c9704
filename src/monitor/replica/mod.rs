//! The object of a connection: the only one that speaks to its replica.
//!
//! Invariant: one object per connection, named by the connection's id, in the jurisdiction of its
//! tenant; whatever is asked of a replica is asked by it.
//! Failure: an object that was not told of a change reads it before it asks anything.

mod fault;
mod line;
mod live;
mod storage;
mod store;
mod test;

pub use test::Tested;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::object::{self, Address, Caller};
use crate::platform::scope::{Credential, Jurisdiction};

/// The binding of the objects.
pub const BINDING: &str = "REPLICA";

/// Where a tenant's objects are kept.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Home {
    /// Where they must be.
    pub jurisdiction: Jurisdiction,
    /// Where one is placed that is called for the first time.
    #[serde(default)]
    pub region: Option<String>,
}

/// What came of a change, and where the object is that follows it.
#[derive(Deserialize)]
pub struct Followed<T> {
    /// What came of it.
    pub it: T,
    /// Where the object is.
    pub live: Home,
}

/// Tells the object that its connection was changed or removed. One that does not hear it reads the
/// connection before it asks anything.
pub async fn changed(ctx: &Ctx, tenant: Uuid, connection: Uuid, home: &Home) {
    let _ = order::<serde::de::IgnoredAny>(ctx, tenant, connection, home, "changed").await;
}

/// Has the object sign in and look at its replica.
pub async fn test(ctx: &Ctx, tenant: Uuid, connection: Uuid, home: &Home) -> Result<Tested> {
    order(ctx, tenant, connection, home, "test").await
}

async fn order<T: DeserializeOwned>(
    ctx: &Ctx,
    tenant: Uuid,
    connection: Uuid,
    home: &Home,
    command: &str,
) -> Result<T> {
    let caller = Caller {
        credential: Credential::System,
        tenant: Some(tenant),
        now: ctx.now,
        request_id: ctx.request_id.clone(),
    };
    let address = Address {
        binding: BINDING,
        id: connection,
        jurisdiction: home.jurisdiction,
        region: home.region.clone(),
    };
    let answer = object::call(ctx, &address, command, &caller, "").await?;
    Ok(serde_json::from_str(&answer.body)?)
}
