//! What all of a tenant's staff may watch live: channels whose record is in Postgres.
//!
//! Whoever changes something emits an event in the same transaction, and after it announces so; the
//! object of the tenant then pulls what it has not got and sends it to who watches.
//! Invariant: events are sent in the order of their commits, each once, whoever wrote them; the channels
//! that there are, and who may watch which, is one table in `live`.
//! Failure: an announcement that is lost is made up for by the minute tick.

mod http;
mod live;
mod readers;
mod storage;
mod store;
mod surface;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::http::Module;
use crate::platform::object::{self, Address, Caller};
use crate::platform::scope::{Credential, Jurisdiction, Scope, Subject};
use crate::platform::token;

/// The binding of the objects.
pub const BINDING: &str = "TENANT";
/// Where a socket is opened.
pub const URL: &str = "/live/tenant";
/// How many objects are told at once.
const AT_ONCE: usize = 6;

/// Where a tenant's object is kept.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Place {
    /// Where it must be.
    pub jurisdiction: Jurisdiction,
    /// Where it is placed if it is called for the first time.
    #[serde(default)]
    pub region: Option<String>,
}

/// A tenant whose channels have events that were not sent.
#[derive(Deserialize)]
struct Behind {
    tenant_id: Uuid,
    channel: String,
    #[serde(flatten)]
    place: Place,
}

/// A place in a channel, as a snapshot carries it: who subscribes from there misses nothing.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct LiveAt {
    /// The channel.
    pub channel: String,
    /// Which life of it.
    pub epoch: String,
    /// Its last event.
    pub offset: u64,
    /// Where to connect.
    #[serde(default = "url")]
    pub url: String,
}

fn url() -> String {
    URL.to_owned()
}

impl Place {
    fn of(&self, tenant: Uuid) -> Address {
        Address {
            binding: BINDING,
            id: tenant,
            jurisdiction: self.jurisdiction,
            region: self.region.clone(),
        }
    }
}

/// The routes of the module.
pub fn routes() -> Vec<Module> {
    vec![Module {
        tag: "Live",
        about: "The live connection of a tenant's staff.",
        routes: http::routes(),
    }]
}

/// The object of whoever connects, who is asked again there. The token comes in the subprotocol pair, or
/// later; then the tenant is named.
pub async fn address(ctx: &Ctx, protocol: &str, wanted: Option<Uuid>) -> Result<Address> {
    let offered = protocol.split_once(',').map(|(_, token)| token.trim());
    let scope = match (offered.filter(|token| !token.is_empty()), wanted) {
        (Some(token), tenant) => Scope {
            credential: token::verify(&ctx.config, token, ctx.now)?,
            tenant,
            roles: &[],
            idempotency: None,
        },
        (None, Some(tenant)) => Scope::system(tenant),
        (None, None) => return Err(Error::unauthenticated("credential_missing")),
    };
    let found = ctx.pg.call_full(&scope, &store::PLACE, &json!({})).await?;
    Ok(found.result.of(found.tenant))
}

/// Something was emitted: who watches is told at once.
pub async fn announce(ctx: &Ctx, tenant: Uuid, place: &Place) {
    // What is not heard now, the minute tick makes up for.
    let _ = order(ctx, tenant, place, "pull", "").await;
}

/// Somebody's role changed, or their credential ended: their sockets follow. An object that does not
/// hear it finds it within a minute.
pub async fn standing_changed(ctx: &Ctx, tenant: Uuid, place: &Place, subject: Subject) {
    let subject = serde_json::to_string(&subject).unwrap_or_default();
    let _ = order(ctx, tenant, place, "standing", &subject).await;
}

/// Has the objects pull whose channels are behind, as the tick found them; answers how many did.
pub async fn catch_up(ctx: &Ctx, behind: &[Value]) -> usize {
    let behind = behind.iter().cloned().map(serde_json::from_value::<Behind>);
    let mut behind: Vec<Behind> = behind.filter_map(core::result::Result::ok).collect();
    behind.retain(|behind| live::is_channel(&behind.channel));
    behind.sort_by_key(|behind| behind.tenant_id);
    behind.dedup_by_key(|behind| behind.tenant_id);
    stream::iter(&behind)
        .map(|behind| async move {
            let told = order(ctx, behind.tenant_id, &behind.place, "pull", "").await;
            told.is_ok()
        })
        .buffer_unordered(AT_ONCE)
        .filter(|told| std::future::ready(*told))
        .count()
        .await
}

async fn order(ctx: &Ctx, tenant: Uuid, place: &Place, command: &str, input: &str) -> Result<()> {
    let caller = Caller {
        credential: Credential::System,
        tenant: Some(tenant),
        now: ctx.now,
        request_id: ctx.request_id.clone(),
    };
    object::call(ctx, &place.of(tenant), command, &caller, input)
        .await
        .map(drop)
}
