//! Identifiers: UUIDv7, so that they sort by the time they were made.
//!
//! Invariant: the first 48 bits are Unix milliseconds; the rest, but for version and variant, is
//! what the caller drew at random.
//! Failure: text that is no hyphenated UUID is refused at its pointer.

use uuid::{Builder, Uuid};

use crate::invalid::Invalid;

/// A new identifier from the Unix time in milliseconds and ten random bytes.
pub fn new(unix_ms: u64, random: [u8; 10]) -> Uuid {
    Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid()
}

/// Reads the hyphenated form (36 characters, either case); braces, URNs and bare hex are refused.
pub fn try_parse(text: &str) -> Option<Uuid> {
    if text.len() != 36 {
        return None;
    }
    Uuid::try_parse(text).ok()
}

/// Reads an identifier that came in at `pointer`.
pub fn parse(pointer: &str, text: &str) -> Result<Uuid, Invalid> {
    try_parse(text).ok_or_else(|| {
        Invalid::one(pointer, "invalid_id", "Must be a UUID such as 018f3c1e-7b2a-7c3d-8e4f-0123456789ab.")
    })
}

/// The Unix milliseconds a UUIDv7 was made at; nothing for another version.
pub fn unix_ms(id: &Uuid) -> Option<u64> {
    let bits = id.as_u128();
    (id.get_version_num() == 7).then_some((bits >> 80) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_seven_and_carry_their_time() {
        let id = new(1_700_000_000_123, [0xff; 10]);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(unix_ms(&id), Some(1_700_000_000_123));
        assert_eq!(unix_ms(&Uuid::nil()), None);
    }

    #[test]
    fn ids_of_a_later_millisecond_sort_later() {
        let ids: Vec<String> =
            (0..2_000).map(|ms| new(1_700_000_000_000 + ms * 7, [(ms % 251) as u8; 10]).to_string()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn only_the_hyphenated_form_is_read() {
        let id = new(1, [1; 10]);
        assert_eq!(try_parse(&id.to_string()), Some(id));
        assert_eq!(try_parse(&id.to_string().to_uppercase()), Some(id));
        for bad in [
            "", "x", "018f3c1e7b2a7c3d8e4f0123456789ab", "{018f3c1e-7b2a-7c3d-8e4f-0123456789ab}",
            "urn:uuid:018f3c1e-7b2a-7c3d-8e4f-0123456789ab", "018f3c1e-7b2a-7c3d-8e4f-0123456789ag",
            " 18f3c1e-7b2a-7c3d-8e4f-0123456789ab", "018f3c1e-7b2a-7c3d-8e4f-0123456789a\u{e9}",
        ] {
            assert_eq!(try_parse(bad), None, "{bad}");
        }
        assert_eq!(parse("/id", "x").unwrap_err().errors[0].pointer, "/id");
    }
}
