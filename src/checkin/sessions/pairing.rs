//! Pairing: a device becomes a scanner by a QR code, gets newer tokens, and stops being one.
//!
//! Invariant: a pairing token is shown once, kept as its hash, and makes one device token; a pairing,
//! a roll and a revocation each shut out every device token made before.
//! Failure: a token that does not pair says why; too many tries from one place wait.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::wire::{PairIn, Paired, PairingLink};
use super::{mint, store, tell, with_token};
use crate::checkin::{Followed, Home, ask};
use crate::platform::crypto;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::object::ObjectAnswer;
use crate::platform::scope::{Credential, Jurisdiction, Scope};

/// What a phone finds in the QR code of a pairing.
const VERSION: u8 = 1;

/// A pairing that was started.
#[derive(Deserialize)]
pub struct Started {
    id: Uuid,
    expires_at: String,
}

/// What came of a pairing token. A refusal is an answer, because the attempt it counts must stay.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Exchanged {
    /// It was good.
    Paired {
        /// Its tenant.
        tenant_id: Uuid,
        /// Of the tenant.
        jurisdiction: Jurisdiction,
        /// The session, of a new generation.
        session: Value,
        /// What the device needs to know of the table.
        table: Value,
    },
    /// It was not.
    Refused {
        /// Why.
        refused: String,
        /// After too many attempts.
        #[serde(default)]
        blocked_for_seconds: u32,
    },
}

/// Makes a session's pairing token and its QR code; the one before ends. `origin` is where this
/// deployment is reached.
pub async fn start(ctx: &Ctx, scope: &Scope, session: Uuid, origin: &str) -> Result<PairingLink> {
    let id = ctx.new_id();
    let token = token_of(ctx, scope, id)?;
    let new = json!({
        "id": id, "session_id": session, "token_hash": crypto::sha256_hex(token.as_bytes()),
        "now": clock(ctx),
    });
    let done = ctx.pg.call_full(scope, &store::START_PAIRING, &new).await?;
    let token = match done.replayed {
        true => token_of(ctx, scope, done.result.id)?,
        false => token,
    };
    PairingLink::of(VERSION, origin, token, done.result.expires_at)
}

/// Exchanges a pairing token for a device token. `source` is where the attempt comes from.
pub async fn exchange(ctx: &Ctx, input: PairIn, source: &str) -> Result<Paired> {
    let try_it = json!({
        "token_hash": crypto::sha256_hex(input.token.as_bytes()),
        "device_info": input.info()?, "source": source, "now": clock(ctx),
    });
    match ctx.pg.function(&store::PAIR, &try_it).await? {
        Exchanged::Paired {
            tenant_id,
            jurisdiction,
            session,
            table,
        } => {
            let token = mint(ctx, tenant_id, jurisdiction, &session)?;
            let home = Home {
                jurisdiction,
                region: None,
            };
            tell(ctx, tenant_id, &session, &[], &home).await;
            Ok(Paired {
                session,
                token,
                table,
            })
        }
        Exchanged::Refused {
            refused,
            blocked_for_seconds,
        } => Err(match refused.as_str() {
            "blocked" => Error::too_many(blocked_for_seconds),
            "used" => Error::conflict(
                "pairing_used",
                "This code has paired a device already; ask for a new one.",
            ),
            "expired" => Error::new(
                410,
                "pairing_expired",
                "This code has expired; ask for a new one.",
            ),
            "closed" => Error::new(
                410,
                "session_closed",
                "This scanner session, or check-in on its table, is closed.",
            ),
            _ => Error::new(404, "pairing_unknown", "This code pairs with nothing here."),
        }),
    }
}

/// A newer token for the session's device; the answer holds it, this once.
pub async fn roll(ctx: &Ctx, scope: &Scope, session: Uuid) -> Result<Value> {
    let which = json!({"session_id": session, "now": clock(ctx)});
    let done = ctx.pg.call_full(scope, &store::ROLL, &which).await?;
    with_token(ctx, done.tenant, done.result).await
}

/// Shuts the session's device out for good.
pub async fn revoke(ctx: &Ctx, scope: &Scope, session: Uuid) -> Result<Value> {
    let which = json!({"session_id": session, "now": clock(ctx)});
    let done = ctx.pg.call_full(scope, &store::REVOKE, &which).await?;
    let Followed { it: session, live } = done.result;
    let home = live.unwrap_or_default();
    tell(ctx, done.tenant, &session, &[], &home).await;
    Ok(session)
}

/// Hands what a device says of itself to its table.
pub async fn report(ctx: &Ctx, scope: &Scope, id: Uuid, body: &str) -> Result<ObjectAnswer> {
    match scope.credential {
        Credential::Device { session, table, .. } if session == id => {
            ask(ctx, scope, table, "status", body).await
        }
        Credential::Device { .. } => Err(Error::not_found()),
        _ => Err(Error::forbidden(
            "role_not_allowed",
            "Only the device itself says how it is.",
        )),
    }
}

/// 256 bits; the same again for a request that is repeated with its key.
fn token_of(ctx: &Ctx, scope: &Scope, id: Uuid) -> Result<String> {
    let Some(repeated) = &scope.idempotency else {
        return Ok(crypto::secret());
    };
    let seed = format!("pulse pairing {id} {}", repeated.key);
    Ok(crypto::base64url(&crypto::hmac_sha256(
        ctx.config.token_secret()?,
        seed.as_bytes(),
    )))
}

/// The time as the store takes it: the database's own, unless a test moved it.
fn clock(ctx: &Ctx) -> Value {
    match ctx.config.test_clock {
        true => json!(rules::time::render(ctx.now)),
        false => Value::Null,
    }
}
