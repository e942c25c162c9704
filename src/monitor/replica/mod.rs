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
use serde::de::{DeserializeOwned, IgnoredAny};
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
    /// The connection.
    pub connection_id: Uuid,
    /// Where the object is.
    pub live: Home,
}

/// Tells the object that its connection, or what is watched through it, was changed. One that does
/// not hear it is told by the minute tick.
pub async fn changed<T>(ctx: &Ctx, tenant: Uuid, what: &Followed<T>) {
    let _ = order::<T, IgnoredAny>(ctx, tenant, what, "changed").await;
}

/// Has the object sign in and look at its replica.
pub async fn test<T>(ctx: &Ctx, tenant: Uuid, what: &Followed<T>) -> Result<Tested> {
    order(ctx, tenant, what, "test").await
}

async fn order<T, A: DeserializeOwned>(
    ctx: &Ctx,
    tenant: Uuid,
    what: &Followed<T>,
    command: &str,
) -> Result<A> {
    let caller = Caller {
        credential: Credential::System,
        tenant: Some(tenant),
        now: ctx.now,
        request_id: ctx.request_id.clone(),
    };
    let address = Address {
        binding: BINDING,
        id: what.connection_id,
        jurisdiction: what.live.jurisdiction,
        region: what.live.region.clone(),
    };
    let answer = object::call(ctx, &address, command, &caller, "").await?;
    Ok(serde_json::from_str(&answer.body)?)
}
