//! The object of a connection: the only one that speaks to its replica.
//!
//! Invariant: one object per connection, named by the connection's id, in the jurisdiction of its
//! tenant; whatever is asked of a replica is asked by it.
//! Failure: an object that was not told of a change reads it before it asks anything.

mod asking;
mod browse;
mod contact;
mod fault;
mod filling;
mod home;
mod judging;
mod line;
mod live;
mod memory;
mod plan;
mod spending;
mod storage;
mod store;
mod telling;
mod test;
mod wake;

pub use browse::{Columns, Look, ReplicaSchemas, ReplicaTables};
pub use test::Tested;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::Result;
use crate::platform::object::{self, Address, Caller};
use crate::platform::scope::{Credential, Jurisdiction};
use crate::tenant::Place;

/// The binding of the objects.
pub const BINDING: &str = "REPLICA";

/// How many objects are told at once.
const AT_ONCE: usize = 6;

/// Where a tenant's objects are kept.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Home {
    /// Where they must be.
    pub jurisdiction: Jurisdiction,
    /// Where one is placed that is called for the first time.
    #[serde(default)]
    pub region: Option<String>,
}

impl Home {
    /// Where the objects of a tenant are.
    pub fn place(&self) -> Place {
        Place {
            jurisdiction: self.jurisdiction,
            region: self.region.clone(),
        }
    }
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
    let _ = order::<T, IgnoredAny>(ctx, tenant, what, "changed", "").await;
}

/// Has the object sign in and look at its replica.
pub async fn test<T>(ctx: &Ctx, tenant: Uuid, what: &Followed<T>) -> Result<Tested> {
    order(ctx, tenant, what, "test", "").await
}

/// Has the object look at what its replica holds.
pub async fn browse<T, A: DeserializeOwned>(
    ctx: &Ctx,
    tenant: Uuid,
    what: &Followed<T>,
    look: &Look,
) -> Result<A> {
    let look = serde_json::to_string(look)?;
    order(ctx, tenant, what, "browse", &look).await
}

/// Has the object run the checks of a table now; a dry run leaves no trace but what it cost.
pub async fn run<T>(
    ctx: &Ctx,
    tenant: Uuid,
    what: &Followed<T>,
    table: Uuid,
    dry: bool,
) -> Result<Vec<Value>> {
    let command = if dry { "dry-run" } else { "run" };
    order(ctx, tenant, what, command, &serde_json::to_string(&table)?).await
}

/// A connection whose object is late.
#[derive(Deserialize)]
struct Late {
    connection_id: Uuid,
    tenant_id: Uuid,
    #[serde(flatten)]
    live: Home,
}

/// Wakes the objects that have something to do and have not done it; answers how many.
pub async fn wake(ctx: &Ctx) -> Result<usize> {
    let late = ctx.pg.function(&store::DUE, &json!({})).await?;
    let count = late.len();
    stream::iter(late)
        .for_each_concurrent(AT_ONCE, |late: Late| async move {
            let what = Followed {
                it: (),
                connection_id: late.connection_id,
                live: late.live,
            };
            // What is not woken now, the next minute wakes.
            let _ = order::<(), IgnoredAny>(ctx, late.tenant_id, &what, "wake", "").await;
        })
        .await;
    Ok(count)
}

async fn order<T, A: DeserializeOwned>(
    ctx: &Ctx,
    tenant: Uuid,
    what: &Followed<T>,
    command: &str,
    input: &str,
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
    let answer = object::call(ctx, &address, command, &caller, input).await?;
    Ok(serde_json::from_str(&answer.body)?)
}
