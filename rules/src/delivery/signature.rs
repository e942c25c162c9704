//! Standard Webhooks (standardwebhooks.com, 1.0.0): secrets, what is signed, the header.
//!
//! Invariant: what is signed is `{id}.{timestamp}.{body}`, byte for byte as it is sent; neither
//! identifier nor timestamp contains a full stop.
//! Failure: a secret that is none gives no key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How secrets begin.
pub const PREFIX: &str = "whsec_";

/// The secret made of these random bytes, as it is shown.
pub fn secret(random: [u8; 32]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(random))
}

/// The key of a secret; 24 to 64 bytes.
pub fn key(secret: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    (24..=64).contains(&key.len()).then_some(key)
}

/// What is signed; `timestamp` is the time of the attempt in Unix seconds.
pub fn content(id: &str, timestamp: i64, body: &str) -> String {
    format!("{id}.{timestamp}.{body}")
}

/// The header `webhook-signature` of these HMACs, one for each secret that is good.
pub fn header(macs: &[[u8; 32]]) -> String {
    let signed: Vec<_> = macs
        .iter()
        .map(|mac| format!("v1,{}", STANDARD.encode(mac)))
        .collect();
    signed.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_gives_its_bytes_back() {
        let shown = secret([7; 32]);
        assert_eq!(shown, "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
        assert_eq!(key(&shown).unwrap(), [7; 32]);
        for bad in [
            "",
            "whsec_",
            "whsec_AAAA",
            "BwcHBwcH",
            "whsec_!!!!",
            "whpk_BwcHBwcH",
        ] {
            assert_eq!(key(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_header_lists_one_signature_for_each_secret() {
        assert_eq!(content("msg_1", 1_674_087_231, "{}"), "msg_1.1674087231.{}");
        let one = format!("v1,{}", STANDARD.encode([1; 32]));
        assert_eq!(header(&[[1; 32]]), one);
        let two = format!("{one} v1,{}", STANDARD.encode([2; 32]));
        assert_eq!(header(&[[1; 32], [2; 32]]), two);
    }
}
