//! The keys of signed tickets: Ed25519 (RFC 8032), of one table each.
//!
//! Invariant: a signature is verified strictly: one notation of each point and scalar, and no key
//! that verifies everything. What is signed begins with a word of its own, so that a signature of
//! anything else is none of a ticket.
//! Failure: bytes that are no usable key are refused when they are read.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::SIGNATURE;

const WORD: &[u8] = b"pulse ticket\0";

/// Signs tickets. Never shown; forgotten bytes are overwritten.
pub struct PrivateKey(SigningKey);

/// Verifies tickets. Written as base64url without padding, 43 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(VerifyingKey);

impl PrivateKey {
    /// The key of 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The bytes it was made of, to be sealed.
    pub fn seed(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public part.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> [u8; SIGNATURE] {
        self.0.sign(&[WORD, bytes].concat()).to_bytes()
    }
}

impl PublicKey {
    /// Reads base64url.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let key = VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()?;
        (!key.is_weak()).then_some(Self(key))
    }

    pub(super) fn has_signed(&self, bytes: &[u8], signature: &[u8; SIGNATURE]) -> bool {
        let signature = Signature::from_bytes(signature);
        let signed = [WORD, bytes].concat();
        self.0.verify_strict(&signed, &signature).is_ok()
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(self.0.as_bytes()))
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for PublicKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("no Ed25519 public key in base64url")
    }
}
