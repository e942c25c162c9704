//! Standard Webhooks (standardwebhooks.com, 1.0.0): secrets, what is signed, the header.
//!
//! Invariant: what is signed is `{id}.{timestamp}.{body}`, byte for byte as it is sent; neither
//! identifier nor timestamp contains a full stop.
//! Failure: a secret that is none gives no key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How secrets begin.
pub const PREFIX: &str = "whsec_";

/// How old a signed request may be, in seconds.
pub const TOLERANCE: i64 = 300;

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

/// The signatures of version 1 in a header, as others send it.
pub fn signatures(header: &str) -> impl Iterator<Item = Vec<u8>> {
    header
        .split(' ')
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
}

/// Whether the time that was signed, in Unix seconds, is near enough to now; a request of earlier
/// is somebody's copy.
pub fn fresh(timestamp: &str, now: i64) -> bool {
    let signed: Option<i64> = timestamp.parse().ok();
    signed.is_some_and(|signed| (now - TOLERANCE..=now + TOLERANCE).contains(&signed))
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

    #[test]
    fn signatures_of_others_are_read_back() {
        let header = format!("{} v2,AAAA v1,?", header(&[[1; 32], [2; 32]]));
        let read: Vec<_> = signatures(&header).collect();
        assert_eq!(read, [vec![1; 32], vec![2; 32]]);
    }

    #[test]
    fn a_request_is_fresh_for_five_minutes_either_way() {
        for (timestamp, fine) in [
            ("1000", true),
            ("700", true),
            ("1300", true),
            ("699", false),
            ("1301", false),
            ("", false),
            ("x", false),
            ("99999999999999999999", false),
        ] {
            assert_eq!(fresh(timestamp, 1_000), fine, "{timestamp}");
        }
    }
}
