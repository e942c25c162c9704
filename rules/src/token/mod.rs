//! Access tokens: what is in them and when they count.
//!
//! Invariant (RFC 8725): the algorithm and the type belong to the key and are compared exactly,
//! never taken from the token; issuer, audience and times are always checked; `crit` is refused;
//! `jku`, `jwk`, `x5u` and `x5c` are never looked at. The signature is verified by the Worker,
//! between [`check_header`] and the check of the claims.
//! Failure: a [`Refused`], whose code is stable; the caller is told no more than "unauthenticated".
//!
//! Leeway: `nbf` may lie 30 s ahead, because instances' clocks differ. `exp` has none: a token
//! lives 15 minutes and is refreshed well before, and a stolen one must not outlive its word.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// Longest token read, in bytes.
pub const MAX_BYTES: usize = 4_096;
/// Life of a user's access token, in seconds.
pub const USER_TTL: i64 = 15 * 60;
/// Life of a device token, in seconds: longer than any event; devices are revoked by name.
pub const DEVICE_TTL: i64 = 30 * 24 * 60 * 60;
/// How far `nbf` may lie ahead, in seconds.
pub const LEEWAY: i64 = 30;
/// Who issues Pulse's own tokens.
pub const ISSUER: &str = "pulse";

/// What the header of a token must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The one algorithm of the key, for example `HS256`.
    pub alg: &'static str,
    /// The one type, compared exactly; nothing accepts `JWT` in any case or none at all, for
    /// tokens of others.
    pub typ: Option<&'static str>,
}

/// A user's access token.
pub const USER: Expected = Expected {
    alg: "HS256",
    typ: Some("pulse-user+jwt"),
};
/// A device token.
pub const DEVICE: Expected = Expected {
    alg: "HS256",
    typ: Some("pulse-device+jwt"),
};
/// A token signed by Supabase with the shared secret.
pub const SUPABASE_HS256: Expected = Expected {
    alg: "HS256",
    typ: None,
};
/// A token signed by Supabase with a P-256 key of its JWKS.
pub const SUPABASE_ES256: Expected = Expected {
    alg: "ES256",
    typ: None,
};
/// A token signed by Supabase with an RSA key of its JWKS.
pub const SUPABASE_RS256: Expected = Expected {
    alg: "RS256",
    typ: None,
};

/// The part of a header that is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Header {
    /// Algorithm.
    pub alg: String,
    /// Type.
    #[serde(default)]
    pub typ: Option<String>,
    /// Key id: which key of a set.
    #[serde(default)]
    pub kid: Option<String>,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Refused {
    TooLarge,
    Malformed,
    WrongAlgorithm,
    WrongType,
    WrongIssuer,
    WrongAudience,
    Expired,
    NotYetValid,
}

impl Refused {
    /// The stable code, for logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::Malformed => "token_malformed",
            Self::WrongAlgorithm => "token_wrong_algorithm",
            Self::WrongType => "token_wrong_type",
            Self::WrongIssuer => "token_wrong_issuer",
            Self::WrongAudience => "token_wrong_audience",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
        }
    }
}

/// Reads the header of a compact token without believing it. Says which key to try: compare with
/// [`Header::meets`] before any signature is computed.
pub fn read_header(token: &str) -> Result<Header, Refused> {
    if token.len() > MAX_BYTES {
        return Err(Refused::TooLarge);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refused::Malformed);
    };
    let base64url = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if claims.is_empty() || signature.is_empty() || !base64url(claims) || !base64url(signature) {
        return Err(Refused::Malformed);
    }
    let bytes = URL_SAFE_NO_PAD
        .decode(header)
        .map_err(|_| Refused::Malformed)?;
    let header: Header = serde_json::from_slice(&bytes).map_err(|_| Refused::Malformed)?;
    if header.crit.is_some() {
        Err(Refused::Malformed)
    } else {
        Ok(header)
    }
}

impl Header {
    /// Whether this is the algorithm and type of the key that will verify it.
    pub fn meets(&self, expected: &Expected) -> Result<(), Refused> {
        if self.alg != expected.alg {
            return Err(Refused::WrongAlgorithm);
        }
        let fits = match (expected.typ, self.typ.as_deref()) {
            (Some(typ), found) => found == Some(typ),
            (None, None) => true,
            (None, Some(found)) => found.eq_ignore_ascii_case("jwt"),
        };
        if fits {
            Ok(())
        } else {
            Err(Refused::WrongType)
        }
    }
}

/// [`read_header`] and [`Header::meets`] in one.
pub fn check_header(token: &str, expected: &Expected) -> Result<Header, Refused> {
    let header = read_header(token)?;
    header.meets(expected)?;
    Ok(header)
}

/// Where the token's tenant lives: part of an object's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Jurisdiction {
    /// Anywhere.
    #[default]
    None,
    /// In the European Union.
    Eu,
}

