//! Hashes, sealed credentials, secrets of our own making.
//!
//! Invariant: credentials at rest are AES-256-GCM with a fresh 96-bit nonce, a key id and the
//! owning row as associated data, so a sealed value moved to another row does not open.
//! Failure: a value that does not open is an error, never an empty secret.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::ctx::random;
use super::error::{Error, Result};

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// HMAC-SHA-256.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length, so this cannot fail; the fallback keeps the code total.
    <Hmac<Sha256> as Mac>::new_from_slice(key).map_or([0; 32], |mut mac| {
        mac.update(message);
        mac.finalize().into_bytes().into()
    })
}

/// Compares without telling by time where two values differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// A secret of 256 random bits, base64url.
pub fn secret() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

/// Base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The keys that seal credentials: `kid:base64 of 32 bytes`, comma-separated, the first current.
pub struct DataKeys(Vec<(String, [u8; 32])>);

impl DataKeys {
    /// Reads the `DATA_KEYS` secret.
    pub fn parse(text: &str) -> Result<Self> {
        let keys = text
            .split(',')
            .map(|entry| {
                let (kid, key) = entry.trim().split_once(':')?;
                Some((kid.to_owned(), STANDARD.decode(key).ok()?.try_into().ok()?))
            })
            .collect::<Option<Vec<_>>>()
            .filter(|keys| !keys.is_empty())
            .ok_or_else(|| Error::internal("secret DATA_KEYS is missing or malformed"))?;
        Ok(Self(keys))
    }

    /// Seals a credential for the row `owner` names (`tenant/table/row/column`).
    /// The result is `kid.nonce.ciphertext`.
    pub fn seal(&self, owner: &str, secret: &[u8]) -> Result<String> {
        let (kid, key) = self
            .0
            .first()
            .ok_or_else(|| Error::internal("no data key"))?;
        let nonce = random::<12>();
        let sealed = Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(key))
            .encrypt(
                Nonce::from_slice(&nonce),
                Payload {
                    msg: secret,
                    aad: owner.as_bytes(),
                },
            )
            .map_err(|_| Error::internal("a credential could not be sealed"))?;
        Ok(format!(
            "{kid}.{}.{}",
            base64url(&nonce),
            base64url(&sealed)
        ))
    }

    /// Opens what [`DataKeys::seal`] made for the same owner, under any key still listed.
    pub fn open(&self, owner: &str, sealed: &str) -> Result<Vec<u8>> {
        let broken = || Error::internal("a sealed credential does not open");
        let mut parts = sealed.splitn(3, '.');
        let (Some(kid), Some(nonce), Some(body)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(broken());
        };
        let (_, key) = self.0.iter().find(|(id, _)| id == kid).ok_or_else(broken)?;
        let nonce = URL_SAFE_NO_PAD.decode(nonce).map_err(|_| broken())?;
        let body = URL_SAFE_NO_PAD.decode(body).map_err(|_| broken())?;
        if nonce.len() != 12 {
            return Err(broken());
        }
        Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(key))
            .decrypt(
                Nonce::from_slice(&nonce),
                Payload {
                    msg: &body,
                    aad: owner.as_bytes(),
                },
            )
            .map_err(|_| broken())
    }

    /// Whether a sealed value should be sealed again under the current key.
    pub fn is_stale(&self, sealed: &str) -> bool {
        self.0
            .first()
            .is_none_or(|(kid, _)| sealed.split('.').next() != Some(kid.as_str()))
    }
}
