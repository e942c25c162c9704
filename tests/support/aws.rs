//! AWS as tests know it: whether a request is signed with Signature Version 4.
//!
//! Invariant: the signature is computed from what came, as the documentation of AWS says, and not by
//! the code under test.
//! Failure: a request without the parts of a signature panics with it.

use crate::receiver::Hook;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Is the request signed with this secret, for this service?
#[track_caller]
pub fn is_signed(hook: &Hook, secret: &str, service: &str) -> bool {
    let authorization = hook.header("authorization");
    let fields = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .expect("a signature");
    let field = |name: &str| {
        let found = fields
            .split(", ")
            .find_map(|field| field.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {authorization}"))
    };
    let scope: Vec<_> = field("Credential=").split('/').skip(1).collect();
    let [day, region, named, "aws4_request"] = scope[..] else {
        panic!("an odd scope: {scope:?}");
    };
    let names = field("SignedHeaders=");
    for required in ["host", "x-amz-date"] {
        assert!(
            names.split(';').any(|name| name == required),
            "{required} is not signed"
        );
    }
    let headers: String = names
        .split(';')
        .map(|name| format!("{name}:{}\n", hook.header(name)))
        .collect();
    let (method, path) = hook.line.split_once(' ').expect("a request line");
    let body = hex(&Sha256::digest(&hook.body));
    let canonical = format!("{method}\n{path}\n\n{headers}\n{names}\n{body}");
    let date = hook.header("x-amz-date");
    assert!(date.starts_with(day), "{date} is not of {day}");
    let scope = scope.join("/");
    let hashed = hex(&Sha256::digest(canonical));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashed}");
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [day, region, named, "aws4_request"] {
        key = mac(&key, part);
    }
    named == service && hex(&mac(&key, &to_sign)) == field("Signature=")
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
