//! Bearer credentials: reading them, checking what needs no database, and making our own.
//!
//! Invariant: what a token says counts only after its signature; the kind of a token decides the key
//! and its one algorithm (RFC 8725), and the claims are judged by `rules::token`.
//! Failure: 401 `token_invalid`, or `token_expired` for a token that was good once; which check
//! failed is for the log only.

mod supabase;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use jwt_compact::alg::{Hs256, Hs256Key, Hs256Signature};
use jwt_compact::{Algorithm, AlgorithmSignature};
use rules::roles::Profile;
use rules::token::{self, DeviceClaims, Expected, Header, Refused, UserClaims};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::config::Config;
use super::crypto;
use super::ctx::Ctx;
use super::error::{Error, Result};
use super::scope::{Credential, Jurisdiction};

/// Seconds a user's access token lives.
pub const USER_LIFE: i64 = token::USER_TTL;

/// Whom a device token stands for.
#[derive(Clone, Debug)]
pub struct DeviceToken {
    /// The scanner session.
    pub session: Uuid,
    /// Its tenant.
    pub tenant: Uuid,
    /// The one table it may scan for.
    pub table: Uuid,
    /// What the device is for: `scanner`, `kiosk` or `viewer`.
    pub profile: String,
    /// Which of the session's tokens this is.
    pub generation: u32,
    /// Of the tenant.
    pub jurisdiction: Jurisdiction,
}

/// The credential of an `Authorization` header; none at all is [`Credential::Anonymous`].
pub async fn credential(ctx: &Ctx, authorization: &str) -> Result<Credential> {
    let Some(token) = bearer(authorization)? else {
        return Ok(Credential::Anonymous {
            guest_key: String::new(),
            device: None,
        });
    };
    match read(&ctx.config, token, ctx.now)? {
        Read::Known(credential) => Ok(credential),
        Read::KeySet(header) => supabase::by_key_set(ctx, token, &header).await,
    }
}

/// The credential of a bare token, without asking anyone: a token signed by a key set is good only
/// if this isolate has read that set already.
pub fn verify(config: &Config, token: &str, now: DateTime<Utc>) -> Result<Credential> {
    match read(config, token, now)? {
        Read::Known(credential) => Ok(credential),
        Read::KeySet(header) => supabase::by_known_key(config, token, &header, now),
    }
}

/// When a verified credential ends: what its token says, or, for one that is no token, as long as a
/// user's token lives, so that it is looked at again.
pub fn expires_at(token: &str, now: DateTime<Utc>) -> DateTime<Utc> {
    #[derive(serde::Deserialize)]
    struct Expiry {
        exp: i64,
    }
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
    let expiry = claims.and_then(|claims| serde_json::from_slice::<Expiry>(&claims).ok());
    expiry
        .and_then(|expiry| DateTime::from_timestamp(expiry.exp, 0))
        .unwrap_or(now + Duration::seconds(USER_LIFE))
}

/// A user's access token. `tenant` is nil for a user who belongs to none.
pub fn mint_user(
    ctx: &Ctx,
    user: Uuid,
    session: Uuid,
    tenant: Uuid,
    jurisdiction: Jurisdiction,
) -> Result<String> {
    let now = ctx.now.timestamp();
    let claims = UserClaims::new(user, session, tenant, jurisdiction.into(), now);
    sign(&token::USER, &claims, ctx.config.token_secret()?)
}

/// A device token; it works as long as its session does, and `rules::token::DEVICE_TTL` at most.
pub fn mint_device(ctx: &Ctx, device: &DeviceToken) -> Result<String> {
    let profile = Profile::parse(&device.profile)
        .ok_or_else(|| Error::internal("a device token needs a known profile"))?;
    let (jurisdiction, now) = (device.jurisdiction.into(), ctx.now.timestamp());
    let DeviceToken {
        session,
        tenant,
        table,
        generation,
        ..
    } = *device;
    let claims = DeviceClaims::new(
        session,
        tenant,
        table,
        profile,
        generation,
        jurisdiction,
        now,
    );
    sign(&token::DEVICE, &claims, ctx.config.token_secret()?)
}

/// What a token turned out to be.
enum Read {
    /// Verified.
    Known(Credential),
    /// To be verified with a key of the identity provider's set.
    KeySet(Header),
}

fn bearer(authorization: &str) -> Result<Option<&str>> {
    if authorization.is_empty() {
        return Ok(None);
    }
    match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Error::unauthenticated("scheme_unsupported")),
    }
}

fn read(config: &Config, token: &str, now: DateTime<Utc>) -> Result<Read> {
    if token.len() > token::MAX_BYTES {
        return Err(refused(Refused::TooLarge));
    }
    if let Some(key) = token.strip_prefix("pulse_") {
        return api_key(key)
            .map(Read::Known)
            .ok_or_else(|| refused(Refused::Malformed));
    }
    if let Some(key) = token.strip_prefix("guest_") {
        return guest(key)
            .map(Read::Known)
            .ok_or_else(|| refused(Refused::Malformed));
    }
    let header = token::read_header(token).map_err(refused)?;
    match header.typ.as_deref() {
        typ if typ == token::USER.typ => user(config, token, &header, now).map(Read::Known),
        typ if typ == token::DEVICE.typ => device(config, token, &header, now).map(Read::Known),
        _ if header.alg == token::SUPABASE_HS256.alg => {
            supabase::by_secret(config, token, &header, now).map(Read::Known)
        }
        _ if supabase::has_key_set(config) => Ok(Read::KeySet(header)),
        _ => Err(refused(Refused::WrongType)),
    }
}

