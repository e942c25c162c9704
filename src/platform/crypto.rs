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

/// SHA-256 in base64.
pub fn sha256_base64(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
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
        self.seal_with(random::<12>(), owner, secret)
    }

    /// Seals so that the same text for the same owner gives the same result, for links that must
    /// not differ from one attempt to the next. The nonce is a keyed hash of both (as in SIV), so
    /// it repeats with the text only.
    pub fn seal_same(&self, owner: &str, text: &[u8]) -> Result<String> {
        let (_, key) = self
            .0
            .first()
            .ok_or_else(|| Error::internal("no data key"))?;
        let own = hmac_sha256(key, b"nonces that follow from the text");
        let hash = hmac_sha256(&own, &[owner.as_bytes(), b"\0", text].concat());
        let mut nonce = [0; 12];
        nonce.copy_from_slice(hash.first_chunk::<12>().unwrap_or(&[0; 12]));
        self.seal_with(nonce, owner, text)
    }

    fn seal_with(&self, nonce: [u8; 12], owner: &str, secret: &[u8]) -> Result<String> {
        let (kid, key) = self
            .0
            .first()
            .ok_or_else(|| Error::internal("no data key"))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "a:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    const NEW: &str = "b:YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU=";

    #[test]
    fn a_sealed_credential_opens_for_its_row_only() {
        let keys = DataKeys::parse(OLD).unwrap();
        let sealed = keys
            .seal_with([7; 12], "t/connections/1/password", b"secret")
            .unwrap();
        assert!(!sealed.contains("secret"));
        assert_eq!(
            keys.open("t/connections/1/password", &sealed).unwrap(),
            b"secret"
        );
        assert!(keys.open("t/connections/2/password", &sealed).is_err());
    }

    #[test]
    fn keys_rotate_and_an_unknown_or_tampered_seal_stays_shut() {
        let sealed = DataKeys::parse(OLD)
            .unwrap()
            .seal_with([7; 12], "o", b"secret")
            .unwrap();
        let rotated = DataKeys::parse(&format!("{NEW},{OLD}")).unwrap();
        assert_eq!(rotated.open("o", &sealed).unwrap(), b"secret");
        assert!(rotated.is_stale(&sealed));
        let again = rotated.seal_with([8; 12], "o", b"secret").unwrap();
        assert!(again.starts_with("b.") && !rotated.is_stale(&again));
        assert!(DataKeys::parse(NEW).unwrap().open("o", &sealed).is_err());
        for bad in [
            "",
            "a",
            "a.b",
            "a..",
            "a.AAAA.AAAA",
            &sealed.replace("a.", "b."),
            &format!("{sealed}A"),
        ] {
            assert!(rotated.open("o", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_same_text_is_sealed_the_same_and_another_is_not() {
        let keys = DataKeys::parse(OLD).unwrap();
        let seal = |owner, text: &[u8]| keys.seal_same(owner, text).unwrap();
        let one = seal("link", b"ada@example.org");
        assert_eq!(one, seal("link", b"ada@example.org"));
        assert_eq!(keys.open("link", &one).unwrap(), b"ada@example.org");
        let nonce = |sealed: &str| sealed.split('.').nth(1).unwrap().to_owned();
        for other in [
            seal("link", b"bob@example.org"),
            seal("other", b"ada@example.org"),
        ] {
            assert_ne!(nonce(&one), nonce(&other));
        }
        assert!(keys.open("other", &one).is_err());
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        for bad in [
            "",
            "a",
            "a:",
            "a:AAAA",
            "a:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=,b",
        ] {
            assert!(DataKeys::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn comparing_tells_equal_from_different() {
        assert!(same(b"abc", b"abc") && !same(b"abc", b"abd") && !same(b"abc", b"ab"));
        assert_eq!(
            sha256_hex(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
