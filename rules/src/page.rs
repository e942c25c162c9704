//! Pages of a list: how many, and where the next one starts.
//!
//! Invariant: a cursor is what an earlier answer gave, unread by the caller: base64url (no padding)
//! of a small JSON object that names the last item seen.
//! Failure: a limit outside 1 to 200 or a cursor that does not decode is refused at its pointer.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::invalid::Invalid;

/// Items of a page when the caller names no limit.
pub const DEFAULT_LIMIT: u32 = 50;
/// Most items of a page.
pub const MAX_LIMIT: u32 = 200;
/// Longest cursor read, in characters.
pub const MAX_CURSOR: usize = 1_024;

/// One page of a list, newest first unless the list says otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page starts; nothing after the last.
    pub next_cursor: Option<String>,
}

/// The `limit` of a query string.
pub fn limit(text: Option<&str>) -> Result<u32, Invalid> {
    let Some(text) = text else {
        return Ok(DEFAULT_LIMIT);
    };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(limit) if digits && (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        _ => Err(Invalid::one(
            "/limit",
            "out_of_range",
            format!("Must be a whole number from 1 to {MAX_LIMIT}."),
        )),
    }
}

/// The opaque form of a position.
pub fn encode<T: Serialize>(position: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(position).unwrap_or_default())
}

/// Reads the `cursor` of a query string back.
pub fn decode<T: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<T>, Invalid> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    let read = || -> Option<T> {
        if cursor.len() > MAX_CURSOR {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
    };
    read().map(Some).ok_or_else(|| {
        Invalid::one(
            "/cursor",
            "invalid_cursor",
            "Must be the next_cursor of an earlier answer to the same list.",
        )
    })
}

/// Cuts a page out of items fetched one past the limit: the surplus item tells that more follow.
pub fn cut<T, P: Serialize>(mut items: Vec<T>, limit: u32, position: impl Fn(&T) -> P) -> Page<T> {
    let limit = limit as usize;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|last| encode(&position(last)));
    Page { items, next_cursor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct At {
        seq: u64,
    }

    #[test]
    fn limits_are_one_to_two_hundred() {
        assert_eq!(limit(None).unwrap(), 50);
        assert_eq!(limit(Some("1")).unwrap(), 1);
        assert_eq!(limit(Some("200")).unwrap(), 200);
        for bad in [
            "",
            "0",
            "201",
            "-1",
            "+5",
            "1.0",
            "ten",
            " 5",
            "99999999999999999999",
        ] {
            assert_eq!(
                limit(Some(bad)).unwrap_err().errors[0].pointer,
                "/limit",
                "{bad}"
            );
        }
    }

    #[test]
    fn cursors_round_trip_and_tampering_is_refused() {
        let cursor = encode(&At { seq: 42 });
        assert_eq!(decode::<At>(Some(&cursor)).unwrap(), Some(At { seq: 42 }));
        assert_eq!(decode::<At>(None).unwrap(), None);
        let other = encode(&"42");
        let padded = format!("{cursor}=");
        let long = "a".repeat(MAX_CURSOR + 4);
        for bad in [
            "",
            "x",
            "!!!",
            &cursor[1..],
            &other,
            &padded,
            &long,
            "e30",
            "eyJzZXEiOi0xfQ",
        ] {
            assert_eq!(
                decode::<At>(Some(bad)).unwrap_err().errors[0].pointer,
                "/cursor",
                "{bad}"
            );
        }
    }

    #[test]
    fn a_page_is_cut_from_one_item_more() {
        let page = cut(vec![9, 8, 7], 2, |seq| At { seq: *seq });
        assert_eq!(page.items, [9, 8]);
        assert_eq!(
            decode::<At>(page.next_cursor.as_deref()).unwrap(),
            Some(At { seq: 8 })
        );
        assert_eq!(cut(vec![9, 8], 2, |seq| At { seq: *seq }).next_cursor, None);
    }
}
