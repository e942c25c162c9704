//! `Idempotency-Key`: what may be one, and what makes two requests the same.
//!
//! Invariant: two requests share their material if and only if method, path and body are the same
//! bytes.
//! Failure: a key of other characters, or longer than 255, is refused at `/idempotency-key`.

use crate::invalid::Invalid;

/// Longest key, in characters.
pub const MAX: usize = 255;

/// Checks the header: 1 to 255 visible ASCII characters.
pub fn key(text: &str) -> Result<&str, Invalid> {
    if (1..=MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text)
    } else {
        Err(Invalid::one(
            "/idempotency-key",
            "invalid_idempotency_key",
            format!("Must have 1 to {MAX} visible ASCII characters."),
        ))
    }
}

/// What to hash for the fingerprint of a request: method, path and body, each preceded by its
/// length, so that no two requests run together.
pub fn material(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(method.len() + path.len() + body.len() + 24);
    for part in [method.as_bytes(), path.as_bytes(), body] {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_ascii() {
        assert_eq!(key("5f2c-!~").unwrap(), "5f2c-!~");
        assert!(key(&"k".repeat(255)).is_ok());
        for bad in ["", " ", "a b", "a\tb", "é", "a\u{7f}", &"k".repeat(256)] {
            assert!(key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn different_requests_have_different_material() {
        let all = [
            material("POST", "/a", b"bc"),
            material("POST", "/ab", b"c"),
            material("PUT", "/a", b"bc"),
            material("POST", "/a", b""),
            material("POS", "T/a", b"bc"),
            material("POST", "", b"/abc"),
        ];
        for (i, left) in all.iter().enumerate() {
            for right in &all[i + 1..] {
                assert_ne!(left, right);
            }
        }
    }
}
