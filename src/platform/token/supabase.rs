//! Tokens that a Supabase project signed: with its shared secret, or with a key of its JWKS.
//!
//! Invariant: a key has one algorithm, taken from the key and never from the token; a token counts
//! only with the configured issuer, and only if it names an email address.
//! Failure: 401 for the token. A key set that cannot be fetched is 503, unless the last one read is
//! younger than an hour.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use jwt_compact::Algorithm;
use jwt_compact::alg::{Es256, Rsa, RsaPublicKey, StrongKey};
use jwt_compact::jwk::JsonWebKey;
use rules::token::{self, Header, Refused, SupabaseClaims};
use serde::Deserialize;
use worker::Method;

use super::{refused, signed, verified};
use crate::platform::config::Config;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::outbound::{self, Limit, Outgoing};
use crate::platform::scope::Credential;

/// After this long a key set is fetched again.
const FRESH: i64 = 10 * 60;
/// For this long a key set is used when its source is away.
const USABLE: i64 = 60 * 60;
/// An unknown key id fetches the set again at most this often, in seconds.
const PAUSE: i64 = 30;
/// After a failure the source is left alone for this long, in seconds.
const REST: i64 = 5;
/// The largest key set that is read, in bytes.
const LIMIT: usize = 64 * 1024;
/// The longest address and subject that are taken over, in bytes.
const LONGEST: usize = 254;

/// A public key and with it the one algorithm it verifies.
enum Key {
    Es256(<Es256 as Algorithm>::VerifyingKey),
    Rs256(RsaPublicKey),
}

struct KeySet {
    url: String,
    /// Unix seconds.
    fetched: i64,
    keys: Vec<(String, Key)>,
}

thread_local! {
    static KEYS: RefCell<Option<Rc<KeySet>>> = const { RefCell::new(None) };
    /// When the source failed last, in Unix seconds.
    static FAILED: Cell<i64> = const { Cell::new(0) };
}

/// Whether tokens may be signed by a key of a set.
pub fn has_key_set(config: &Config) -> bool {
    !config.supabase_jwks_url.is_empty()
}

/// By the shared secret, where one is configured.
pub fn by_secret(
    config: &Config,
    token: &str,
    header: &Header,
    now: DateTime<Utc>,
) -> Result<Credential> {
    if config.supabase_secret.is_empty() {
        return Err(refused(Refused::WrongType));
    }
    if config.supabase_secret.len() < 32 {
        return Err(Error::internal(
            "secret SUPABASE_JWT_SECRET is shorter than 32 bytes",
        ));
    }
    header.meets(&token::SUPABASE_HS256).map_err(refused)?;
    let claims = signed(token, config.supabase_secret.as_bytes())?;
    credential(config, claims, now)
}

/// By a key of the set, which is fetched when it is old or does not have the key.
pub async fn by_key_set(ctx: &Ctx, token: &str, header: &Header) -> Result<Credential> {
    let now = ctx.now.timestamp();
    let known = known(&ctx.config);
    let age = known.as_ref().map(|set| now - set.fetched);
    let has_key = known.as_ref().is_some_and(|set| set.key(header).is_some());
    let wait = if has_key { FRESH } else { PAUSE };
    let set = match known {
        Some(set) if age.is_some_and(|age| age < wait) => set,
        known => match fetch(ctx).await {
            Ok(set) => set,
            Err(error) => known
                .filter(|_| age.is_some_and(|age| age < USABLE))
                .ok_or_else(|| away(error))?,
        },
    };
    by_key(&ctx.config, &set, token, header, ctx.now)
}

/// By a key that this isolate knows already.
pub fn by_known_key(
    config: &Config,
    token: &str,
    header: &Header,
    now: DateTime<Utc>,
) -> Result<Credential> {
    let set = known(config)
        .filter(|set| now.timestamp() - set.fetched < USABLE)
        .ok_or_else(|| Error::unavailable("the key set was not read yet"))?;
    by_key(config, &set, token, header, now)
}