/// The rest of `pulse_<jurisdiction>_<key id>_<secret>`.
fn api_key(rest: &str) -> Option<Credential> {
    let mut parts = rest.splitn(3, '_');
    let jurisdiction = Jurisdiction::parse(parts.next()?)?;
    let id = rules::id::try_parse(parts.next()?)?;
    let secret = parts
        .next()
        .filter(|secret| (16..=128).contains(&secret.len()))?;
    Some(Credential::Key {
        id,
        hash: crypto::sha256_hex(secret.as_bytes()),
        jurisdiction,
    })
}

/// `<key>`, or `<key>.<device>` where the device names itself by a UUID. Keys hold no dot.
fn guest(text: &str) -> Option<Credential> {
    let (key, device) = match text.split_once('.') {
        None => (text, None),
        Some((key, device)) => (key, Some(rules::id::try_parse(device)?)),
    };
    let sound = (1..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    sound.then(|| Credential::Anonymous {
        guest_key: key.to_owned(),
        device: device.filter(|device| !device.is_nil()),
    })
}

fn user(config: &Config, token: &str, header: &Header, now: DateTime<Utc>) -> Result<Credential> {
    header.meets(&token::USER).map_err(refused)?;
    let claims: UserClaims = signed(token, config.token_secret()?)?;
    claims.check(now.timestamp()).map_err(refused)?;
    Ok(Credential::User {
        user: claims.sub,
        session: claims.sid,
        tenant: claims.ten,
        jurisdiction: claims.jur.into(),
    })
}

fn device(config: &Config, token: &str, header: &Header, now: DateTime<Utc>) -> Result<Credential> {
    header.meets(&token::DEVICE).map_err(refused)?;
    let claims: DeviceClaims = signed(token, config.token_secret()?)?;
    claims.check(now.timestamp()).map_err(refused)?;
    Ok(Credential::Device {
        session: claims.sub,
        tenant: claims.ten,
        table: claims.tab,
        generation: claims.generation,
        jurisdiction: claims.jur.into(),
    })
}

fn sign(kind: &Expected, claims: &impl Serialize, secret: &[u8]) -> Result<String> {
    let header = format!(
        r#"{{"alg":"{}","typ":"{}"}}"#,
        kind.alg,
        kind.typ.unwrap_or("JWT")
    );
    let mut token = crypto::base64url(header.as_bytes());
    token.push('.');
    token.push_str(&crypto::base64url(&serde_json::to_vec(claims)?));
    let signature = Hs256.sign(&Hs256Key::new(secret), token.as_bytes());
    token.push('.');
    token.push_str(&crypto::base64url(&signature.as_bytes()));
    Ok(token)
}

/// The claims of a token that this secret signed with HS256.
fn signed<T: DeserializeOwned>(token: &str, secret: &[u8]) -> Result<T> {
    verified::<Hs256, T>(token, &Hs256, &Hs256Key::new(secret))
}

/// The claims of a token, if `key` signed it. The comparison of an HMAC takes constant time.
fn verified<A: Algorithm, T: DeserializeOwned>(
    token: &str,
    algorithm: &A,
    key: &A::VerifyingKey,
) -> Result<T> {
    let malformed = || refused(Refused::Malformed);
    let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
    if A::Signature::LENGTH.is_some_and(|length| length.get() != signature.len()) {
        return Err(forged());
    }
    let signature = A::Signature::try_from_slice(&signature).map_err(|_| forged())?;
    if !algorithm.verify_signature(&signature, key, message.as_bytes()) {
        return Err(forged());
    }
    let (_, claims) = message.split_once('.').ok_or_else(malformed)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| malformed())?;
    serde_json::from_slice(&claims).map_err(|_| malformed())
}

fn refused(why: Refused) -> Error {
    let code = match why {
        Refused::Expired => "token_expired",
        _ => "token_invalid",
    };
    Error::unauthenticated(code).because(why.code())
}

fn forged() -> Error {
    Error::unauthenticated("token_invalid").because("token_wrong_signature")
}

// `Hs256Signature` must have a fixed length: reading one of another length would panic.
const _: () = assert!(<Hs256Signature as AlgorithmSignature>::LENGTH.is_some());

impl From<Jurisdiction> for token::Jurisdiction {
    fn from(jurisdiction: Jurisdiction) -> Self {
        match jurisdiction {
            Jurisdiction::None => Self::None,
            Jurisdiction::Eu => Self::Eu,
        }
    }
}

impl From<token::Jurisdiction> for Jurisdiction {
    fn from(jurisdiction: token::Jurisdiction) -> Self {
        match jurisdiction {
            token::Jurisdiction::None => Self::None,
            token::Jurisdiction::Eu => Self::Eu,
        }
    }
}

#[cfg(test)]
mod tests;