/// The claims of a user's access token. Times are Unix seconds; ids are UUIDs as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserClaims {
    /// `pulse`.
    pub iss: String,
    /// `pulse:user`.
    pub aud: String,
    /// The user.
    pub sub: uuid::Uuid,
    /// The session it was issued in.
    pub sid: uuid::Uuid,
    /// The tenant it is for.
    pub ten: uuid::Uuid,
    /// The tenant's jurisdiction.
    pub jur: Jurisdiction,
    /// Issued at.
    pub iat: i64,
    /// Not before.
    pub nbf: i64,
    /// Expires at.
    pub exp: i64,
}

/// The claims of a device token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceClaims {
    /// `pulse`.
    pub iss: String,
    /// `pulse:device`.
    pub aud: String,
    /// The scanner session.
    pub sub: uuid::Uuid,
    /// The tenant.
    pub ten: uuid::Uuid,
    /// The check-in table.
    pub tab: uuid::Uuid,
    /// What the device is for.
    pub prf: crate::roles::Profile,
    /// Which of the session's tokens: pairing, rolling and revoking count it up, and only the
    /// newest counts. Tokens from before it was written are the first, 0.
    #[serde(rename = "gen", default)]
    pub generation: u32,
    /// The tenant's jurisdiction.
    pub jur: Jurisdiction,
    /// Issued at.
    pub iat: i64,
    /// Not before.
    pub nbf: i64,
    /// Expires at.
    pub exp: i64,
}

/// The claims of a token signed by Supabase. What is not named here is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupabaseClaims {
    /// The configured issuer, for example `https://<project>.supabase.co/auth/v1`.
    pub iss: String,
    /// `authenticated`, alone or in a list.
    pub aud: Audience,
    /// The user there.
    pub sub: String,
    /// Their address; users without one cannot be linked.
    #[serde(default)]
    pub email: Option<String>,
    /// Not before.
    #[serde(default)]
    pub nbf: Option<i64>,
    /// Expires at.
    pub exp: i64,
}

/// `aud` is a text or a list of texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// Whether the token is meant for `name`.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Many(many) => many.iter().any(|one| one == name),
        }
    }
}

/// The audience of user tokens.
pub const USER_AUDIENCE: &str = "pulse:user";
/// The audience of device tokens.
pub const DEVICE_AUDIENCE: &str = "pulse:device";
/// The audience of Supabase's tokens for signed-in users.
pub const SUPABASE_AUDIENCE: &str = "authenticated";

impl UserClaims {
    /// New claims, valid from `now` (Unix seconds) for [`USER_TTL`].
    pub fn new(
        user: uuid::Uuid,
        session: uuid::Uuid,
        tenant: uuid::Uuid,
        jur: Jurisdiction,
        now: i64,
    ) -> Self {
        Self {
            iss: ISSUER.to_owned(),
            aud: USER_AUDIENCE.to_owned(),
            sub: user,
            sid: session,
            ten: tenant,
            jur,
            iat: now,
            nbf: now,
            exp: now.saturating_add(USER_TTL),
        }
    }

    /// Whether they count now (Unix seconds).
    pub fn check(&self, now: i64) -> Result<(), Refused> {
        check(
            &self.iss,
            ISSUER,
            self.aud == USER_AUDIENCE,
            self.nbf,
            self.exp,
            now,
        )
    }
}

impl DeviceClaims {
    /// New claims, valid from `now` (Unix seconds) for [`DEVICE_TTL`].
    pub fn new(
        session: uuid::Uuid,
        tenant: uuid::Uuid,
        table: uuid::Uuid,
        profile: crate::roles::Profile,
        generation: u32,
        jur: Jurisdiction,
        now: i64,
    ) -> Self {
        Self {
            iss: ISSUER.to_owned(),
            aud: DEVICE_AUDIENCE.to_owned(),
            sub: session,
            ten: tenant,
            tab: table,
            prf: profile,
            generation,
            jur,
            iat: now,
            nbf: now,
            exp: now.saturating_add(DEVICE_TTL),
        }
    }

    /// Whether they count now (Unix seconds).
    pub fn check(&self, now: i64) -> Result<(), Refused> {
        check(
            &self.iss,
            ISSUER,
            self.aud == DEVICE_AUDIENCE,
            self.nbf,
            self.exp,
            now,
        )
    }
}

impl SupabaseClaims {
    /// Whether they count now (Unix seconds) and come from the configured issuer.
    pub fn check(&self, issuer: &str, now: i64) -> Result<(), Refused> {
        check(
            &self.iss,
            issuer,
            self.aud.has(SUPABASE_AUDIENCE),
            self.nbf.unwrap_or(now),
            self.exp,
            now,
        )
    }
}

fn check(
    iss: &str,
    issuer: &str,
    audience: bool,
    nbf: i64,
    exp: i64,
    now: i64,
) -> Result<(), Refused> {
    if issuer.is_empty() || iss != issuer {
        Err(Refused::WrongIssuer)
    } else if !audience {
        Err(Refused::WrongAudience)
    } else if exp <= now {
        Err(Refused::Expired)
    } else if nbf > now.saturating_add(LEEWAY) {
        Err(Refused::NotYetValid)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
