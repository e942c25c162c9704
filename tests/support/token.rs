//! Access tokens made by hand, right and wrong in every way a test needs.
//!
//! Invariant: `Forgery::of` starts from a token the Worker would take; each change breaks one thing.
//! Failure: none; whether a token is any good is for the Worker to say.

use crate::stack;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// A token in the making.
#[derive(Clone, Debug)]
pub struct Forgery {
    header: Value,
    claims: Value,
    key: Vec<u8>,
}

impl Forgery {
    /// Takes header and claims from a real token and the stack's key.
    pub fn of(token: &str) -> Self {
        let mut parts = token.split('.').map(decode);
        let header = parts.next().expect("a header");
        let claims = parts.next().expect("claims");
        Self {
            header,
            claims,
            key: stack::variable("PULSE_TOKEN_SECRET").into_bytes(),
        }
    }

    /// A token from nothing but claims.
    pub fn new(claims: Value, key: &str) -> Self {
        Self {
            header: json!({"alg": "HS256", "typ": "JWT"}),
            claims,
            key: key.as_bytes().to_vec(),
        }
    }

    /// Changes a header field; null removes it.
    pub fn header(mut self, name: &str, value: Value) -> Self {
        put(&mut self.header, name, value);
        self
    }

    /// Changes a claim; null removes it.
    pub fn claim(mut self, name: &str, value: Value) -> Self {
        put(&mut self.claims, name, value);
        self
    }

    /// Sets a time claim to so many seconds from now.
    pub fn time(self, name: &str, seconds: i64) -> Self {
        self.claim(name, json!(Utc::now().timestamp() + seconds))
    }

    /// Signs with another key.
    pub fn key(mut self, key: &[u8]) -> Self {
        self.key = key.to_vec();
        self
    }

    /// One claim as it stands.
    pub fn get(&self, claim: &str) -> Value {
        self.claims[claim].clone()
    }

    /// The token, signed with HMAC-SHA256 whatever its header says.
    pub fn sign(&self) -> String {
        compact(&self.header, &self.claims, |signed| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length");
            mac.update(signed);
            mac.finalize().into_bytes().to_vec()
        })
    }

    /// The token with a signature of choice.
    pub fn signed_as(&self, signature: &[u8]) -> String {
        compact(&self.header, &self.claims, |_| signature.to_vec())
    }
}

/// A compact token; the signature is made of the bytes it covers.
pub fn compact(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn put(object: &mut Value, name: &str, value: Value) {
    let members = object.as_object_mut().expect("an object");
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn decode(part: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}