fn by_key(
    config: &Config,
    set: &KeySet,
    token: &str,
    header: &Header,
    now: DateTime<Utc>,
) -> Result<Credential> {
    let claims = match set.key(header) {
        Some(Key::Es256(key)) => {
            header.meets(&token::SUPABASE_ES256).map_err(refused)?;
            verified(token, &Es256, key)?
        }
        Some(Key::Rs256(key)) => {
            header.meets(&token::SUPABASE_RS256).map_err(refused)?;
            verified(token, &Rsa::rs256(), key)?
        }
        None => return Err(Error::unauthenticated("token_invalid").because("token_unknown_key")),
    };
    credential(config, claims, now)
}

fn credential(config: &Config, claims: SupabaseClaims, now: DateTime<Utc>) -> Result<Credential> {
    claims
        .check(&config.supabase_issuer, now.timestamp())
        .map_err(refused)?;
    let email = claims.email.unwrap_or_default();
    let email = rules::email::parse("/email", &email)
        .map_err(|_| Error::unauthenticated("token_without_email"))?;
    let sound = (1..=LONGEST).contains(&claims.sub.len()) && !claims.sub.contains('\0');
    match sound {
        true => Ok(Credential::Supabase {
            subject: claims.sub,
            email,
        }),
        false => Err(refused(Refused::Malformed)),
    }
}

fn known(config: &Config) -> Option<Rc<KeySet>> {
    KEYS.with_borrow(|set| set.clone())
        .filter(|set| set.url == config.supabase_jwks_url)
}

async fn fetch(ctx: &Ctx) -> Result<Rc<KeySet>> {
    let now = ctx.now.timestamp();
    if (now - FAILED.get()).abs() < REST {
        return Err(Error::unavailable("it failed a moment ago"));
    }
    let fetched = fetch_now(ctx).await;
    match &fetched {
        Ok(set) => KEYS.set(Some(Rc::clone(set))),
        Err(_) => FAILED.set(now),
    }
    fetched
}

async fn fetch_now(ctx: &Ctx) -> Result<Rc<KeySet>> {
    let url = ctx.config.supabase_jwks_url.as_str();
    let answer = outbound::send(
        ctx,
        &Outgoing {
            method: Method::Get,
            url,
            headers: &[("accept", "application/json")],
            body: None,
            limit: Limit::Refuse(LIMIT),
            redirects: true,
            patience: Duration::from_secs(5),
        },
    )
    .await?;
    if answer.status != 200 {
        return Err(Error::unavailable(&format!(
            "it answered {}",
            answer.status
        )));
    }
    let keys = read_keys(&answer.body)?;
    Ok(Rc::new(KeySet {
        url: url.to_owned(),
        fetched: ctx.now.timestamp(),
        keys,
    }))
}

fn away(error: Error) -> Error {
    let why = error.context.unwrap_or_else(|| error.detail.into_owned());
    Error::unavailable(&format!("key set of the identity provider: {why}"))
}

#[derive(Deserialize)]
struct SetIn {
    keys: Vec<serde_json::Value>,
}

/// What says how a key may be used (RFC 7517 §4).
#[derive(Deserialize)]
struct KeyIn {
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
}

/// The keys of a set that we can use; others are passed over, as RFC 7517 §5 asks.
fn read_keys(body: &[u8]) -> Result<Vec<(String, Key)>> {
    let set: SetIn = serde_json::from_slice(body)
        .map_err(|error| Error::unavailable(&format!("it is no key set: {error}")))?;
    Ok(set.keys.iter().filter_map(read_key).collect())
}

fn read_key(key: &serde_json::Value) -> Option<(String, Key)> {
    let about = KeyIn::deserialize(key).ok()?;
    if about.purpose.is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let is_for = |alg: &str| about.alg.as_deref().is_none_or(|named| named == alg);
    let parsed = JsonWebKey::deserialize(key).ok()?;
    let key = match &parsed {
        JsonWebKey::EllipticCurve { .. } if is_for("ES256") => {
            Key::Es256((&parsed).try_into().ok()?)
        }
        JsonWebKey::Rsa { .. } if is_for("RS256") => {
            let key = RsaPublicKey::try_from(&parsed).ok()?;
            // 2048 bits at least (RFC 7518 §3.3).
            Key::Rs256(StrongKey::try_from(key).ok()?.into_inner())
        }
        _ => return None,
    };
    Some((about.kid?, key))
}

impl KeySet {
    fn key(&self, header: &Header) -> Option<&Key> {
        let kid = header.kid.as_deref()?;
        self.keys
            .iter()
            .find(|(id, _)| id == kid)
            .map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests;
