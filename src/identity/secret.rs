//! Tokens that prove themselves: refresh tokens and invitations.
//!
//! `<prefix>_<id>_<secret>`, where the secret is 16 random bytes and 16 bytes of an HMAC over
//! purpose, id and those bytes, as base64url.
//! Invariant: a forged token is refused before the database hears of it, so that whoever knows an
//! id can neither burn its session nor make the Worker hash passwords.
//! Failure: a token that was not made here is `None`. A new `TOKEN_SECRET` ends them all.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::platform::crypto;
use crate::platform::ctx::random;

/// What a token is for; its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Renews a session.
    Refresh,
    /// Makes its holder a member.
    Invitation,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Self::Refresh => "rt",
            Self::Invitation => "inv",
        }
    }
}

/// A token, and what is stored of it.
#[derive(Debug)]
pub struct Token {
    /// Shown once.
    pub text: String,
    /// SHA-256 of its secret, hex.
    pub hash: String,
}

/// A fresh token for the object `id`.
pub fn fresh(key: &[u8], purpose: Purpose, id: Uuid) -> Token {
    made_of(key, purpose, id, random::<16>())
}

/// The token of a request that may come again: the same id and seed make the same token.
pub fn repeatable(key: &[u8], purpose: Purpose, id: Uuid, seed: &str) -> Token {
    let text = format!("pulse seed {} {id} {seed}", purpose.prefix());
    let mut start = [0; 16];
    for (to, from) in start
        .iter_mut()
        .zip(crypto::hmac_sha256(key, text.as_bytes()))
    {
        *to = from;
    }
    made_of(key, purpose, id, start)
}

/// The id of a token that was made here, and the hash of its secret.
pub fn open(key: &[u8], purpose: Purpose, token: &str) -> Option<(Uuid, String)> {
    let rest = token.strip_prefix(purpose.prefix())?.strip_prefix('_')?;
    let (id, secret) = rest.split_once('_')?;
    let id = rules::id::try_parse(id)?;
    let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
    let (start, proof) = bytes.split_at(16);
    let genuine = crypto::same(&prove(key, purpose, id, start), proof);
    genuine.then(|| (id, crypto::sha256_hex(secret.as_bytes())))
}

fn made_of(key: &[u8], purpose: Purpose, id: Uuid, start: [u8; 16]) -> Token {
    let proof = prove(key, purpose, id, &start);
    let secret = crypto::base64url(&[start, proof].concat());
    let hash = crypto::sha256_hex(secret.as_bytes());
    Token {
        text: format!("{}_{id}_{secret}", purpose.prefix()),
        hash,
    }
}

fn prove(key: &[u8], purpose: Purpose, id: Uuid, start: &[u8]) -> [u8; 16] {
    let name = format!("pulse token {} {id} ", purpose.prefix());
    let mut proof = [0; 16];
    let whole = crypto::hmac_sha256(key, &[name.as_bytes(), start].concat());
    for (to, from) in proof.iter_mut().zip(whole) {
        *to = from;
    }
    proof
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"a key of at least thirty-two bytes";

    #[test]
    fn a_token_opens_for_its_key_and_purpose_only() {
        let id = Uuid::from_u128(7);
        let token = repeatable(KEY, Purpose::Refresh, id, "seed");
        assert_eq!(
            open(KEY, Purpose::Refresh, &token.text),
            Some((id, token.hash.clone()))
        );
        assert_eq!(open(b"another key", Purpose::Refresh, &token.text), None);
        assert_eq!(open(KEY, Purpose::Invitation, &token.text), None);
        assert_eq!(
            open(KEY, Purpose::Invitation, &token.text.replace("rt_", "inv_")),
            None
        );
    }

    #[test]
    fn every_changed_character_breaks_it() {
        let token = repeatable(KEY, Purpose::Invitation, Uuid::from_u128(7), "seed").text;
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'1' { b'2' } else { b'1' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(open(KEY, Purpose::Invitation, &other), None, "{other}");
        }
        for bad in [
            "",
            "inv",
            "inv_",
            "inv__",
            "rt_x_y",
            &token[..token.len() - 1],
        ] {
            assert_eq!(open(KEY, Purpose::Invitation, bad), None, "{bad}");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_token() {
        let make = |seed| repeatable(KEY, Purpose::Invitation, Uuid::from_u128(1), seed).text;
        assert_eq!(make("a"), make("a"));
        assert_ne!(make("a"), make("b"));
    }
}
