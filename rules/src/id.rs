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

/// Most identifiers that [`in_order`] tells apart.
pub const MAX_IN_ORDER: u32 = 1 << 18;

/// The `nth` of many identifiers of one millisecond, sorting in that order (RFC 9562 §6.2): the
/// number takes the first 18 random bits. From [`MAX_IN_ORDER`] on, the order starts again.
pub fn in_order(unix_ms: u64, nth: u32, random: [u8; 10]) -> Uuid {
    let [a, b, c] = [nth >> 14, nth >> 6, nth].map(|part| (part & 0xff) as u8);
    // The version takes four bits before these, the variant two in between.
    let [_, _, _, rest @ ..] = random;
    let [d, e, f, g, h, i, j] = rest;
    new(unix_ms, [a & 0x0f, b, c & 0x3f, d, e, f, g, h, i, j])
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
        Invalid::one(
            pointer,
            "invalid_id",
            "Must be a UUID such as 018f3c1e-7b2a-7c3d-8e4f-0123456789ab.",
        )
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
        let ids: Vec<String> = (0..2_000)
            .map(|ms| new(1_700_000_000_000 + ms * 7, [(ms % 251) as u8; 10]).to_string())
            .collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn ids_of_one_millisecond_sort_by_their_number() {
        let last = MAX_IN_ORDER - 1;
        let ids: Vec<Uuid> = [0, 1, 63, 64, 65, 16_383, 16_384, 99_999, last]
            .map(|nth| in_order(1_700_000_000_123, nth, [(nth % 256) as u8 ^ 0xff; 10]))
            .to_vec();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(
            ids.iter()
                .all(|id| id.get_version_num() == 7 && unix_ms(id) == Some(1_700_000_000_123))
        );
        assert!(
            ids.iter()
                .all(|id| id.get_variant() == uuid::Variant::RFC4122)
        );
    }

    #[test]
    fn only_the_hyphenated_form_is_read() {
        let id = new(1, [1; 10]);
        assert_eq!(try_parse(&id.to_string()), Some(id));
        assert_eq!(try_parse(&id.to_string().to_uppercase()), Some(id));
        for bad in [
            "",
            "x",
            "018f3c1e7b2a7c3d8e4f0123456789ab",
            "{018f3c1e-7b2a-7c3d-8e4f-0123456789ab}",
            "urn:uuid:018f3c1e-7b2a-7c3d-8e4f-0123456789ab",
            "018f3c1e-7b2a-7c3d-8e4f-0123456789ag",
            " 18f3c1e-7b2a-7c3d-8e4f-0123456789ab",
            "018f3c1e-7b2a-7c3d-8e4f-0123456789a\u{e9}",
        ] {
            assert_eq!(try_parse(bad), None, "{bad}");
        }
        assert_eq!(parse("/id", "x").unwrap_err().errors[0].pointer, "/id");
    }
}
